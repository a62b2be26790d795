"""Failed tests, run once more: those that then pass are flaky, which is said and is no pass unless it is allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cicd_actions.process import run
from cicd_actions.quality.appenv import AppEnvironment
from cicd_actions.quality.bench import Bench
from cicd_actions.quality.junit import JUnit, read_junit
from cicd_actions.quality.model import CheckResult, Severity, State

_REMEDY = "Find what the flaky tests depend on: time, order, randomness, a service. Until then nothing is proven."
_NOT_AGAIN = "the failed tests could not be run again; their first result stands"


def run_failed(bench: Bench, environment: AppEnvironment) -> JUnit | None:
    """Run what failed last, by pytest's own record; leaves junit-rerun.xml. None when that could not be done."""
    out = bench.reports / "junit-rerun.xml"
    argv: list[str | Path] = [
        environment.python, "-m", "pytest",
        "-o", f"cache_dir={bench.scratch / 'pytest'}",
        "-o", "junit_family=xunit1",
        f"--junitxml={out}",
        *bench.settings.tests,
        "--last-failed", "--last-failed-no-failures=none",
        "--no-cov",  # the numbers of the whole run stand
    ]  # fmt: skip
    env = {**bench.env, **environment.env}
    completed = run(argv, cwd=bench.project.directory, env=env, timeout=bench.settings.timeout)
    text = "\n== failed tests, run again ==\n" + completed.stdout + completed.stderr
    with (bench.reports / "pytest.log").open("a", encoding="utf-8") as log:
        log.write(text)
    return None if completed.timed_out or completed.returncode not in (0, 1) else read_junit(out, bench.project)


def judge_again(first: CheckResult, again: JUnit | None, *, allow_flaky: bool) -> CheckResult:
    """Return the first result with its flaky tests named; it passes only when all are flaky and that is allowed."""
    if again is None:
        return replace(first, notes=(*first.notes, _NOT_AGAIN))
    findings = tuple(
        (
            replace(
                finding,
                flaky=True,
                severity=Severity.MEDIUM,
                blocking=not allow_flaky,
                message=f"flaky: failed, and passed when it was run again: {finding.message}",
            )
            if finding.rule in again.passed
            else finding
        )
        for finding in first.findings
    )
    flaky = [finding for finding in findings if finding.flaky]
    if not flaky:
        return replace(first, detail=f"{first.detail}, again when run once more")
    detail = f"{first.detail}; {len(flaky)} of them flaky"
    notes = (*first.notes, *(f"flaky test: {finding.rule}" for finding in flaky))
    if allow_flaky and len(flaky) == len(findings):
        return replace(first, state=State.PASSED, detail=f"{detail}, which allow-flaky lets pass", remedy="", log="",
                       findings=findings, notes=notes)  # fmt: skip
    remedy = _REMEDY if len(flaky) == len(findings) else first.remedy
    return replace(first, detail=detail, remedy=remedy, findings=findings, notes=notes)
