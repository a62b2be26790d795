"""pytest: the tests, with coverage, in the application's own environment. The JUnit file counts, not the exit code."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

from cicd_actions.process import Completed, run
from cicd_actions.quality.appenv import AppEnvironment
from cicd_actions.quality.bench import Bench, count, tail, tool_error
from cicd_actions.quality.checks.rerun import judge_again, run_failed
from cicd_actions.quality.junit import JUnit, read_junit
from cicd_actions.quality.model import CheckResult, Finding, Severity, State, TestCounts
from cicd_actions.quality.project import Project, coverage_omissions, coverage_sources

_NONE_COLLECTED = 5
_LOG_LINES = 100
_NO_TESTS = "Write tests, name them with the input tests, or leave pytest out of the input checks."


def check_pytest(bench: Bench, environment: AppEnvironment) -> tuple[CheckResult, TestCounts | None]:
    """Run the tests; leaves junit.xml, coverage.json and coverage.xml in the reports folder."""
    junit = bench.reports / "junit.xml"
    for name in ("junit.xml", "coverage.json", "coverage.xml"):
        (bench.reports / name).unlink(missing_ok=True)
    argv: list[str | Path] = [
        environment.python, "-m", "pytest",
        "-o", f"cache_dir={bench.scratch / 'pytest'}",
        "-o", "junit_family=xunit1",  # the default family has neither file nor line
        f"--junitxml={junit}",
        *_coverage_options(bench),
        *bench.settings.tests,
    ]  # fmt: skip
    env = {**bench.env, **environment.env}
    completed = run(argv, cwd=bench.project.directory, env=env, timeout=bench.settings.timeout)
    (bench.reports / "pytest.log").write_text(completed.stdout + completed.stderr, encoding="utf-8")
    tests = read_junit(junit, bench.project)
    result = judge_pytest(completed, tests, given=bench.settings.tests)
    if result.state is not State.PASSED:
        result = replace(result, log=tail(completed.stdout, _LOG_LINES))
    if tests and bench.settings.rerun_failed and result.state is State.FINDINGS and tests.failures:
        result = judge_again(result, run_failed(bench, environment), allow_flaky=bench.settings.allow_flaky)
    return result, tests.counts if tests else None


def judge_pytest(completed: Completed, junit: JUnit | None, *, given: tuple[str, ...] = ()) -> CheckResult:
    """Return what the JUnit file says; pytest's exit code only names why there is none, or nothing in it."""
    code = completed.returncode
    if completed.timed_out or code < 0 or code in (3, 4) or junit is None:
        return tool_error("pytest", completed, _why_not(code), "Look at the end of its output, in pytest.log.")
    if junit.not_collected:
        files = count(len(junit.not_collected), "file")
        return _result(completed, State.TOOL_ERROR, f"{files} could not be imported, so tests are missing",
                       "Mend the import; a missing package belongs into the requirements.",
                       junit.not_collected + junit.failures)  # fmt: skip
    counts = junit.counts
    if junit.failures:
        failed = counts.failed + counts.errors
        return _result(completed, State.FINDINGS, f"{failed} of {count(counts.total, 'test')} failed",
                       "Mend the code or the tests.", junit.failures)  # fmt: skip
    if code == _NONE_COLLECTED or counts.total == 0:
        where = " ".join(given) or "by its own rules"
        return _result(completed, State.NOT_RUN, f"pytest collected no tests ({where})", _NO_TESTS)
    if counts.passed == 0:
        return _result(completed, State.NOT_RUN, f"all {count(counts.total, 'test')} were skipped", _NO_TESTS)
    if code == 2:
        return tool_error("pytest", completed, "was interrupted")
    if code:
        message = f"pytest ended with exit code {code} although no test failed:\n{tail(completed.stdout, 5)}"
        finding = Finding(check="pytest", rule="session", severity=Severity.HIGH, message=message)
        return _result(completed, State.FINDINGS, f"exit code {code} without a failed test", "", (finding,))
    skipped = f", {counts.skipped} skipped" if counts.skipped else ""
    return _result(completed, State.PASSED, f"{count(counts.passed, 'test')} passed{skipped}")


def _result(
    completed: Completed, state: State, detail: str, remedy: str = "", findings: tuple[Finding, ...] = ()
) -> CheckResult:
    return CheckResult(check="pytest", state=state, detail=detail, remedy=remedy, findings=findings,
                       seconds=completed.seconds)  # fmt: skip


def _why_not(code: int) -> str:
    if code < 0:
        return f"crashed ({signal.Signals(-code).name})" if -code in set(signal.Signals) else f"crashed ({code})"
    known = {3: "had an internal error", 4: "could not start: options, a path or a conftest.py is wrong"}
    return known.get(code, f"left no report (exit code {code})")


def _coverage_options(bench: Bench) -> list[str]:
    """Switch coverage on where the project does not, and take the floor out of pytest's hands: it is ours to judge."""
    config = bench.project.config
    options = [
        f"--cov-report=json:{bench.reports / 'coverage.json'}",
        f"--cov-report=xml:{bench.reports / 'coverage.xml'}",
        "--cov-fail-under=0",
    ]
    if config.measures_itself:
        return options
    if config.coverage_source:
        return ["--cov", *options]
    if config.coverage:
        return [*(f"--cov={source}" for source in _sources(bench.project)), *options]
    return ["--cov", f"--cov-config={_write_coveragerc(bench)}", *options]


def _sources(project: Project) -> tuple[str, ...]:
    return coverage_sources(project.python_files) or (".",)


def _write_coveragerc(bench: Bench) -> Path:
    sections = {
        "source": _sources(bench.project),
        "omit": coverage_omissions(bench.project.python_files),
    }
    text = "[run]\nbranch = True\nrelative_files = True\n"
    for key, values in sections.items():
        text += "".join([f"{key} =\n", *(f"    {value}\n" for value in values)]) if values else ""
    path = bench.scratch / "coveragerc"
    path.write_text(text, encoding="utf-8")
    return path
