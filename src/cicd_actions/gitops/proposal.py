"""Mode pull-request: one branch and one pull request per application, brought up to date in place, never forced."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from cicd_actions.errors import ActionError
from cicd_actions.github.compare import compare
from cicd_actions.github.merges import Merge, merge_commit
from cicd_actions.github.pulls import Pull, open_or_reuse
from cicd_actions.github.refs import RefUpdate, create_branch, fast_forward
from cicd_actions.github.session import Session
from cicd_actions.github.upkeep import add_labels, close, merge_when_ready, open_on, refresh
from cicd_actions.gitops.by_api import ApiBranch
from cicd_actions.gitops.contention import Landing
from cicd_actions.gitops.update import Update

log = logging.getLogger("cicd_actions.gitops")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """How it ended; ``pull`` is the pull request that holds the values, if one is needed."""

    landing: Landing
    pull: Pull | None
    remarks: tuple[str, ...]


def propose(update: Update, session: Session) -> Proposal:
    """Open a pull request with the update, or bring the open one up to date; close those that it replaces.

    Raises:
        ActionError, ConfigError, UpstreamError: As for `Update.land`; also refused when the open pull request holds
            a newer version, or a hold.
    """
    settings = update.settings
    wanted = update.land(ApiBranch(session, settings.branch), dry_run=True)
    if settings.dry_run:
        return Proposal(landing=wanted, pull=None, remarks=())
    name = f"cicd-actions/{settings.app}"
    ours = open_on(session, branch=name, base=settings.branch)
    if not wanted.plan.additions:
        return Proposal(landing=wanted, pull=None, remarks=_close_needless(update, session, ours))
    # the newest of ours is the one to go on with: an older name may be closed or left over
    current = max(ours, key=lambda head: ours[head].number, default=name)
    branch = _ready(update, session, name=name, current=current, head=wanted.head, in_use=current in ours)
    landing = update.land(ApiBranch(session, branch))
    message = update.message(wanted.plan)
    pull = ours.get(branch)
    if pull is None:
        pull = open_or_reuse(session, head=branch, base=settings.branch, title=message.headline, body=message.body)
    else:
        refresh(session, pull, title=message.headline, body=message.body)
    remarks = list(_finish(update, session, pull, landing, message.headline))
    for other in ours.values():
        if other.number != pull.number:
            close(session, other, why=f"Superseded by #{pull.number}.")
            remarks.append(f"Closed {other.url}: superseded by #{pull.number}.")
    return Proposal(landing=landing, pull=pull, remarks=tuple(remarks))


def _ready(update: Update, session: Session, *, name: str, current: str, head: str, in_use: bool) -> str:
    """Return a branch that exists, contains the base, and may be written without losing anybody's commit."""
    if in_use:
        # refuses when what waits there is newer or held, also where the branch cannot be gone on with
        update.land(ApiBranch(session, current), dry_run=True)
        text = f"Merge {update.settings.branch} into {current}"
        if merge_commit(session, base=current, head=head, message=text).kind in (Merge.MERGED, Merge.CONTAINED):
            return current
    elif (
        create_branch(session, name, head)
        or fast_forward(session, name, head).kind is RefUpdate.UPDATED
        or _is_ours(update, session, name, head)
    ):
        return name
    fresh = f"{name}-{head[:12]}"
    create_branch(session, fresh, head)
    return fresh


def _is_ours(update: Update, session: Session, name: str, head: str) -> bool:
    """Whether a branch without a pull request is what an interrupted run left: the base and changes to our files."""
    found = compare(session, head, name)
    return found is not None and found.status == "ahead" and set(found.files) <= set(update.settings.files)


def _close_needless(update: Update, session: Session, ours: Mapping[str, Pull]) -> tuple[str, ...]:
    """The base holds the values: close what waits with older ones. What is newer, or held, stays open."""
    remarks = []
    for branch, pull in ours.items():
        try:
            update.land(ApiBranch(session, branch), dry_run=True)
        except ActionError as error:
            log.info("%s stays open: %s", pull.url, error.message.splitlines()[0])
            continue
        close(session, pull, why=f"Superseded: {update.settings.branch} holds the values already.")
        remarks.append(f"Closed {pull.url}: {update.settings.branch} holds the values already.")
    return tuple(remarks)


def _finish(update: Update, session: Session, pull: Pull, landing: Landing, title: str) -> tuple[str, ...]:
    """Labels and auto-merge; what GitHub refuses here is told, and the update stands all the same."""
    settings, remarks = update.settings, []
    refused = add_labels(session, pull, settings.labels) if settings.labels else ""
    if refused:
        remarks.append(f"The labels were not set on {pull.url}. GitHub says: {refused}")
    if settings.auto_merge:
        head = landing.commit.sha if landing.commit else landing.head
        refused = merge_when_ready(session, pull, head=head, title=title)
        if refused:
            hint = "Allow auto-merge in the repository's settings, and protect the branch with a rule to wait for."
            remarks.append(f"{pull.url} will not be merged by itself. GitHub says: {refused} {hint}")
    return tuple(remarks)
