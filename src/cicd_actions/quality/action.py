"""One run of the gate: look at the checkout, run the checks, judge, leave a report."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.quality import present
from cicd_actions.quality.bench import Bench, clean_env, count
from cicd_actions.quality.change import Change, changed_python_files, read_change
from cicd_actions.quality.checks_xml import as_junit
from cicd_actions.quality.contract import WHEN_CONFIGURED
from cicd_actions.quality.document import as_json, count_tests
from cicd_actions.quality.fingerprint import add_fingerprints
from cicd_actions.quality.gate import Outcome, needs_environment, run_checks
from cicd_actions.quality.install import Plan, plan_install
from cicd_actions.quality.interpreter import find_python
from cicd_actions.quality.known import accept, write_known
from cicd_actions.quality.model import CheckResult, decide
from cicd_actions.quality.numbers import judge_numbers
from cicd_actions.quality.project import Project, read_project
from cicd_actions.quality.ratchet import keep, read_recorded
from cicd_actions.quality.result import Result
from cicd_actions.quality.revision import read_revision
from cicd_actions.quality.sarif import as_sarif
from cicd_actions.quality.settings import Settings
from cicd_actions.quality.stopping import ending_on_sigterm
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Report

# a report of an earlier run is no evidence
_LEFT = ("report.json", "findings.sarif", "checks.xml", "install.log", "pytest.log", "junit-rerun.xml")
_MANIFESTS = ("pyproject.toml", "requirements.txt", "setup.py", "setup.cfg")
_TOOLS = {"black": "black", "flake8": "flake8", "bandit": "bandit", "pip-audit": "pip-audit"}


def run(settings: Settings, context: RunContext, *, today: datetime.date | None = None) -> Result:
    """Run the gate; ``today`` (UTC by default) is what the last days of known findings are compared with.

    Raises:
        ConfigError: The checkout, its configuration files or the Python asked for are not as they must be, or the
            base that the change is counted from cannot be found.
        SystemExit: The process got SIGTERM; the tools have been ended.
    """
    with ending_on_sigterm():
        return _run(settings, context, today or datetime.datetime.now(datetime.UTC).date())


def _run(settings: Settings, context: RunContext, today: datetime.date) -> Result:
    started = time.monotonic()
    revision = read_revision(settings.directory, context)
    project = read_project(settings.directory, revision, context.env)
    settings = _with_configured(settings, project)
    _require_tools(settings.checks)
    wants_change = settings.only_changed or settings.patch_floor is not None
    change = read_change(settings.base, revision, context) if wants_change else None
    reports = _make_reports(settings, context)
    outcome = _play(settings, context, project, reports, _only(settings, project, change))
    recorded = read_recorded(settings, context, revision)
    judged = judge_numbers(settings, project, change, outcome.results, reports / "coverage.json", recorded)
    found = add_fingerprints(judged.results, revision.root)
    results, notes = _against_the_list(settings, context, found, today)
    verdict, exit_code = decide(results, settings.expected)
    kept = keep(settings, context, revision, judged.coverage, verdict)
    result = Result(
        verdict=verdict,
        exit_code=exit_code,
        revision=revision,
        checks=results,
        coverage=judged.coverage,
        patch=judged.patch,
        change=change,
        tests=outcome.tests,
        notes=(*outcome.notes, *notes, *kept),
        tools={name: importlib.metadata.version(_TOOLS[name]) for name in settings.checks if name in _TOOLS},
        report=reports / "report.json",
        seconds=time.monotonic() - started,
        in_actions=context.in_actions,
    )
    _leave(result, project)
    return result


def _against_the_list(
    settings: Settings, context: RunContext, found: tuple[CheckResult, ...], today: datetime.date
) -> tuple[tuple[CheckResult, ...], tuple[str, ...]]:
    """The results with known findings accepted, and a note where a new list was written."""
    notes: tuple[str, ...] = ()
    if settings.write_baseline:
        owner = context.actor or context.env.get("USER", "") or "nobody"
        number = write_known(settings.write_baseline, found, settings.known or (), owner=owner, today=today)
        notes = (f"wrote {count(number, 'known finding')} to {settings.write_baseline}",)
    if settings.known is None:
        return found, notes
    return accept(found, settings.known, today, complete=not settings.only_changed and not settings.paths), notes


def _with_configured(settings: Settings, project: Project) -> Settings:
    """The settings with the checks that the project configures, where ``checks`` was auto."""
    configured = [name for name in WHEN_CONFIGURED if getattr(project.config, name)] if settings.auto_checks else []
    return replace(settings, checks=(*settings.checks, *configured))


def _only(settings: Settings, project: Project, change: Change | None) -> frozenset[str] | None:
    if change is None or not settings.only_changed:
        return None
    return changed_python_files(change, project.python_files, project.directory, project.root)


def _play(
    settings: Settings, context: RunContext, project: Project, reports: Path, only: frozenset[str] | None
) -> Outcome:
    plan = plan_install(project) if settings.install == ("auto",) else Plan()
    with _scratch(context.temp) as scratch, _tidy(project):
        bench = Bench(project=project, settings=settings, scratch=scratch, reports=reports,
                      env=clean_env(context.env, scratch), only=only)  # fmt: skip
        interpreter = None
        if needs_environment(settings.expected, plan, settings.install):
            interpreter = find_python(settings.python_version, tool_cache=context.tool_cache, env=bench.env)
        return run_checks(bench, interpreter, plan)


def _leave(result: Result, project: Project) -> None:
    """Write the reports that other programs read."""
    fallback = next((name for name in _MANIFESTS if name in project.files), project.python_files[0])
    result.report.write_text(as_json(result), encoding="utf-8")
    sarif = as_sarif(result.checks, result.tools, project.in_repository(fallback))
    result.sarif.write_text(sarif, encoding="utf-8")
    result.report.with_name("checks.xml").write_text(as_junit(result.checks), encoding="utf-8")


def report(result: Result) -> Report:
    """Return what to say: outputs, job summary, text, annotations. Pure."""
    return Report(
        outputs={
            "verdict": result.verdict.value,
            "tested-sha": result.revision.tested_sha,
            "coverage": str(result.coverage) if result.coverage else "",
            "report": str(result.report),
            "tests": json.dumps(count_tests(result.tests)) if result.tests else "",
            "findings": str(result.blocking),
            "sarif": str(result.sarif),
            "patch-coverage": str(result.patch) if result.patch else "",
            "flaky": str(result.flaky),
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
    for name in _LEFT:
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
