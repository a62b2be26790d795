"""The JSON report: everything that one run of the gate found. Pure."""

from __future__ import annotations

import json
from typing import Any

from cicd_actions.quality.model import CheckResult, TestCounts
from cicd_actions.quality.result import Result

SCHEMA_VERSION = 1


def all_notes(result: Result) -> list[str]:
    """Return what there is to know beside the findings: of the run, then of each check."""
    return [*result.notes, *(note for check in result.checks for note in check.notes)]


def as_json(result: Result) -> str:
    """Return the JSON report; ``schema_version`` is raised when a field changes its meaning or goes."""
    coverage = result.coverage
    report: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "verdict": result.verdict.value,
        "exit_code": result.exit_code,
        "tested_sha": result.revision.tested_sha,
        "commit": result.revision.sha,
        "changed_files": list(result.revision.changed),
        "seconds": round(result.seconds, 3),
        "tools": dict(result.tools),
        "notes": all_notes(result),
        "tests": None,
        "coverage": None,
        "change": None,
        "patch_coverage": None,
        "checks": [_check_json(check) for check in result.checks],
    }
    if tests := result.tests:
        slowest = [{"test": name, "seconds": round(seconds, 3)} for name, seconds in tests.slowest]
        report["tests"] = {**count_tests(tests), "seconds": round(tests.seconds, 3), "slowest": slowest}
    if coverage:
        files = [{"file": f.file, "covered": f.covered, "total": f.total} for f in coverage.files]
        report["coverage"] = {
            "percent": str(coverage),
            "covered": coverage.covered,
            "total": coverage.total,
            "files": files,
        }
    if change := result.change:
        report["change"] = {"base": change.base, "named": change.name, "files": sorted(change.files)}
    if patch := result.patch:
        files = [{"file": f.file, "covered": f.covered, "total": f.total, "missing": sorted(f.missing)}
                 for f in patch.files]  # fmt: skip
        report["patch_coverage"] = {"percent": str(patch), "covered": patch.covered, "total": patch.total,
                                    "files": files}  # fmt: skip
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def count_tests(tests: TestCounts) -> dict[str, int]:
    """Return the counts as the output ``tests`` and the report have them."""
    return {
        "total": tests.total,
        "passed": tests.passed,
        "failed": tests.failed,
        "errors": tests.errors,
        "skipped": tests.skipped,
    }


def _check_json(check: CheckResult) -> dict[str, Any]:
    findings = [
        {"rule": f.rule, "severity": f.severity.value, "blocking": f.blocking, "file": f.file, "line": f.line,
         "message": f.message, "fingerprint": f.fingerprint, "known": f.known, "flaky": f.flaky}
        for f in check.findings
    ]  # fmt: skip
    return {
        "check": check.check,
        "state": check.state.value,
        "detail": check.detail,
        "remedy": check.remedy,
        "seconds": round(check.seconds, 3),
        "findings": findings,
    }
