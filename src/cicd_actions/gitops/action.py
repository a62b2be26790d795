"""The action gitops-tag-update: edit, commit, report."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.github.app import sign_in
from cicd_actions.github.markdown import code
from cicd_actions.github.pulls import Pull, find_open, open_or_reuse
from cicd_actions.github.session import Session
from cicd_actions.gitops.by_api import ApiBranch, prepare_branch
from cicd_actions.gitops.by_git import GitBranch
from cicd_actions.gitops.contention import Backoff, Landing, Remote, land
from cicd_actions.gitops.message import Message, compose
from cicd_actions.gitops.plan import Plan, make_plan
from cicd_actions.gitops.repository import GitRepository, environment
from cicd_actions.gitops.settings import Settings
from cicd_actions.gitops.target import GitTarget, accepts_token
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Annotation, Report

log = logging.getLogger("cicd_actions.gitops")

_SUMMARY_LIMIT = 20_000
_DIFF_LIMIT = 100_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was asked and how it ended; ``pull`` in mode pull-request only."""

    settings: Settings
    landing: Landing
    pull: Pull | None = None

    @property
    def changed(self) -> bool:
        """Whether a commit was made, or would be in a dry run."""
        return bool(self.landing.plan.additions)


def run(settings: Settings, context: RunContext, backoff: Backoff | None = None) -> Result:
    """Set the values; run again after any interruption it ends in the same state.

    Args:
        settings: What to set where.
        context: The run.
        backoff: How long to keep trying when others write too.

    Raises:
        ConfigError: Wrong repository, branch, file, key or rights; nothing was written.
        ActionError: Refused: a downgrade, or a protected branch; nothing was written.
        UpstreamError: The host failed, or every race was lost.
    """
    chosen = backoff or Backoff()
    if isinstance(settings.target, GitTarget):
        return _by_git(settings, settings.target, context, chosen)
    session = sign_in(
        context,
        token=settings.token,
        app_id=settings.app_id,
        private_key=settings.app_private_key,
        permissions=_permissions(settings),
        repository=settings.target.name,
    )
    if settings.pull_request:
        return _by_pull_request(settings, session, context, chosen)
    return Result(settings=settings, landing=_land(ApiBranch(session, settings.branch), settings, context, chosen))


def _permissions(settings: Settings) -> Mapping[str, str]:
    more = {"pull_requests": "write"} if settings.pull_request else {}
    return {"contents": "write", **more}


def _land(remote: Remote, settings: Settings, context: RunContext, backoff: Backoff) -> Landing:
    def plan(files: Mapping[str, bytes | None], head: str) -> Plan:
        where = f"{settings.target.name}, branch {settings.branch} at {head[:12]}"
        return make_plan(files, settings.updates, where=where, allow_downgrade=settings.allow_downgrade)

    def message(plan: Plan) -> Message:
        return compose(settings.message, plan, settings.words, app=settings.app, run_url=context.run_url)

    return land(remote, settings.files, plan=plan, message=message, backoff=backoff, dry_run=settings.dry_run)


def _by_git(settings: Settings, target: GitTarget, context: RunContext, backoff: Backoff) -> Result:
    if settings.app_id or settings.app_private_key:
        what = "signs in to the run's own GitHub by API only, and the repository is written by git"
        raise ConfigError(Problem(input="app-id", value=settings.app_id, what=what, fix="Give token or ssh-key."))
    token = settings.token
    if token and target.url.startswith("http") and not accepts_token(target.url, token.reveal()):
        log.info("The token is not sent to %s: it belongs to a GitHub job, or the line is not encrypted.", target.url)
    context.temp.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cicd-actions-gitops-", dir=context.temp) as name:
        folder = Path(name)
        env = environment(context.env, url=target.url, token=token, ssh_key=settings.ssh_key, folder=folder)
        repository = GitRepository(folder / "repository.git", target.url, env)
        repository.create()
        remote = GitBranch(repository, settings.branch, backoff)
        return Result(settings=settings, landing=_land(remote, settings, context, backoff))


def _by_pull_request(settings: Settings, session: Session, context: RunContext, backoff: Backoff) -> Result:
    """One branch per application, updated in place; opened only when the base does not hold the values yet."""
    base = ApiBranch(session, settings.branch)
    wanted = _land(base, replace(settings, dry_run=True), context, backoff)
    if settings.dry_run or not wanted.plan.additions:
        return Result(settings=settings, landing=wanted)
    branch = f"cicd-actions/{settings.app}"
    open_one = find_open(session, head=branch, base=settings.branch)
    if not prepare_branch(session, branch, wanted.head, in_use=open_one is not None):
        branch = f"{branch}-{wanted.head[:12]}"
        prepare_branch(session, branch, wanted.head, in_use=False)
    landing = _land(ApiBranch(session, branch), settings, context, backoff)
    message = compose(settings.message, wanted.plan, settings.words, app=settings.app, run_url=context.run_url)
    pull = open_one or open_or_reuse(
        session, head=branch, base=settings.branch, title=message.headline, body=message.body
    )
    return Result(settings=settings, landing=landing, pull=pull)


def report(result: Result) -> Report:
    """Return outputs, summary and annotations."""
    landing, settings = result.landing, result.settings
    commit = landing.commit.sha if landing.commit else "" if result.changed else landing.head
    notices = [Annotation(level="notice", title="gitops-tag-update", message=remark) for remark in landing.plan.remarks]
    return Report(
        outputs={
            "changed": "true" if result.changed else "false",
            "commit-sha": commit,
            "pull-request-url": result.pull.url if result.pull else "",
            "previous": json.dumps(landing.plan.previous, ensure_ascii=False),
            "diff": _cut(landing.plan.diff),
        },
        summary=_summary(result),
        text=f"{headline(result)}\n{landing.plan.diff if settings.dry_run else ''}",
        annotations=tuple(notices),
    )


def _cut(diff: str) -> str:
    """An output may hold 1 MB at most; a diff that long is read by nobody."""
    return diff if len(diff) <= _DIFF_LIMIT else diff[:_DIFF_LIMIT] + "\n(cut)\n"


def headline(result: Result) -> str:
    """One sentence about the end."""
    landing, settings = result.landing, result.settings
    where = f"{settings.target.name} ({settings.branch})"
    if not result.changed:
        ending = f" {result.pull.url} has it." if result.pull else ""
        return f"Nothing to do: {where} holds the values already.{ending}"
    what = ", ".join(f"{change.path} = {change.new}" for _, change in landing.plan.changes())
    if landing.commit is None:
        return f"Dry run: would set {what} in {where}."
    after = f" after {landing.attempts} attempts" if landing.attempts > 1 else ""
    pull = f", {result.pull.url}" if result.pull else ""
    return f"Set {what} in {where}: commit {landing.commit.sha[:12]}{after}{pull}."


def _summary(result: Result) -> str:
    landing = result.landing
    rows = [
        f"| {code(path)} | {code(str(change.path))} | {code(change.old)} | {code(change.new)} |"
        for path, change in landing.plan.changes()
    ]
    table = "\n".join(["| file | key | before | after |", "|---|---|---|---|", *rows]) if rows else ""
    links = [link for link in (landing.commit and landing.commit.url, result.pull and result.pull.url) if link]
    parts = ["## GitOps update", code(headline(result), 600), table, *(f"<{link}>" for link in links)]
    return "\n\n".join(part for part in parts if part)[:_SUMMARY_LIMIT] + "\n"
