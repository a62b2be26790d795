"""safety: vulnerabilities from Safety's database; only with an account's key or a local database.

``scan`` needs a key; ``check --db`` reads a local database. The tool brings many packages, so it lives in an
environment of its own, made from hash-locked requirements when it is not installed beside us.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cicd_actions.errors import ActionError
from cicd_actions.process import Completed, run
from cicd_actions.quality.appenv import Package
from cicd_actions.quality.bench import Bench, clip, count, tail, tool_error
from cicd_actions.quality.indexes import uv_env
from cicd_actions.quality.interpreter import find_uv
from cicd_actions.quality.model import CheckResult, Finding, Severity, State

_FINDINGS_CODES = (0, 64)
_ACCOUNT_CODES = (65, 66, 67, 71, 72, 73, 74, 75)
_UNAVAILABLE = ("connection", "timed out", "unable to reach", "max retries", "network")
_SOURCE_ROOT = Path(__file__).resolve().parents[4]


def check_safety(bench: Bench, packages: Sequence[Package]) -> CheckResult:
    """Run safety over the application's packages."""
    pins = bench.scratch / "safety" / "requirements.txt"
    pins.parent.mkdir(exist_ok=True)
    pins.write_text("".join(f"{p.name}=={p.version}\n" for p in packages if not p.local), encoding="utf-8")
    out = bench.reports / "safety.json"
    out.unlink(missing_ok=True)
    try:
        python = _find_safety(bench)
    except ActionError as error:
        return CheckResult(check="safety", state=State.TOOL_ERROR, detail=error.message, remedy=error.hint)
    database = bench.settings.safety_database
    if database:
        words = ["check", "-r", str(pins), "--db", str(database), "--output", "json", "--save-json", str(out)]
    else:
        words = [
            "--stage",
            "cicd",
            "scan",
            "--target",
            str(pins.parent),
            "--output",
            "json",
            "--save-as",
            "json",
            str(out),
        ]
    env = {**bench.env, "HOME": str(pins.parent)}  # it keeps a configuration and a cache there
    if bench.settings.safety_key:
        env["SAFETY_API_KEY"] = bench.settings.safety_key.reveal()
    argv: list[str | Path] = [python, "-I", "-B", "-m", "safety", *words]
    completed = run(argv, cwd=pins.parent, env=env, timeout=bench.settings.timeout)
    return judge_safety(completed, out, "a local database" if database else "the vendor's database")


def judge_safety(completed: Completed, out: Path, source: str) -> CheckResult:
    """Return what the JSON says; the exit code tells a refused key from a crash where there is none."""
    try:
        report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        findings = tuple(_findings(report))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        said = completed.stderr.lower() + completed.stdout.lower()
        if completed.returncode in _ACCOUNT_CODES or any(sign in said for sign in _UNAVAILABLE):
            return CheckResult(check="safety", state=State.UNAVAILABLE, seconds=completed.seconds,
                               detail=f"{source} could not be read:\n{tail(completed.stderr or completed.stdout, 3)}",
                               remedy="Is the key valid, and the service reachable?")  # fmt: skip
        return tool_error("safety", completed, f"left no report (exit code {completed.returncode})")
    if completed.returncode not in _FINDINGS_CODES and not findings:
        return tool_error("safety", completed, f"ended with exit code {completed.returncode}")
    state = State.FINDINGS if findings else State.PASSED
    detail = f"{count(len(findings), 'finding')} in {source}" if findings else f"nothing known in {source}"
    remedy = "Raise each package to a fixed version." if findings else ""
    return CheckResult(check="safety", state=state, detail=detail, remedy=remedy, findings=findings,
                       seconds=completed.seconds)  # fmt: skip


def _findings(report: dict[str, Any]) -> list[Finding]:
    """``check`` has a flat list; ``scan`` nests it below projects, files and dependencies."""
    if "vulnerabilities" in report:
        return [
            _finding(str(v["vulnerability_id"]), str(v["package_name"]), str(v.get("analyzed_version", "")),
                     str(v.get("advisory", "")))
            for v in report["vulnerabilities"]
        ]  # fmt: skip
    found = []
    for project in report["scan_results"]["projects"]:
        for file in project["files"]:
            for dependency in file["results"]["dependencies"]:
                for specification in dependency["specifications"]:
                    known = specification["vulnerabilities"]["known_vulnerabilities"]
                    found += [
                        _finding(str(v["id"]), str(dependency["name"]), "", "") for v in known if not v.get("ignored")
                    ]
    return found


def _finding(rule: str, package: str, version: str, advisory: str) -> Finding:
    text = clip(f"{package} {version}: {advisory}".replace(" : ", ": "), 500)
    return Finding(check="safety", rule=rule, severity=Severity.HIGH, message=text)


def _find_safety(bench: Bench) -> Path:
    """Return an interpreter that has safety: ours, or that of an environment made for it.

    Raises:
        ActionError: There is neither, and none could be made.
    """
    if importlib.util.find_spec("safety"):
        return Path(sys.executable)
    action = bench.settings.action_path
    roots = ([action.parent.parent] if action else []) + [_SOURCE_ROOT]
    locked = next(
        (r / "requirements" / "safety.txt" for r in roots if (r / "requirements" / "safety.txt").is_file()), None
    )
    if locked is None:
        raise ActionError("safety is not installed.", hint="Install cicd-actions with the extra `safety`.")
    home = bench.scratch / "safety-tool"
    python, uv = home / "bin" / "python", find_uv(bench.env)
    make = (
        [uv, "venv", "-q", "--no-project", "--python", sys.executable] if uv else [sys.executable, "-I", "-m", "venv"]
    )
    install = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-I", "-m", "pip", "install"]
    for argv in ([*make, str(home)], [*install, "--require-hashes", "-r", str(locked)]):
        done = run(argv, cwd=bench.scratch, env=uv_env(bench.env), timeout=bench.settings.timeout, merge_stderr=True)
        if not done.ok:
            raise ActionError(f"safety could not be installed:\n{tail(done.stdout, 3)}",
                              hint="Is the package index reachable from the runner?")  # fmt: skip
    return python
