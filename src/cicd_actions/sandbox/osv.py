"""A small OSV server on loopback: answers ``POST /v1/query`` from a JSON file of advisories.

Contract: https://google.github.io/osv.dev/post-v1-query/ and the OSV schema 1.x; only what an auditor of Python
packages asks for (one package, one version). The file has the form of ``parts/advisories.json``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_QUERY = "/v1/query"
_BODY_LIMIT = 64 * 1024
_PUBLISHED = "2024-01-01T00:00:00Z"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class OsvServer:
    """A running server: ``url`` is what ``pip-audit --osv-url`` takes, ``queries`` what was asked so far."""

    url: str
    queries: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serve_osv(advisories: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[OsvServer]:
    """Serve the ``pip`` entries of an advisory file until the block ends.

    Args:
        advisories: JSON with a list ``advisories`` (id, title, description, references, affects).
        host: Address to listen on.
        port: Port; 0 takes a free one.

    Raises:
        OSError: The file cannot be read or the port is taken.
        ValueError: The file is not such JSON.
    """
    known = json.loads(advisories.read_text(encoding="utf-8"))["advisories"]
    queries: list[tuple[str, str]] = []
    server = ThreadingHTTPServer((host, port), _handler(known, queries))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="osv", daemon=True)
    thread.start()
    try:
        yield OsvServer(url=f"http://{host}:{server.server_port}{_QUERY}", queries=queries)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def find_vulnerabilities(advisories: Sequence[Json], package: str, version: str) -> list[Json]:
    """Return the OSV records that affect this version of a Python package.

    Raises:
        InvalidVersion: The version is none by PEP 440.
    """
    name, parsed = canonicalize_name(package), Version(version)
    records = []
    for advisory in advisories:
        for affected in advisory.get("affects", []):
            if affected.get("in") != "pip" or canonicalize_name(affected["package"]) != name:
                continue
            if any(SpecifierSet(text).contains(parsed, prereleases=True) for text in affected["vulnerable"]):
                records.append(_record(advisory, affected, name))
    return records


def _record(advisory: Json, affected: Json, name: str) -> Json:
    events = [{"introduced": "0"}, *({"fixed": version} for version in affected.get("fixed", []))]
    vendor = affected.get("vendor_ids", [])
    scores = [score["vector"] for score in advisory.get("cvss", {}).values() if "vector" in score]
    return {
        "schema_version": "1.6.0",
        "id": vendor[0] if vendor else advisory["id"],
        "aliases": [advisory["id"]] if vendor else [],
        "modified": _PUBLISHED,
        "published": _PUBLISHED,
        "summary": advisory["title"],
        "details": advisory["description"],
        "severity": [{"type": "CVSS_V3", "score": score} for score in scores[:1]],
        "references": [{"type": "WEB", "url": url} for url in advisory.get("references", [])],
        "affected": [
            {
                "package": {"name": name, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


def _handler(advisories: Sequence[Json], queries: list[tuple[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if self.path != _QUERY:
                self._answer(404, {"code": 5, "message": "Not Found"})
                return
            try:
                name, version = _parse_query(self.rfile.read(_body_length(self.headers)))
                records = find_vulnerabilities(advisories, name, version)
            except (ValueError, KeyError, TypeError, InvalidVersion) as error:
                self._answer(400, {"code": 3, "message": f"Invalid query: {error}"})
                return
            queries.append((name, version))
            self._answer(200, {"vulns": records} if records else {})

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Stay silent; ``queries`` holds what was asked."""

        def _answer(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status != 200:  # the body may not have been read, so the connection cannot be used again
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _body_length(headers: Message) -> int:
    length = int(headers.get("Content-Length", "0"))
    if not 0 < length <= _BODY_LIMIT:
        raise ValueError("a body of at most 64 KiB is needed")
    return length


def _parse_query(body: bytes) -> tuple[str, str]:
    query = json.loads(body)
    package = query["package"]
    if package.get("ecosystem") != "PyPI":
        raise ValueError("only the ecosystem PyPI is served")
    return str(package["name"]), str(query["version"])
