"""pytest's JUnit file (family xunit1) read into counts and findings at the failing line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# expat bounds the expansion of entities (since 2.4.1) and reads nothing external, so the standard parser will do
from xml.etree import ElementTree  # nosec B405

from cicd_actions.quality.bench import clip
from cicd_actions.quality.model import Finding, Severity, TestCounts
from cicd_actions.quality.project import Project

_PLACES = (
    re.compile(r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+): ", re.MULTILINE),  # long and short tracebacks
    re.compile(r'^\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE),  # native tracebacks
)
_MESSAGE_LENGTH = 500
_SLOWEST = 5


@dataclass(frozen=True, kw_only=True)
class JUnit:
    """What the file holds; ``not_collected`` are files whose tests could not even be found.

    ``passed`` names the tests that came to a good end, in the way the findings name theirs as the rule.
    """

    counts: TestCounts
    failures: tuple[Finding, ...]
    not_collected: tuple[Finding, ...]
    passed: frozenset[str] = frozenset()


def read_junit(path: Path, project: Project) -> JUnit | None:
    """Return the content of a JUnit file; None when there is none or it is broken."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  # nosec B314
        suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
        counts = TestCounts(
            total=sum(int(suite.get("tests", "0")) for suite in suites),
            failed=sum(int(suite.get("failures", "0")) for suite in suites),
            errors=sum(int(suite.get("errors", "0")) for suite in suites),
            skipped=sum(int(suite.get("skipped", "0")) for suite in suites),
            seconds=sum(float(suite.get("time", "0")) for suite in suites),
            slowest=_slowest(suites),
        )
    except (OSError, ValueError, ElementTree.ParseError):
        return None
    failures: list[Finding] = []
    not_collected: list[Finding] = []
    passed = set()
    for suite in suites:
        for case in suite.iter("testcase"):
            if not any(case.find(kind) is not None for kind in ("failure", "error", "skipped")):
                passed.add(_name(case))
            for finding, collected in _findings(case, project):
                (failures if collected else not_collected).append(finding)
    return JUnit(counts=counts, failures=tuple(failures), not_collected=tuple(not_collected),
                 passed=frozenset(passed))  # fmt: skip


def _slowest(suites: list[ElementTree.Element]) -> tuple[tuple[str, float], ...]:
    times = [(_name(case), float(case.get("time") or 0)) for suite in suites for case in suite.iter("testcase")]
    return tuple(sorted(times, key=lambda row: -row[1])[:_SLOWEST])


def failing_place(text: str, project: Project) -> tuple[str, int]:
    """Return file (in the repository) and line where the project's own code failed: the last one of the traceback."""
    for pattern in _PLACES:
        for match in reversed(list(pattern.finditer(text))):
            name = project.in_repository(match["file"])
            if name and (project.root / name).is_file() and "site-packages" not in name:
                return name, int(match["line"])
    return "", 0


def _findings(case: ElementTree.Element, project: Project) -> Iterator[tuple[Finding, bool]]:
    for kind in ("failure", "error"):
        for element in case.findall(kind):
            collected = element.get("message") != "collection failure"
            text = element.text or ""
            file, line = failing_place(text, project)
            if not file:
                file, line = _place_of_case(case, project)
            message = _last_error(text) if not collected else element.get("message") or text
            finding = Finding(
                check="pytest",
                rule=_name(case),
                severity=Severity.HIGH,
                message=clip(message.strip(), _MESSAGE_LENGTH),
                file=file,
                line=line,
            )
            yield finding, collected


def _place_of_case(case: ElementTree.Element, project: Project) -> tuple[str, int]:
    """File and line of the test function; the line in the file counts from 0."""
    name = case.get("file") or case.get("name", "").replace(".", "/") + ".py"
    file = project.in_repository(name)
    if not file or not (project.root / file).is_file():
        return "", 0
    line = case.get("line", "")
    return file, int(line) + 1 if line.isdigit() else 0


def _name(case: ElementTree.Element) -> str:
    group, name = case.get("classname", ""), case.get("name", "")
    return f"{group}::{name}" if group else name


def _last_error(text: str) -> str:
    """The lines that pytest marks with E say what went wrong; the last of them names the error."""
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return marked[-1] if marked else text.strip().splitlines()[-1] if text.strip() else "could not be collected"
