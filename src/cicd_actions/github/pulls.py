"""One pull request per pair of branches: found or opened, then merged at exactly one commit.

Source: GitHub's REST page "Pull requests" (list, create, merge).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cicd_actions.errors import ActionError
from cicd_actions.github.problems import refusal
from cicd_actions.github.session import Session

_NEEDS = "pull-requests: write"
_MERGE_NEEDS = "contents: write"


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A pull request; ``head_sha`` is where its source branch stands, ``node_id`` its name in GraphQL."""

    number: int
    url: str
    head_sha: str
    node_id: str = ""


def open_or_reuse(session: Session, *, head: str, base: str, title: str, body: str = "") -> Pull:
    """Return the open pull request from ``head`` to ``base``, opening one when there is none.

    Raises:
        ConfigError, ActionError, UpstreamError: No right (``pull-requests: write``), refused, or GitHub failed.
    """
    found = find_open(session, head=head, base=base)
    if found is not None:
        return found
    doing = f"open a pull request from {head!r} to {base!r}"
    document = {"title": title[:250], "head": head, "base": base, "body": body}
    answer = session.call("POST", "/pulls", doing=doing, body=document, accept=(403, 422), needs=_NEEDS)
    if answer.ok:
        return pull_of(answer.data)
    if "already exists" in answer.message.lower():  # ours, with the answer lost, or another run's
        found = find_open(session, head=head, base=base)
        if found is not None:
            return found
    if "not permitted to create" in answer.message.lower():
        raise ActionError(
            f"Could not {doing}: Actions may not open pull requests here. GitHub says: {answer.message}",
            hint="Switch on 'Allow GitHub Actions to create and approve pull requests' in the "
            "repository's Actions settings, or sign in as a GitHub App (app-id, app-private-key).",
        )
    raise refusal(answer, doing=doing, repository=session.repository, needs=_NEEDS)


def find_open(session: Session, *, head: str, base: str) -> Pull | None:
    """Return the open pull request from ``head`` (a branch of this repository) to ``base``, or None."""
    owner = session.repository.split("/")[0]
    answer = session.call(
        "GET",
        "/pulls",
        doing="list the open pull requests",
        params={"state": "open", "head": f"{owner}:{head}", "base": base, "per_page": 10},
        needs="pull-requests: read",
    )
    rows = [row for row in answer.data if row["head"]["ref"] == head and row["base"]["ref"] == base]
    return pull_of(rows[0]) if rows else None


@dataclass(frozen=True, kw_only=True)
class PullMerge:
    """``sha`` is the merge commit; empty when it was not merged, and then ``message`` has GitHub's words."""

    sha: str = ""
    message: str = ""


def merge_pull(session: Session, pull: Pull, *, sha: str, title: str) -> PullMerge:
    """Merge the pull request with a merge commit if its head is ``sha``.

    Not merged means that the head moved (409), or that a conflict, a review or a check stands in the way (405).

    Raises:
        ConfigError, ActionError, UpstreamError: No right, or GitHub failed.
    """
    answer = session.call(
        "PUT",
        f"/pulls/{pull.number}/merge",
        doing=f"merge pull request #{pull.number}",
        body={"sha": sha, "merge_method": "merge", "commit_title": title},
        accept=(405, 409),
        needs=_MERGE_NEEDS,
    )
    if answer.ok:
        return PullMerge(sha=str(answer.data["sha"]))
    # a first try may have merged it and the answer got lost
    doing = f"read pull request #{pull.number}"
    current = session.call("GET", f"/pulls/{pull.number}", doing=doing)
    if current.data.get("merged") and current.data["head"]["sha"] == sha:
        return PullMerge(sha=str(current.data["merge_commit_sha"]))
    return PullMerge(message=answer.message)


def pull_of(data: Mapping[str, Any]) -> Pull:
    """The pull request in GitHub's answer."""
    return Pull(
        number=int(data["number"]),
        url=str(data["html_url"]),
        head_sha=str(data["head"]["sha"]),
        node_id=str(data.get("node_id", "")),
    )
