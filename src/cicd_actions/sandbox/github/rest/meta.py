"""The repository itself, the user behind the token, the limits."""

from __future__ import annotations

from typing import Any

from cicd_actions.sandbox.github import views
from cicd_actions.sandbox.github.answers import Answer, RefusedError
from cicd_actions.sandbox.github.routing import Call, Route, forbidden

LIMIT = 5000


def get_repository(call: Call) -> Answer:
    """The repository, with what the caller may do to it."""
    return Answer(body=views.repository(call.state, call.repo, call.actor))


def get_user(call: Call) -> Answer:
    """The person behind the token; the token of a job or App has none."""
    if call.actor.kind == "anonymous":
        raise RefusedError(401, "Requires authentication")
    if call.actor.kind != "user":
        raise forbidden(call.actor)
    return Answer(body=views.me(call.state, call.actor.login))


def rate_limit(call: Call) -> Answer:
    """The limits. They are told but never reached; arm a fault to meet them."""
    reset = int(call.state.clock().timestamp()) + 3600
    row: dict[str, Any] = {"limit": LIMIT, "used": 0, "remaining": LIMIT, "reset": reset}
    names = ("core", "search", "graphql")
    return Answer(body={"resources": dict.fromkeys(names, row), "rate": row})


ROUTES = (
    Route(method="GET", template="/rate_limit", handler=rate_limit),
    Route(method="GET", template="/user", handler=get_user),
    Route(method="GET", template="/repos/{owner}/{repo}", handler=get_repository),
)
