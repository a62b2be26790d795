"""The action gitops-tag-update: edit, commit, report."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.github.app import sign_in
from cicd_actions.github.markdown import code
from cicd_actions.github.pulls import Pull
from cicd_actions.gitops.by_api import ApiBranch
from cicd_actions.gitops.by_git import GitBranch
from cicd_actions.gitops.contention import Backoff, Landing
from cicd_actions.gitops.evidence import gather
from cicd_actions.gitops.proposal import propose
from cicd_actions.gitops.repository import GitRepository, environment
from cicd_actions.gitops.settings import Settings
from cicd_actions.gitops.target import GitTarget, accepts_token
from cicd_actions.gitops.update import Update
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
    remarks: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a commit was made, or would be in a dry run."""
        return bool(self.landing.plan.additions)


def run(
    settings: Settings,
    context: RunContext,
    backoff: Backoff | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Result:
    """Set the values; run again after any interruption it ends in the same state.

    Args:
        settings: What to set where.
        context: The run.
        backoff: How long to keep trying when others write too.
        now: The clock, for hold markers with an end.

    Raises:
        ConfigError: Wrong repository, branch, file, key or rights; nothing was written.
        ActionError: Refused: a hold, a downgrade, an image that is not there, a protected branch; nothing was written.
        UpstreamError: The host failed, or every race was lost.
    """
    update = Update(settings, context, gather(settings, context), backoff or Backoff(), now())
    if isinstance(settings.target, GitTarget):
        return _by_git(update, settings.target)
    session = sign_in(
        context,
        token=settings.token,
        app_id=settings.app_id,
        private_key=settings.app_private_key,
        permissions=_permissions(settings),
        repository=settings.target.name,
    )
    if settings.pull_request:
        proposal = propose(update, session)
        return Result(settings=settings, landing=proposal.landing, pull=proposal.pull, remarks=proposal.remarks)
    branch = ApiBranch(session, settings.branch)
    check = cache(lambda: branch.preflight(dry_run=settings.dry_run))
    return Result(settings=settings, landing=update.land(branch, before_commit=check))


def _permissions(settings: Settings) -> Mapping[str, str]:
    more = {"pull_requests": "write"} if settings.pull_request else {}
    return {"contents": "write", **more}


def _by_git(update: Update, target: GitTarget) -> Result:
    settings, context = update.settings, update.context
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
        remote = GitBranch(repository, settings.branch, update.backoff)
        return Result(settings=settings, landing=update.land(remote))


def report(result: Result) -> Report:
    """Return outputs, summary and annotations."""
    landing, settings = result.landing, result.settings
    commit = landing.commit.sha if landing.commit else "" if result.changed else landing.head
    remarks = (*landing.plan.remarks, *result.remarks)
    notices = [Annotation(level="notice", title="gitops-tag-update", message=remark) for remark in remarks]
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
