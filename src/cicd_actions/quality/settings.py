"""Lint, test and audit one commit: all checks at once, all findings reported, one verdict."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from cicd_actions.errors import ConfigError
from cicd_actions.quality.baseline import read_baseline
from cicd_actions.quality.contract import ALL_CHECKS, DEFAULT_CHECKS, INPUTS, OUTPUTS
from cicd_actions.quality.custom import CustomCheck, read_custom
from cicd_actions.quality.known import Known, read_known
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Inputs
from cicd_actions.runner.secrets import Secret

__all__ = ["INPUTS", "OUTPUTS", "Settings", "load"]

_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,3})?")
_SHELL = re.compile(r"^(&&|\|\|?|;|>>?|<|&)$|^\$\(|`")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the gate was asked to do; folders are absolute.

    ``install`` is ``("auto",)``, ``("none",)`` or the commands as they were given, one a line. ``auto_checks`` means
    that ``checks`` grows by what the project configures. ``known`` is None when no list was given.
    """

    directory: Path
    python_version: str
    install: tuple[str, ...]
    checks: tuple[str, ...]
    auto_checks: bool
    custom: tuple[CustomCheck, ...]
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    coverage_floor: Fraction | None
    coverage_ratchet: Fraction | None
    baseline: Fraction | None
    baseline_in_status: bool
    ratchet_token: Secret
    known: tuple[Known, ...] | None
    write_baseline: Path | None
    base: str
    patch_floor: Fraction | None
    only_changed: bool
    rerun_failed: bool
    allow_flaky: bool
    report_directory: Path | None
    audit_url: str
    safety_key: Secret
    safety_database: Path | None
    timeout: float
    action_path: Path | None

    @property
    def expected(self) -> tuple[str, ...]:
        """The names of everything that is to be run and must leave a result."""
        return (*self.checks, *(check.name for check in self.custom))


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Return the settings.

    Raises:
        ConfigError: With every wrong input.
    """
    directory = _directory(inputs, context)
    ratchet, baseline = _ratchet(inputs, directory)
    settings = Settings(
        directory=directory,
        python_version=_python_version(inputs),
        install=_install(inputs),
        checks=_checks(inputs),
        auto_checks=inputs.text("checks").lower() == "auto",
        custom=read_custom(inputs, ALL_CHECKS),
        paths=_existing(inputs, "paths", directory),
        tests=_existing(inputs, "tests", directory),
        coverage_floor=_floor(inputs, "coverage-floor"),
        coverage_ratchet=ratchet,
        baseline=baseline,
        baseline_in_status=_in_status(inputs),
        ratchet_token=inputs.secret("ratchet-token"),
        known=_known(inputs, directory),
        write_baseline=_below_roots(inputs, "write-baseline", context, directory, folder=False),
        base=_base(inputs),
        patch_floor=_floor(inputs, "patch-coverage-floor"),
        only_changed=inputs.flag("only-changed"),
        rerun_failed=inputs.integer("rerun-failed", minimum=0, maximum=1) == 1,
        allow_flaky=inputs.flag("allow-flaky"),
        report_directory=_below_roots(inputs, "report-directory", context, context.workspace, folder=True),
        audit_url=_audit_url(inputs),
        safety_key=inputs.secret("safety-key"),
        safety_database=_safety_database(inputs, directory),
        timeout=_timeout(inputs),
        action_path=_action_path(context),
    )
    if settings.patch_floor is not None and "pytest" not in settings.checks:
        inputs.problem("patch-coverage-floor", "needs the check pytest", "Add pytest to checks.")
    inputs.finish()
    return settings


_CHECKOUT_FIX = "Name a folder of the checkout; actions/checkout must have run before this step."


def _directory(inputs: Inputs, context: RunContext) -> Path:
    directory = inputs.path("working-directory", root=context.workspace)
    if not directory.is_dir():
        inputs.problem("working-directory", "is no folder", _CHECKOUT_FIX)
    return directory


def _floor(inputs: Inputs, name: str) -> Fraction | None:
    return _percentage(inputs, name) if inputs.given(name) else None


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


def _in_status(inputs: Inputs) -> bool:
    wanted = inputs.text("baseline").lower() == "status"
    if wanted and not inputs.given("ratchet-token"):
        fix = "Give the job's token, and the job the permission statuses: write."
        inputs.problem("ratchet-token", "is required for baseline: status", fix)
    return wanted


def _baseline(inputs: Inputs, directory: Path) -> Fraction | None:
    text = inputs.text("baseline")
    if text.lower() == "status":
        return None
    if re.fullmatch(r"\d+(\.\d+)?%?", text):
        return _percentage(inputs, "baseline")
    try:
        return read_baseline(directory / text)
    except (OSError, ValueError) as error:
        fix = "Give a percentage or the path of a report.json of this gate."
        inputs.problem("baseline", f"cannot be read: {error}", fix)
        return None


def _known(inputs: Inputs, directory: Path) -> tuple[Known, ...] | None:
    """The list of known findings, or None; a file of several problems tells all of them."""
    if not inputs.given("findings-baseline"):
        return None
    path = inputs.path("findings-baseline", root=directory)
    try:
        return read_known(path)
    except ConfigError as error:
        for problem in error.problems:
            inputs.problem("findings-baseline", str(getattr(problem, "what", problem)), getattr(problem, "fix", ""))
        return ()


def _base(inputs: Inputs) -> str:
    base = inputs.text("base")
    if base.startswith("-"):
        inputs.problem("base", "looks like an option", "Name a branch or a commit.")
    return base


def _below_roots(inputs: Inputs, name: str, context: RunContext, start: Path, *, folder: bool) -> Path | None:
    """A path to write to, below the workspace or the runner's temporary folder; None when none is given."""
    if not inputs.given(name):
        return None
    path = (start / inputs.text(name)).resolve()
    roots = (context.workspace.resolve(), context.temp.resolve())
    if not any(path.is_relative_to(root) for root in roots):
        fix = f"Name a place below {roots[0]} or {roots[1]}."
        inputs.problem(name, "leaves the workspace and the runner's temporary folder", fix)
    elif path.exists() and path.is_dir() is not folder:
        inputs.problem(name, "is a file" if folder else "is a folder", f"Name a {'folder' if folder else 'file'}.")
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
    if seconds <= 0 and re.fullmatch(r"0+[smhd]?", inputs.text("timeout")):
        inputs.problem("timeout", "must be longer than nothing", "Write for example 90s or 15m.")
    return seconds


def _action_path(context: RunContext) -> Path | None:
    """The folder of the action that runs us; beside it are the locked requirements of the tools."""
    path = context.env.get("GITHUB_ACTION_PATH", "")
    return Path(path) if path else None
