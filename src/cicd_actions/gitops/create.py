"""Add a key that is not there yet, in the style of the file: its indent, line ends, quotes, block or flow form.

Text is only put in, never taken away: behind the last entry of the mapping, before the comments that follow it. As
with :mod:`edit`, both versions are parsed and must be equal but for the new key.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.gitops import scalars, spans
from cicd_actions.gitops.keypath import Key, KeyPath
from cicd_actions.gitops.locate import Missing, line_of, where_missing
from cicd_actions.gitops.tree import Node, Tree, parse

_REST = re.compile(r"[ \t]*(?:(?<=[ \t\n])#[^\r\n]*)?")
_BREAK = re.compile(r"\r\n|\n|\r")
_INDENT = 2  # where the file shows none


@dataclass(frozen=True)
class Created:
    """The text with the new key; ``node`` is the place in the old tree that it was added to, None in an empty file."""

    text: str
    line: int
    tree: Tree
    node: Node | None


def create(text: str, path: KeyPath, value: str, *, document: int | None, json: bool) -> Created | None:
    """Add ``path`` with ``value``; None when the key is there, or cannot be looked for (the caller says why).

    Raises:
        ConfigError: What exists of the path is no mapping, or only a list entry could be added.
    """
    tree = parse(text)
    if not tree.documents and document in (None, 0):
        names, at = _names(path, 0), len(text)
        added = _Block(_newline(text), _INDENT, "").lines(names, value, 0)
        missing = None
    else:
        missing = where_missing(tree, path, text=text, document=document)
        if missing is None or missing.node is None:
            return None
        names = _names(path, missing.depth, missing.problem)
        at, added = _place(text, tree, missing, names, value, json=json)
    if at and text[at - 1] not in "\r\n" and added[:1] not in ",{\"'\r\n" and not missing:
        added = _newline(text) + added
    result = text[:at] + added + text[at:]
    node = missing.node if missing else None
    _prove(tree, parse(result), node, names, value, path)
    return Created(result, line_of(text, at), tree, node)


def _names(path: KeyPath, depth: int, problem: Problem | None = None) -> list[str]:
    names = [segment.name for segment in path.segments[depth:] if isinstance(segment, Key)]
    if len(names) < len(path.segments) - depth:
        what = problem.what if problem else "does not exist"
        raise ConfigError(Problem(input=str(path), what=what, fix="Only keys can be created, not entries of lists."))
    return names


def _place(text: str, tree: Tree, missing: Missing, names: list[str], value: str, *, json: bool) -> tuple[int, str]:
    node = missing.node
    if node is None or node.kind not in ("mapping", "scalar") or (node.kind == "scalar" and not _is_empty(node)):
        raise ConfigError(missing.problem)
    newline, step = _newline(text), _step(text, tree)
    if node.kind == "scalar":
        return _below(text, tree, missing, names, value)
    style = '"' if json else _style(node)
    if node.flow:
        return _in_flow(text, node, names, value, style=style, json=json)
    at = _content_end(text, node)
    block = _Block(newline, step, style).lines(names, value, _column(text, node.children[0].start))
    return _after_line(text, at, block, newline)


def _is_empty(node: Node) -> bool:
    return not (node.value or node.style or node.anchor or node.tag)


@dataclass(frozen=True)
class _Block:
    newline: str
    step: int
    style: str

    def lines(self, names: list[str], value: str, column: int) -> str:
        """The lines of a nested block mapping."""
        *parents, last = names
        text = ""
        for name in parents:
            text += f"{' ' * column}{_key(name)}:{self.newline}"
            column += self.step
        shown = scalars.render(value, style=self.style, flow=False)
        return f"{text}{' ' * column}{_key(last)}: {shown}{self.newline}"


def _below(text: str, tree: Tree, missing: Missing, names: list[str], value: str) -> tuple[int, str]:
    """Below a key without a value."""
    node = missing.node
    newline, step = _newline(text), _step(text, tree)
    parent = next((n for n in tree.nodes if node and any(child is node for child in n.children)), None)
    if node is None or parent is None or parent.flow or parent.kind != "mapping":
        raise ConfigError(missing.problem)
    span = spans.content_span(text, node, missing.after)
    if span is None:
        raise ConfigError(missing.problem)
    column = _column(text, parent.children[0].start) + step
    return _after_line(text, span.start, _Block(newline, step, "").lines(names, value, column), newline)


def _after_line(text: str, at: int, lines: str, newline: str) -> tuple[int, str]:
    """Put whole lines behind the line of ``at``; a file without a final line break stays one."""
    if at and text[at - 1] in "\r\n":
        return at, lines
    rest = _REST.match(text, at)
    end = rest.end() if rest else at
    found = _BREAK.match(text, end)
    if found:
        return found.end(), lines
    return end, newline + lines.removesuffix(newline)


def _in_flow(text: str, node: Node, names: list[str], value: str, *, style: str, json: bool) -> tuple[int, str]:
    shown = scalars.render(value, style=style, flow=True, json=json)
    *parents, last = names
    entry = f"{_key(last, flow=True, json=json)}: {shown}"
    for name in reversed(parents):
        entry = f"{_key(name, flow=True, json=json)}: {{{entry}}}"
    if not node.children:
        return text.index("{", node.start) + 1, entry
    at = _content_end(text, node.children[-1]) if node.children[-1].end > node.children[-1].start else node.end - 1
    before = node.children[-3].end if len(node.children) > 2 else text.index("{", node.start) + 1
    gap = text[before : node.children[-2].start].lstrip(",")
    on_lines = bool(_BREAK.match(gap.lstrip(" \t"))) and not gap.strip()
    return at, f",{gap if on_lines else ' '}{entry}"


def _content_end(text: str, node: Node) -> int:
    """Where the text of a node really ends: parsers put the end of a block behind the comments that follow it."""
    if node.kind in ("mapping", "sequence") and not node.flow and node.children:
        last = node.children[-1]
        if last.kind == "scalar" and not (last.value or last.style):
            before = node.children[-2].end if len(node.children) > 1 else node.start
            span = spans.content_span(text, last, before)
            return span.end if span else last.end
        return _content_end(text, last)
    if node.kind == "scalar":
        span = spans.content_span(text, node, node.start)
        return span.end if span else node.end
    return node.end


def _column(text: str, at: int) -> int:
    return at - max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) - 1


def _newline(text: str) -> str:
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def _step(text: str, tree: Tree) -> int:
    """How far the file indents a mapping below its key; the most common one."""
    steps: Counter[int] = Counter()
    for node in tree.nodes:
        if node.kind != "mapping" or node.flow or not node.children:
            continue
        column = _column(text, node.children[0].start)
        for child in node.children[1::2]:
            if child.kind == "mapping" and not child.flow and child.children:
                steps[_column(text, child.children[0].start) - column] += 1
    best = steps.most_common(1)
    return best[0][0] if best and best[0][0] > 0 else _INDENT


def _style(node: Node) -> str:
    """The quotes around all strings beside the new one, if they agree."""
    values = [child for child in node.children[1::2] if child.kind == "scalar"]
    styles = {child.style for child in values if child.style or scalars.reads_as_string(child.value)}
    style = styles.pop() if len(styles) == 1 else ""
    return style if style in ("'", '"') else ""


def _key(name: str, *, flow: bool = False, json: bool = False) -> str:
    plain = not json and scalars.may_be_plain(name, flow=flow) and ":" not in name
    return name if plain else scalars.double_quoted(name)


def _prove(old: Tree, new: Tree, at: Node | None, names: list[str], value: str, path: KeyPath) -> None:
    if at is None:
        equal = len(new.documents) == 1 and _is_chain(new.documents[0], names, value)
    else:
        pairs = zip(old.documents, new.documents, strict=False)
        equal = len(old.documents) == len(new.documents) and all(_same(a, b, at, names, value) for a, b in pairs)
    if not equal:
        raise ConfigError(
            f"adding {path} would change more than that, so nothing was written",
            hint="Add the key by hand, and please report this with the part of the file around it.",
        )


def _same(old: Node, new: Node, at: Node, names: list[str], value: str) -> bool:
    if old is at and old.kind == "scalar":
        return _is_chain(new, names, value)
    children = list(new.children)
    if old is at:
        key, added = children[-2:]
        if key.value != names[0] or not _is_chain(added, names[1:], value):
            return False
        del children[-2:]
    one = (old.kind, old.tag, old.anchor, old.flow, old.style, old.value, len(old.children))
    two = (new.kind, new.tag, new.anchor, new.flow, new.style, new.value, len(children))
    return one == two and all(_same(a, b, at, names, value) for a, b in zip(old.children, children, strict=True))


def _is_chain(node: Node, names: list[str], value: str) -> bool:
    for name in names:
        if node.kind != "mapping" or [key.value for key, _ in node.pairs()] != [name]:
            return False
        node = node.children[1]
    string = bool(node.style) or scalars.reads_as_string(node.value)
    return node.kind == "scalar" and node.value == value and string
