"""From a request to its answer: who asks, which of the four faces is meant (REST, GraphQL, git, pages)."""

from __future__ import annotations

import hashlib
import html
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from cicd_actions.sandbox.github import gitcgi, graphql
from cicd_actions.sandbox.github.answers import Answer, RefusedError
from cicd_actions.sandbox.github.rest import ROUTES
from cicd_actions.sandbox.github.rest.meta import LIMIT
from cicd_actions.sandbox.github.routing import Call, Route, Router, authorize
from cicd_actions.sandbox.github.server import BadBodyError, Incoming, payload
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.tokens import ANONYMOUS, Actor

logger = logging.getLogger("cicd_actions.sandbox.github")

REST = "/api/v3"
GRAPHQL = "/api/graphql"

_RUN_PAGE = re.compile(r"/(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+)/actions/runs/(?P<id>\d+)(/.*)?")


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A REST or (template ``/graphql``) GraphQL request and its answer, to be checked against GitHub's descriptions."""

    method: str
    template: str
    request: object
    answer: Answer


Validate = Callable[[Exchange], list[str]]
"""Says what is wrong with an exchange."""


class Dispatcher:
    """Answers requests. What ``validate`` finds wrong is collected in ``violations``, crashes too."""

    def __init__(self, state: State, *, validate: Validate | None, random_bytes: Callable[[int], bytes]) -> None:
        self._state = state
        self._validate = validate
        self._random_bytes = random_bytes
        self._router = Router(ROUTES)
        self._used: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.violations: list[str] = []

    def __call__(self, incoming: Incoming) -> tuple[Answer, str]:
        """Answer a request; also name the identity behind it."""
        actor = self._actor(incoming.token)
        try:
            return self._face(incoming, actor), actor.login if actor else ""
        except Exception as error:
            logger.exception("%s %s broke", incoming.method, incoming.path)
            self.violations.append(f"{incoming.method} {incoming.path}: {type(error).__name__}: {error}")
            return Answer(status=500, body={"message": "Server Error"}), ""

    def _actor(self, token: str | None) -> Actor | None:
        return ANONYMOUS if token is None else self._state.tokens.find(token)

    def _face(self, incoming: Incoming, actor: Actor | None) -> Answer:
        path = incoming.path
        if path.startswith(f"{REST}/") or path == GRAPHQL:
            return self._api(incoming, actor)
        match = gitcgi.PATH.fullmatch(path)
        if match:
            return self._git(incoming, actor, match["owner"], match["repo"], match["rest"])
        return self._page(path)

    # -- API ----------------------------------------------------------------------------------------------------

    def _api(self, incoming: Incoming, actor: Actor | None) -> Answer:
        if actor is None:
            answer = RefusedError(401, "Bad credentials").answer()
        elif incoming.path == GRAPHQL:
            answer = self._graphql(incoming, actor)
        else:
            answer = self._rest(incoming, actor)
        answer = self._not_modified(incoming, answer)
        resource = "graphql" if incoming.path == GRAPHQL else "core"
        headers = {**self._headers(actor, resource), **answer.headers}
        return replace(answer, headers=headers)

    def _graphql(self, incoming: Incoming, actor: Actor) -> Answer:
        try:
            body = incoming.json()
        except BadBodyError as error:
            return RefusedError(400, str(error)).answer()
        answer = graphql.answer(self._state, actor, body)
        if self._validate:
            exchange = Exchange(method="POST", template="/graphql", request=body, answer=answer)
            self.violations += self._validate(exchange)
        return answer

    def _rest(self, incoming: Incoming, actor: Actor) -> Answer:
        route: Route | None = None
        body: object = None
        try:
            body = incoming.json() if incoming.method not in ("GET", "HEAD") else None
            path = incoming.path.removeprefix(REST)
            route, params = self._router.find(incoming.method, path)
            call = Call(
                state=self._state,
                actor=actor,
                method=incoming.method,
                path=path,
                params=params,
                query=incoming.query,
                body=body,
                accept=incoming.headers.get("Accept", ""),
            )
            authorize(call, route)
            answer = route.handler(call)
        except BadBodyError as error:
            answer = RefusedError(400, str(error)).answer()
        except RefusedError as refused:
            answer = refused.answer()
        if self._validate and route:
            exchange = Exchange(method=route.method, template=route.template, request=body, answer=answer)
            self.violations += self._validate(exchange)
        return answer

    def _not_modified(self, incoming: Incoming, answer: Answer) -> Answer:
        if incoming.method not in ("GET", "HEAD") or answer.status != 200:
            return answer
        etag = f'"{hashlib.sha256(payload(answer)).hexdigest()}"'
        headers = {**answer.headers, "ETag": etag}
        if incoming.headers.get("If-None-Match", "").removeprefix("W/") == etag:
            return Answer(status=304, headers=headers)
        return replace(answer, headers=headers)

    def _headers(self, actor: Actor | None, resource: str) -> dict[str, str]:
        key = f"{actor.login if actor else ''}:{resource}"
        with self._lock:
            self._used[key] += 1
            used = self._used[key]
        reset = int(self._state.clock().timestamp()) // 3600 * 3600 + 3600
        return {
            "X-GitHub-Request-Id": self._random_bytes(8).hex().upper(),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(max(LIMIT - used, 0)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Resource": resource,
        }

    # -- git and pages ------------------------------------------------------------------------------------------

    def _git(self, incoming: Incoming, actor: Actor | None, owner: str, name: str, rest: str) -> Answer:
        plain = "text/plain; charset=utf-8"
        if actor is None:
            text = "Invalid username or token. Password authentication is not supported."
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return Answer(status=401, raw=text.encode(), media=plain, headers=headers)
        repo = self._state.find(owner, name)
        if repo is None:
            # Like GitHub: without a token nobody learns what exists.
            status = 401 if actor.kind == "anonymous" else 404
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
            return Answer(status=status, raw=b"Repository not found.", media=plain, headers=headers)
        call = gitcgi.GitCall(
            repo=repo,
            actor=actor,
            method=incoming.method,
            rest=rest,
            query=incoming.query_text,
            body=incoming.body,
            content_type=incoming.headers.get("Content-Type", ""),
            encoding=incoming.headers.get("Content-Encoding", ""),
            protocol=incoming.headers.get("Git-Protocol", ""),
        )
        return gitcgi.serve(self._state, call)

    def _page(self, path: str) -> Answer:
        media = "text/html; charset=utf-8"
        match = _RUN_PAGE.fullmatch(path)
        runs = {str(run.id): run for run in self._state.runs.all()}
        run = runs.get(match["id"]) if match else None
        if run is None:
            return Answer(status=404, raw=b"<!doctype html><h1>Not Found</h1>", media=media)
        rows = {
            "Workflow": run.workflow.name,
            "Event": run.event,
            "Ref": run.ref,
            "Commit": run.sha,
            "Actor": run.actor,
            "Status": run.conclusion or run.status,
        }
        table = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in rows.items())
        text = f"<!doctype html><title>Run {run.id}</title><table>{table}</table>"
        return Answer(raw=text.encode(), media=media)
