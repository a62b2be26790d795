"""ruff: lint, in the application's environment, where the project configures it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cicd_actions.process import Completed, run
from cicd_actions.quality.appenv import AppEnvironment
from cicd_actions.quality.bench import Bench, clip, count, tool_error
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_SYNTAX = "invalid-syntax"
_REMEDY = "Mend them, or configure ruff if the project sees them differently."


def check_ruff(bench: Bench, environment: AppEnvironment) -> CheckResult:
    """Run ``ruff check`` on the paths with the project's configuration; nothing is changed."""
    if not bench.lint_paths():
        return bench.unchanged("ruff")
    options = ("--output-format=json", "--no-cache", "--exit-zero", "--no-fix", "--force-exclude")
    argv: list[str | Path] = [environment.python, "-I", "-m", "ruff", "check", *options, "--", *bench.lint_paths()]
    completed = run(argv, cwd=bench.project.directory, env={**bench.env, **environment.env},
                    timeout=bench.settings.timeout)  # fmt: skip
    return judge_ruff(completed, bench.project)


def judge_ruff(completed: Completed, project: Project) -> CheckResult:
    """Return what ruff's JSON says; a file that it could not parse is a tool error, as for the other linters."""
    try:
        findings = tuple(_finding(entry, project) for entry in json.loads(completed.stdout))
    except (ValueError, KeyError, TypeError):
        return tool_error("ruff", completed, f"left no report (exit code {completed.returncode})")
    if completed.timed_out or completed.returncode != 0:
        return tool_error("ruff", completed, f"ended with exit code {completed.returncode}")
    unreadable = {finding.file for finding in findings if finding.rule == _SYNTAX}
    if unreadable:
        state, detail = State.TOOL_ERROR, f"{count(len(unreadable), 'file')} could not be parsed"
    elif findings:
        state, detail = State.FINDINGS, count(len(findings), "finding")
    else:
        state, detail = State.PASSED, "no findings"
    remedy = {State.FINDINGS: _REMEDY, State.TOOL_ERROR: "Mend the syntax of these files."}.get(state, "")
    return CheckResult(check="ruff", state=state, detail=detail, remedy=remedy, findings=findings,
                       seconds=completed.seconds)  # fmt: skip


def _finding(entry: dict[str, Any], project: Project) -> Finding:
    code = str(entry["code"] or _SYNTAX)
    return Finding(check="ruff", rule=code, severity=_severity(code), message=clip(str(entry["message"]), 500),
                   file=project.in_repository(str(entry["filename"])),
                   line=int((entry.get("location") or {}).get("row", 0)))  # fmt: skip


def _severity(code: str) -> Severity:
    if code == _SYNTAX or code.startswith("F82"):  # undefined names fail when they are reached
        return Severity.HIGH
    return Severity.LOW if code[:1] in ("E", "W", "I", "D", "Q") else Severity.MEDIUM
