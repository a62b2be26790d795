"""YAML text as a light tree of nodes that know where they are.

libyaml reads when it is there (as PyYAML's wheels bring it): it is the parser that Go's reader, and with it Helm and
Argo CD, was made from, and it is fast. What it refuses, or when it is missing, ruamel.yaml's own parser reads. Both
report the same events; nothing is resolved, so an alias stays an alias and ``<<`` a key like any other.
"""

from __future__ import annotations

import gc
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cicd_actions.errors import ConfigError

Kind = Literal["scalar", "mapping", "sequence", "alias"]
_KINDS: dict[str, Kind] = {"SequenceStartEvent": "sequence", "MappingStartEvent": "mapping"}
_LATE_TAB = re.compile(r"(?<=[^\s])([ ]*\t[ \t]*)(?=#|\r?\n|\Z)")


@dataclass(slots=True, eq=False)
class Node:
    """One node; ``start`` and ``end`` are the parser's marks in characters, ``children`` alternates key and value in a
    mapping. ``anchor`` of an alias is the name it refers to; ``number`` counts the nodes of the file.
    """

    kind: Kind
    start: int
    end: int
    number: int
    value: str = ""
    tag: str = ""
    anchor: str = ""
    style: str = ""
    flow: bool = False
    children: Sequence[Node] = ()

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """The keys and values of a mapping."""
        return zip(self.children[::2], self.children[1::2], strict=True)


@dataclass(frozen=True)
class Tree:
    """A parsed file: its documents' root nodes and all its nodes in the order of the text."""

    documents: tuple[Node, ...]
    nodes: tuple[Node, ...]


def parse(text: str) -> Tree:
    """Parse YAML (or JSON) text without a byte order mark.

    Raises:
        ConfigError: The text is not YAML; names line and column.
    """
    collecting = gc.isenabled()
    gc.disable()  # nothing becomes garbage while a tree grows, and looking for it costs a third of the time
    try:
        return _build(_events(text))
    except _parser_errors() as error:  # looked up only once something was raised
        return _second_opinion(text, error)
    finally:
        if collecting:
            gc.enable()


def can_check() -> bool:
    """True when :func:`is_valid` is to be had."""
    library = _libyaml()
    return library is not None and hasattr(library.CBaseLoader, "raw_parse")


def is_valid(text: str) -> bool:
    """True when libyaml reads ``text``, which may be empty, without error; no tree is built."""
    library = _libyaml()
    try:
        library.CBaseLoader(text).raw_parse()
    except (library.YAMLError, RecursionError):
        return False
    return True


def _second_opinion(text: str, error: Exception) -> Tree:
    """Ask ruamel.yaml; it minds tabs before comments and in JSON's indentation, so they become spaces, one for one."""
    spaced = text.replace("\t", " ") if text.lstrip()[:1] in ("{", "[") else _LATE_TAB.sub(_spaces, text)
    for candidate in dict.fromkeys((text, spaced)):
        try:
            return _build(_ruamel_events(candidate))
        except _parser_errors():
            continue
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    raise ConfigError(
        f"the file is not valid YAML{where}: {what}",
        hint="Correct the file; a template with {{ }} is not YAML and cannot be edited.",
    ) from error


def _spaces(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _parser_errors() -> tuple[type[Exception], ...]:
    from ruamel.yaml.error import YAMLError

    library = _libyaml()
    return (YAMLError, RecursionError) if library is None else (library.YAMLError, YAMLError, RecursionError)


def _libyaml() -> Any:
    """PyYAML where it was built with libyaml, else None."""
    try:
        library: Any = importlib.import_module("yaml")
    except ImportError:
        return None
    return library if library.__with_libyaml__ else None


def _events(text: str) -> Iterator[Any]:
    library = _libyaml()
    if library is None:
        return _ruamel_events(text)
    return iter(library.parse(text, Loader=library.CBaseLoader))


def _ruamel_events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    return iter(YAML(typ="safe", pure=True).parse(text))


def _build(events: Iterator[Any]) -> Tree:
    documents: list[Node] = []
    nodes: list[Node] = []
    open_ones: list[Node] = []
    inside = [documents]  # the list that the next node goes into is the last one
    for event in events:
        name = type(event).__name__
        if name == "ScalarEvent":
            node = _scalar(event, len(nodes))
        elif name in _KINDS:
            node = _collection(event, _KINDS[name], len(nodes))
        elif name == "AliasEvent":
            node = Node("alias", event.start_mark.index, event.end_mark.index, len(nodes), anchor=event.anchor)
        else:
            if name in ("SequenceEndEvent", "MappingEndEvent"):
                inside.pop()
                open_ones.pop().end = event.end_mark.index
            continue
        nodes.append(node)
        inside[-1].append(node)
        if name in _KINDS:
            children: list[Node] = []
            node.children = children
            inside.append(children)
            open_ones.append(node)
    return Tree(tuple(documents), tuple(nodes))


def _collection(event: Any, kind: Kind, number: int) -> Node:
    node = Node(kind, event.start_mark.index, event.end_mark.index, number)
    node.anchor, node.tag, node.flow = event.anchor or "", str(event.tag or ""), bool(event.flow_style)
    return node


def _scalar(event: Any, number: int) -> Node:
    node = Node("scalar", event.start_mark.index, event.end_mark.index, number)
    node.value, node.style = event.value, event.style or ""
    node.tag, node.anchor = str(event.tag or ""), event.anchor or ""
    return node
