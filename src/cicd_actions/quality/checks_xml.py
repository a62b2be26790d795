"""All checks as one JUnit file, for whatever shows JUnit: a suite for each check, a case for each finding. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

# only for writing: nothing foreign is parsed here
from xml.etree import ElementTree  # nosec B405

from cicd_actions.quality.model import CheckResult, Finding, State

# what XML 1.0 cannot hold at all, not even escaped
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(checks: Sequence[CheckResult]) -> str:
    """Return the JUnit text (family xunit1: cases name file and line)."""
    top = ElementTree.Element("testsuites", name="quality-gate")
    for check in checks:
        _suite(top, check)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"


def _suite(top: ElementTree.Element, check: CheckResult) -> None:
    blocking = [finding for finding in check.findings if finding.blocking]
    could_look = check.state in (State.PASSED, State.FINDINGS)
    counts = {"failures": len(blocking), "errors": int(not could_look), "skipped": len(check.findings) - len(blocking)}
    whole = not check.findings or not could_look
    suite = ElementTree.SubElement(
        top, "testsuite", name=check.check, tests=str(len(check.findings) + whole), time=f"{check.seconds:.3f}",
        )  # fmt: skip
    for key, value in counts.items():
        suite.set(key, str(value))
    if whole:
        case = ElementTree.SubElement(suite, "testcase", classname=check.check, name=check.check)
        if not could_look:
            error = ElementTree.SubElement(case, "error", message=_clean(check.state.value), type=check.state.value)
            error.text = _clean(f"{check.detail}\n{check.remedy}")
    for finding in check.findings:
        _case(suite, finding)


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    name = " ".join(word for word in (finding.rule, place) if word)
    case = ElementTree.SubElement(suite, "testcase", classname=finding.check, name=_clean(name))
    if finding.file:
        case.set("file", _clean(finding.file))
        case.set("line", str(finding.line))
    if finding.blocking:
        failure = ElementTree.SubElement(case, "failure", message=_clean(finding.message), type=_clean(finding.rule))
        failure.text = _clean(f"{place}: {finding.message}" if place else finding.message)
    else:
        ElementTree.SubElement(case, "skipped", message=_clean(finding.known or f"reported only: {finding.message}"))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
