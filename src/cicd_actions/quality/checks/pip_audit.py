"""pip-audit: known vulnerabilities in what the application installs.

Its exit code is 1 for findings and for every error, and 0 when the feed knew none of the packages; its JSON is
written only when the audit came to its end. So the JSON is what counts.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cicd_actions.process import Completed
from cicd_actions.quality.appenv import Package
from cicd_actions.quality.bench import Bench, clip, count, tail, tool_error, words_of
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_TRANSPORT = ("connectionerror", "connection error", "readtimeout", "timed out", "timeouterror", "connection refused",
              "could not connect", "max retries", "serviceerror", "service error", "httperror", "server error",
              "newconnectionerror", "jsondecodeerror")  # fmt: skip
_RETRY_SECONDS = 2.0
_FEED_SECONDS = "30"
_REMEDY = "Raise each package to a fixed version and lock the requirements again."
_UNAVAILABLE_REMEDY = "Run the job again, or give audit-url an OSV server that the runner can reach."


def audit_files(bench: Bench, names: Sequence[str]) -> CheckResult:
    """Audit requirements files that hold every package with its hash; needs no environment."""
    words = [word for name in names for word in ("-r", str(bench.project.directory / name))]
    return _audit(bench, [*words, "--disable-pip"], names)


def audit_packages(bench: Bench, packages: Sequence[Package], names: Sequence[str]) -> CheckResult:
    """Audit the packages of an environment; ``names`` are the requirements files in which they may be named."""
    foreign = [package for package in packages if not package.local]
    if not foreign:
        return CheckResult(check="pip-audit", state=State.PASSED, detail="no third-party package is installed")
    pins = bench.scratch / "audit.txt"
    pins.write_text("".join(f"{p.name}=={p.version}\n" for p in foreign), encoding="utf-8")
    return _audit(bench, ["-r", str(pins), "--disable-pip", "--no-deps"], names)


def judge_audit(completed: Completed, out: Path, project: Project, names: Sequence[str]) -> CheckResult:
    """Return what the JSON says; without one, whether the feed or the tool failed."""
    try:
        dependencies = json.loads(out.read_text(encoding="utf-8"))["dependencies"]
        skipped = [str(entry["name"]) for entry in dependencies if "skip_reason" in entry]
        findings = tuple(f for entry in dependencies for f in _findings(entry, project, names))
    except (OSError, ValueError, KeyError, TypeError):
        if completed.timed_out or _is_transport(completed):
            return CheckResult(check="pip-audit", state=State.UNAVAILABLE, remedy=_UNAVAILABLE_REMEDY,
                               detail=f"the feed did not answer:\n{tail(completed.stderr, 3)}",
                               seconds=completed.seconds)  # fmt: skip
        return tool_error("pip-audit", completed, f"left no report (exit code {completed.returncode})")
    audited = len(dependencies) - len(skipped)
    if findings:
        affected = len({finding.message.split(" ")[0] for finding in findings})
        state, detail = State.FINDINGS, f"{count(len(findings), 'known vulnerability')} in {count(affected, 'package')}"
        detail = detail.replace("vulnerabilitys", "vulnerabilities")
    elif not audited and skipped:
        state, detail = (
            State.UNAVAILABLE,
            f"the feed knows none of {count(len(skipped), 'package')}, so nothing was audited",
        )
    else:
        state, detail = State.PASSED, f"{count(audited, 'package')} without known vulnerabilities"
    remedy = {State.FINDINGS: _REMEDY, State.UNAVAILABLE: _UNAVAILABLE_REMEDY}.get(state, "")
    notes = (f"not audited, because the feed does not know them: {words_of(skipped)}",) if skipped else ()
    return CheckResult(check="pip-audit", state=state, detail=detail, remedy=remedy, findings=findings, notes=notes,
                       seconds=completed.seconds)  # fmt: skip


def _audit(bench: Bench, words: Sequence[str], names: Sequence[str]) -> CheckResult:
    out = bench.reports / "pip-audit.json"
    out.unlink(missing_ok=True)
    options = ["-f", "json", "-o", str(out), "--progress-spinner", "off", "--timeout", _FEED_SECONDS,
               "--cache-dir", str(bench.scratch / "pip-audit")]  # fmt: skip
    if bench.settings.audit_url:
        options += ["-s", "osv", "--osv-url", bench.settings.audit_url]
    started = time.monotonic()
    for attempt in (1, 2):
        completed = bench.run_tool("pip_audit", *words, *options, cwd=bench.scratch)
        if attempt == 2 or out.is_file() or completed.timed_out or not _is_transport(completed):
            break
        time.sleep(_RETRY_SECONDS)
    result = judge_audit(completed, out, bench.project, names)
    feed = bench.settings.audit_url or bench.env.get("PIP_AUDIT_OSV_URL", "") or "its default feed"
    return _with(result, f"pip-audit asked {_host(feed)}", time.monotonic() - started)


def _with(result: CheckResult, note: str, seconds: float) -> CheckResult:
    return CheckResult(check=result.check, state=result.state, detail=result.detail, remedy=result.remedy,
                       findings=result.findings, notes=(note, *result.notes), seconds=seconds)  # fmt: skip


def _host(url: str) -> str:
    """The URL without anything that could be a credential."""
    return re.sub(r"//[^/@]*@", "//", url.split("?")[0])


def _is_transport(completed: Completed) -> bool:
    lowered = completed.stderr.lower()
    return any(sign in lowered for sign in _TRANSPORT)


def _findings(entry: dict[str, Any], project: Project, names: Sequence[str]) -> list[Finding]:
    found = []
    for vulnerability in entry.get("vulns", []):
        fixed = ", ".join(vulnerability.get("fix_versions", [])) or "no version yet"
        aliases = [alias for alias in vulnerability.get("aliases", []) if alias != vulnerability["id"]]
        also = f" ({', '.join(aliases)})" if aliases else ""
        text = f"{entry['name']} {entry['version']}: {vulnerability.get('description', '')}{also}; fixed in {fixed}"
        file, line = _place(str(entry["name"]), project, names)
        found.append(Finding(check="pip-audit", rule=str(vulnerability["id"]), severity=Severity.HIGH,
                             message=clip(text, 500), file=file, line=line))  # fmt: skip
    return found


def _place(package: str, project: Project, names: Sequence[str]) -> tuple[str, int]:
    """Where a requirements file names the package, if one does."""
    words = (re.escape(word) for word in re.split(r"[-_.]+", package))
    pattern = re.compile(r"[-_.]+".join(words) + r"(?![\w.-])", re.IGNORECASE)
    for name in names:
        text = (project.directory / name).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.match(line.strip()):
                return project.in_repository(name), number
    return "", 0
