"""The short way (a part of the file) gives what the long way (a tree of the whole file) gives, or steps aside."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.gitops.documents import Document, documents

from cicd_actions.errors import ConfigError
from cicd_actions.gitops import edit, narrow, tree
from cicd_actions.gitops.keypath import KeyPath, parse

FILLER = "".join(f"  - name: n{n}\n    image: {{tag: v{n}}} # {n}\n" for n in range(80))
LONG = f"""# values
---
first:
{FILLER}second: # why
    image:
      tag: "1"   # here

    other: |
      image:
        tag: block
# low
    list:
    - name: web
      tag: 'a'
    -   name: log
        tag: b
{"".join(f"    pad{n}: x{n}" + chr(10) for n in range(200))}third: last"""


def by_parts(text: str, path: KeyPath, value: str) -> str | None:
    done = edit._set_in_parts(text, {path: value})
    return done and done[0]


def by_whole(text: str, path: KeyPath, value: str) -> str | None:
    try:
        return edit._set_in_whole(text, {path: value}, None)[0]
    except ConfigError:
        return None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("first[3].image.tag", 2),
        ("first[name=n42].image.tag", 2),
        ("second.image.tag", 3),
        ("second.list[name=log].tag", 2),
        ("second.list[0].tag", 2),
        ("second.pad7", 1),
        ("third", 1),
    ],
)
def test_finds_a_small_part(key: str, lines: int, newline: str) -> None:
    text = LONG.replace("\n", newline)
    path = parse(key)
    part = narrow.narrow(text, path)
    assert part
    assert text.count("\n", part.start, part.end) <= lines + 1
    assert by_parts(text, path, "new") == by_whole(text, path, "new") != text


def test_several_keys_with_their_lines() -> None:
    keys = ("third", "second.list[1].tag", "second.image.tag", "first[name=n9].image.tag", "second.list[name=web].tag")
    done = edit.set_values(LONG.encode(), {parse(key): "x" for key in keys})
    whole = edit._set_in_whole(LONG, {parse(key): "x" for key in keys}, None)
    assert (done.data.decode(), done.values) == whole


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n'k': v\nk: v\n",
        "a: 1\n? k\n: v\nk: v\n",
        "a: 'x\nk: y'\nz: 1\n",
        "a: [x,\nk: y]\nz: 1\n",
        "a: |\n k: y\nk: v\n",
        "a: &x\n k: y\nk: *x\n",
        "%YAML 1.1\n---\nk: v\n",
        "k: v\n---\nk: v\n",
        "k: v\n...\n",
        "a: |\n  b\rk: v\nk: w\n",
        "a: b\u2028k: v\nk: w\n",
        "  k: v\n b: 1\n",
        "k: v\nb: [\n",
        "k: &x v\nz: *x\n",
        "- k: v\n",
        "k: v\nk: w\n",
        "{k: v}\n",
    ],
)
def test_steps_aside_or_agrees(text: str) -> None:
    part = by_parts(text, parse("k"), "new")
    assert part is None or part == by_whole(text, parse("k"), "new")


# fmt: off
LINES = [
    "a: b", "k:", "  k: v", "  - k: v", "- k: w", "k: |", "  text", "k: 'x", "y'", "# c", "", "  k: [a,", "b]",
    "k: &x v",
    "  z: *x", "? k", ": v", "---", "    deep: 1", "  b: >-", "\tk: t", "'k': q", "k: v # c", '  "k": d', "k: a b",
    "  c", "k:v",
]
# fmt: on


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.sampled_from(LINES), max_size=9), st.sampled_from(["k", "k.k", "a", "k[0].k", "k.b", "[0].k", "k.z"])
)
def test_any_lines(lines: list[str], key: str) -> None:
    """Every way that lines can meet: where the short way answers, it is the long way's answer."""
    text = "\n".join(lines) + "\n"
    part = by_parts(text, parse(key), "new")
    assert part is None or part == by_whole(text, parse(key), "new")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_generated_files(document: Document) -> None:
    for scalar in document.scalars:
        part = by_parts(document.text, scalar.path, "new")
        assert part is None or part == by_whole(document.text, scalar.path, "new")


@pytest.fixture(autouse=True)
def _everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small texts go the short way to its end too."""
    monkeypatch.setattr(narrow, "_ENOUGH", 0)
    if not tree.can_check():
        pytest.skip("PyYAML was built without libyaml here")
