"""For every scalar of every file in tests/data/gitops: set it, and only its bytes differ; set it back.

What changed is judged by ruamel.yaml's own parser, not by ours: all events but the one must be equal. Setting back
restores the file wherever the old text is the only way that our style rules write its value. It cannot where the old
text holds more than its value: a value that was no string, escapes in double quotes that need none, text folded over
lines, and ``+`` on a block that ends with a single line break.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cicd_actions.gitops import tree
from cicd_actions.gitops.edit import set_values
from cicd_actions.gitops.keypath import Index, Key, KeyPath, Segment, parse
from cicd_actions.gitops.scalars import reads_as_string
from cicd_actions.gitops.tree import Node

DATA = Path(__file__).parents[2] / "data" / "gitops"
FILES = sorted(path.name for path in DATA.iterdir())
NO_MARKS = {"tabs.yaml", "pretty.json"}  # ruamel.yaml minds the tabs


def scalars_of(node: Node, path: tuple[Segment, ...] = ()) -> list[tuple[KeyPath, Node]]:
    if node.kind == "scalar":
        return [(KeyPath(path), node)] if path and not is_typed(node) else []
    if node.kind == "mapping":
        return [row for key, value in node.pairs() for row in scalars_of(value, (*path, Key(key.value)))]
    return [row for n, child in enumerate(node.children) for row in scalars_of(child, (*path, Index(n)))]


def is_typed(node: Node) -> bool:
    return node.tag.startswith("tag:yaml.org,2002:") and not node.tag.endswith(":str")


def events(data: bytes) -> list[tuple[Any, ...]]:
    names = ("value", "anchor", "tag", "implicit", "flow_style", "style")
    found = YAML(typ="safe", pure=True).parse(data.decode("utf-8-sig"))
    return [(type(event).__name__, *(str(getattr(event, name, "")) for name in names)) for event in found]


def restores(text: str, node: Node) -> bool:
    source = text[node.start : node.end]
    if node.style in ("|", ">"):
        header = source[source.index(node.style) :].splitlines()[0]
        one_break = node.value.endswith("\n") and not node.value.endswith("\n\n")
        return ("+" not in header or not one_break) and (node.style == "|" or "\n" not in node.value.rstrip("\n"))
    if "\n" in source or (node.style == '"' and "\\" in source):
        return False
    return bool(node.style or node.tag) or reads_as_string(node.value)


@pytest.mark.parametrize("name", FILES)
def test_every_scalar(name: str) -> None:
    data = (DATA / name).read_bytes()
    text = data.decode("utf-8-sig")
    before = [] if name in NO_MARKS else events(data)
    rows = [(n, *row) for n, root in enumerate(tree.parse(text).documents) for row in scalars_of(root)]
    assert rows
    for number, path, node in rows:
        done = set_values(data, {path: "new-value"}, document=number).data
        bom = len(data) - len(text.encode())
        head = data[: bom + len(text[: node.start].encode())]
        tail = text[node.end :].encode()
        assert done.startswith(head), path
        assert done.endswith(tail), path
        assert b"new-value" in done[len(head) : len(done) - len(tail)], path
        if before:
            changed = [(a, b) for a, b in zip(before, events(done), strict=True) if a != b]
            assert [b[1] for _, b in changed] == ["new-value"], path
        back = set_values(done, {path: node.value}, document=number).data
        if restores(text, node):
            assert back == data, path
        assert tree.parse(back.decode("utf-8-sig")).documents


@pytest.mark.parametrize(
    ("name", "key", "old", "new"),
    [
        ("helm-web.yaml", "image.tag", 'tag: "1.4.2"', 'tag: "1.5.0"'),
        ("helm-umbrella.yaml", "api.image.tag", "tag: 'v2.0.1'", "tag: '1.5.0'"),
        ("helm-umbrella.yaml", "worker.image.tag", "tag: v2.0.1\n", "tag: 1.5.0\n"),
        ("helm-umbrella.yaml", "api.env.LOG_LEVEL", "debug", "1.5.0"),
        ("kustomization.yaml", 'images[name="ghcr.io/acme/web"].newTag', "v1.4.2   #", "1.5.0   #"),
        ("kustomization.yaml", "images[name=ghcr.io/acme/worker].digest", "sha256:0123abcd", "1.5.0"),
        ("manifests.yaml", "spec.template.spec.containers[name=web].image", "ghcr.io/acme/web:1.4.2", "1.5.0"),
        ("manifests.yaml", "spec.template.spec.containers[name=log].image", "ghcr.io/acme/log:0.9.0", "1.5.0"),
        ("application.yaml", "spec.source.helm.parameters[name=image.tag].value", '"1.4.2"', '"1.5.0"'),
        ("application.yaml", 'spec.source.helm.parameters[name="image.digest"].value', "'sha256:00'", "'1.5.0'"),
        ("compact.json", "image.tag", '"1.4.2"', '"1.5.0"'),
        ("pretty.json", 'parameters[name="image.tag"].value', '"1.4.2"', '"1.5.0"'),
        ("tabs.yaml", "image.tag", "v1\t# tab\there", "1.5.0\t# tab\there"),
        ("no-newline.yaml", "last", '"x"', '"1.5.0"'),
    ],
)
def test_named_places(name: str, key: str, old: str, new: str) -> None:
    data = (DATA / name).read_bytes()
    assert data.decode().count(old) == 1
    assert set_values(data, {parse(key): "1.5.0"}).data == data.replace(old.encode(), new.encode())
