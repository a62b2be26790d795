"""A unified diff of two versions of a file, for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

_NO_NEWLINE = "\\ No newline at end of file\n"
_CONTEXT = 3


def unified(path: str, old: bytes, new: bytes) -> str:
    """The diff as ``git diff`` shows it (``a/``, ``b/``), empty when the versions are equal.

    Carriage returns are shown as they are in the file; bytes that are not UTF-8 become replacement characters.
    """
    before, after = _lines(old), _lines(new)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    start = max(0, head - _CONTEXT)
    end = max(0, tail - _CONTEXT)  # what both versions share is left out, so that large files cost nothing
    part = difflib.unified_diff(before[start : len(before) - end], after[start : len(after) - end], n=_CONTEXT)
    text = "".join(_shifted(list(part)[2:], start))
    name = path.lstrip("/")
    return f"--- a/{name}\n+++ b/{name}\n{text}" if text else ""


def _lines(data: bytes) -> list[str]:
    *lines, last = data.decode("utf-8", errors="replace").split("\n")
    return [f"{line}\n" for line in lines] + ([f"{last}\n{_NO_NEWLINE}"] if last else [])


def _common(one: list[str], other: list[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _shifted(lines: list[str], by: int) -> Iterator[str]:
    """Line numbers count from the start of the file again."""
    for line in lines:
        if not line.startswith("@@"):
            yield line
            continue
        _, old, new, _ = line.split(" ", 3)
        yield f"@@ {_move(old, by)} {_move(new, by)} @@\n"


def _move(place: str, by: int) -> str:
    first, comma, count = place[1:].partition(",")
    return f"{place[0]}{int(first) + by}{comma}{count}"
