"""bandit: security lint. Files that it skipped are an error here, although its exit code says 0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cicd_actions.process import Completed
from cicd_actions.quality.bench import Bench, clip, count, tool_error
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_SEVERITIES = {"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM, "LOW": Severity.LOW}
_NOTE = "bandit blocks from medium severity and reports the rest; tests are left out"
_REMEDY = "Mend them; where one is known to be harmless, say why in a comment and add `# nosec` with the rule's id."


def check_bandit(bench: Bench) -> CheckResult:
    """Run bandit over the source files, tests left out, with the project's own configuration."""
    out = bench.reports / "bandit.json"
    out.unlink(missing_ok=True)
    files = tuple(name for name in bench.below(bench.project.source_files) if name.endswith(".py"))
    if not files and bench.only is not None:
        return bench.unchanged("bandit", why="no Python file changed that is no test")
    if not files:
        return CheckResult(check="bandit", state=State.NOT_RUN, detail="bandit was given no file",
                           remedy="Let the input paths name source code, or leave bandit out of checks.")  # fmt: skip
    config = bench.project.config.bandit
    # bandit's default excludes match anywhere in a path (.git would hide .github); git has chosen the files already
    excludes = () if "--ini" in config else ("-x", "./.nothing")
    words = ("-q", "-f", "json", "-o", str(out), "--exit-zero", *excludes, *config)
    completed = bench.run_tool("bandit", *words, *(f"./{name}" for name in files))
    result = judge_bandit(completed, out, bench.project, len(files))
    if result.state is State.NOT_RUN and bench.only is not None:
        return bench.unchanged("bandit", why="the project's settings leave out every changed file")
    return result


def judge_bandit(completed: Completed, out: Path, project: Project, given: int) -> CheckResult:
    """Return what bandit's report says; no report, or skipped files in it, is a tool error."""
    try:
        report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        skipped = tuple(_skipped(entry, project) for entry in report["errors"])
        found = tuple(_finding(entry, project) for entry in report["results"])
        looked_at = len(report["metrics"]) - ("_totals" in report["metrics"])
    except (OSError, ValueError, KeyError, TypeError):
        return tool_error("bandit", completed, f"left no report (exit code {completed.returncode})")
    blocking = sum(finding.blocking for finding in found)
    notes = [_NOTE] if not project.config.bandit else []
    if looked_at < given:
        notes.append(
            f"bandit looked at {looked_at} of {count(given, 'file')}; the project's settings leave out the rest"
        )
    if skipped:
        state, detail = State.TOOL_ERROR, f"{count(len(skipped), 'file')} could not be read"
    elif blocking:
        state, detail = State.FINDINGS, f"{count(blocking, 'finding')} of medium or high severity"
    elif not looked_at:
        state, detail = State.NOT_RUN, "bandit looked at no file"
    else:
        state, detail = State.PASSED, f"{count(looked_at, 'file')} without medium or high findings"
    if low := len(found) - blocking:
        detail += f", {low} of low severity"
    remedy = {State.FINDINGS: _REMEDY, State.TOOL_ERROR: "Mend the syntax of these files."}.get(state, "")
    return CheckResult(check="bandit", state=state, detail=detail, remedy=remedy, findings=(*skipped, *found),
                       notes=tuple(notes), seconds=completed.seconds)  # fmt: skip


def _finding(entry: dict[str, Any], project: Project) -> Finding:
    severity = _SEVERITIES.get(str(entry["issue_severity"]), Severity.MEDIUM)
    confidence = str(entry.get("issue_confidence", "")).lower()
    return Finding(
        check="bandit",
        rule=str(entry["test_id"]),
        message=clip(f"{entry['issue_text']} ({entry['test_name']}, confidence {confidence})", 500),
        severity=severity,
        blocking=severity is not Severity.LOW,
        file=project.in_repository(str(entry["filename"])),
        line=int(entry["line_number"]),
    )


def _skipped(entry: dict[str, Any], project: Project) -> Finding:
    return Finding(check="bandit", rule="skipped", severity=Severity.HIGH, message=clip(str(entry["reason"]), 500),
                   file=project.in_repository(str(entry["filename"])))  # fmt: skip
