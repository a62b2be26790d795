"""mypy: types, in the application's environment, where the project configures it."""

from __future__ import annotations

import re
from pathlib import Path

from cicd_actions.process import Completed, run
from cicd_actions.quality.appenv import AppEnvironment
from cicd_actions.quality.bench import Bench, clip, count, tool_error
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_ERROR = re.compile(
    r"^(?P<file>[^\n:]+):(?:(?P<line>\d+):)?(?:\d+:)* error: (?P<text>.*?)(?:  \[(?P<code>[\w-]+)\])?$", re.MULTILINE
)
_OPTIONS = ("--no-pretty", "--no-color-output", "--no-error-summary", "--hide-error-context", "--show-error-codes",
            "--no-incremental")  # fmt: skip
_REMEDY = "Mend the types; where mypy is wrong, say why in a comment and add `# type: ignore[code]`."


def check_mypy(bench: Bench, environment: AppEnvironment) -> CheckResult:
    """Run mypy on what the project says, or on its Python files; always on all of them, for types reach far."""
    says = bench.project.config.mypy_paths and not bench.settings.paths
    paths = () if says else bench.all_paths()
    argv: list[str | Path] = [
        environment.python,
        "-I",
        "-m",
        "mypy",
        *_OPTIONS,
        f"--cache-dir={bench.scratch / 'mypy'}",
        "--",
        *paths,
    ]
    completed = run(argv, cwd=bench.project.directory, env={**bench.env, **environment.env},
                    timeout=bench.settings.timeout)  # fmt: skip
    return judge_mypy(completed, bench.project)


def judge_mypy(completed: Completed, project: Project) -> CheckResult:
    """Return what mypy's output says; exit code 2 means that it could not look at everything."""
    findings = tuple(_finding(match, project) for match in _ERROR.finditer(completed.stdout))
    if completed.timed_out or completed.returncode not in (0, 1, 2) or (completed.returncode and not findings):
        return tool_error("mypy", completed, f"ended with exit code {completed.returncode}")
    if completed.returncode == 2:
        state, detail, remedy = State.TOOL_ERROR, "mypy could not look at everything", "Mend these files first."
    elif findings:
        state, detail, remedy = State.FINDINGS, count(len(findings), "error"), _REMEDY
    else:
        state, detail, remedy = State.PASSED, "no errors", ""
    return CheckResult(check="mypy", state=state, detail=detail, remedy=remedy, findings=findings,
                       seconds=completed.seconds)  # fmt: skip


def _finding(match: re.Match[str], project: Project) -> Finding:
    code = match["code"] or "error"
    return Finding(check="mypy", rule=code, severity=Severity.HIGH if code == "syntax" else Severity.MEDIUM,
                   message=clip(match["text"], 500), file=project.in_repository(match["file"]),
                   line=int(match["line"] or 0))  # fmt: skip
