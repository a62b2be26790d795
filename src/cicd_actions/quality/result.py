"""What one run of the gate found: facts only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.quality.change import Change
from cicd_actions.quality.model import CheckResult, Coverage, Finding, TestCounts, Verdict, order_findings
from cicd_actions.quality.revision import Revision


@dataclass(frozen=True, kw_only=True)
class Result:
    """``report`` is the JSON report's path; ``tools`` maps a tool to its version; ``notes`` are sentences.

    ``patch`` is the coverage of the ``change`` alone; each is None where nobody asked for it.
    """

    verdict: Verdict
    exit_code: int
    revision: Revision
    checks: tuple[CheckResult, ...]
    coverage: Coverage | None
    tests: TestCounts | None
    notes: tuple[str, ...]
    tools: Mapping[str, str]
    report: Path
    seconds: float
    in_actions: bool
    patch: Coverage | None = None
    change: Change | None = None

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return order_findings([finding for check in self.checks for finding in check.findings])

    @property
    def sarif(self) -> Path:
        """The findings as SARIF."""
        return self.report.with_name("findings.sarif")

    @property
    def flaky(self) -> int:
        """How many tests passed only when they were run again."""
        return sum(finding.flaky for finding in self.findings)

    @property
    def blocking(self) -> int:
        """How many findings block."""
        return sum(check.blocking for check in self.checks)
