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


def render(old: str, value: str) -> str:
    """The text that replaces the block ``old``: a block again where that holds the value, else double quotes."""
    header = _HEADER.match(old)
    line_break = _BREAK.search(old)
    newline = line_break[0] if line_break else "\n"
    ended = old.endswith(("\n", "\r"))
    lines = _BREAK.split(old)[1:]
    indent = next((len(ln) - len(ln.lstrip(" ")) for ln in lines if ln.strip(" ")), 0)
    core = value.rstrip("\n")
    breaks = len(value) - len(core)
    sign = _sign(header["mods"], breaks, ended=ended) if header else None
    if header is None or sign is None or not indent or not _fits(header["kind"], core):
        return scalars.double_quoted(value) + (newline if ended else "")
    body = newline.join(" " * indent + line if line else "" for line in core.split("\n"))
    final = newline if ended or breaks else ""
    return f"{header['kind']}{sign}{header['rest']}{newline}{body}{final}" + newline * (breaks - 1)


def _fits(kind: str, core: str) -> bool:
    """A literal block holds any printable lines; a folded one is only trusted with a single line."""
    if not core or core[0] in " \n\t" or scalars.has_special(core.replace("\n", "")):
        return False
    return kind == "|" or "\n" not in core


def _sign(old: str, breaks: int, *, ended: bool) -> str | None:
    """The chomping sign for a value that ends with so many line breaks; the old one where it does; None: no block."""
    if any(char.isdigit() for char in old):
        return None
    if not ended:  # the end of the file stands in for the sign
        return None if breaks else old
    if old == "+" and breaks:
        return old
    return {0: "-", 1: ""}.get(breaks)
