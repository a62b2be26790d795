"""Commits made by GitHub (signed, no clone), and files as they were at a commit.

Source: GitHub's GraphQL reference, ``createCommitOnBranch``; REST pages "Repository contents" and "Git blobs".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.github.answer import Answer
from cicd_actions.github.problems import (
    OutcomeUnknown,
    is_rule_refusal,
    is_workflow_file_refusal,
    refusal,
    workflow_file_error,
)
from cicd_actions.github.session import Session, segment

_WRITE = "contents: write"
_MUTATION = """mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url } }
}"""


class Commit(StrEnum):
    """What became of a commit."""

    COMMITTED = "committed"
    STALE_HEAD = "stale-head"
    PROTECTED = "protected"
    NO_BRANCH = "no-branch"


@dataclass(frozen=True, kw_only=True)
class CommitOutcome:
    """The kind; ``sha`` and ``url`` for COMMITTED; GitHub's words otherwise."""

    kind: Commit
    sha: str = ""
    url: str = ""
    message: str = ""


def create_commit_on_branch(
    session: Session,
    *,
    branch: str,
    expected_head: str,
    headline: str,
    body: str = "",
    additions: Mapping[str, bytes] | None = None,
    deletions: Sequence[str] = (),
) -> CommitOutcome:
    """Commit files on top of ``expected_head``, or nothing when the branch points elsewhere by now.

    When no answer comes, the branch's newest commits tell whether ours is among them, so it is never made twice.
    ``additions`` maps a path to the file's whole content, new or changed; ``deletions`` are paths to remove.

    Raises:
        ConfigError, ActionError, UpstreamError: Missing rights, refused content, or GitHub failed.
    """
    doing = f"commit to the branch {branch!r}"
    variables = {
        "input": {
            "branch": {"repositoryNameWithOwner": session.repository, "branchName": branch},
            "message": {"headline": headline, "body": body},
            "expectedHeadOid": expected_head,
            "fileChanges": _changes(additions or {}, deletions),
        }
    }
    try:
        answer = session.graphql(_MUTATION, variables, doing=doing, repeatable=False, needs=_WRITE)
    except OutcomeUnknown:
        ours = _find_own(session, branch, expected_head, headline, body)
        if ours is not None:
            return ours
        # the same expected head cannot be committed on twice, so a second try is safe
        answer = session.graphql(_MUTATION, variables, doing=doing, needs=_WRITE)
        outcome = _outcome(session, answer, doing)
        if outcome.kind is Commit.STALE_HEAD:
            return _find_own(session, branch, expected_head, headline, body) or outcome
        return outcome
    return _outcome(session, answer, doing)


def _changes(additions: Mapping[str, bytes], deletions: Sequence[str]) -> dict[str, Any]:
    """Return the file changes; a list that is not used must be absent, not null."""
    changes: dict[str, Any] = {}
    if additions:
        changes["additions"] = [
            {"path": path, "contents": base64.b64encode(data).decode()} for path, data in additions.items()
        ]
    if deletions:
        changes["deletions"] = [{"path": path} for path in deletions]
    return changes


def _outcome(session: Session, answer: Answer, doing: str) -> CommitOutcome:
    errors = answer.data.get("errors") or []
    if not errors:
        commit = answer.data["data"]["createCommitOnBranch"]["commit"]
        return CommitOutcome(kind=Commit.COMMITTED, sha=str(commit["oid"]), url=str(commit["url"]))
    kind = str(errors[0].get("type") or "")
    said = Answer(status=422, data={"message": str(errors[0].get("message") or "")})
    if is_workflow_file_refusal(said):
        raise workflow_file_error(said, doing)
    if kind == "STALE_DATA" or "expected branch to point to" in said.message.lower():
        return CommitOutcome(kind=Commit.STALE_HEAD, message=said.message)
    if kind == "BRANCH_PROTECTION_RULE_VIOLATION" or is_rule_refusal(said):
        return CommitOutcome(kind=Commit.PROTECTED, message=said.message)
    if "branch not found" in said.message.lower() or "no ref" in said.message.lower():
        return CommitOutcome(kind=Commit.NO_BRANCH, message=said.message)
    status = {"NOT_FOUND": 404, "FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403}.get(kind, 422)
    raise refusal(
        Answer(status=status, data=said.data),
        doing=doing,
        repository=session.repository,
        needs=_WRITE,
    )


def _find_own(session: Session, branch: str, parent: str, headline: str, body: str) -> CommitOutcome | None:
    """Look for a commit with our message right on top of the head that we expected."""
    answer = session.call(
        "GET",
        "/commits",
        doing="look for our own commit",
        params={"sha": branch, "per_page": 50},
        needs="contents: read",
    )
    message = f"{headline}\n\n{body}".strip()
    for row in answer.data:
        parents = [entry["sha"] for entry in row["parents"]]
        if parents == [parent] and str(row["commit"]["message"]).strip() == message:
            return CommitOutcome(kind=Commit.COMMITTED, sha=str(row["sha"]), url=str(row["html_url"]))
    return None


def read_file(session: Session, path: str, *, ref: str) -> bytes | None:
    """Return the bytes of a file at a commit or branch, or None when it is not there.

    Raises:
        ConfigError: The path is a folder, a symbolic link or a submodule.
        ActionError, UpstreamError: GitHub refused or failed.
    """
    doing = f"read {path!r} at {ref[:40]}"
    answer = session.call(
        "GET",
        f"/contents/{segment(path, slashes=True)}",
        doing=doing,
        params={"ref": ref},
        accept=(404,),
        needs="contents: read",
    )
    if not answer.ok:
        return None
    data = answer.data
    if not isinstance(data, Mapping) or data.get("type") != "file":
        raise ConfigError(Problem(input="file", value=path, what="is not a plain file in the repository"))
    if data.get("encoding") != "base64":  # from 1 MB on the contents come from the blob only
        blob = session.call("GET", f"/git/blobs/{segment(str(data['sha']))}", doing=doing)
        data = blob.data
    try:
        return base64.b64decode(str(data["content"]))
    except (KeyError, ValueError) as error:
        raise ActionError(f"GitHub's answer made no sense when trying to {doing}.") from error
