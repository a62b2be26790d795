"""Find the few lines around a key without building a tree of the whole file.

A large file is cut at lines that start an entry of the mappings and lists on the way to the key. A cut is sound when
each part is valid YAML on its own: a line that starts a key at the column of its mapping ends every open scalar there,
and no part can end inside quotes, ``[]`` or ``{}`` (the parser would say so). Then the events of the file are those of
its parts one after the other, and an edit within one part cannot change another. libyaml checks the parts without
making Python objects, some thirty times faster than with them. Whatever is not plain enough for this (documents,
directives, anchors on the way, quoted keys beside the key) is left to the tree of the whole file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cicd_actions.gitops import tree
from cicd_actions.gitops.keypath import Index, Key, KeyPath, Match, Segment

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_PREAMBLE = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n)*(?:---[ ]*(?:#[^\n]*)?\r?\n)?")
_MARKERS = ("---", "...", "%")
_COMMENTS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*")
_KEY_LINE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*[ ]*:(?=[ \t\r\n]|\Z)")
_DASH = re.compile(r"-(?=[ \t\r\n]|\Z)")
_OPENS = re.compile(r"[^:\n]*:[ \t]*(?:[ \t]#[^\n]*)?\r?\n")
_ENOUGH = 2000  # characters; smaller parts are parsed as they are


@dataclass(frozen=True)
class Part:
    """A part of the text that can be edited on its own, and the path of the key from there."""

    start: int
    end: int
    depth: int
    path: KeyPath

    def path_of(self, path: KeyPath) -> KeyPath:
        """Where another key of this part is, as seen from the part."""
        return KeyPath(path.segments[self.depth :])


def narrow(text: str, path: KeyPath) -> Part | None:
    """The smallest part of ``text`` that surely holds everything of ``path``, or None when that is not certain."""
    if not tree.can_check() or _has_odd_breaks(text):
        return None
    preamble = _PREAMBLE.match(text)
    start = preamble.end() if preamble else 0
    if text.startswith(_MARKERS, start) or any(text.find(f"\n{marker}", start) >= 0 for marker in _MARKERS):
        return None
    walk = _Walk(text, start, len(text))
    for depth, segment in enumerate(path.segments):
        if depth and (walk.end - walk.start < _ENOUGH or not walk.enter()):
            return walk.part(depth - 1, path)
        if not walk.step(segment):
            return walk.part(depth - 1, path) if depth else None
        if not isinstance(segment, Key):
            return walk.part(depth, path)
    return walk.part(len(path.segments) - 1, path)


def _has_odd_breaks(text: str) -> bool:
    """Line breaks other than LF and CRLF, which the searches here do not know."""
    odd = any(char in text for char in "\x85\u2028\u2029")
    return odd or text.count("\r") != text.count("\r\n")


class _Walk:
    """The part found so far; ``cut`` is True once it is an entry of a list, which begins at its dash."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.body: int = start  # where the entries begin: behind the line of the key

    def part(self, depth: int, path: KeyPath) -> Part:
        first: Segment = path.segments[depth]
        if isinstance(first, Index):
            first = Index(0)
        return Part(self.start, self.end, depth, KeyPath((first, *path.segments[depth + 1 :])))

    def enter(self) -> bool:
        """Go from a key's line to the lines below it; False when its value begins on that line."""
        opened = _OPENS.match(self.text, self.start, self.end)
        if not opened:
            return False
        self.body = opened.end()
        return True

    def step(self, segment: Segment) -> bool:
        """Make the part the entry that ``segment`` names; False and no change when that is not certain."""
        column = self._column()
        if column is None:
            return False
        ends = self._key(segment.name, column) if isinstance(segment, Key) else self._entry(segment, column)
        if ends is None or not self._whole(*ends):
            return False
        self.start, self.end = ends
        return True

    def _whole(self, start: int, end: int) -> bool:
        text = self.text
        return tree.is_valid(text[self.body : start]) and tree.is_valid(text[end : self.end])

    def _column(self) -> int | None:
        """The column of the first entry."""
        comments = _COMMENTS.match(self.text, self.body, self.end)
        at = comments.end() if comments else self.body
        column = 0
        while self.text[at + column : at + column + 1] == " ":
            column += 1
        return column if at + column < self.end else None

    def _first(self) -> int:
        comments = _COMMENTS.match(self.text, self.body, self.end)
        return comments.end() if comments else self.body

    def _key(self, name: str, column: int) -> tuple[int, int] | None:
        if not _NAME.fullmatch(name) or not _KEY_LINE.match(self.text, self._first() + column):
            return None
        if self.body != self.start and column <= self._own_column():
            return None
        indent = " " * column
        if re.compile(f"\n{indent}[\"'?&!*]").search(self.text, max(0, self.body - 1), self.end):
            return None
        hits = self._lines(re.compile(f"\n{indent}(?={re.escape(name)}[ \t]*:(?:[ \t\r\n]|\\Z))"))
        if len(hits) != 1:
            return None
        end = self._next(re.compile(f"\n {{0,{column}}}(?=[^ \t\r\n#-]|-(?![ \t\r\n]|\\Z))"), hits[0] + column, column)
        return None if end is None else (hits[0], end)

    def _own_column(self) -> int:
        return len(self.text[self.start : self.body]) - len(self.text[self.start : self.body].lstrip(" "))

    def _next(self, pattern: re.Pattern[str], after: int, column: int) -> int | None:
        """Where the next entry's line begins; the end of the part when there is none, None when it is no plain key."""
        found = pattern.search(self.text, after, self.end)
        if not found:
            return self.end
        at = found.start() + 1
        ok = found.end() == at + column and _KEY_LINE.match(self.text, found.end())
        return at if ok else None

    def _lines(self, pattern: re.Pattern[str]) -> list[int]:
        """The starts of the lines of this part that match; the pattern begins with the line break before."""
        first = [self.body] if pattern.match("\n" + self.text[self.body : self.body + 2000]) else []
        return first + [found.start() + 1 for found in pattern.finditer(self.text, self.body, self.end)]

    def _entry(self, segment: Index | Match, column: int) -> tuple[int, int] | None:
        if not _DASH.match(self.text, self._first() + column):
            return None
        if self.body != self.start and column < self._own_column():
            return None
        starts = self._lines(re.compile(f"\n {{{column}}}(?=-[ \t\r\n])"))
        pieces = list(zip(starts, [*starts[1:], self.end], strict=True))
        if isinstance(segment, Index):
            fits = segment.number < len(pieces) and all(tree.is_valid(self.text[a:b]) for a, b in pieces)
            return pieces[segment.number] if fits else None
        if re.search(r"[\s']", segment.value) or not segment.value:
            return None
        hits = [(a, b) for a, b in pieces if self._may_match(segment, a, b)]
        return hits[0] if len(hits) == 1 else None

    def _may_match(self, segment: Match, start: int, end: int) -> bool:
        """A value without blanks or quotes stands in the text as it is, unless it is written with escapes."""
        return self.text.find(segment.value, start, end) >= 0 or self.text.find("\\", start, end) >= 0
