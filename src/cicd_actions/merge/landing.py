"""Bringing the commit to the target branch: look, decide, write without force, look again when somebody was faster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.github.compare import compare
from cicd_actions.github.merges import Merge, merge_commit, merge_of
from cicd_actions.github.pulls import merge_pull, open_or_reuse
from cicd_actions.github.refs import RefUpdate, branch_head, fast_forward
from cicd_actions.github.session import Session
from cicd_actions.merge.decision import Decision, Facts, Reason, Step, decide
from cicd_actions.merge.settings import Settings

log = logging.getLogger("cicd_actions.merge")

ROUNDS = 6


@dataclass(frozen=True, kw_only=True)
class Landing:
    """How it ended.

    ``merged``: the target contains the commit. ``said`` holds GitHub's words for a refusal, ``files`` those in
    conflict, ``planned`` what a dry run would do, ``target_head`` where the target stood when we last looked;
    ``untested``: the target had commits of its own, so the merge result is a tree that nobody tested.
    """

    merged: bool
    reason: Reason
    method: str = "none"
    merge_sha: str = ""
    target_head: str = ""
    said: str = ""
    files: tuple[str, ...] = ()
    pull_url: str = ""
    planned: str = ""
    untested: bool = False


def land(session: Session, settings: Settings) -> Landing:
    """Land the commit, or say why not; nothing is written on a dry run.

    Raises:
        ConfigError: No such target branch, or missing rights.
        UpstreamError: GitHub cannot be reached or keeps failing.
    """
    for turn in range(ROUNDS):
        if turn:
            session.policy.sleep(session.policy.wait(turn, 0.0))
        head = _target_head(session, settings.target_branch)
        facts = gather(session, settings, head)
        decision = decide(settings.method, facts)
        log.info("%s...%s is %s: %s.", settings.target_branch, settings.source_sha[:12], facts.status, decision.step)
        if decision.step is Step.NOTHING:
            return _contained(session, settings, head)
        if decision.step is Step.REFUSE:
            return Landing(merged=False, reason=decision.reason or Reason.DIVERGED, target_head=head)
        if settings.dry_run:
            return Landing(merged=False, reason=Reason.DRY_RUN, planned=decision.step.value, target_head=head)
        landing = _carry_out(session, settings, decision, head)
        if landing is not None:
            return replace(landing, untested=landing.merged and facts.status == "diverged")
        log.info("%s moved meanwhile; looking again.", settings.target_branch)
    return Landing(merged=False, reason=Reason.MOVING)


def gather(session: Session, settings: Settings, target_head: str) -> Facts:
    """Return the facts for the decision, as of ``target_head``."""
    sha = settings.source_sha
    against_target = compare(session, target_head, sha)
    against_source = compare(session, settings.source_branch, sha)
    in_source = against_source is not None and against_source.contained
    return Facts(
        source_sha=sha,
        tested_sha=settings.tested_sha,
        in_source=in_source and against_target is not None,
        status=against_target.status if against_target is not None else "diverged",
    )


def conflicting_files(session: Session, settings: Settings) -> tuple[str, ...]:
    """Return the files that both sides changed since they parted; conflicts are among them."""
    ours = compare(session, settings.source_sha, settings.target_branch)
    theirs = compare(session, settings.target_branch, settings.source_sha)
    if ours is None or theirs is None:
        return ()
    return tuple(sorted(set(ours.files) & set(theirs.files)))


def merge_message(settings: Settings) -> str:
    """Return the merge commit's message; the trailer tells what was landed."""
    headline = f"Merge {settings.source_branch} into {settings.target_branch}"
    return f"{headline}\n\nTested-Commit: {settings.source_sha}"


def _target_head(session: Session, branch: str) -> str:
    head = branch_head(session, branch)
    if head is None:
        raise ConfigError(
            Problem(
                input="target-branch",
                value=branch,
                what=f"is no branch of {session.repository}",
                fix="Create it, or name the branch to land on.",
            )
        )
    return head


def _contained(session: Session, settings: Settings, head: str) -> Landing:
    brought = "" if head == settings.source_sha else merge_of(session, head=settings.source_sha, branch_head=head)
    return Landing(
        merged=True, reason=Reason.ALREADY_MERGED, merge_sha=brought or settings.source_sha, target_head=head
    )


def _carry_out(session: Session, settings: Settings, decision: Decision, head: str) -> Landing | None:
    """Do one step; None when the target moved and the facts must be gathered again."""
    steps: dict[Step, Callable[[Session, Settings, str], Landing | None]] = {
        Step.FAST_FORWARD: _fast_forward,
        Step.MERGE: _merge,
        Step.PULL_REQUEST: _pull_request,
    }
    return steps[decision.step](session, settings, head)


def _fast_forward(session: Session, settings: Settings, head: str) -> Landing | None:
    outcome = fast_forward(session, settings.target_branch, settings.source_sha)
    if outcome.kind is RefUpdate.NOT_FAST_FORWARD:
        return None
    if outcome.kind is RefUpdate.PROTECTED:
        return Landing(merged=False, reason=Reason.PROTECTED, said=outcome.message, target_head=head)
    sha = settings.source_sha
    return Landing(
        merged=True, reason=Reason.FAST_FORWARDED, method=Step.FAST_FORWARD.value, merge_sha=sha, target_head=sha
    )


def _merge(session: Session, settings: Settings, head: str) -> Landing | None:
    outcome = merge_commit(
        session, base=settings.target_branch, head=settings.source_sha, message=merge_message(settings)
    )
    if outcome.kind is Merge.PROTECTED:
        return Landing(merged=False, reason=Reason.PROTECTED, said=outcome.message, target_head=head)
    if outcome.kind is Merge.CONFLICT:
        files = conflicting_files(session, settings)
        return Landing(merged=False, reason=Reason.CONFLICT, files=files, target_head=head)
    sha = outcome.sha
    if outcome.kind is Merge.CONTAINED:  # another run was first, or our own first try went through unheard
        now = _target_head(session, settings.target_branch)
        sha = merge_of(session, head=settings.source_sha, branch_head=now)
        if not sha:
            return None
    return Landing(merged=True, reason=Reason.MERGED, method=Step.MERGE.value, merge_sha=sha, target_head=sha)


def _pull_request(session: Session, settings: Settings, head: str) -> Landing | None:
    title = f"Merge {settings.source_branch} into {settings.target_branch}"
    pull = open_or_reuse(session, head=settings.source_branch, base=settings.target_branch, title=title)
    merged = merge_pull(session, pull, sha=settings.source_sha, title=f"{title} (#{pull.number})")
    if not merged.sha:
        return Landing(
            merged=False, reason=Reason.PULL_BLOCKED, said=merged.message, pull_url=pull.url, target_head=head
        )
    return Landing(
        merged=True,
        reason=Reason.MERGED,
        method=Step.PULL_REQUEST.value,
        merge_sha=merged.sha,
        pull_url=pull.url,
        target_head=merged.sha,
    )
