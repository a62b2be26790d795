"""Merging one commit into a branch on GitHub's side.

Source: GitHub's REST page "Merge a branch". Repeating is harmless: when the branch contains the commit already, the
answer is 204 and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cicd_actions.github.problems import is_rule_refusal, refusal
from cicd_actions.github.session import Session

_WRITE = "contents: write"


class Merge(StrEnum):
    """What became of it."""

    MERGED = "merged"
    CONTAINED = "contained"
    CONFLICT = "conflict"
    PROTECTED = "protected"


@dataclass(frozen=True, kw_only=True)
class MergeOutcome:
    """The kind; for MERGED the merge commit, for PROTECTED GitHub's words."""

    kind: Merge
    sha: str = ""
    message: str = ""


def merge_commit(session: Session, *, base: str, head: str, message: str) -> MergeOutcome:
    """Merge exactly the commit ``head`` into the branch ``base``.

    Raises:
        ConfigError, ActionError, UpstreamError: Missing rights, missing branch, a workflow file, or GitHub failed.
    """
    doing = f"merge {head[:12]} into {base!r}"
    answer = session.call(
        "POST",
        "/merges",
        doing=doing,
        body={"base": base, "head": head, "commit_message": message},
        accept=(403, 409, 422),
        needs=_WRITE,
    )
    if answer.status == 204:
        return MergeOutcome(kind=Merge.CONTAINED)
    if answer.ok:
        return MergeOutcome(kind=Merge.MERGED, sha=str(answer.data["sha"]))
    if is_rule_refusal(answer):
        return MergeOutcome(kind=Merge.PROTECTED, message=answer.message)
    if answer.status == 409:
        return MergeOutcome(kind=Merge.CONFLICT)
    raise refusal(answer, doing=doing, repository=session.repository, needs=_WRITE)


def merge_of(session: Session, *, head: str, branch_head: str, depth: int = 20) -> str:
    """Return the merge commit that brought ``head`` in, looking back from the branch's head, or an empty string.

    It tells our own merge (made before the answer was lost, or before a kill) from others made since.
    """
    answer = session.call(
        "GET",
        "/commits",
        doing="read the newest commits",
        params={"sha": branch_head, "per_page": depth},
        needs="contents: read",
    )
    for row in answer.data:
        parents = [parent["sha"] for parent in row["parents"]]
        if head in parents[1:]:
            return str(row["sha"])
    return ""
