from __future__ import annotations

import pytest

from cicd_actions.oci.reference import is_loopback, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("ghcr.io/acme/app", "ghcr.io/acme/app", "", ""),
        ("ghcr.io/Acme/App:1.0", "ghcr.io/acme/app", "1.0", ""),
        (f"127.0.0.1:5000/app@{DIGEST}", "127.0.0.1:5000/app", "", DIGEST),
        (f"localhost/app:x@{DIGEST}", "localhost/app", "x", DIGEST),
        ("app", "docker.io/library/app", "", ""),
        ("acme/app", "docker.io/acme/app", "", ""),
        ("[::1]:5000/app", "[::1]:5000/app", "", ""),
    ],
)
def test_reads_names(text: str, name: str, tag: str, digest: str) -> None:
    reference = parse_reference(text)
    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghcr.io/",
        "ghcr.io/a//b",
        "ghcr.io/a b",
        "ghcr.io/-a",
        "ghcr.io/a@sha256:short",
        "ghcr.io/a:bad tag",
        "-o.x/a",
        "a:" + "t" * 129,
        "ghcr.io/../a",
        "ghcr.io/$(id)/a",
        "ghcr.io/" + "a" * 256,
    ],
)
def test_refuses_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_reference(text)


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("localhost:80", True),
        ("[::1]:5000", True),
        ("ghcr.io", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com:80", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_knows_this_machine(registry: str, expected: bool) -> None:
    assert is_loopback(registry) is expected
