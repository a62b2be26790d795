"""Fingerprints: what stays the same of a finding while lines move around it.

A fingerprint is made of the check, the rule, the file and the code the finding is about, with all blanks made equal.
Twins (the same rule on equal code in one file) share one; whoever compares must therefore count.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from cicd_actions.quality.model import CheckResult, Finding

_LENGTH = 20
_OF_A_PACKAGE = ("pip-audit", "safety")  # their message begins with the package's name
_OF_A_FILE = ("black",)  # the line that it names is only the first of many


def add_fingerprints(results: Iterable[CheckResult], root: Path) -> tuple[CheckResult, ...]:
    """Return the results with a fingerprint on every finding; files are read below ``root``."""

    @cache
    def lines(name: str) -> tuple[str, ...]:
        return _read(root, name)

    return tuple(
        replace(
            result,
            findings=tuple(replace(f, fingerprint=fingerprint(f, _code(f, lines(f.file)))) for f in result.findings),
        )
        for result in results
    )


def fingerprint(finding: Finding, code: str) -> str:
    """Return the fingerprint of a finding about this piece of code (which may be empty)."""
    parts = (finding.check, finding.rule, finding.file, " ".join(code.split()))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_LENGTH]


def _code(finding: Finding, lines: tuple[str, ...]) -> str:
    if finding.check in _OF_A_PACKAGE:
        return finding.message.split(" ")[0].lower()
    if finding.check in _OF_A_FILE or not 0 < finding.line <= len(lines):
        return ""
    return lines[finding.line - 1]


def _read(root: Path, name: str) -> tuple[str, ...]:
    path = Path(os.path.normpath(root / name))
    if not name or not path.is_relative_to(root) or not path.is_file():
        return ()
    try:
        return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return ()
