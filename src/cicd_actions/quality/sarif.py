"""The findings as SARIF 2.1.0, for code scanning. Pure.

Source of the limits: GitHub's page "SARIF support for code scanning": 20 runs in a file, 25,000 results in a run,
10 MB for the file; results without a place are refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cicd_actions import __version__
from cicd_actions.quality.model import CheckResult, Finding, Severity, State, order_findings

MAX_RUNS = 20
MAX_RESULTS = 25_000
MAX_BYTES = 10_000_000
_ROOM_FOR_FRAME = 200_000
_NOT_ABOUT_CODE = ("coverage", "patch-coverage", "known-findings", "pytest")


def as_sarif(checks: Sequence[CheckResult], tools: Mapping[str, str], fallback: str) -> str:
    """Return the SARIF text: one run for each check that reads code, the worst findings first where not all fit.

    Args:
        checks: The results; tests and coverage are left out, they are no property of a line.
        tools: Versions of the tools.
        fallback: The file that findings without a place are shown at (a vulnerable package that no file names).
    """
    budget = MAX_BYTES - _ROOM_FOR_FRAME
    runs = []
    for check in [check for check in checks if check.check not in _NOT_ABOUT_CODE][:MAX_RUNS]:
        run, used = _run(check, tools.get(check.check, ""), fallback, budget)
        budget -= used
        runs.append(run)
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": runs}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _run(check: CheckResult, version: str, fallback: str, budget: int) -> tuple[dict[str, Any], int]:
    results: list[dict[str, Any]] = []
    rules: dict[str, dict[str, Any]] = {}
    twins: Counter[str] = Counter()
    used = 0
    for finding in order_findings(check.findings)[:MAX_RESULTS]:
        twins[finding.fingerprint] += 1
        result = _result(finding, twins[finding.fingerprint], fallback)
        size = len(json.dumps(result, ensure_ascii=False).encode()) + 2
        if finding.rule not in rules:
            size += 2 * len(finding.rule.encode()) + 80
        if used + size > budget:
            break
        used += size
        results.append(result)
        rules.setdefault(finding.rule, {"id": finding.rule, "shortDescription": {"text": finding.rule}})
    driver = {"name": check.check, "rules": list(rules.values())}
    if version:
        driver["version"] = version
    run = {
        "tool": {"driver": driver, "extensions": [{"name": "cicd-actions quality-gate", "version": __version__}]},
        "automationDetails": {"id": f"quality-gate/{check.check}/"},
        "invocations": [_invocation(check, len(check.findings) - len(results))],
        "results": results,
    }
    return run, used


def _invocation(check: CheckResult, left_out: int) -> dict[str, Any]:
    """Whether the tool could look, and how much of what it found is not in the file."""
    could_look = check.state in (State.PASSED, State.FINDINGS)
    told = [] if could_look else [{"level": "error", "message": {"text": f"{check.state.value}: {check.detail[:500]}"}}]
    if left_out:
        text = f"{left_out} findings did not fit into this file; report.json has them all."
        told.append({"level": "warning", "message": {"text": text}})
    return {"executionSuccessful": could_look, "toolExecutionNotifications": told}


def _result(finding: Finding, number: int, fallback: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file or fallback), "uriBaseId": "%SRCROOT%"}}
    if finding.line > 0:
        place["region"] = {"startLine": finding.line}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _level(finding),
        "message": {"text": finding.message or finding.rule},
        "locations": [{"physicalLocation": place}],
        # GitHub's own form: the hash of the line, then which of the equal lines it is
        "partialFingerprints": {"primaryLocationLineHash": f"{finding.fingerprint}:{number}"},
    }
    if finding.known:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.known}]
    return result


def _level(finding: Finding) -> str:
    if not finding.blocking and not finding.known:
        return "note"
    return "error" if finding.severity is Severity.HIGH else "warning"
