"""Key paths: ``image.tag``, ``list[0].tag``, ``containers[name=web].image``, ``"a.b"."c"``.

The notation is part of the contract of ``yaml-set`` and of the input ``updates`` (docs/architecture.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from cicd_actions.errors import ConfigError, Problem

_SYNTAX = 'Write for example image.tag, list[0].tag, containers[name=web].image or "a.b".c.'
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^']|'')*'")
_BARE = re.compile(r"[^.\[\]\"'=\s][^.\[\]=]*")
_INDEX = re.compile(r"\d+")
_INSIDE = re.compile(r"[^\]\"'=][^\]=]*")
_PLAIN_NAME = re.compile(r"[^.\[\]\"'=\s]+")


@dataclass(frozen=True)
class Key:
    """A key of a mapping."""

    name: str

    def __str__(self) -> str:
        return _quote(self.name)


@dataclass(frozen=True)
class Index:
    """A position in a list, from 0."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclass(frozen=True)
class Match:
    """The one entry of a list whose ``name`` is ``value``."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"[{_quote(self.name)}={_quote(self.value)}]"


Segment: TypeAlias = Key | Index | Match


@dataclass(frozen=True)
class KeyPath:
    """Where a value is in a document; its text form parses back to the same path."""

    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        text = ""
        for segment in self.segments:
            dot = "." if text and isinstance(segment, Key) else ""
            text += f"{dot}{segment}"
        return text

    def upto(self, count: int) -> KeyPath:
        """The path of the first ``count`` segments."""
        return KeyPath(self.segments[:count])


def parse(text: str) -> KeyPath:
    """Read a whole key path.

    Raises:
        ConfigError: The text is not a key path; names the place.
    """
    path, end = _read(text)
    if end != len(text):
        raise _bad(text, end)
    return path


def parse_update(text: str) -> tuple[KeyPath, str]:
    """Read ``KEY=VALUE``; the value is everything after the first ``=`` outside quotes and brackets.

    Raises:
        ConfigError: There is no ``=``, or what is before it is not a key path.
    """
    path, end = _read(text)
    if end == len(text):
        raise ConfigError(Problem(input="key", value=text, what="has no value", fix="Write KEY=VALUE."))
    if text[end] != "=":
        raise _bad(text, end)
    return path, text[end + 1 :]


def _read(text: str) -> tuple[KeyPath, int]:
    segments: list[Segment] = []
    at = 0
    while at < len(text) and text[at] != "=":
        if text[at] == "[":
            segment, at = _bracket(text, at + 1)
        else:
            if segments:
                if text[at] != ".":
                    break
                at += 1
            name, at = _word(text, at, _BARE)
            segment = Key(name)
        segments.append(segment)
    if not segments:
        raise _bad(text, at)
    return KeyPath(tuple(segments)), at


def _bracket(text: str, at: int) -> tuple[Segment, int]:
    """Read what follows ``[``: a number, ``name=value`` or a quoted key."""
    number = _INDEX.match(text, at)
    segment: Segment
    if number and text[number.end() : number.end() + 1] == "]":
        segment, at = Index(int(number[0])), number.end()
    else:
        quoted = text[at : at + 1] in ('"', "'")
        name, at = _word(text, at, _INSIDE)
        if text[at : at + 1] == "=":
            value, at = _word(text, at + 1, _INSIDE)
            segment = Match(name, value)
        elif quoted:
            segment = Key(name)
        else:
            raise _bad(text, at)
    if text[at : at + 1] != "]":
        raise _bad(text, at)
    return segment, at + 1


def _word(text: str, at: int, bare: re.Pattern[str]) -> tuple[str, int]:
    quoted = _QUOTED.match(text, at)
    if quoted:
        body = quoted[0][1:-1]
        if quoted[0][0] == '"':
            return re.sub(r"\\(.)", r"\1", body, flags=re.DOTALL), quoted.end()
        return body.replace("''", "'"), quoted.end()
    found = bare.match(text, at)
    if not found:
        raise _bad(text, at)
    return found[0].rstrip(), found.end()


def _quote(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bad(text: str, at: int) -> ConfigError:
    where = f"at character {at + 1}" if at < len(text) else "at its end"
    return ConfigError(Problem(input="key", value=text, what=f"is not well formed {where}", fix=_SYNTAX))
