"""Comments on a commit, written once: a hidden marker tells our own from others'.

Source: GitHub's REST page "Commit comments". A comment holds 65,536 characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cicd_actions.github.problems import OutcomeUnknown
from cicd_actions.github.session import Session, segment

LIMIT = 65_536
_NEEDS = "contents: write"
_PAGES = 10


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A comment and the address of its page; ``created`` is False when it was there already."""

    id: int
    url: str
    created: bool


def comment_once(session: Session, sha: str, body: str, *, marker: str) -> Comment:
    """Comment on a commit unless a comment with the same marker is there; then its text is brought up to date.

    Args:
        session: The session.
        sha: The commit.
        body: Markdown.
        marker: A word that names the occasion (letters, digits and ``. - _ / :``), hidden in the comment.

    Raises:
        ConfigError, ActionError, UpstreamError: No right, no such commit, or GitHub failed.
    """
    hidden = f"<!-- cicd-actions:{re.sub(r'[^A-Za-z0-9._/:-]', '_', marker).replace('--', '-_')} -->"
    text = f"{hidden}\n{body}"
    found = _find(session, sha, hidden)
    if found is None:
        try:
            return _create(session, sha, text)
        except OutcomeUnknown:
            found = _find(session, sha, hidden)
            if found is None:
                return _create(session, sha, text)
    if found[1] != text:
        doing = f"update the comment on {sha[:12]}"
        answer = session.call("PATCH", f"/comments/{found[0].id}", doing=doing, body={"body": text}, needs=_NEEDS)
        return Comment(id=int(answer.data["id"]), url=str(answer.data["html_url"]), created=False)
    return found[0]


def _create(session: Session, sha: str, text: str) -> Comment:
    answer = session.call(
        "POST",
        f"/commits/{segment(sha)}/comments",
        doing=f"comment on the commit {sha[:12]}",
        body={"body": text},
        repeatable=False,
        needs=_NEEDS,
    )
    return Comment(id=int(answer.data["id"]), url=str(answer.data["html_url"]), created=True)


def _find(session: Session, sha: str, hidden: str) -> tuple[Comment, str] | None:
    for page in range(1, _PAGES + 1):
        answer = session.call(
            "GET",
            f"/commits/{segment(sha)}/comments",
            doing=f"read the comments on {sha[:12]}",
            params={"per_page": 100, "page": page},
            needs="contents: read",
        )
        for row in answer.data:
            if str(row["body"]).startswith(hidden):
                comment = Comment(id=int(row["id"]), url=str(row["html_url"]), created=False)
                return comment, str(row["body"])
        if len(answer.data) < 100:
            break
    return None
