"""The local OSV server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cicd_actions.sandbox.osv import find_vulnerabilities, serve_osv

ADVISORIES: list[dict[str, Any]] = [
    {
        "id": "CVE-1",
        "title": "title",
        "description": "text",
        "affects": [
            {
                "in": "pip",
                "package": "My_Package",
                "vulnerable": [">=2.0, <2.0.7", "<1.26"],
                "fixed": ["2.0.7", "1.26"],
            },
            {"in": "npm", "package": "other", "vulnerable": ["<9"]},
        ],
    }
]


@pytest.mark.parametrize(
    ("package", "version", "found"),
    [
        ("my-package", "2.0.6", True),
        ("my-package", "2.0.7", False),
        ("MY.package", "1.25", True),
        ("my-package", "1.26", False),
        ("my-package", "2.0.7rc1", False),
        ("other", "1", False),
    ],
)
def test_ranges(package: str, version: str, found: bool) -> None:
    assert bool(find_vulnerabilities(ADVISORIES, package, version)) is found


def ask(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def query(name: str, version: str, ecosystem: str = "PyPI") -> bytes:
    return json.dumps({"package": {"name": name, "ecosystem": ecosystem}, "version": version}).encode()


def test_answers(tmp_path: Path) -> None:
    path = tmp_path / "advisories.json"
    path.write_text(json.dumps({"advisories": ADVISORIES}))
    with serve_osv(path) as server:
        status, body = ask(server.url, query("my-package", "1.0"))
        assert (status, [record["id"] for record in body["vulns"]]) == (200, ["CVE-1"])
        assert ask(server.url, query("my-package", "3.0")) == (200, {})
        assert ask(server.url, query("my-package", "one"))[0] == 400
        assert ask(server.url, query("my-package", "1.0", "npm"))[0] == 400
        assert ask(server.url, b"[]")[0] == 400
        assert ask(server.url + "batch", query("a", "1"))[0] == 404
        assert server.queries == [("my-package", "1.0"), ("my-package", "3.0")]
