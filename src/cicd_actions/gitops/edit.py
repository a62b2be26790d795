"""Set values in YAML or JSON so that nothing else changes: bytes in, bytes out, with proof.

The bytes outside the replaced scalars are copied, so they are equal by construction. Then both versions are parsed
and compared node by node: everything but the values set must be the same, and those must read back as the strings
asked for. If not, there is an error and no result.

Setting the old value again restores the old bytes, except where they held more than the value: a number, boolean or
null (comes back as a quoted string), escapes that double quotes do not need, text folded over several lines, the sign
``+`` on a block that ends with one line break, and a plain ``?`` inside ``[]`` or ``{}`` (comes back quoted).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.gitops import scalars, spans
from cicd_actions.gitops.keypath import KeyPath
from cicd_actions.gitops.locate import Refused, aliases_of, find, holds, line_of
from cicd_actions.gitops.narrow import Part, narrow
from cicd_actions.gitops.tree import Node, Tree, is_valid, parse

_BOM = b"\xef\xbb\xbf"
_MOST_PARTS = 12  # each costs a look at the whole text; beyond it one tree is cheaper


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value: where it is, its text before and after; ``shared_lines`` are those that repeat it by an alias."""

    path: KeyPath
    line: int
    old: str
    new: str
    changed: bool
    shared_lines: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The new file, and every value asked for in the order of the request (``changed`` tells which differ)."""

    data: bytes
    values: tuple[Change, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """The values that differ."""
        return tuple(value for value in self.values if value.changed)


@dataclass(frozen=True, kw_only=True)
class _Site:
    node: Node
    span: spans.Span
    text: str
    change: Change


def set_values(
    data: bytes, updates: Mapping[KeyPath, str], *, document: int | None = None, create_missing: bool = False
) -> Edit:
    """Set each key to its string; only the scalars' own bytes differ afterwards.

    Args:
        data: The file: YAML (one or more documents) or JSON, UTF-8 with or without a byte order mark.
        updates: Key path -> new value, always a string for the reader; the old quoting style is kept.
        document: Counted from 0; None takes the only document that has the key.
        create_missing: Add keys that are not there (and the mappings around them) in the file's own style.

    Raises:
        ConfigError: The file is not YAML, or a key is missing, ambiguous, doubled, reached through an alias or a merge,
            or not a single value. Every such key is named.
    """
    text = decode(data)
    bom = _BOM if data.startswith(_BOM) else b""
    done = _set_in_parts(text, updates) if document is None else None
    if not done and create_missing:
        text, added = _create(text, updates, document)
    else:
        added = {}
    result, changes = done or _set_in_whole(text, updates, document)
    values = tuple(added.get(change.path, change) for change in changes)
    return Edit(data=bom + result.encode(), values=values)


def _create(text: str, updates: Mapping[KeyPath, str], document: int | None) -> tuple[str, dict[KeyPath, Change]]:
    """Add what is missing, one key after the other; each time the whole is proven to be as before but for the key."""
    from cicd_actions.gitops.create import create  # rarely needed, and the start of a command is most of its time

    added: dict[KeyPath, Change] = {}
    is_json = _is_json(text)
    for path, value in updates.items():
        done = create(text, path, value, document=document, json=is_json)
        if done is None:
            continue
        shared = aliases_of(done.tree, done.node) if done.node else ()
        lines = tuple(line_of(text, alias.start) for alias in shared)
        added[path] = Change(path=path, line=done.line, old="", new=value, changed=True, shared_lines=lines)
        text = done.text
    return text, added


def _set_in_whole(text: str, updates: Mapping[KeyPath, str], document: int | None) -> tuple[str, tuple[Change, ...]]:
    """Edit with a tree of the whole file."""
    tree = parse(text)
    is_json = _is_json(text)
    sites = [_site(tree, text, *update, document=document, is_json=is_json) for update in updates.items()]
    problems = [site for site in sites if isinstance(site, Problem)]
    if problems:
        raise ConfigError(
            *problems, hint="Name keys that are there, or add new ones with create-missing. Nothing was written."
        )
    edits = [site for site in sites if isinstance(site, _Site)]
    result = _apply(text, edits)
    if result != text:
        _prove(tree, parse(result), edits)
    return result, tuple(site.change for site in edits)


def _set_in_parts(text: str, updates: Mapping[KeyPath, str]) -> tuple[str, tuple[Change, ...]] | None:
    """Edit only the lines around the keys (see :mod:`narrow`); None when the whole file has to be looked at."""
    parts = [narrow(text, path) for path in updates] if 0 < len(updates) <= _MOST_PARTS else []
    known = [part for part in parts if part]
    if not known or len(known) < len(parts):
        return None
    outer = {part.start: _around(part, known) for part in known}
    edits: list[_Site] = []
    for area in sorted({id(part): part for part in outer.values()}.values(), key=lambda part: part.start):
        wanted = [(path, part, updates[path]) for path, part in zip(updates, known, strict=True)]
        inside = [(path, part, value) for path, part, value in wanted if outer[part.start] == area]
        try:
            sites = _sites_in(text, area, inside)
        except ConfigError:  # the whole file is asked, which knows the reason better
            sites = None
        if sites is None:
            return None
        edits += sites
    order = {path: number for number, path in enumerate(updates)}
    changes = sorted((site.change for site in edits), key=lambda change: order[change.path])
    return _apply(text, edits), tuple(changes)


def _around(part: Part, parts: list[Part]) -> Part:
    """The largest of ``parts`` that holds ``part``; they are nested or apart, never crossing."""
    holders = [other for other in parts if other.start <= part.start and part.end <= other.end]
    return max(holders, key=lambda other: other.end - other.start)


def _sites_in(text: str, area: Part, updates: list[tuple[KeyPath, Part, str]]) -> list[_Site] | None:
    """The proven sites of one part, in places of the whole text."""
    part = text[area.start : area.end]
    if not is_valid(part):  # parse() may still read it with the second parser, but the cuts were made for libyaml
        return None
    tree = parse(part)
    lines = text.count("\n", 0, area.start)
    sites: list[_Site] = []
    for path, own, value in updates:
        local = own.path if own == area else area.path_of(path)
        site = _site(tree, part, local, value, document=None, is_json=False)
        if isinstance(site, Problem) or any(n.anchor and n.kind != "alias" and holds(n, site.node) for n in tree.nodes):
            return None
        change = replace(site.change, path=path, line=site.change.line + lines)
        sites.append(replace(site, change=change))
    result = _apply(part, sites)
    if result != part:
        _prove(tree, parse(result), sites)
        if area.end < len(text) and not result.endswith("\n"):
            return None
    return [replace(site, span=site.span.moved(area.start)) for site in sites]


def get_value(data: bytes, path: KeyPath, *, document: int | None = None) -> str | None:
    """The text of the scalar at ``path``, or None when there is none that could be set.

    Raises:
        ConfigError: The file is not YAML.
    """
    text = decode(data)
    part = narrow(text, path) if document is None else None
    if part:
        near = text[part.start : part.end]
        with suppress(ConfigError):
            inside = find(parse(near), part.path, text=near, document=None)
            if not isinstance(inside, Refused):
                return inside.node.value
    found = find(parse(text), path, text=text, document=document)
    return None if isinstance(found, Refused) else found.node.value


def decode(data: bytes) -> str:
    """The text of a file without its byte order mark.

    Raises:
        ConfigError: It is not UTF-8.
    """
    try:
        return data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"the file is not UTF-8 text (line {line})", hint="Save it as UTF-8.") from error


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _site(tree: Tree, text: str, path: KeyPath, value: str, *, document: int | None, is_json: bool) -> _Site | Problem:
    found = find(tree, path, text=text, document=document)
    if isinstance(found, Refused):
        return found.problem
    node = found.node
    span = spans.content_span(text, node, found.after)
    if span is None:
        what = f"has no place for a value in line {line_of(text, node.start)}"
        return Problem(input=str(path), what=what, fix='Write the key as key: "".')
    if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        return Problem(input=str(path), what="the new value is not valid Unicode text")
    same = node.value == value and _is_string(node)
    flow = _in_flow(tree, node)
    new = spans.replacement(text, span, node, value, flow=flow, json=is_json)
    change = Change(
        path=path,
        line=line_of(text, span.start),
        old=node.value,
        new=value,
        changed=not same,
        shared_lines=tuple(line_of(text, alias.start) for alias in aliases_of(tree, node)),
    )
    kept = text[span.start : span.end]
    return _Site(node=node, span=span, text=kept if same else new, change=change)


def _is_string(node: Node) -> bool:
    return bool(node.style or node.tag) or scalars.reads_as_string(node.value)


def _in_flow(tree: Tree, node: Node) -> bool:
    return any(other.flow and other.start <= node.start < other.end for other in tree.nodes)


def _apply(text: str, sites: list[_Site]) -> str:
    parts, at = [], 0
    for site in sorted(sites, key=lambda site: site.span.start):
        if site.span.start < at:
            name = str(site.change.path)
            raise ConfigError(Problem(input=name, what="is set twice in one request"))
        parts += [text[at : site.span.start], site.text]
        at = site.span.end
    return "".join([*parts, text[at:]])


def _prove(old: Tree, new: Tree, sites: list[_Site]) -> None:
    """Raise unless the trees are equal but for the values set."""
    wanted = {site.node.number: site.change.new for site in sites}
    equal = len(old.nodes) == len(new.nodes) and all(
        _same(before, after, wanted.get(before.number)) for before, after in zip(old.nodes, new.nodes, strict=True)
    )
    if not equal or len(old.documents) != len(new.documents):
        names = ", ".join(str(site.change.path) for site in sites)
        raise ConfigError(
            f"setting {names} would change more than that, so nothing was written",
            hint="Please report this with the part of the file around the key.",
        )


def _same(old: Node, new: Node, wanted: str | None) -> bool:
    shape = (old.kind, old.tag, old.anchor, len(old.children), old.flow)
    if shape != (new.kind, new.tag, new.anchor, len(new.children), new.flow):
        return False
    if wanted is None:
        return (old.value, old.style) == (new.value, new.style)
    return new.value == wanted and _is_string(new)
