"""What the checks found: states, findings, coverage, and the one verdict over all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from fractions import Fraction

from cicd_actions.errors import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, EXIT_UPSTREAM


class State(StrEnum):
    """How one check ended. Only ``PASSED`` lets the gate pass."""

    PASSED = "passed"
    FINDINGS = "findings"  # the tool looked and found something that blocks
    TOOL_ERROR = "tool-error"  # the tool crashed, timed out, or could not read what it was given
    UNAVAILABLE = "unavailable"  # a service that the tool needs did not answer
    NOT_RUN = "not-run"  # there was nothing to look at, or what the check needs is missing


class Severity(StrEnum):
    """How bad one finding is, worst first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Verdict(StrEnum):
    """The gate's answer."""

    PASSED = "passed"
    FAILED = "failed"  # at least one check has findings
    ERROR = "error"  # no findings, but a check could not look
    UNAVAILABLE = "unavailable"  # nothing worse than a service that did not answer


_EXIT_CODES = {
    State.PASSED: EXIT_OK,
    State.FINDINGS: EXIT_FAILED,
    State.TOOL_ERROR: EXIT_FAILED,
    State.UNAVAILABLE: EXIT_UPSTREAM,
    State.NOT_RUN: EXIT_CONFIG,
}
# the first of these that any check has decides the exit code
_PRECEDENCE = (State.FINDINGS, State.TOOL_ERROR, State.NOT_RUN, State.UNAVAILABLE)
_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that one tool found; ``file`` is relative to the repository, ``line`` counts from 1 (0: none).

    ``fingerprint`` stays the same while the code it is about does; ``known`` says why it does not block, where the
    file of known findings accepts it; ``flaky`` means a test that passed when it was run again.
    """

    check: str
    rule: str
    message: str
    severity: Severity = Severity.MEDIUM
    blocking: bool = True
    file: str = ""
    line: int = 0
    fingerprint: str = ""
    known: str = ""
    flaky: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How one check ended.

    ``detail`` is one sentence of evidence or reason, perhaps with lines of the tool's output below it; ``remedy`` says
    what to do about it; ``log`` is the end of a longer output, for the log only.
    """

    check: str
    state: State
    detail: str
    remedy: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    log: str = ""

    @property
    def blocking(self) -> int:
        """How many findings block."""
        return sum(finding.blocking for finding in self.findings)


@dataclass(frozen=True, kw_only=True)
class TestCounts:
    """What the test run counted; ``slowest`` are the longest tests with their seconds."""

    __test__ = False  # not a test class, whatever its name says to pytest

    total: int
    failed: int
    errors: int
    skipped: int
    seconds: float
    slowest: tuple[tuple[str, float], ...] = ()

    @property
    def passed(self) -> int:
        """Tests that ran to a good end."""
        return self.total - self.failed - self.errors - self.skipped


@dataclass(frozen=True, kw_only=True)
class FileCoverage:
    """One file's share; ``executed`` and ``missing`` are its measured lines."""

    file: str
    covered: int
    total: int
    executed: frozenset[int] = field(default=frozenset(), repr=False)
    missing: frozenset[int] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Statements plus, where measured, branches: exact counts, never a rounded percentage."""

    covered: int
    total: int
    files: tuple[FileCoverage, ...] = field(default=())

    @property
    def percent(self) -> Fraction:
        """The exact percentage; nothing to cover counts as nothing covered."""
        return Fraction(100 * self.covered, self.total) if self.total else Fraction(0)

    def __str__(self) -> str:
        return format_percent(self.percent)


def format_percent(value: Fraction) -> str:
    """Return two decimals, rounded down, so that 89.996 never reads as the 90 it is not."""
    scaled = Decimal(value.numerator) / Decimal(value.denominator)
    return str(scaled.quantize(Decimal("0.01"), rounding=ROUND_FLOOR))


def decide(results: Sequence[CheckResult], expected: Sequence[str]) -> tuple[Verdict, int]:
    """Return the verdict and the exit code over all checks.

    A check that was expected and left no result counts as a tool error: no evidence is never a pass.
    """
    states = {result.state for result in results}
    if not results or set(expected) - {result.check for result in results}:
        states.add(State.TOOL_ERROR)
    for state in _PRECEDENCE:
        if state in states:
            return _verdict_for(state), _EXIT_CODES[state]
    return Verdict.PASSED, EXIT_OK


def _verdict_for(state: State) -> Verdict:
    if state is State.FINDINGS:
        return Verdict.FAILED
    return Verdict.UNAVAILABLE if state is State.UNAVAILABLE else Verdict.ERROR


def order_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings worst first: what blocks, then severity, then place."""
    return sorted(
        findings,
        key=lambda f: (not f.blocking, _SEVERITY_RANK[f.severity], f.file, f.line, f.rule),
    )
