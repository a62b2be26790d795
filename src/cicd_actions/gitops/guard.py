"""The downgrade guard: whether a new value is older than the one that it replaces.

Three ways to know, in this order, each only where it can be known: versions (Semantic Versioning 2.0.0, with or
without a leading ``v``), the ancestry of the commits that the tags name, the dates at which the images were built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

_VERSION = re.compile(
    r"v?(?P<core>(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*))(-(?P<pre>[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?"
    r"([+_][0-9A-Za-z.-]+)?"
)
# a version behind the last colon of an image's reference, with or without a digest behind it
_REFERENCE = re.compile(r"[^\s@]+:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})(@.+)?")
_COMMIT = re.compile(r"(?:^|[-._])(?:sha-|g)?(?P<commit>[0-9a-f]{7,40})$")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Verdict = Literal["forward", "downgrade", "not-judged"]


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """The verdict, and what it rests on, or why there is none."""

    verdict: Verdict
    basis: str


def judge(old: str, new: str) -> Verdict:
    """Compare two values: versions, or image references that end with one."""
    before, after = _version(old), _version(new)
    if before is None or after is None:
        return "not-judged"
    return "downgrade" if after < before else "forward"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Judges one value against another.

    Args:
        ancestry: Takes an old and a new commit (abbreviated or not) of the source repository and says how the new one
            lies to the old one; None when it cannot be told. Not given where nobody can be asked.
        built: Takes a tag or digest of the image and says when it was built; None when it cannot be told.
    """

    ancestry: Callable[[str, str], Verdict | None] | None = None
    built: Callable[[str], datetime | None] | None = None

    def judge(self, old: str, new: str) -> Opinion:
        """Whether ``new`` is older than ``old``."""
        verdict = judge(old, new)
        if verdict != "not-judged":
            return Opinion(verdict=verdict, basis="by version")
        commits = commit_of(old), commit_of(new)
        if self.ancestry and all(commits):
            known = self.ancestry(*commits)
            if known:
                return Opinion(verdict=known, basis="by the ancestry of their commits")
        names = _name(old), _name(new)
        if self.built and all(names):
            dates = self.built(names[0]), self.built(names[1])
            if dates[0] and dates[1] and dates[0] != dates[1]:
                older: Verdict = "downgrade" if dates[1] < dates[0] else "forward"
                return Opinion(
                    verdict=older, basis=f"by build date, {dates[0]:%Y-%m-%d %H:%M} to {dates[1]:%Y-%m-%d %H:%M}"
                )
        return Opinion(
            verdict="not-judged",
            basis="they are not both versions, and neither the commits nor the build dates could be compared",
        )


def commit_of(value: str) -> str:
    """The commit that a tag (or a reference with one) ends with, such as main-1a2b3c4; or an empty string.

    A date of digits alone is no commit.
    """
    found = _COMMIT.search(_tag(value))
    if not found or (found["commit"].isdecimal() and len(found["commit"]) <= 14):
        return ""
    return found["commit"]


def _name(value: str) -> str:
    """What the registry knows it by: a digest, or a tag."""
    digest = _DIGEST.search(value)
    return digest[0] if digest else _tag(value)


def _tag(value: str) -> str:
    reference = _REFERENCE.fullmatch(value)
    return reference["tag"] if reference and not _DIGEST.fullmatch(value) else value


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
