"""Looking after pull requests of our own: bring up to date, label, merge when ready, close when superseded.

Source: GitHub's REST pages "Pull requests", "Labels", "Issue comments"; GraphQL ``enablePullRequestAutoMerge``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cicd_actions.github.pulls import Pull, merge_pull, pull_of
from cicd_actions.github.session import Session

_NEEDS = "pull-requests: write"
_MUTATION = """mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { clientMutationId }
}"""
_READY = ("clean status", "unstable status")


def open_on(session: Session, *, branch: str, base: str) -> dict[str, Pull]:
    """Return the open pull requests to ``base`` from ``branch`` or from one of its successors (``branch-<commit>``).

    Only branches of this repository count: a fork may name its branches as it likes.
    """
    answer = session.call(
        "GET",
        "/pulls",
        doing="list the open pull requests",
        params={"state": "open", "base": base, "per_page": 100, "sort": "created", "direction": "desc"},
        needs="pull-requests: read",
    )
    pattern = re.compile(re.escape(branch) + r"(-[0-9a-f]{12})?")
    found = {}
    for row in answer.data:
        home = ((row["head"].get("repo") or {}).get("full_name") or "").lower()
        if home == session.repository.lower() and row["base"]["ref"] == base and pattern.fullmatch(row["head"]["ref"]):
            found[str(row["head"]["ref"])] = pull_of(row)
    return found


def refresh(session: Session, pull: Pull, *, title: str, body: str) -> None:
    """Set title and text."""
    document = {"title": title[:250], "body": body}
    doing = f"bring pull request #{pull.number} up to date"
    session.call("PATCH", f"/pulls/{pull.number}", doing=doing, body=document, needs=_NEEDS)


def add_labels(session: Session, pull: Pull, labels: Sequence[str]) -> str:
    """Add labels (GitHub makes those that are new); return GitHub's words when it refused, else nothing."""
    answer = session.call(
        "POST",
        f"/issues/{pull.number}/labels",
        doing=f"label pull request #{pull.number}",
        body={"labels": list(labels)},
        accept=(403, 404, 410, 422),
        needs=_NEEDS,
    )
    return "" if answer.ok else answer.message or f"status {answer.status}"


def merge_when_ready(session: Session, pull: Pull, *, head: str, title: str) -> str:
    """Let GitHub merge when the rules are met; merge now when nothing is left to wait for.

    Args:
        head: The commit that may be merged; with a newer one on the branch, nothing is.

    Returns:
        Why it will not be merged by itself, or nothing.
    """
    wish = {"pullRequestId": pull.node_id, "mergeMethod": "MERGE", "expectedHeadOid": head}
    doing = f"enable auto-merge of pull request #{pull.number}"
    answer = session.graphql(_MUTATION, {"input": wish}, doing=doing, needs="contents: write")
    errors = answer.data.get("errors") or []
    if not errors:
        return ""
    said = " ".join(str(errors[0].get("message") or "").split())
    if not any(words in said.lower() for words in _READY):
        return said
    merged = merge_pull(session, pull, sha=head, title=title)
    return "" if merged.sha else merged.message


def close(session: Session, pull: Pull, *, why: str) -> None:
    """Close a pull request, saying why in a comment where comments may be written."""
    doing = f"close pull request #{pull.number}"
    path = f"/issues/{pull.number}/comments"
    session.call("POST", path, doing=doing, body={"body": why}, accept=(403, 404, 410), needs=_NEEDS)
    session.call("PATCH", f"/pulls/{pull.number}", doing=doing, body={"state": "closed"}, needs=_NEEDS)
