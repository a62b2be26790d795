"""Which images a Dockerfile starts from, and what takes their place."""

from __future__ import annotations

import pytest

from cicd_actions.sandbox.parts.model import Substitution
from cicd_actions.sandbox.parts.references import bases, choose, expand, frontend, rewrite

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        pytest.param("FROM python:3.11-slim\nRUN true\n", ("python:3.11-slim",), id="one"),
        pytest.param(
            "FROM python:3.11 AS Build\nFROM build AS test\nFROM python:3.11-slim\nCOPY --from=build /a /b\n",
            ("python:3.11", "python:3.11-slim"),
            id="stages",
        ),
        pytest.param("from --platform=$BUILDPLATFORM  python:3.12 as b\n", ("python:3.12",), id="platform-and-case"),
        pytest.param("ARG V=3.11\nARG F=slim\nFROM python:${V}-$F\n", ("python:3.11-slim",), id="arguments"),
        pytest.param("ARG V\nFROM python:${V:-3.13}\n", ("python:3.13",), id="default"),
        pytest.param('ARG BASE="python:3.11"\nFROM ${BASE}\n', ("python:3.11",), id="quoted"),
        pytest.param("FROM scratch\nCOPY a /\n", (), id="scratch"),
        pytest.param("FROM python:3.11@" + DIGEST + "\n", ("python:3.11@" + DIGEST,), id="digest"),
        pytest.param("# FROM a\nFROM \\\n  # a comment between\n  b AS c\n", ("b",), id="continued-over-comment"),
        pytest.param(
            "FROM python:3.11\nCOPY --chown=a --from=ghcr.io/x/uv:1 /uv /bin/\n",
            ("python:3.11", "ghcr.io/x/uv:1"),
            id="copy-from-image",
        ),
        pytest.param(
            "FROM a AS b\nFROM c\nCOPY --from=0 /x /y\nRUN --mount=type=bind,from=b,target=/z true\n",
            ("a", "c"),
            id="by-number-and-mount",
        ),
        pytest.param("FROM a\nFROM a\n", ("a",), id="once"),
        pytest.param("", (), id="empty"),
    ],
)
def test_images_from_outside(dockerfile: str, expected: tuple[str, ...]) -> None:
    assert bases(dockerfile) == expected


def test_given_arguments_win() -> None:
    assert bases("ARG V=3.11\nFROM python:$V\n", {"V": "3.13"}) == ("python:3.13",)


def test_an_argument_inside_a_stage_is_another_one() -> None:
    assert bases("ARG V=1\nFROM a:$V\nARG V=2\nFROM b:$V\n") == ("a:1", "b:1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${B}", "1-"),
        ("${B:-x}${B-y}", "xy"),
        ("${A:+z}${B:+z}", "z"),
        ("plain", "plain"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("reference", "python", "suite"),
    [
        ("python:3.11-slim", "3.11", "bookworm"),
        ("python:3.11-slim-bookworm", "3.11", "bookworm"),
        ("docker.io/library/python:3.13-slim", "3.13", "trixie"),
        ("debian:bookworm-slim", "", "bookworm"),
        ("debian:12", "", "bookworm"),
        ("debian:trixie", "", "trixie"),
    ],
)
def test_exact_stand_ins_need_no_word(reference: str, python: str, suite: str) -> None:
    choice = choose(reference)
    assert not isinstance(choice, str)
    stand_in, announced = choice
    assert (stand_in.python, stand_in.suite, announced) == (python, suite, None)


@pytest.mark.parametrize(
    ("reference", "python", "answers_for", "word"),
    [
        ("python:3.12-slim", "3.13", "3.12", "Python 3.12 is not to be had"),
        ("python:3.14", "3.13", "3.14", "Python 3.14 is not to be had"),
        ("python:3.9-slim", "3.11", "3.9", "Python 3.9 is not to be had"),
        ("python", "3.13", "", "it is Python 3.13"),
        ("python:3-slim", "3.13", "", "it is Python 3.13"),
        ("python:slim", "3.13", "", "it is Python 3.13"),
        ("python:3.11", "3.11", "", "without compilers"),
        ("python:3.11.9-slim", "3.11", "", "not release 3.11.9"),
        ("python:3.11-slim-bullseye", "3.11", "", "not bullseye"),
        ("python:3.13-slim-bookworm", "3.13", "", "not bookworm"),
        ("python:3.11-bookworm", "3.11", "", "without compilers"),
    ],
)
def test_differences_are_announced(reference: str, python: str, answers_for: str, word: str) -> None:
    choice = choose(reference)
    assert not isinstance(choice, str)
    stand_in, announced = choice
    assert announced is not None
    assert (stand_in.python, stand_in.answers_for) == (python, answers_for)
    assert word in announced.why
    assert not announced.rewrite


def test_a_digest_needs_another_dockerfile() -> None:
    reference = f"python:3.11-slim@{DIGEST}"
    choice = choose(reference)
    assert not isinstance(choice, str)
    announced = choice[1]
    assert announced is not None
    assert announced.rewrite
    assert rewrite(f"FROM {reference} AS a\n", [announced]) == "FROM python:3.11-slim AS a\n"


@pytest.mark.parametrize(
    "reference",
    [
        "python:3.11-alpine",
        "python:3.7",
        "python:3.99",
        "python:2.7",
        "python:windowsservercore",
        "debian:buster",
        "node:20",
        "alpine",
        "ghcr.io/astral-sh/uv:latest",
        "someone/python:3.11",
        "127.0.0.1:5000/python:3.11",
    ],
)
def test_no_stand_in_has_a_reason(reference: str) -> None:
    assert isinstance(choose(reference), str)


def test_syntax_line_is_found_and_dropped() -> None:
    dockerfile = "# syntax=docker/dockerfile:1.7\nFROM python:3.11-slim\n"
    gone = Substitution(reference=frontend(dockerfile), stand_in="", why="", rewrite=True)
    assert gone.reference == "docker/dockerfile:1.7"
    assert rewrite(dockerfile, [gone]) == "FROM python:3.11-slim\n"
    assert frontend("FROM a\n# syntax=late\n") == ""
