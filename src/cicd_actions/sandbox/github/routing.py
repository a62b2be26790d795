"""Which handler answers a REST request, what permission it needs, and pages of lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from cicd_actions.sandbox.github.answers import Answer, RefusedError, invalid, not_found
from cicd_actions.sandbox.github.plumbing import is_sha
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.tokens import Actor

_READS = ("GET", "HEAD")
_WIDE = ("ref", "branch", "path", "basehead")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One REST request, taken apart."""

    state: State
    actor: Actor
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    accept: str = ""

    @property
    def repo(self) -> Repository:
        """The repository that the path names."""
        return self.state.repository(self.params["owner"], self.params["repo"])

    def text(self, name: str, default: str | None = None) -> str:
        """A text from the JSON body.

        Raises:
            RefusedError: It is missing without a default, or no text (422, as GitHub's schema check says it).
        """
        value = self.fields.get(name, default)
        if value is None:
            raise invalid(f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        if not isinstance(value, str):
            raise invalid(f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    @property
    def fields(self) -> Mapping[str, Any]:
        """The JSON body as an object.

        Raises:
            RefusedError: It is something else (400).
        """
        if self.body is None:
            return {}
        if not isinstance(self.body, Mapping):
            raise RefusedError(400, "Body should be a JSON object")
        return self.body

    def commit(self, name: str) -> str:
        """The commit that a branch, tag or SHA names.

        Raises:
            RefusedError: There is none (422).
        """
        sha = self.repo.resolve(name)
        if sha is None:
            raise invalid(f"No commit found for SHA: {name}")
        return sha


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation. ``template`` is its path in GitHub's OpenAPI description; ``scope`` the permission it needs."""

    method: str
    template: str
    handler: Handler
    scope: str = "metadata"
    write: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """The template as a regular expression."""
        parts = re.split(r"\{(\w+)\}", self.template)
        out = re.escape(parts[0])
        for name, literal in zip(parts[1::2], parts[2::2], strict=True):
            out += f"(?P<{name}>{'.+' if name in _WIDE else '[^/]+'})" + re.escape(literal)
        return re.compile(out)


class Router:
    """Finds the route of a request; the first that fits wins."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, route.pattern) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters.

        Raises:
            RefusedError: Nothing is served there (404, as GitHub answers).
        """
        wanted = "GET" if method == "HEAD" else method
        for route, pattern in self._routes:
            match = pattern.fullmatch(path)
            if match and route.method == wanted:
                return route, match.groupdict()
        raise not_found()


def authorize(call: Call, route: Route) -> None:
    """Check that the caller may do this.

    Raises:
        RefusedError: 401 without a token, 404 for what the token may not even see, 403 for what it may not do.
    """
    if "{repo}" not in route.template:
        return
    repo, actor = call.repo, call.actor
    level = actor.level(repo.full_name, route.scope)
    if repo.private and not actor.sees(repo.full_name):
        raise not_found()
    if route.write and actor.kind == "anonymous":
        raise RefusedError(401, "Requires authentication")
    if level >= (2 if route.write else 1):
        return
    readable = not repo.private and route.scope != "administration"
    if not route.write and readable:
        return
    raise forbidden(actor)


def forbidden(actor: Actor) -> RefusedError:
    """The 403 of a token that lacks a permission."""
    what = "personal access token" if actor.kind == "user" else "integration"
    return RefusedError(403, f"Resource not accessible by {what}")


def page(call: Call, rows: Sequence[object], *, wrap: str = "") -> Answer:
    """One page of a list, with the `Link` header; ``wrap`` names the key under which an object holds it."""
    size = min(max(_integer(call, "per_page", 30), 1), 100)
    number = max(_integer(call, "page", 1), 1)
    last = max(1, -(-len(rows) // size))
    part = list(rows[(number - 1) * size : number * size])
    links = []
    if number > 1:
        links += [("prev", number - 1), ("first", 1)]
    if number < last:
        links += [("next", number + 1), ("last", last)]
    base = call.state.urls.api + call.path
    headers = {}
    if links:
        headers["Link"] = ", ".join(f'<{base}?{urlencode({**call.query, "page": n})}>; rel="{rel}"' for rel, n in links)
    body: object = {"total_count": len(rows), wrap: part} if wrap else part
    return Answer(body=body, headers=headers)


def sha_of(call: Call, text: str) -> str:
    """A full SHA of an existing commit.

    Raises:
        RefusedError: 422.
    """
    if not is_sha(text) or call.repo.object_type(text) != "commit":
        raise invalid(f"No commit found for SHA: {text}")
    return text


def _integer(call: Call, name: str, default: int) -> int:
    try:
        return int(call.query.get(name, default))
    except ValueError:
        return default
