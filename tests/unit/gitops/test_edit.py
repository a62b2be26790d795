"""The editor on files as people write them, block scalars, and everything that it must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cicd_actions.errors import ConfigError
from cicd_actions.gitops import tree
from cicd_actions.gitops.edit import get_value, set_values
from cicd_actions.gitops.keypath import Index, Key, KeyPath, Segment, parse
from cicd_actions.gitops.tree import Node

DATA = Path(__file__).parent / "data"
FILES = sorted(path.name for path in DATA.iterdir())


def edit(text: str, key: str, value: str, document: int | None = None) -> str:
    return set_values(text.encode(), {parse(key): value}, document=document).data.decode()


def refusal(text: str, *keys: str, document: int | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        set_values(text.encode(), {parse(key): "x" for key in keys}, document=document)
    return str(error.value)


def walk(node: Node, path: tuple[Segment, ...] = ()) -> list[tuple[KeyPath, Node]]:
    if node.kind == "scalar":
        return [(KeyPath(path), node)] if path else []
    if node.kind == "mapping":
        pairs = [(Key(key.value), value) for key, value in node.pairs()]
        return [row for key, value in pairs for row in walk(value, (*path, key))]
    return [row for n, child in enumerate(node.children) for row in walk(child, (*path, Index(n)))]


@pytest.mark.parametrize("name", FILES)
def test_every_scalar_of_every_file(name: str) -> None:
    """Set it, and one place differs; set it back, and where the old value was a string the file is the same."""
    data = (DATA / name).read_bytes()
    text = data.decode("utf-8-sig")
    count = 0
    for number, root in enumerate(tree.parse(text).documents):
        for path, node in walk(root):
            done = set_values(data, {path: "new-value"}, document=number)
            same = len(done.data) - len(data)
            start = next(n for n, (a, b) in enumerate(zip(data, done.data, strict=False)) if a != b)
            assert done.data[: start - 1] == data[: start - 1]
            assert abs(same) <= max(len(node.value.encode()) * 2, 60)
            back = set_values(done.data, {path: node.value}, document=number)
            string = node.style in ("'", '"') or (node.style == "" and done.values[0].old and _plain(node))
            if string and "\\" not in text[node.start : node.end]:
                assert back.data == data, path
            count += 1
    assert count > 5


def _plain(node: Node) -> bool:
    from cicd_actions.gitops.scalars import reads_as_string

    return reads_as_string(node.value)


@pytest.mark.parametrize(
    ("name", "key", "old", "new"),
    [
        ("bitnami-style.yaml", "image.tag", "tag: 1.25.3-debian-11-r0", "tag: 1.26.0"),
        ("bitnami-style.yaml", "image.digest", 'digest: ""', 'digest: "1.26.0"'),
        ("bitnami-style.yaml", "extraEnvVars[name=ODD].value", "   indented   # far", "   1.26.0   # far"),
        ("bitnami-style.yaml", "containerPorts.http", "http: 8080,", "http: 1.26.0,"),
        ("bitnami-style.yaml", "sidecars[name=exporter].args[1]", "'--path'", "'1.26.0'"),
        ("bitnami-style.yaml", "tolerations", "tolerations:\n", "tolerations: 1.26.0\n"),
        ("bitnami-style.yaml", "nodeSelector", "nodeSelector: ~", "nodeSelector: 1.26.0"),
        ("bitnami-style.yaml", '"quoted key"', "plain value", "1.26.0"),
        ("bitnami-style.yaml", 'podAnnotations["prometheus.io/port"]', '"9113"', '"1.26.0"'),
        ("bitnami-style.yaml", "notes", ">-\n  folded text\n  over lines\n", ">-\n  1.26.0\n"),
        ("kustomization.yaml", 'images[name="ghcr.io/acme/shop"].newTag', "newTag: v1.3.9", "newTag: 1.26.0"),
        (
            "manifests.yaml",
            "spec.template.spec.containers[name=web].image",
            ": ghcr.io/acme/shop:1.3.9 #",
            ": 1.26.0 #",
        ),
        ("manifests.yaml", "spec.template.spec.initContainers[0].image", "'ghcr.io/acme/shop:1.3.9'", "'1.26.0'"),
        ("manifests.yaml", "spec.replicas", "replicas: 2", "replicas: 1.26.0"),
        ("application.json", 'spec.source.helm.parameters[name="image.tag"].value', '"1.3.9"', '"1.26.0"'),
        ("application.json", "count", '"count": 3', '"count": "1.26.0"'),
        ("windows.yaml", "image.tag", '"1.0"', '"1.26.0"'),
        ("windows.yaml", "names[1]", "🚀", "1.26.0"),
        ("windows.yaml", "last", "last: end", "last: 1.26.0"),
    ],
)
def test_realistic_edits(name: str, key: str, old: str, new: str) -> None:
    data = (DATA / name).read_bytes()
    assert data.decode().count(old) == 1
    assert set_values(data, {parse(key): "1.26.0"}).data == data.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("k: |\n  old\n", "new", "k: |-\n  new\n"),
        ("k: |\n  old\n", "new\n", "k: |\n  new\n"),
        ("k: |-\n  old\nz: 1\n", "a\nb", "k: |-\n  a\n  b\nz: 1\n"),
        ("k: |  # why\n    a\n\n    b\n\n# c\nz: 1\n", "x\n\ny\n", "k: |  # why\n    x\n\n    y\n\n# c\nz: 1\n"),
        ("k: |+\n  a\n\nz: 1\n", "b\n\n", "k: |+\n  b\n\nz: 1\n"),
        ("k: |\r\n  a\r\nz: 1\r\n", "b\nc\n", "k: |\r\n  b\r\n  c\r\nz: 1\r\n"),
        ("k: |\n  a", "b", "k: |\n  b"),
        ("k: >\n  a\n  b\nz: 1\n", "one line\n", "k: >\n  one line\nz: 1\n"),
        ("k: >\n  a\nz: 1\n", "two\nlines", 'k: "two\\nlines"\nz: 1\n'),
        ("k: |\n  a\nz: 1\n", " lead", 'k: " lead"\nz: 1\n'),
        ("k: |2\n    a\nz: 1\n", "b\n", "k: |2\n  b\nz: 1\n"),
        ("k: |2-\n    a\nz: 1\n", "  a\n b", "k: |2-\n    a\n   b\nz: 1\n"),
        ("k: |-2\n  a\nz: 1\n", "b\n", "k: |2\n  b\nz: 1\n"),
        ("k: |\n  a\n\nz: 1\n", "b\n\n", 'k: "b\\n\\n"\n\nz: 1\n'),
        ("k: |-\n  new\nz: 1\n", "a\n\n", "k: |+\n  a\n\nz: 1\n"),
        ("k: |\n  a\nz: 1\n", "bell\x07", 'k: "bell\\u0007"\nz: 1\n'),
        ("k: |\nz: 1\n", "b\n", 'k: "b\\n"\nz: 1\n'),
        ("k: &a !!str |\n  a\nz: 1\n", "b\n", "k: &a !!str |\n  b\nz: 1\n"),
    ],
)
def test_block_scalars(text: str, value: str, expected: str) -> None:
    assert edit(text, "k", value) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="ab #:\n\t-\u00e9", max_size=20),
    st.sampled_from(["|", "|-", "|+", ">", ">-", ">+"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "z: 1\n", "\n# end\nz: 1\n"]),
)
def test_block_scalars_read_back(value: str, header: str, newline: str, rest: str) -> None:
    text = f"k: {header}\n    old\n    text\n{rest}".replace("\n", newline)
    assert get_value(edit(text, "k", value).encode(), parse("k")) == value


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("k:\n", "k", "k: x\n"),
        ("k: # c\n", "k", "k: x # c\n"),
        ("k:", "k", "k: x"),
        ("k: &a\nz: *a\n", "k", "k: &a x\nz: *a\n"),
        ("k: !!str\n", "k", "k: !!str x\n"),
        ("- \n-\n- a\n", "[1]", "- \n- x\n- a\n"),
        ("{k: , z: 1}\n", "k", "{k: x , z: 1}\n"),
        ("? k\n: v\n", "k", "? k\n: x\n"),
        ("? k\n# c\n:\n", "k", "? k\n# c\n: x\n"),
        ("[k: v]\n", "[0].k", "[k: x]\n"),
        ("k: &a !t 'v'\n", "k", "k: &a !t 'x'\n"),
        ("k: &a # c\n  v\n", "k", "k: &a # c\n  x\n"),
        ("'k': v\n", "k", "'k': x\n"),
        ("%YAML 1.1\n---\nk: v\n", "k", "%YAML 1.1\n---\nk: x\n"),
        ("k: a\n  b\n\n  c # d\n", "k", "k: x # d\n"),
        ('k: "a\n  b" # d\n', "k", 'k: "x" # d\n'),
        ("k: v\n---\nz: 1\n", "k", "k: x\n---\nz: 1\n"),
        ("k: v\n--- # two\nz: 1\n...\n", "z", "k: v\n--- # two\nz: x\n...\n"),
        ("a:\n- b:\n  - c: v\n", "a[0].b[0].c", "a:\n- b:\n  - c: x\n"),
        ("<<: v\n", '"<<"', "<<: x\n"),
        ("1: v\n", "1", "1: x\n"),
    ],
)
def test_places(text: str, key: str, expected: str) -> None:
    assert edit(text, key, "x") == expected


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("image:\n  tag: 1\n", "image.tga", ["'image' has no key tga", "Perhaps you meant 'image.tag'"]),
        ("image:\n  tag: 1\n", "web.image.tag", ["the document has no key web", "'image'"]),
        ("image:\n  tag: 1\n", "image", ["is a mapping"]),
        ("a: [1]\n", "a", ["is a list"]),
        ("a: 1\n", "a.b", ["'a' is a single value"]),
        ("a: 1\n", "a[0]", ["not a list"]),
        ("a: [1]\n", "a[1]", ["has 1 entries"]),
        ("a: [{n: x}]\n", "a[n=y].v", ["Values of n there: 'x'"]),
        ("a: [{n: x, v: 1}, {n: x, v: 2}]\n", "a[n=x].v", ["ambiguous", "2 entries"]),
        ("a: 1\nb: 2\na: 3\n", "a", ["2 times", "lines 1, 3"]),
        ('a: 1\n"a": 3\n', "a", ["2 times"]),
        ("a: 1\n---\na: 2\n", "a", ["ambiguous", "documents 0, 1"]),
        ("a: &x {t: 1}\nb: *x\n", "b.t", ["alias *x", "line 2", "&x"]),
        ("a: &x 1\nb: *x\n", "b", ["alias *x"]),
        ("a: &x {t: 1}\nb:\n  <<: *x\n", "b.t", ["anchor &x", "line 3"]),
        ("a: &x {t: 1}\nc: &y {u: 1, <<: *x}\nb:\n  <<: [*y]\n", "b.t", ["anchor &y"]),
        ("a: !!int 5\n", "a", ["explicit type !!int"]),
        ("{a, b: 1}\n", "a", ["has no place for a value"]),
        ("", "a", ["no content"]),
        ("# only a comment\n", "a", ["no content"]),
        ("just text\n", "a", ["is a single value"]),
        ("a: [\n", "a", ["not valid YAML"]),
        ("a: {{ .Values.x }}\nb: [\n", "a", ["not valid YAML", "line"]),
        ("a:\n\t- b\n", "a", ["not valid YAML"]),
    ],
)
def test_refuses(text: str, key: str, words: list[str]) -> None:
    said = refusal(text, key)
    for word in words:
        assert word in said


def test_all_problems_at_once() -> None:
    said = refusal("a: {b: 1}\n", "x", "a.y", "a")
    assert said.count("a.y") >= 1
    assert "no key x" in said
    assert "is a mapping" in said


def test_document_index() -> None:
    text = "a: 1\n---\na: 2\n"
    assert edit(text, "a", "x", 1) == "a: 1\n---\na: x\n"
    assert "document 2 does not exist" in refusal(text, "a", document=2)


def test_a_key_that_cannot_be_edited_hides_no_other() -> None:
    """The first document has the key through an alias: the second must not be edited in its place."""
    assert "ambiguous" in refusal("x: &x {t: 1}\na: *x\n---\na: {t: 2}\n", "a.t")


def test_not_utf8() -> None:
    with pytest.raises(ConfigError, match=r"line 2"):
        set_values(b"a: 1\nb: \xff\n", {parse("a"): "x"})


def test_a_string_that_looks_like_a_number_is_repaired() -> None:
    done = set_values(b"tag: 1234567\n", {parse("tag"): "1234567"})
    assert done.data == b'tag: "1234567"\n'
    assert done.changes


def test_shared_values_are_named() -> None:
    done = set_values(b"a: &x\n  t: 1\nb: *x\nc:\n  <<: *x\n", {parse("a.t"): "v2"})
    assert done.values[0].shared_lines == (3, 5)
    other = set_values(b"a: &x 1\nb: &x 2\nc: *x\n", {parse("a"): "v2"})
    assert other.values[0].shared_lines == ()


def test_deep_nesting_is_no_crash() -> None:
    depth = 3000
    text = "k: v\nd: " + "[" * depth + "]" * depth + "\n"
    try:
        assert edit(text, "k", "x").startswith("k: x\n")
    except ConfigError as error:
        assert "not valid YAML" in str(error)  # noqa: PT017 - either is fine, a crash is not


values = st.text(max_size=15).filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text))


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from(["k: v\n", "k: 'v'\n", 'k: "v"\n', "{k: v}\n", "- {k: [v]}\n", '{"k": "v"}\n', "k:\n"]))
def test_any_string_reads_back(value: str, text: str) -> None:
    key = {"- {k: [v]}\n": "[0].k[0]"}.get(text, "k")
    result = edit(text, key, value)
    loaded = YAML(typ="safe", pure=True).load(result)
    found = loaded[0]["k"][0] if isinstance(loaded, list) else loaded["k"]
    assert found == value
    if text.startswith('{"'):
        assert json.loads(result) == {"k": value}
