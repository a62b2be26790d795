"""The downgrade guard: whether a new value is an older version than the one that it replaces.

Only versions of the form of Semantic Versioning 2.0.0 (with or without a leading ``v``) can be judged.
"""

from __future__ import annotations

import re
from typing import Literal

_VERSION = re.compile(
    r"v?(?P<core>(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*))(-(?P<pre>[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?"
    r"([+_][0-9A-Za-z.-]+)?"
)
# a version behind the last colon of an image's reference, with or without a digest behind it
_REFERENCE = re.compile(r"[^\s@]+:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})(@.+)?")

Verdict = Literal["forward", "downgrade", "not-judged"]


def judge(old: str, new: str) -> Verdict:
    """Compare two values: versions, or image references that end with one."""
    before, after = _version(old), _version(new)
    if before is None or after is None:
        return "not-judged"
    return "downgrade" if after < before else "forward"


def _version(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int, str], ...]] | None:
    reference = _REFERENCE.fullmatch(text)
    found = _VERSION.fullmatch(reference["tag"] if reference else text)
    if not found:
        return None
    core = tuple(int(part) for part in found["core"].split("."))
    if not found["pre"]:
        return core, ((2, 0, ""),)  # a release is above all of its pre-releases
    return core, tuple(_rank(part) for part in found["pre"].split("."))


def _rank(identifier: str) -> tuple[int, int, str]:
    """Numbers are below words, and compare as numbers (section 11)."""
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)
