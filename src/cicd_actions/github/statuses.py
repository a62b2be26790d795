"""Commit statuses: a state that stays with a commit, used to know the last verdict of a branch.

Source: GitHub's REST page "Commit statuses". A description holds 140 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from cicd_actions.github.session import Session, segment

State = Literal["error", "failure", "pending", "success"]
_DESCRIPTION = 140


def set_status(
    session: Session,
    sha: str,
    *,
    context: str,
    state: State,
    description: str = "",
    target_url: str = "",
) -> None:
    """Set the state of one context on a commit; setting it twice is harmless.

    Raises:
        ConfigError, ActionError, UpstreamError: No right (``statuses: write``), no such commit, or GitHub failed.
    """
    body = {
        "context": context,
        "state": state,
        "description": " ".join(description.split())[:_DESCRIPTION],
    }
    if target_url:
        body["target_url"] = target_url
    session.call(
        "POST",
        f"/statuses/{segment(sha)}",
        doing=f"set the status {context!r} on {sha[:12]}",
        body=body,
        needs="statuses: write",
    )


def get_status(session: Session, sha: str, *, context: str) -> str:
    """Return the newest state of one context on a commit, or an empty string when there is none.

    Raises:
        ConfigError, UpstreamError: No right (``statuses: read``), or GitHub failed.
    """
    return str(_newest(session, sha, context).get("state", ""))


def get_description(session: Session, sha: str, *, context: str) -> str:
    """Return what the newest state of one context on a commit says, or an empty string when there is none.

    Raises:
        ConfigError, UpstreamError: No right (``statuses: read``), or GitHub failed.
    """
    return str(_newest(session, sha, context).get("description") or "")


def _newest(session: Session, sha: str, context: str) -> Mapping[str, Any]:
    answer = session.call(
        "GET",
        f"/commits/{segment(sha)}/status",
        doing=f"read the statuses of {sha[:12]}",
        params={"per_page": 100},
        accept=(404, 422),
        needs="statuses: read",
    )
    rows = answer.data.get("statuses", []) if answer.ok else []
    return next((row for row in rows if row["context"] == context), {})
