"""SARIF and JUnit files: their structure, GitHub's limits, hostile text."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from cicd_actions.quality.change import read_diff
from cicd_actions.quality.checks_xml import as_junit
from cicd_actions.quality.fingerprint import add_fingerprints, fingerprint
from cicd_actions.quality.known import Known, accept
from cicd_actions.quality.model import CheckResult, Coverage, FileCoverage, Finding, Severity, State
from cicd_actions.quality.patch import patch_coverage
from cicd_actions.quality.sarif import MAX_BYTES, MAX_RESULTS, MAX_RUNS, as_sarif

TODAY = datetime.date(2026, 6, 1)
# what GitHub's page on SARIF demands of a file, written as a schema of our own
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "properties": {
        "artifactLocation": {
            "type": "object", "required": ["uri"],
            "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~%/-]+$"}},
        },
        "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}},
    },
}  # fmt: skip
RESULT = {
    "type": "object",
    "required": ["ruleId", "level", "message", "locations", "partialFingerprints"],
    "properties": {
        "level": {"enum": ["error", "warning", "note"]},
        "message": TEXT,
        "locations": {
            "type": "array", "minItems": 1,
            "items": {"type": "object", "required": ["physicalLocation"], "properties": {"physicalLocation": PLACE}},
        },
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array", "maxItems": MAX_RUNS,
            "items": {
                "type": "object", "required": ["tool", "results", "invocations"],
                "properties": {
                    "tool": {
                        "type": "object", "required": ["driver"],
                        "properties": {"driver": {"type": "object", "required": ["name", "rules"]}},
                    },
                    "results": {"type": "array", "maxItems": MAX_RESULTS, "items": RESULT},
                },
            },
        },
    },
}  # fmt: skip


def finding(**more: Any) -> Finding:
    return Finding(**{"check": "flake8", "rule": "F401", "message": "odd", "file": "a.py", "line": 1, **more})


def check(*findings: Finding, state: State = State.FINDINGS, name: str = "flake8") -> CheckResult:
    return CheckResult(check=name, state=state, detail="so", findings=findings)


def load(text: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(text)
    jsonschema.validate(data, SCHEMA)
    return data


def test_places_levels_and_runs() -> None:
    data = load(
        as_sarif(
            (
                check(
                    finding(severity=Severity.HIGH, file="a b/ü#.py"), finding(blocking=False, line=0),
                    finding(file="", message=""), finding(known="ada: later", blocking=False),
                ),
                check(state=State.TOOL_ERROR, name="bandit"),
                check(finding(check="pytest"), name="pytest"),
            ),
            {"flake8": "7.1"},
            "pyproject.toml",
        )
    )  # fmt: skip

    flake8, bandit = data["runs"]
    assert (flake8["tool"]["driver"]["name"], flake8["tool"]["driver"]["version"]) == ("flake8", "7.1")
    assert [rule["id"] for rule in flake8["tool"]["driver"]["rules"]] == ["F401"]
    assert [result["level"] for result in flake8["results"]] == ["error", "warning", "note", "warning"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in flake8["results"]]
    assert uris == ["a%20b/%C3%BC%23.py", "pyproject.toml", "a.py", "a.py"]
    assert flake8["results"][3]["suppressions"][0]["justification"] == "ada: later"
    assert bandit["invocations"][0]["executionSuccessful"] is False
    assert "tool-error" in bandit["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


@pytest.mark.parametrize(("number", "length"), [(MAX_RESULTS + 5, 1), (24_000, 500)])
def test_what_does_not_fit_is_counted_and_the_worst_stays(number: int, length: int) -> None:
    findings = [finding(message="é" * length, line=line) for line in range(1, number + 1)]
    findings.append(finding(rule="worst", severity=Severity.HIGH, line=99))
    text = as_sarif((check(*findings), check(finding(check="bandit"), name="bandit")), {}, "a.py")

    assert len(text.encode()) <= MAX_BYTES
    run = load(text)["runs"][0]
    assert run["results"][0]["ruleId"] == "worst"
    left_out = number + 1 - len(run["results"])
    assert left_out > 0
    assert (
        f"{left_out} findings did not fit" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )


def test_junit_holds_any_text() -> None:
    hostile = "<b>&]]>\x00\x1b[31m\ud800\ufffe\n"
    text = as_junit(
        (
            check(finding(message=hostile, rule=hostile, file="a.py")),
            check(finding(blocking=False)),
            CheckResult(check="x", state=State.UNAVAILABLE, detail=hostile),
            check(state=State.PASSED, name="clean"),
        )
    )

    suites = list(ElementTree.fromstring(text))  # noqa: S314
    assert [(s.get("tests"), s.get("failures"), s.get("errors"), s.get("skipped")) for s in suites] == [
        ("1", "1", "0", "0"), ("1", "0", "0", "1"), ("1", "0", "1", "0"), ("1", "0", "0", "0"),
    ]  # fmt: skip


# --- fingerprints and known findings


def test_a_fingerprint_follows_the_code_and_not_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n  x   =  1\ny = 2\n")
    (result,) = add_fingerprints([check(*(finding(line=line) for line in (1, 2, 3, 99)))], tmp_path)
    one, moved, other, beyond = (f.fingerprint for f in result.findings)

    assert one == moved != other
    assert beyond == fingerprint(finding(), "")
    assert (
        len({fingerprint(finding(), "x"), fingerprint(finding(rule="E1"), "x"), fingerprint(finding(file="b"), "x")})
        == 3
    )


def test_a_file_outside_the_checkout_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n")
    root = tmp_path / "root"
    root.mkdir()
    (result,) = add_fingerprints([check(finding(file="../secret"))], root)
    assert result.findings[0].fingerprint == fingerprint(finding(file="../secret"), "")


def test_a_package_is_known_whatever_its_version(tmp_path: Path) -> None:
    old, new = (finding(check="pip-audit", file="", message=f"jinja2 {v}: odd") for v in ("3.1", "3.2"))
    (result,) = add_fingerprints([check(old, new, name="pip-audit")], tmp_path)
    assert result.findings[0].fingerprint == result.findings[1].fingerprint


def known(**more: Any) -> Known:
    fields = {"check": "flake8", "rule": "F401", "file": "a.py", "fingerprint": "f", "count": 1, "owner": "ada",
              "reason": "old", "expires": TODAY}  # fmt: skip
    return Known(**{**fields, **more})


def test_an_entry_counts_on_its_last_day_and_not_after() -> None:
    checks = (check(finding(fingerprint="f")),)
    on_the_day, about = accept(checks, [known()], TODAY)
    assert (on_the_day.state, about.state) == (State.PASSED, State.PASSED)
    after, about = accept(checks, [known()], TODAY + datetime.timedelta(days=1))
    assert (after.state, about.state) == (State.FINDINGS, State.FINDINGS)
    assert "old" in about.findings[0].message


def test_a_check_that_could_not_look_stays_so_and_says_nothing_about_the_list() -> None:
    broken, about = accept((check(finding(fingerprint="f"), state=State.TOOL_ERROR),), [known(count=3)], TODAY)
    assert broken.state is State.TOOL_ERROR
    assert broken.blocking == 1
    assert about.notes == ()
    _, about = accept((check(state=State.PASSED),), [known()], TODAY, complete=False)
    assert about.notes == ()


# --- the change


def test_a_diff_is_counted_so_that_text_cannot_pass_for_a_header() -> None:
    diff = (
        "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,0 +2,2 @@\n+++ b/fake.py\n+@@ -0,0 +1 @@\n"
        "@@ -7 +9 @@\n-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file\n"
        "--- a/gone.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"
        '--- /dev/null\n+++ "b/odd\\t\\"n\\303\\244me.py"\n@@ -0,0 +1 @@\n+x\n'
    )
    assert read_diff(diff) == {
        "a.py": frozenset({2, 3, 9}),
        'odd\t"n\u00c3\u00a4me.py': frozenset({1}),
    }


def test_patch_coverage_takes_measured_lines_only() -> None:
    file = FileCoverage(file="a.py", covered=3, total=5, executed=frozenset({1, 2, 9}), missing=frozenset({3, 4}))
    other = FileCoverage(file="b.py", covered=1, total=1, executed=frozenset({1}))
    from cicd_actions.quality.change import Change

    change = Change(base="0" * 40, name="main", files=frozenset({"a.py"}), added={"a.py": frozenset({2, 3, 7})})
    patch = patch_coverage(Coverage(covered=4, total=6, files=(file, other)), change)
    assert (patch.covered, patch.total, str(patch)) == (1, 2, "50.00")
    assert [f.file for f in patch.files] == ["a.py"]
