"""Checks of the caller's own: a command that tells its findings as JSON, SARIF, JUnit or by its exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from cicd_actions.runner.inputs import Inputs

FORMATS = ("json", "sarif", "junit", "plain")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
_TAKEN = ("coverage", "patch-coverage", "known-findings")
_MOST = 10  # SARIF holds 20 runs, and a line of the summary is read by somebody
_FIX = "Write for example: licenses plain python scripts/licenses.py"


@dataclass(frozen=True, kw_only=True)
class CustomCheck:
    """``words`` is the command; ``format`` is what it prints."""

    name: str
    format: str
    words: tuple[str, ...]


def read_custom(inputs: Inputs, taken: Sequence[str]) -> tuple[CustomCheck, ...]:
    """Return the checks of the input ``custom-checks``; wrong lines become problems of that input."""
    checks: list[CustomCheck] = []
    for line in inputs.lines("custom-checks"):
        try:
            words = shlex.split(line)
        except ValueError as error:
            inputs.problem("custom-checks", f"{line!r} cannot be read: {error}", "Close the quotation.")
            continue
        names = {*taken, *_TAKEN, *(check.name for check in checks)}
        if why := _why_not(words, names):
            inputs.problem("custom-checks", f"{line!r} {why}", _FIX)
        else:
            checks.append(CustomCheck(name=words[0], format=words[1], words=tuple(words[2:])))
    if len(checks) > _MOST:
        inputs.problem("custom-checks", f"has more than {_MOST} checks", "Let one command run several of them.")
    return tuple(checks)


def _why_not(words: Sequence[str], taken: set[str]) -> str:
    if len(words) < 3:
        return "is not NAME FORMAT COMMAND"
    if not _NAME.fullmatch(words[0]):
        return "needs a name of up to 30 small letters, digits and hyphens"
    if words[0] in taken:
        return f"takes the name {words[0]}, which is taken"
    if words[1] not in FORMATS:
        return f"has the format {words[1]!r}; allowed: {', '.join(FORMATS)}"
    return ""
