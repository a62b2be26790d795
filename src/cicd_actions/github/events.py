"""What the event of a run says about the commit, the branch and the people. Pure.

Source: GitHub's page "Webhook events and payloads".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cicd_actions.runner.context import RunContext

# where an event names the commit that its run tests; on these GITHUB_SHA is another one
_TESTED = {
    "workflow_run": ("workflow_run", "head_sha"),
    "pull_request": ("pull_request", "head", "sha"),
    "pull_request_target": ("pull_request", "head", "sha"),
}
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def tested_commit(context: RunContext) -> str:
    """Return the commit that a run of this event tests, or an empty string for events that do not tell.

    On ``workflow_run`` GITHUB_SHA is the default branch's tip, and on ``pull_request`` a merge made for the test.
    """
    if context.event_name == "push":
        return context.sha
    found = pick(context.event, *_TESTED.get(context.event_name, ("",)))
    return found if _SHA.fullmatch(found) else ""


def own_branch(context: RunContext) -> str:
    """Return the branch that the run is about, or an empty string (a tag, a pull request).

    On ``workflow_run`` GITHUB_REF is the default branch; the branch meant is that of the run before. The name may come
    from a fork, so whoever uses it must see for himself that this repository's branch holds the commit.
    """
    if context.event_name == "workflow_run":
        return pick(context.event, "workflow_run", "head_branch")
    return context.ref.removeprefix("refs/heads/") if context.ref.startswith("refs/heads/") else ""


def sender(context: RunContext) -> str:
    """Return the login of whoever caused the run, or an empty string."""
    return pick(context.event, "sender", "login") or context.actor


def is_person(login: str) -> bool:
    """True for a text that can be a person's login (an App's ends in ``[bot]``)."""
    return bool(_LOGIN.fullmatch(login)) and login != "web-flow"


def pick(value: Any, *keys: str) -> str:
    """Return the text at a path of keys, or an empty string when anything on the way is not as expected."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""
