"""create-missing: a new key in the file's own style, everything else byte for byte as it was."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.gitops.documents import Document, documents

from cicd_actions.errors import ConfigError
from cicd_actions.gitops.edit import get_value, set_values
from cicd_actions.gitops.keypath import Key, KeyPath, parse


def added(text: str, key: str, value: str = "v2", document: int | None = None) -> str:
    edit = set_values(text.encode(), {parse(key): value}, document=document, create_missing=True)
    assert edit.values[0].changed
    return edit.data.decode()


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("a: 1\n", "b", "a: 1\nb: v2\n"),
        ("a: 1", "b", "a: 1\nb: v2"),
        ("a: 1 # c", "b.c", "a: 1 # c\nb:\n  c: v2"),
        ("a: 1\r\nz: 2\r\n", "b", "a: 1\r\nz: 2\r\nb: v2\r\n"),
        ("a:\n    b: 1 # c\n# after\n\nz: 1\n", "a.c", "a:\n    b: 1 # c\n    c: v2\n# after\n\nz: 1\n"),
        ("a:\n    b: 1\n", "c.d.e", "a:\n    b: 1\nc:\n    d:\n        e: v2\n"),
        ("a:\n  b: 'x'\n", "a.c", "a:\n  b: 'x'\n  c: 'v2'\n"),
        ('a:\n  b: "x"\n  n: 1\n', "a.c", 'a:\n  b: "x"\n  n: 1\n  c: "v2"\n'),
        ("a: {b: 1}\n", "a.c", "a: {b: 1, c: v2}\n"),
        ("a: { b: 1 } # t\n", "a.c.d", "a: { b: 1, c: {d: v2} } # t\n"),
        ("a: {}\nz: 1\n", "a.c", "a: {c: v2}\nz: 1\n"),
        ("a: {b: 1,}\n", "a.c", "a: {b: 1, c: v2,}\n"),
        ("a:\nz: 1\n", "a.c", "a:\n  c: v2\nz: 1\n"),
        ("a: # why\nz: 1\n", "a.c", "a: # why\n  c: v2\nz: 1\n"),
        ("a:\n  b: |\n    text\n\nz: 1\n", "a.c", "a:\n  b: |\n    text\n  c: v2\n\nz: 1\n"),
        ("a:\n  b: |+\n    text\n\nz: 1\n", "a.c", "a:\n  b: |+\n    text\n\n  c: v2\nz: 1\n"),
        ("a:\n  b:\nz: 1\n", "a.c", "a:\n  b:\n  c: v2\nz: 1\n"),
        ("a:\n  b:\n  - x\n  # t\nz: 1\n", "a.c", "a:\n  b:\n  - x\n  c: v2\n  # t\nz: 1\n"),
        ("l:\n- name: x\n  a: 1\n- name: y\n", "l[name=x].b", "l:\n- name: x\n  a: 1\n  b: v2\n- name: y\n"),
        ("l:\n- name: x\n- name: y\n", "l[1].b", "l:\n- name: x\n- name: y\n  b: v2\n"),
        ("", "a.b", "a:\n  b: v2\n"),
        ("# only\n", "a", "# only\na: v2\n"),
        ("# only", "a", "# only\na: v2\n"),
        ("{}\n", "a", '{"a": "v2"}\n'),
        ('{"a": 1}', "b", '{"a": 1, "b": "v2"}'),
        ('{\n  "a": 1\n}\n', "b", '{\n  "a": 1,\n  "b": "v2"\n}\n'),
        ('{\n\t"a": 1,\n\t"b": {"c": 2}\n}\n', "b.d", '{\n\t"a": 1,\n\t"b": {"c": 2, "d": "v2"}\n}\n'),
        ("a: 1\n", '"x: y"', 'a: 1\n"x: y": v2\n'),
        ("a: 1\n", '"true"', 'a: 1\n"true": v2\n'),
        ("a: 1\n...\n", "b", "a: 1\nb: v2\n...\n"),
        ("a: &x\n  b: 1\nc: *x\n", "a.d", "a: &x\n  b: 1\n  d: v2\nc: *x\n"),
        ("a: x\n  y\nb: 'p\n\n  q' # t\n", "c", "a: x\n  y\nb: 'p\n\n  q' # t\nc: v2\n"),
    ],
)
def test_adds(text: str, key: str, expected: str) -> None:
    assert added(text, key) == expected


def test_number_like_values_are_quoted() -> None:
    assert added("a: x\n", "tag", "1.10") == 'a: x\ntag: "1.10"\n'


def test_several_at_once_keep_their_order() -> None:
    edit = set_values(
        b"image:\n  name: x\n",
        {parse("image.tag"): "1.2.3", parse("image.name"): "shop", parse("image.digest"): "sha256:a"},
        create_missing=True,
    )  # fmt: skip
    assert edit.data == b"image:\n  name: shop\n  tag: 1.2.3\n  digest: sha256:a\n"
    assert [str(value.path) for value in edit.values] == ["image.tag", "image.name", "image.digest"]
    assert [value.old for value in edit.values] == ["", "x", ""]


def test_names_the_document() -> None:
    assert added("a: 1\n---\nb: 1\n", "c", document=1) == "a: 1\n---\nb: 1\nc: v2\n"
    assert added("a: 1\n---\nb: 1\n", "c", document=0) == "a: 1\nc: v2\n---\nb: 1\n"


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("a: 1\n", "a.b", "single value"),
        ("a: [1]\n", "a.b", "list"),
        ("a: [1]\n", "a[3]", "Only keys"),
        ("l:\n- name: x\n", "l[name=y].tag", "Only keys"),
        ("a: ~\n", "a.b", "single value"),
        ("a: &x {b: 1}\nc: *x\n", "c.d", "alias"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "c.b", "anchor &x"),
        ("a: 1\n---\nb: 1\n", "c", "does not exist"),
        ("a: 1\na: 2\n", "a.b", "2 times"),
        ("a: [\n", "b", "not valid YAML"),
    ],
)
def test_refuses(text: str, key: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        added(text, key)


def test_shared_values_are_named() -> None:
    edit = set_values(b"a: &x\n  b: 1\nc: *x\n", {parse("a.d"): "v"}, create_missing=True)
    assert edit.values[0].shared_lines == (3,)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_generated_files(document: Document) -> None:
    """Beside every scalar of a mapping a key can be added; all bytes of the old file are there, in order."""
    for scalar in document.scalars:
        if not isinstance(scalar.path.segments[-1], Key):
            continue
        path = KeyPath((*scalar.path.segments[:-1], Key("added-key")))
        edit = set_values(document.data, {path: "v2"}, create_missing=True)
        start = edit.data.index(b"added-key")
        before = next((n for n in range(start, -1, -1) if document.data.startswith(edit.data[:n])), 0)
        tail = len(document.data) - before
        assert edit.data[:before] + (edit.data[-tail:] if tail else b"") == document.data
        assert get_value(edit.data, path) == "v2"
