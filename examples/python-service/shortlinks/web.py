"""The WSGI application: routes, requests, responses."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from shortlinks import __version__
from shortlinks.links import (
    AliasTakenError,
    InvalidLinkError,
    Link,
    LinkStore,
    StoreFullError,
    check_alias,
    check_url,
)
from shortlinks.metrics import CONTENT_TYPE, Metrics

MAX_BODY = 8 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
log = logging.getLogger("shortlinks.access")


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer: its status, its body and the headers beside Content-Length."""

    status: HTTPStatus
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as the handlers see it."""

    body: bytes
    base_url: str
    code: str = ""


Handler = Callable[[Request], Response]


def json_response(
    status: HTTPStatus, value: object, headers: Mapping[str, str] | None = None
) -> Response:
    """Return ``value`` as a JSON answer that no cache keeps."""
    fixed = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    body = json.dumps(value).encode() + b"\n"
    return Response(status=status, body=body, headers={**fixed, **(headers or {})})


def problem(
    status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as a JSON object with one key, ``error``."""
    return json_response(status, {"error": detail}, headers)


class App:
    """The service as a WSGI callable.

    ``ready`` is what /readyz says: it turns false when the process was told to stop, so
    that a load balancer stops sending requests before the port closes.
    """

    def __init__(self, store: LinkStore, public_url: str = "") -> None:
        self.ready = True
        self.metrics = Metrics(store.__len__)
        self._store = store
        self._public_url = public_url
        code = r"(?P<code>[A-Za-z0-9_-]{3,32})"
        self._routes: list[tuple[str, re.Pattern[str], dict[str, Handler]]] = [
            ("/", re.compile("/"), {"GET": self._index}),
            ("/healthz", re.compile("/healthz"), {"GET": self._healthz}),
            ("/readyz", re.compile("/readyz"), {"GET": self._readyz}),
            ("/metrics", re.compile("/metrics"), {"GET": self._render_metrics}),
            ("/api/links", re.compile("/api/links"), {"POST": self._create}),
            (
                "/api/links/{code}",
                re.compile("/api/links/" + code),
                {"GET": self._show, "DELETE": self._delete},
            ),
            ("/{code}", re.compile("/" + code), {"GET": self._follow}),
        ]

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request; count it, time it and log it."""
        started = time.perf_counter()
        method = environ["REQUEST_METHOD"]
        method = method if method in METHODS else "other"
        with self.metrics.in_progress.track_inprogress():
            route, response = self._answer(method, environ)
        seconds = time.perf_counter() - started
        self.metrics.requests.labels(method, route, response.status.value).inc()
        self.metrics.duration.labels(route).observe(seconds)
        # Probes and scrapes come every few seconds and would drown everything else.
        quiet = route in ("/healthz", "/readyz", "/metrics") and response.status < 400
        fields = {
            "method": method,
            "route": route,
            "status": response.status.value,
            "milliseconds": round(seconds * 1000, 2),
        }
        level = logging.DEBUG if quiet else logging.INFO
        log.log(level, "request", extra={"fields": fields})
        headers = [
            *response.headers.items(),
            ("Content-Length", str(len(response.body))),
        ]
        status = response.status
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if method == "HEAD" else [response.body]

    def _answer(self, method: str, environ: dict[str, Any]) -> tuple[str, Response]:
        path = environ.get("PATH_INFO") or "/"
        for route, pattern, handlers in self._routes:
            match = pattern.fullmatch(path)
            if not match:
                continue
            handler = handlers.get("GET" if method == "HEAD" else method)
            if not handler:
                allowed = {"Allow": ", ".join(sorted(handlers))}
                status = HTTPStatus.METHOD_NOT_ALLOWED
                return route, problem(status, "method not allowed", allowed)
            return route, self._handle(handler, environ, match.groupdict())
        return "unknown", problem(HTTPStatus.NOT_FOUND, "no such page")

    def _handle(
        self, handler: Handler, environ: dict[str, Any], groups: dict[str, str]
    ) -> Response:
        # The server has read and bounded the body, so its length is known.
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return problem(status, f"the body may hold {MAX_BODY} bytes")
        host = environ.get("HTTP_HOST") or environ["SERVER_NAME"]
        base_url = self._public_url or f"{environ['wsgi.url_scheme']}://{host}"
        request = Request(
            body=environ["wsgi.input"].read(length) if length else b"",
            base_url=base_url,
            code=groups.get("code", ""),
        )
        try:
            return handler(request)
        except Exception:  # the last resort: one bad request must not stop the service
            log.exception("unhandled error")
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    def _index(self, request: Request) -> Response:
        about = {"service": "shortlinks", "version": __version__}
        return json_response(HTTPStatus.OK, about)

    def _healthz(self, request: Request) -> Response:
        return json_response(HTTPStatus.OK, {"status": "ok"})

    def _readyz(self, request: Request) -> Response:
        if self.ready:
            return json_response(HTTPStatus.OK, {"status": "ready"})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(status, {"status": "stopping"})

    def _render_metrics(self, request: Request) -> Response:
        body = self.metrics.render()
        headers = {"Content-Type": CONTENT_TYPE}
        return Response(status=HTTPStatus.OK, body=body, headers=headers)

    def _create(self, request: Request) -> Response:
        try:
            wanted = json.loads(request.body)
        except (ValueError, RecursionError):
            return problem(HTTPStatus.BAD_REQUEST, "the body must be JSON")
        if not isinstance(wanted, dict):
            return problem(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        try:
            url = check_url(wanted.get("url"))
            alias = check_alias(wanted["alias"]) if "alias" in wanted else None
            link, new = self._store.add(url, alias)
        except InvalidLinkError as error:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except AliasTakenError:
            return problem(HTTPStatus.CONFLICT, "the alias is taken")
        except StoreFullError:
            status = HTTPStatus.INSUFFICIENT_STORAGE
            return problem(status, "no more links fit in; remove some")
        status = HTTPStatus.CREATED if new else HTTPStatus.OK
        location = {"Location": f"/api/links/{link.code}"}
        return json_response(status, _describe(link, request.base_url), location)

    def _show(self, request: Request) -> Response:
        link = self._store.get(request.code)
        if not link:
            return problem(HTTPStatus.NOT_FOUND, "no such link")
        return json_response(HTTPStatus.OK, _describe(link, request.base_url))

    def _delete(self, request: Request) -> Response:
        if not self._store.remove(request.code):
            return problem(HTTPStatus.NOT_FOUND, "no such link")
        return Response(status=HTTPStatus.NO_CONTENT)

    def _follow(self, request: Request) -> Response:
        link = self._store.follow(request.code)
        if not link:
            return problem(HTTPStatus.NOT_FOUND, "no such link")
        headers = {"Location": link.url, "Cache-Control": "no-store"}
        return Response(status=HTTPStatus.FOUND, headers=headers)


def _describe(link: Link, base_url: str) -> dict[str, object]:
    return {
        "code": link.code,
        "url": link.url,
        "short_url": f"{base_url}/{link.code}",
        "hits": link.hits,
    }
