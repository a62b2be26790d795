"""Lint, test and audit one commit: all checks at once, all findings reported, one verdict."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from cicd_actions.quality.baseline import read_baseline
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.runner.secrets import Secret

DEFAULT_CHECKS = ("black", "flake8", "pytest", "bandit", "pip-audit")
ALL_CHECKS = (*DEFAULT_CHECKS, "safety")

INPUTS = (
    Input("working-directory", "Folder of the application, relative to the workspace.", "."),
    Input("python-version", "Python that the application is tested with, for example 3.11.", "3.11"),
    Input(
        "install",
        "How the application is installed for its tests: auto (requirements files, pyproject.toml, setup.py), none "
        "(use what the chosen Python already has), or commands of your own, one a line, without shell syntax.",
        "auto",
    ),
    Input(
        "checks",
        "Checks to run: black, flake8, pytest, bandit, pip-audit, safety. auto takes all of them, safety only with "
        "a key or a database.",
        "auto",
    ),
    Input(
        "paths",
        "Files and folders to lint, separated by blanks; empty takes all Python files that git tracks.",
    ),
    Input("tests", "What pytest is given, separated by blanks; empty lets the project decide."),
    Input(
        "coverage-floor",
        "Percentage that must be covered, compared on exact counts; empty takes the project's own fail_under, if any.",
    ),
    Input(
        "coverage-ratchet",
        "Percentage points that coverage may fall below the baseline, or off.",
        "off",
    ),
    Input(
        "baseline",
        "What the ratchet compares with: a percentage, or the path of an earlier report of this gate.",
    ),
    Input(
        "report-directory",
        "Folder for report.json, junit.xml, coverage.json and coverage.xml; empty makes one below RUNNER_TEMP.",
    ),
    Input("audit-url", "Query URL of an OSV server for pip-audit; empty uses its default feed."),
    Input("safety-key", "API key of Safety; with a key the check safety runs too.", secret=True),
    Input(
        "safety-database",
        "Folder with a local Safety database (insecure.json, insecure_full.json); with one the check safety runs too.",
    ),
    Input("timeout", "Longest time for one check, for example 90s or 15m.", "15m"),
)

OUTPUTS = (
    Output("verdict", "passed, failed (findings), error (a check could not look) or unavailable (no answer)."),
    Output("tested-sha", "The commit that was tested; empty when tracked files differ from it."),
    Output("coverage", "Percentage covered, two decimals, rounded down; empty when nothing was measured."),
    Output("report", "Path of the JSON report."),
    Output("tests", "JSON object: total, passed, failed, errors, skipped; empty when no test ran."),
    Output("findings", "Number of findings that block."),
    Output("timings", "JSON object: check name to seconds."),
)  # fmt: skip

_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,3})?")
_SHELL = re.compile(r"^(&&|\|\|?|;|>>?|<|&)$|^\$\(|`")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the gate was asked to do; folders are absolute.

    ``install`` is ``("auto",)``, ``("none",)`` or the commands as they were given, one a line.
    """

    directory: Path
    python_version: str
    install: tuple[str, ...]
    checks: tuple[str, ...]
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    coverage_floor: Fraction | None
    coverage_ratchet: Fraction | None
    baseline: Fraction | None
    report_directory: Path | None
    audit_url: str
    safety_key: Secret
    safety_database: Path | None
    timeout: float
    action_path: Path | None


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Return the settings.

    Raises:
        ConfigError: With every wrong input.
    """
    directory = inputs.path("working-directory", root=context.workspace)
    if not directory.is_dir():
        inputs.problem("working-directory", "is no folder", _CHECKOUT_FIX)
    floor = _percentage(inputs, "coverage-floor") if inputs.given("coverage-floor") else None
    ratchet, baseline = _ratchet(inputs, directory)
    settings = Settings(
        directory=directory,
        python_version=_python_version(inputs),
        install=_install(inputs),
        checks=_checks(inputs),
        paths=_existing(inputs, "paths", directory),
        tests=_existing(inputs, "tests", directory),
        coverage_floor=floor,
        coverage_ratchet=ratchet,
        baseline=baseline,
        report_directory=_report_directory(inputs, context),
        audit_url=_audit_url(inputs),
        safety_key=inputs.secret("safety-key"),
        safety_database=_safety_database(inputs, directory),
        timeout=_timeout(inputs),
        action_path=_action_path(context),
    )
    inputs.finish()
    return settings


_CHECKOUT_FIX = "Name a folder of the checkout; actions/checkout must have run before this step."


def _python_version(inputs: Inputs) -> str:
    version = inputs.text("python-version")
    if not _VERSION.fullmatch(version):
        inputs.problem("python-version", "is not a Python 3 version", "Write for example '3.11'.")
    elif version == "3.1":
        inputs.problem("python-version", "is Python 3.1", "If 3.10 is meant, quote it: '3.10'.")
    return version


def _install(inputs: Inputs) -> tuple[str, ...]:
    lines = inputs.lines("install")
    if len(lines) == 1 and lines[0].lower() in ("auto", "none"):
        return (lines[0].lower(),)
    for line in lines:
        try:
            words = shlex.split(line)
        except ValueError as error:
            inputs.problem("install", f"{line!r} cannot be read: {error}", "Close the quotation.")
            continue
        if any(_SHELL.search(word) for word in words):
            fix = "Write auto, none, or one command a line; put shell code into a script and call that."
            inputs.problem("install", f"{line!r} holds shell syntax, and no shell runs it", fix)
    return lines


def _checks(inputs: Inputs) -> tuple[str, ...]:
    has_source = inputs.given("safety-key") or inputs.given("safety-database")
    if inputs.text("checks").lower() == "auto":
        return ALL_CHECKS if has_source else DEFAULT_CHECKS
    checks = inputs.choices("checks", ALL_CHECKS)
    if "safety" in checks and not has_source:
        fix = "Give safety-key or safety-database, or leave safety out: pip-audit needs neither."
        inputs.problem("checks", "names safety, which has neither a key nor a database", fix)
    return checks


def _existing(inputs: Inputs, name: str, directory: Path) -> tuple[str, ...]:
    """Paths that must exist below the folder; a pytest id (``file.py::test``) names its file."""
    words = inputs.words(name)
    for word in words:
        path = (directory / word.partition("::")[0]).resolve()
        if word.startswith("-"):
            inputs.problem(name, f"{word!r} looks like an option", "Give files and folders only.")
        elif not path.is_relative_to(directory):
            inputs.problem(name, f"{word!r} leaves the working directory", f"Stay below {directory}.")
        elif not path.exists():
            inputs.problem(name, f"{word!r} does not exist below {directory}", "Mend the path.")
    return words


def _percentage(inputs: Inputs, name: str) -> Fraction:
    inputs.number(name, minimum=0, maximum=100)  # its bounds and messages
    return _fraction(inputs.text(name))


def _fraction(text: str) -> Fraction:
    """Exact value of a decimal; what is none was already reported."""
    text = text.removesuffix("%")
    return Fraction(text) if re.fullmatch(r"\d+(\.\d+)?", text) else Fraction(0)


def _ratchet(inputs: Inputs, directory: Path) -> tuple[Fraction | None, Fraction | None]:
    baseline = _baseline(inputs, directory) if inputs.given("baseline") else None
    if inputs.text("coverage-ratchet").lower() == "off":
        return None, baseline
    ratchet = _percentage(inputs, "coverage-ratchet")
    if not inputs.given("baseline"):
        fix = "Give baseline a percentage or the path of an earlier report, or set coverage-ratchet to off."
        inputs.problem("coverage-ratchet", "has nothing to compare with", fix)
    return ratchet, baseline


def _baseline(inputs: Inputs, directory: Path) -> Fraction | None:
    text = inputs.text("baseline")
    if re.fullmatch(r"\d+(\.\d+)?%?", text):
        return _percentage(inputs, "baseline")
    try:
        return read_baseline(directory / text)
    except (OSError, ValueError) as error:
        fix = "Give a percentage or the path of a report.json of this gate."
        inputs.problem("baseline", f"cannot be read: {error}", fix)
        return None


def _report_directory(inputs: Inputs, context: RunContext) -> Path | None:
    if not inputs.given("report-directory"):
        return None
    path = (context.workspace / inputs.text("report-directory")).resolve()
    roots = (context.workspace.resolve(), context.temp.resolve())
    if not any(path.is_relative_to(root) for root in roots):
        fix = f"Name a folder below {roots[0]} or {roots[1]}."
        inputs.problem("report-directory", "leaves the workspace and the runner's temporary folder", fix)
    elif path.exists() and not path.is_dir():
        inputs.problem("report-directory", "is a file", "Name a folder.")
    return path


def _audit_url(inputs: Inputs) -> str:
    url = inputs.text("audit-url")
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        inputs.problem("audit-url", "is not an http or https URL", "Write for example https://osv.example/v1/query.")
    return url


def _safety_database(inputs: Inputs, directory: Path) -> Path | None:
    if not inputs.given("safety-database"):
        return None
    path = (directory / inputs.text("safety-database")).resolve()
    if not (path / "insecure_full.json").is_file():
        fix = "Name a folder that holds insecure.json and insecure_full.json."
        inputs.problem("safety-database", "is no Safety database", fix)
    return path


def _timeout(inputs: Inputs) -> float:
    seconds = inputs.duration("timeout")
    if seconds <= 0:
        inputs.problem("timeout", "must be longer than nothing", "Write for example 90s or 15m.")
    return seconds


def _action_path(context: RunContext) -> Path | None:
    """The folder of the action that runs us; beside it are the locked requirements of the tools."""
    path = context.env.get("GITHUB_ACTION_PATH", "")
    return Path(path) if path else None
