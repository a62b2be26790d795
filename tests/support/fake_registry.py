"""A small registry in a thread that does as it is told: challenges, failures, other bytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cicd_actions.oci.layout import Layout, read_layout
from cicd_actions.oci.reference import Reference, parse_reference


@dataclass
class Fake:
    """What the registry has and what it does; ``statuses`` are answered first, one per request."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    challenge: str = ""
    accepts: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
        self.requests.append((method, path, authorization))
        if path.startswith("/token"):
            return 200, json.dumps({"token": "minted"}).encode(), {}
        if self.statuses:
            return self.statuses.pop(0), b"", {}
        if self.challenge and authorization != self.accepts:
            return 401, b"", {"WWW-Authenticate": self.challenge}
        if path == "/v2/":
            return 200, b"{}", {}
        kind, _, name = path.removeprefix("/v2/acme/app/").partition("/")
        content = (self.manifests if kind == "manifests" else self.blobs).get(name)
        return (404, b"", {}) if content is None else (200, content, {})

    def reference(self, suffix: str = "") -> Reference:
        return parse_reference(f"{self.address}/acme/app{suffix}")


@contextmanager
def fake_registry() -> Iterator[Fake]:
    """Serve on a loopback port until the context ends."""
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            status, content, headers = state.answer(self.command, self.path, self.headers.get("Authorization", ""))
            if self.command == "PUT" and status in (200, 404):
                state.manifests[self.path.rsplit("/", 1)[1]] = body
                status = 201
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = _do  # noqa: N815 - the names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.address = f"127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def serve(fake: Fake, path: Path) -> Layout:
    """Put a layout's content into the registry, under digests only."""
    layout = read_layout(path)
    for name in layout.manifests:
        fake.manifests[name] = layout.document(name)
    for name in layout.blobs:
        fake.blobs[name] = layout.document(name)
    return layout
