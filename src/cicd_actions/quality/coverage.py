"""Coverage: read from coverage.py's JSON, judged on exact counts."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from cicd_actions.quality.model import CheckResult, Coverage, FileCoverage, Finding, Severity, State, format_percent
from cicd_actions.quality.project import Project

_REMEDY = "Write tests for the lines that coverage.xml lists as missing."


def read_coverage(path: Path, project: Project) -> Coverage | None:
    """Return the counts of a coverage.py JSON report (format 2 or 3); None when nothing was measured."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        covered, total = _counts(report["totals"])
        files = tuple(
            FileCoverage(
                file=project.in_repository(name) or name,
                covered=counts[0],
                total=counts[1],
                executed=frozenset(entry.get("executed_lines", ())),
                missing=frozenset(entry.get("missing_lines", ())),
            )
            for name, entry in sorted(report["files"].items())
            for counts in [_counts(entry["summary"])]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Coverage(covered=covered, total=total, files=files) if total else None


def judge_coverage(
    coverage: Coverage | None, *, floor: Fraction | None, baseline: Fraction | None, ratchet: Fraction | None
) -> CheckResult | None:
    """Return the result of the check ``coverage``; None when nothing is demanded of it."""
    demanded = floor is not None or ratchet is not None
    if not demanded:
        return None
    if coverage is None:
        return CheckResult(check="coverage", state=State.NOT_RUN, detail="no coverage was measured",
                           remedy="Does the project's coverage configuration name the right source?")  # fmt: skip
    findings = []
    if floor is not None and coverage.percent < floor:
        text = f"coverage is {coverage} %, below the floor of {_short(floor)} %: {_missing(coverage, floor)}"
        findings.append(_finding("floor", text))
    if ratchet is not None and baseline is not None and coverage.percent < baseline - ratchet:
        text = f"coverage fell from {format_percent(baseline)} % to {coverage} %; {_short(ratchet)} points may go"
        findings.append(_finding("ratchet", text))
    state = State.FINDINGS if findings else State.PASSED
    demands = [f"floor {_short(floor)} %"] if floor is not None else []
    demands += [f"baseline {format_percent(baseline)} %"] if ratchet is not None and baseline is not None else []
    against = f" ({', '.join(demands)})" if demands else ""
    return CheckResult(check="coverage", state=state, detail=f"{coverage} % covered{against}",
                       remedy=_REMEDY if findings else "", findings=tuple(findings))  # fmt: skip


def _missing(coverage: Coverage, floor: Fraction) -> str:
    needed = -(-floor * coverage.total // 100) - coverage.covered
    return f"{needed} more of {coverage.total} statements and branches must be covered"


def _short(value: Fraction) -> str:
    return format_percent(value).rstrip("0").rstrip(".")


def _finding(rule: str, text: str) -> Finding:
    return Finding(check="coverage", rule=rule, severity=Severity.MEDIUM, message=text)


def _counts(summary: dict[str, Any]) -> tuple[int, int]:
    covered = int(summary["covered_lines"]) + int(summary.get("covered_branches", 0))
    return covered, int(summary["num_statements"]) + int(summary.get("num_branches", 0))
