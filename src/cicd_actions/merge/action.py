"""The action auto-merge: land, start the next workflow, report."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cicd_actions.errors import EXIT_FAILED, EXIT_OK, EXIT_UPSTREAM, ActionError
from cicd_actions.github.app import sign_in
from cicd_actions.github.commits import read_file
from cicd_actions.github.dispatch import Run, dispatch_once, no_workflow, workflow_exists
from cicd_actions.github.markdown import code, escape
from cicd_actions.github.session import Session
from cicd_actions.merge.decision import Reason
from cicd_actions.merge.landing import Landing, land
from cicd_actions.merge.settings import Settings
from cicd_actions.merge.wording import details, headline, remedy
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Annotation, Report

log = logging.getLogger("cicd_actions.merge")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was landed; the next workflow's run, or the reason why it could not be started."""

    settings: Settings
    landing: Landing
    next_run: Run | None = None
    not_started: ActionError | None = None


def run(settings: Settings, context: RunContext) -> Result:
    """Land the commit and start the next workflow; run again after any interruption it ends in the same state.

    Raises:
        ConfigError: Wrong names or missing rights; nothing was merged.
        UpstreamError: GitHub failed before the commit was landed.
    """
    session = sign_in(
        context,
        token=settings.token,
        app_id=settings.app_id,
        private_key=settings.app_private_key,
        permissions=_permissions(settings),
        optional={"workflows": "write"},  # only with it can a change of a workflow file be landed
    )
    return land_and_start(session, settings)


def land_and_start(session: Session, settings: Settings) -> Result:
    """Do what `run` does, with a session that is signed in already."""
    if settings.next_workflow:
        _require_workflow(session, settings)
    landing = land(session, settings)
    log.info("%s", headline(settings, landing))
    if not (landing.merged and settings.next_workflow) or settings.dry_run:
        return Result(settings=settings, landing=landing)
    try:
        started = dispatch_once(
            session,
            settings.next_workflow,
            ref=settings.target_branch,
            commits={landing.merge_sha, landing.target_head},
        )
    except ActionError as error:  # the merge stands, so its facts must reach the outputs beside the error
        return Result(settings=settings, landing=landing, not_started=error)
    log.info("%s: %s", "Started" if started.created else "Was started before", started.url)
    return Result(settings=settings, landing=landing, next_run=started)


def report(result: Result) -> Report:
    """Return outputs, summary and annotations."""
    landing = result.landing
    refused = not landing.merged and landing.reason is not Reason.DRY_RUN
    exit_code = EXIT_FAILED if refused else EXIT_UPSTREAM if result.not_started else EXIT_OK
    return Report(
        outputs={
            "merged": "true" if landing.merged else "false",
            "merge-sha": landing.merge_sha,
            "method-used": landing.method,
            "reason": landing.reason.value,
            "dispatched-run-url": result.next_run.url if result.next_run else "",
        },
        exit_code=exit_code,
        summary=_summary(result),
        text=_text(result),
        annotations=_annotations(result, refused=refused),
    )


def _permissions(settings: Settings) -> dict[str, str]:
    wanted = {"contents": "write"}
    if settings.next_workflow:
        wanted["actions"] = "write"
    if settings.method == "pull-request":
        wanted["pull_requests"] = "write"
    return wanted


def _require_workflow(session: Session, settings: Settings) -> None:
    """Refuse a name that leads nowhere before anything is merged; the merge itself may bring the file."""
    if workflow_exists(session, settings.next_workflow):
        return
    path = f".github/workflows/{settings.next_workflow}"
    if read_file(session, path, ref=settings.source_sha) is None:
        raise no_workflow(session, settings.next_workflow)


def _annotations(result: Result, *, refused: bool) -> tuple[Annotation, ...]:
    settings, landing = result.settings, result.landing
    if refused:
        message = f"{headline(settings, landing)}\nWhat to do: {remedy(settings, landing)}"
        return (Annotation(level="error", title="auto-merge: nothing was merged", message=message),)
    if result.not_started:
        message = f"{headline(settings, landing)} But the next workflow was not started. {result.not_started}"
        return (Annotation(level="error", title="auto-merge: the next workflow did not start", message=message),)
    if landing.untested:
        message = (
            f"{settings.target_branch} had moved on, so the tested commit was merged with it: the merge result "
            f"{landing.merge_sha[:12]} itself was not tested before it landed."
        )
        return (Annotation(level="notice", title="auto-merge: merge commit", message=message),)
    return ()


def _text(result: Result) -> str:
    settings, landing = result.settings, result.landing
    lines = [headline(settings, landing)]
    if todo := remedy(settings, landing):
        lines.append(f"What to do: {todo}")
    lines += details(settings, landing).splitlines()
    if result.next_run:
        lines.append(f"Next workflow: {result.next_run.url}")
    if result.not_started:
        lines.append(f"The next workflow was not started: {result.not_started}")
    return "\n".join(lines)


def _summary(result: Result) -> str:
    settings, landing = result.settings, result.landing
    icon = "✅" if landing.merged and not result.not_started else "📝" if landing.reason is Reason.DRY_RUN else "❌"
    parts = [f"## {icon} Merge", escape(headline(settings, landing), 900)]
    if landing.merged:
        rows = [("Tested commit", settings.source_sha), ("On the target branch as", landing.merge_sha)]
        rows += [("Branches", f"{settings.source_branch} → {settings.target_branch}"), ("Method", landing.method)]
        table = ["| what | value |", "|---|---|", *(f"| {name} | {code(value)} |" for name, value in rows)]
        parts.append("\n".join(table))
    if todo := remedy(settings, landing):
        parts.append(f"**What to do:** {escape(todo, 600)}")
    if block := details(settings, landing):
        parts.append(block)
    if landing.pull_url:
        parts.append(f"Pull request: <{landing.pull_url}>")
    if result.next_run:
        word = "started" if result.next_run.created else "was running or done already"
        parts.append(f"Next workflow {code(settings.next_workflow)} {word}: <{result.next_run.url}>")
    if result.not_started:
        parts.append(f"**The next workflow was not started:** {escape(str(result.not_started), 900)}")
    return "\n\n".join(parts) + "\n"
