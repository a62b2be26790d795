"""Branches: where they point, and moving them forward only.

Source: GitHub's REST page "Git references" (get, create and update a reference).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cicd_actions.github.problems import (
    is_rule_refusal,
    is_workflow_file_refusal,
    refusal,
    workflow_file_error,
)
from cicd_actions.github.session import Session, segment

_WRITE = "contents: write"


class RefUpdate(StrEnum):
    """What became of a non-forced update."""

    UPDATED = "updated"
    NOT_FAST_FORWARD = "not-fast-forward"
    PROTECTED = "protected"


@dataclass(frozen=True, kw_only=True)
class RefOutcome:
    """The kind, and the refusal itself for messages."""

    kind: RefUpdate
    message: str = ""


def branch_head(session: Session, branch: str) -> str | None:
    """Return the commit that a branch points at, or None when there is no such branch.

    Raises:
        ConfigError: The repository is not there or not visible (told apart from a missing branch).
    """
    doing = f"read the branch {branch!r}"
    answer = session.call("GET", f"/git/ref/heads/{segment(branch, slashes=True)}", doing=doing, accept=(404, 409))
    if answer.ok:
        return str(answer.data["object"]["sha"])
    if answer.status == 404:
        session.call("GET", "", doing="read the repository", needs="contents: read")
    return None


def fast_forward(session: Session, branch: str, sha: str) -> RefOutcome:
    """Move a branch to ``sha`` if that loses no commit (a compare-and-swap); repeating it is harmless.

    Raises:
        ActionError, ConfigError, UpstreamError: Any other refusal than the two in `RefUpdate`.
    """
    doing = f"move the branch {branch!r} to {sha[:12]}"
    answer = session.call(
        "PATCH",
        f"/git/refs/heads/{segment(branch, slashes=True)}",
        doing=doing,
        body={"sha": sha, "force": False},
        accept=(403, 409, 422),
        needs=_WRITE,
    )
    if answer.ok:
        return RefOutcome(kind=RefUpdate.UPDATED)
    if is_workflow_file_refusal(answer):
        raise workflow_file_error(answer, doing)
    if answer.status == 422 and "fast forward" in answer.message.lower().replace("-", " "):
        return RefOutcome(kind=RefUpdate.NOT_FAST_FORWARD, message=answer.message)
    if is_rule_refusal(answer):
        return RefOutcome(kind=RefUpdate.PROTECTED, message=answer.message)
    raise refusal(answer, doing=doing, repository=session.repository, needs=_WRITE)


def create_branch(session: Session, branch: str, sha: str) -> bool:
    """Create a branch at ``sha``; False when there is one of that name already.

    Raises:
        ActionError, ConfigError, UpstreamError: GitHub refused or failed.
    """
    doing = f"create the branch {branch!r}"
    answer = session.call(
        "POST",
        "/git/refs",
        doing=doing,
        body={"ref": f"refs/heads/{branch}", "sha": sha},
        accept=(422,),
        needs=_WRITE,
    )
    if answer.ok:
        return True
    if "already exists" in answer.message.lower():
        return False
    raise refusal(answer, doing=doing, repository=session.repository, needs=_WRITE)
