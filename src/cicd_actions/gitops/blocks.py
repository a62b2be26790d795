"""Block scalars (``|`` and ``>``): where they end, and how a new value is put into their form.

Source: YAML 1.2.2, section 8.1.
"""

from __future__ import annotations

import re

from cicd_actions.gitops import scalars

_HEADER = re.compile(r"(?P<kind>[|>])(?P<mods>[-+0-9]*)(?P<rest>[^\r\n]*)")
_BREAK = re.compile(r"\r\n|\n|\r")


def end_of(text: str, start: int, mark: int) -> int:
    """The end of the block that starts at ``start``; ``mark`` is the parser's, which is behind the blank lines.

    Blank lines after the last line belong to the value only with the sign ``+``.
    """
    header = _HEADER.match(text, start)
    if header and "+" in header["mods"]:
        return mark
    last = start + len(text[start:mark].rstrip(" \t\r\n"))
    line_break = _BREAK.search(text, last, mark)
    return line_break.end() if line_break else mark


def render(old: str, was: str, value: str, *, rest: str) -> str:
    """The text that replaces the block ``old``, read as ``was``: a block where that holds the value, else quoted.

    ``rest`` is what follows in the file: blank lines there would become part of a value that keeps its line breaks.
    """
    header = _HEADER.match(old)
    line_break = _BREAK.search(old)
    newline = line_break[0] if line_break else "\n"
    ended = old.endswith(("\n", "\r"))
    lines = _BREAK.split(old)[1:]
    indent = _indent(lines, was)
    core = value.rstrip("\n")
    breaks = len(value) - len(core)
    sign = _sign(header["mods"], breaks, ended=ended) if header else None
    grows = sign is not None and "+" in sign and "+" not in (header["mods"] if header else "")
    if grows and not re.match(r"[ \t]*[^ \t\r\n]|\Z", rest):
        sign = None
    if (
        header is None
        or sign is None
        or not indent
        or not _fits(header["kind"], core, free=any(char.isdigit() for char in header["mods"]))
    ):
        return scalars.double_quoted(value) + (newline if ended else "")
    body = newline.join(" " * indent + line if line else "" for line in core.split("\n"))
    final = newline if ended or breaks else ""
    return f"{header['kind']}{sign}{header['rest']}{newline}{body}{final}" + newline * (breaks - 1)


def _indent(lines: list[str], was: str) -> int:
    """How far the content is indented; spaces that belong to the value are not counted."""
    first = next((line for line in lines if line.strip(" ")), "")
    value = next((line for line in was.split("\n") if line.strip(" ")), "")
    return _leading(first) - _leading(value)


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _fits(kind: str, core: str, *, free: bool) -> bool:
    """A literal block holds any printable lines; a folded one is only trusted with a single line.

    Lines may begin with blanks where the header gives the indent (``free``).
    """
    if not core or (core[0] in " \n\t" and not (free and kind == "|")) or scalars.has_special(core.replace("\n", "")):
        return False
    return kind == "|" or "\n" not in core


def _sign(old: str, breaks: int, *, ended: bool) -> str | None:
    """The chomping sign for a value that ends with so many line breaks; the old one where it does; None: no block."""
    digit = "".join(char for char in old if char.isdigit())
    if not ended:  # the end of the file stands in for the sign
        return None if breaks else old
    if "+" in old and breaks:
        return old
    sign = {0: "-", 1: ""}.get(breaks, "+")
    return sign + digit if old[:1] in ("-", "+") else digit + sign
