"""Checks of the caller's own: run a command, read what it printed in the format that it was said to print.

JSON is a list of findings, or an object with the list ``findings``; each has ``message`` and may have ``rule``,
``file``, ``line``, ``severity`` (high, medium, low) and ``blocking``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote

# expat bounds the expansion of entities (since 2.4.1) and reads nothing external, so the standard parser will do
from xml.etree import ElementTree  # nosec B405

from cicd_actions.process import Completed, run
from cicd_actions.quality.appenv import AppEnvironment
from cicd_actions.quality.bench import Bench, clip, count, tail, tool_error
from cicd_actions.quality.custom import CustomCheck
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_NOT_FOUND = (126, 127)
_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}
_LENGTH = 500


def check_own(bench: Bench, environment: AppEnvironment, check: CustomCheck) -> CheckResult:
    """Run one check of the caller's own in the application's environment."""
    completed = run(["/usr/bin/env", "--", *check.words], cwd=bench.project.directory,
                    env={**bench.env, **environment.env}, timeout=bench.settings.timeout)  # fmt: skip
    return judge_own(completed, check, bench.project)


def judge_own(completed: Completed, check: CustomCheck, project: Project) -> CheckResult:
    """Return what the command said; an exit code that its report does not explain is a tool error."""
    code = completed.returncode
    if completed.timed_out or code < 0 or code in _NOT_FOUND:
        return tool_error(check.name, completed, f"ended with exit code {code}")
    if check.format == "plain":
        return _by_exit_code(completed, check)
    try:
        findings = tuple(_READERS[check.format](completed.stdout, check.name, project))
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as error:
        reason = " ".join(str(error).split())
        return tool_error(check.name, completed, f"printed no {check.format} that could be read ({clip(reason, 200)})")
    blocking = sum(finding.blocking for finding in findings)
    if code and not blocking:
        return tool_error(check.name, completed, f"ended with exit code {code} and reported nothing that blocks")
    state = State.FINDINGS if blocking else State.PASSED
    detail = count(blocking, "finding") if blocking else "no findings that block"
    return CheckResult(check=check.name, state=state, detail=detail, findings=findings, seconds=completed.seconds)


def _by_exit_code(completed: Completed, check: CustomCheck) -> CheckResult:
    said = tail(completed.stdout + "\n" + completed.stderr)
    if completed.returncode == 0:
        return CheckResult(check=check.name, state=State.PASSED, detail="ended with exit code 0",
                           seconds=completed.seconds)  # fmt: skip
    message = clip(said, _LENGTH) or f"exit code {completed.returncode}"
    finding = Finding(check=check.name, rule=f"exit-{completed.returncode}", message=message)
    detail = f"ended with exit code {completed.returncode}" + (f":\n{said}" if said else "")
    return CheckResult(check=check.name, state=State.FINDINGS, detail=detail, findings=(finding,),
                       seconds=completed.seconds)  # fmt: skip


def _from_json(text: str, name: str, project: Project) -> Iterator[Finding]:
    data = json.loads(text)
    for entry in data["findings"] if isinstance(data, dict) else data:
        blocking = entry.get("blocking", True)
        if not isinstance(blocking, bool):
            raise TypeError("blocking must be true or false")
        yield Finding(
            check=name,
            rule=clip(str(entry.get("rule") or "finding"), 100),
            message=clip(str(entry["message"]), _LENGTH),
            severity=Severity(str(entry.get("severity", "medium")).lower()),
            blocking=blocking,
            file=_file(entry.get("file"), project),
            line=max(0, int(entry.get("line") or 0)),
        )


def _from_sarif(text: str, name: str, project: Project) -> Iterator[Finding]:
    for one in json.loads(text)["runs"]:
        if any(invocation.get("executionSuccessful") is False for invocation in one.get("invocations", ())):
            raise ValueError("the tool says that it did not run to a good end")
        for result in one.get("results", ()):
            if result.get("suppressions") or result.get("kind", "fail") != "fail":
                continue
            places = result.get("locations") or [{}]
            place = places[0].get("physicalLocation", {})
            level = str(result.get("level", "warning"))
            yield Finding(
                check=name,
                rule=clip(str(result.get("ruleId") or "finding"), 100),
                message=clip(str(result["message"].get("text") or result["message"].get("id", "")), _LENGTH),
                severity=_LEVELS[level],
                blocking=level in ("error", "warning"),
                file=_file(unquote(place.get("artifactLocation", {}).get("uri", "")).removeprefix("file://"), project),
                line=int(place.get("region", {}).get("startLine", 0)),
            )


def _from_junit(text: str, name: str, project: Project) -> Iterator[Finding]:
    root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    cases = list(root.iter("testcase"))
    if not cases:
        raise ValueError("it holds no test case")
    for case in cases:
        for kind in ("failure", "error"):
            for element in case.findall(kind):
                rule = "::".join(word for word in (case.get("classname"), case.get("name")) if word)
                message = element.get("message") or (element.text or "").strip() or kind
                line = case.get("line", "")
                yield Finding(check=name, rule=clip(rule or kind, 100), message=clip(message, _LENGTH),
                              severity=Severity.HIGH, file=_file(case.get("file"), project),
                              line=int(line) if line.isdigit() else 0)  # fmt: skip


def _file(name: object, project: Project) -> str:
    return project.in_repository(str(name)) if name else ""


_READERS = {"json": _from_json, "sarif": _from_sarif, "junit": _from_junit}
