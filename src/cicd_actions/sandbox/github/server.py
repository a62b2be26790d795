"""The HTTP server: reads a request, finds who asks, hands it on, writes the answer, keeps the log."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cicd_actions.sandbox.github.answers import Answer
from cicd_actions.sandbox.github.faults import Fault, Faults, Request, RequestLog

logger = logging.getLogger("cicd_actions.sandbox.github")

MAX_BODY = 512 * 1024 * 1024


class BadBodyError(Exception):
    """The request's body cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """One request as it came over the wire. ``token`` is None without an Authorization header."""

    method: str
    path: str
    query_text: str
    headers: Any
    body: bytes
    token: str | None

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    def json(self) -> object:
        """The body as JSON; None when it is empty.

        Raises:
            BadBodyError: It is no JSON.
        """
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadBodyError("Problems parsing JSON") from error


Handle = Callable[[Incoming], tuple[Answer, str]]
"""Answers a request and names the identity behind it."""


class Server(ThreadingHTTPServer):
    """One loopback server; every connection has its own thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handle: Handle, faults: Faults, log: RequestLog, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.handle = handle
        self.faults = faults
        self.log = log
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be ended with the server."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Stop serving and end the connections that clients hold open."""
        self.shutdown()
        self.server_close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def version_string(self) -> str:
        """What the `Server` header says."""
        return "github.com (stand-in)"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say it to our log, not to stderr."""
        logger.debug(format, *args)

    def _answer(self) -> None:
        started = time.monotonic()
        path = self.path
        try:
            body = self._body()
        except (BadBodyError, ValueError) as error:
            self.close_connection = True
            self._write(Answer(status=400, body={"message": str(error)}))
            return
        fault = self.server.faults.take(self.command, path)
        if fault and fault.kind == "delay":
            time.sleep(fault.seconds)
        if fault and fault.kind == "reset":
            self._drop(path, started)
            return
        if fault and fault.kind == "answer":
            answer, identity = _injected(fault), ""
        else:
            answer, identity = self.server.handle(self._incoming(body))
        if fault and fault.kind == "lost":
            self._drop(path, started, identity)
            return
        self._note(path, answer.status, identity, started)
        self._write(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _incoming(self, body: bytes) -> Incoming:
        parts = urlsplit(self.path)
        return Incoming(
            method=self.command,
            path=unquote(parts.path),
            query_text=parts.query,
            headers=self.headers,
            body=body,
            token=token_of(self.headers.get("Authorization", "")),
        )

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= MAX_BODY:
            raise BadBodyError("The body is too large")
        return self.rfile.read(size)

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            total += size
            if total > MAX_BODY:
                raise BadBodyError("The body is too large")
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _write(self, answer: Answer) -> None:
        data = payload(answer)
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(answer.status)
            if data or answer.status not in (204, 304):
                self.send_header("Content-Type", answer.media)
                self.send_header("Content-Length", str(len(data)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD" and answer.status not in (204, 304):
                self.wfile.write(data)
            self.wfile.flush()

    def _drop(self, path: str, started: float, identity: str = "") -> None:
        self._note(path, 0, identity, started)
        self.close_connection = True
        with suppress(OSError):
            # No lingering: the client sees a reset, not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.shutdown(socket.SHUT_RDWR)

    def _note(self, path: str, status: int, identity: str, started: float) -> None:
        self.server.log.add(
            Request(
                method=self.command,
                path=path,
                status=status,
                identity=identity,
                seconds=time.monotonic() - started,
            )
        )


def payload(answer: Answer) -> bytes:
    """The bytes of an answer's body."""
    if answer.raw is not None:
        return answer.raw
    return b"" if answer.body is None else json.dumps(answer.body).encode()


def token_of(header: str) -> str | None:
    """The token in an Authorization header: Bearer, token, or the password of Basic."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    # Git takes a token in either place.
    return password if password not in ("", "x-oauth-basic") else user


def _injected(fault: Fault) -> Answer:
    if isinstance(fault.body, str):
        media = fault.headers.get("content-type", "text/html; charset=utf-8")
        return Answer(status=fault.status, raw=fault.body.encode(), media=media, headers=fault.headers)
    body = fault.body if fault.body is not None else {"message": "Injected fault"}
    return Answer(status=fault.status, body=body, headers=fault.headers)
