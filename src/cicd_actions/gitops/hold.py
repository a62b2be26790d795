"""The hold marker: a comment beside a value that tells every automatic writer to leave it alone.

    # cicd-actions: hold until=2026-12-31 reason=rolled back, 1.4.0 loses orders
    tag: 1.3.9

It stands behind the value or in the comment right above it, or in the same places of a key further up, and then it
counts for everything below that key. ``until`` is the last day (UTC) or a moment in ISO 8601;
without it the hold has no end. ``reason`` takes the rest of the line. An ``until`` that cannot be read holds too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from cicd_actions.github.markdown import one_line
from cicd_actions.gitops.edit import decode, get_value, set_values
from cicd_actions.gitops.keypath import KeyPath
from cicd_actions.gitops.request import partner

_MARKER = re.compile(r"(?:^|\s)#\s*cicd-actions:\s*hold\b(?P<words>.*)$")
_UNTIL = re.compile(r"(?:^|\s)until=(?P<until>\S+)")
_REASON = re.compile(r"(?:^|\s)reason=(?P<reason>.*)$")


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One marker: its line (from 1), its reason, and the moment at which it ends (None: it does not)."""

    line: int
    reason: str
    until: datetime | None

    def active(self, now: datetime) -> bool:
        """Whether it still holds."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        end = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        return f"held{end} (line {self.line}): {self.reason or 'no reason was given'}"


def read_hold(data: bytes, path: KeyPath) -> Hold | None:
    """The marker beside the value at ``path``, or beside the digest or tag that belongs to it.

    Raises:
        ConfigError: The file is not YAML.
    """
    lines = decode(data).split("\n")
    for key in (path, partner(path)):
        value = get_value(data, key) if key else None
        if key is None or value is None:
            continue
        found = hold_at(lines, set_values(data, {key: value}).values[0].line)
        if found:
            return found
    return None


def hold_at(lines: Sequence[str], line: int) -> Hold | None:
    """The marker for the value in a line (from 1), or for a key that it is below of."""
    return next((found for place in (line, *_parents(lines, line)) if (found := _beside(lines, place))), None)


def _parents(lines: Sequence[str], line: int) -> Iterator[int]:
    """The lines of the keys (and list entries) above a value, by indentation; a list may be flush with its key."""
    depth, in_list = _depth(lines[line - 1]), lines[line - 1].lstrip().startswith("- ")
    for number in range(line - 1, 0, -1):
        text = lines[number - 1]
        entry = text.lstrip().startswith("- ")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if _depth(text) < depth or (in_list and not entry and _depth(text) == depth):
            yield number
            depth, in_list = _depth(text), entry


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip())


def _beside(lines: Sequence[str], line: int) -> Hold | None:
    """The marker in a line or in the comment right above it."""
    found = _read(lines[line - 1], line)
    above = line - 1
    while not found and above >= 1 and lines[above - 1].lstrip().startswith("#"):
        found = _read(lines[above - 1], above)
        above -= 1
    return found


def _read(text: str, line: int) -> Hold | None:
    marker = _MARKER.search(text.rstrip("\r"))
    if not marker:
        return None
    reason = _REASON.search(marker["words"])
    front = marker["words"][: reason.start()] if reason else marker["words"]
    until = _UNTIL.search(front)
    said = one_line(reason["reason"].strip().strip("\"'"), 200) if reason else ""
    return Hold(line=line, reason=said, until=_moment(until["until"]) if until else None)


def _moment(text: str) -> datetime | None:
    """The first moment after the hold; None when the text is no date, so that the hold stays."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), tzinfo=UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
