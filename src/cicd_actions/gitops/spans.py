"""The bytes of a scalar: from the parser's marks to the exact place in the file, and what stands there instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cicd_actions.gitops import blocks, scalars
from cicd_actions.gitops.tree import Node

_GAP = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_INDICATOR = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*([:-])")
_PROPERTY = re.compile(r"!<[^>]*>|[&!][^ \t\r\n,\[\]{}]*")


@dataclass(frozen=True)
class Span:
    """A part of the text, in characters; ``lead`` is what must come before a value put into an empty place."""

    start: int
    end: int
    lead: str = ""

    def moved(self, by: int) -> Span:
        """The same part in a text with ``by`` characters more before it."""
        return Span(self.start + by, self.end + by, self.lead)


def content_span(text: str, node: Node, after: int) -> Span | None:
    """The scalar's own text, quotes included, anchor and tag left out.

    ``after`` is the end of the key (or list entry) before it, which is where an empty scalar is looked for. None means
    that there is no place for a value, as in ``{key}``.
    """
    empty = node.value == "" and node.style == ""
    if empty:
        indicator = _INDICATOR.match(text, after)
        if not indicator:
            return None
        end = _skip_properties(text, indicator.end(), node)
        return Span(end, end, " ")
    start = _skip_properties(text, node.start, node) if node.anchor or node.tag else node.start
    start = _skip_gap(text, start) if start != node.start else start
    if node.style in ("|", ">"):
        return Span(start, blocks.end_of(text, start, node.end))
    return Span(start, node.end)


def replacement(text: str, span: Span, node: Node, value: str, *, flow: bool, json: bool) -> str:
    """The text for ``value`` at ``span``, in the old style where that can hold it."""
    if node.style in ("|", ">"):
        rest = text[span.end : span.end + 200]
        return blocks.render(text[span.start : span.end], node.value, value, rest=rest)
    typed = node.tag == "tag:yaml.org,2002:str"
    return span.lead + scalars.render(value, style=node.style, flow=flow, json=json, typed=typed)


def _skip_properties(text: str, at: int, node: Node) -> int:
    for _ in range(bool(node.anchor) + bool(node.tag)):
        found = _PROPERTY.match(text, _skip_gap(text, at))
        if found:
            at = found.end()
    return at


def _skip_gap(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at
