"""Markdown from foreign text: nothing in it may become markup, a mention or another table cell. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_MARKUP = {ord(char): f"&#{ord(char)};" for char in "&<>|[]*`@\\~#!_"}


def cell(text: str, *, breaks: bool = False) -> str:
    """Return text that reads as itself anywhere in Markdown; line breaks become blanks unless ``breaks``."""
    printable = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    if not breaks:
        printable = " ".join(printable.split())
    return printable.translate(_MARKUP)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the cells must be escaped already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
