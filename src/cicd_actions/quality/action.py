"""One run of the gate: look at the checkout, run the checks, judge, leave a report."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.quality import present
from cicd_actions.quality.bench import Bench, clean_env
from cicd_actions.quality.coverage import judge_coverage, read_coverage
from cicd_actions.quality.gate import needs_environment, run_checks
from cicd_actions.quality.install import Plan, plan_install
from cicd_actions.quality.interpreter import find_python
from cicd_actions.quality.model import CheckResult, Coverage, decide
from cicd_actions.quality.project import Project, read_project
from cicd_actions.quality.result import Result
from cicd_actions.quality.revision import read_revision
from cicd_actions.quality.settings import Settings
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Report

_TOOLS = {"black": "black", "flake8": "flake8", "bandit": "bandit", "pip-audit": "pip-audit"}


def run(settings: Settings, context: RunContext) -> Result:
    """Run the gate.

    Raises:
        ConfigError: The checkout, its configuration files or the Python asked for are not as they must be.
    """
    started = time.monotonic()
    revision = read_revision(settings.directory, context)
    project = read_project(settings.directory, revision, context.env)
    _require_tools(settings.checks)
    reports = _make_reports(settings, context)
    plan = plan_install(project) if settings.install == ("auto",) else Plan()
    with _scratch(context.temp) as scratch, _tidy(project):
        bench = Bench(project=project, settings=settings, scratch=scratch, reports=reports,
                      env=clean_env(context.env, scratch))  # fmt: skip
        interpreter = None
        if needs_environment(settings.checks, plan, settings.install):
            interpreter = find_python(settings.python_version, tool_cache=context.tool_cache, env=bench.env)
        outcome = run_checks(bench, interpreter, plan)
    results, coverage = outcome.results, None
    if "pytest" in settings.checks:
        coverage = read_coverage(reports / "coverage.json", project)
        results += _judge_coverage(settings, project, coverage)
    verdict, exit_code = decide(results, settings.checks)
    result = Result(
        verdict=verdict,
        exit_code=exit_code,
        revision=revision,
        checks=results,
        coverage=coverage,
        tests=outcome.tests,
        notes=outcome.notes,
        tools={name: importlib.metadata.version(_TOOLS[name]) for name in settings.checks if name in _TOOLS},
        report=reports / "report.json",
        seconds=time.monotonic() - started,
        in_actions=context.in_actions,
    )
    result.report.write_text(present.as_json(result), encoding="utf-8")
    return result


def _judge_coverage(settings: Settings, project: Project, coverage: Coverage | None) -> tuple[CheckResult, ...]:
    """The check ``coverage``, where a floor or a ratchet demands one; else the project's own floor counts."""
    floor = project.config.fail_under if settings.coverage_floor is None else settings.coverage_floor
    ratchet, baseline = settings.coverage_ratchet, settings.baseline
    judged = judge_coverage(coverage, floor=floor, baseline=baseline, ratchet=ratchet)
    return (judged,) if judged else ()


def report(result: Result) -> Report:
    """Return what to say: outputs, job summary, text, annotations. Pure."""
    return Report(
        outputs={
            "verdict": result.verdict.value,
            "tested-sha": result.revision.tested_sha,
            "coverage": str(result.coverage) if result.coverage else "",
            "report": str(result.report),
            "tests": json.dumps(present.count_tests(result.tests)) if result.tests else "",
            "findings": str(result.blocking),
            "timings": json.dumps(_timings(result.checks)),
        },
        exit_code=result.exit_code,
        summary=present.summary(result),
        text=present.text(result),
        annotations=present.annotate(result),
    )


def _timings(checks: tuple[CheckResult, ...]) -> dict[str, float]:
    return {check.check: round(check.seconds, 2) for check in checks}


def _require_tools(checks: tuple[str, ...]) -> None:
    """A missing tool is our packaging's fault or an install without the extra, never a silent pass."""
    for check in checks:
        if check in _TOOLS:
            try:
                importlib.metadata.version(_TOOLS[check])
            except importlib.metadata.PackageNotFoundError as error:
                fix = "Install cicd-actions with the extra `quality`."
                raise ConfigError(
                    Problem(input="checks", value=check, what=f"{check} is not installed", fix=fix)
                ) from error


def _make_reports(settings: Settings, context: RunContext) -> Path:
    if settings.report_directory is None:
        context.temp.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="quality-gate-", dir=context.temp))
    try:
        settings.report_directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what, fix = f"cannot be made: {error.strerror}", "Name a folder that can be written to."
        value = str(settings.report_directory)
        raise ConfigError(Problem(input="report-directory", value=value, what=what, fix=fix)) from error
    for name in ("report.json", "install.log", "pytest.log"):  # a report of an earlier run is no evidence
        (settings.report_directory / name).unlink(missing_ok=True)
    return settings.report_directory


@contextmanager
def _scratch(temp: Path) -> Iterator[Path]:
    temp.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="quality-scratch-", dir=temp))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _tidy(project: Project) -> Iterator[None]:
    """Remove what an editable installation leaves in the checkout and was not there before."""
    before = set(_build_leftovers(project.directory))
    try:
        yield
    finally:
        for path in _build_leftovers(project.directory):
            if path not in before:
                shutil.rmtree(path, ignore_errors=True)


def _build_leftovers(directory: Path) -> Iterator[Path]:
    for folder in (directory, directory / "src"):
        yield from folder.glob("*.egg-info")
    if (directory / "build").is_dir():
        yield directory / "build"
