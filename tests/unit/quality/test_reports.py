"""The tools' reports, read: what each of them says, and what it means when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cicd_actions.process import Completed
from cicd_actions.quality.checks.bandit import judge_bandit
from cicd_actions.quality.checks.black import judge_black
from cicd_actions.quality.checks.flake8 import judge_flake8
from cicd_actions.quality.checks.pip_audit import judge_audit
from cicd_actions.quality.checks.pytest import judge_pytest
from cicd_actions.quality.checks.safety import judge_safety
from cicd_actions.quality.config import read_config
from cicd_actions.quality.junit import JUnit, failing_place, read_junit
from cicd_actions.quality.model import State, TestCounts
from cicd_actions.quality.project import Project


def done(code: int = 0, *, out: str = "", err: str = "", timed_out: bool = False) -> Completed:
    return Completed(argv=("tool",), returncode=code, stdout=out, stderr=err, seconds=1.0, timed_out=timed_out)


@pytest.fixture
def app(tmp_path: Path) -> Project:
    return Project(
        root=tmp_path, directory=tmp_path, python_files=(), files=frozenset(), config=read_config(tmp_path, tmp_path)
    )


_DIFF = "--- a.py\t2024-01-01\n+++ a.py\t2024-01-01\n@@ -3,4 +3,4 @@\n same\n same\n-old\n+new\n"


@pytest.mark.parametrize(
    ("completed", "state", "places"),
    [
        (done(err="All done!\n2 files would be left unchanged.\n"), State.PASSED, []),
        (done(1, out=_DIFF, err="would reformat a.py\n"), State.FINDINGS, [("a.py", 5)]),
        (done(123, err="error: cannot format a.py: Cannot parse: 7:3: x\n"), State.TOOL_ERROR, [("a.py", 7)]),
        (done(123, err="error: cannot parse: a.py:7:3\n"), State.TOOL_ERROR, [("a.py", 7)]),
        (done(err="No Python files are present to be formatted. Nothing to do\n"), State.NOT_RUN, []),
        (done(1, err="Oh no!\nThe required version `1` does not match the running version\n"), State.TOOL_ERROR, []),
        (done(2, err="Usage: black"), State.TOOL_ERROR, []),
        (done(123), State.TOOL_ERROR, []),
        (done(-9), State.TOOL_ERROR, []),
        (done(-15, timed_out=True), State.TOOL_ERROR, []),
    ],
)
def test_black(app: Project, completed: Completed, state: State, places: list[tuple[str, int]]) -> None:
    result = judge_black(completed, app)
    assert result.state is state
    assert [(f.file, f.line) for f in result.findings] == places


@pytest.mark.parametrize(
    ("code", "text", "state"),
    [
        (0, "", State.PASSED),
        (0, "./a.py\t3\tF401\t'os' imported but unused\n", State.FINDINGS),
        (0, "./a.py\t3\tE999\tSyntaxError\n./a.py\t1\tW291\tblank\n", State.TOOL_ERROR),
        (0, "./a.py\t0\tE902\tFileNotFoundError\n", State.TOOL_ERROR),
        (1, "", State.TOOL_ERROR),
    ],
)
def test_flake8(app: Project, tmp_path: Path, code: int, text: str, state: State) -> None:
    out = tmp_path / "flake8.txt"
    out.write_text(text)
    assert judge_flake8(done(code), out, app).state is state


def test_flake8_crash(app: Project, tmp_path: Path) -> None:
    assert judge_flake8(done(1, err="Traceback"), tmp_path / "none", app).state is State.TOOL_ERROR


def bandit_report(**more: object) -> str:
    return json.dumps({"errors": [], "results": [], "metrics": {"_totals": {}, "a.py": {}}, **more})


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (bandit_report(), State.PASSED),
        (bandit_report(errors=[{"filename": "a.py", "reason": "syntax error"}]), State.TOOL_ERROR),
        (bandit_report(metrics={"_totals": {}}), State.NOT_RUN),
        ("", State.TOOL_ERROR),
        ("[]", State.TOOL_ERROR),
        ("{}", State.TOOL_ERROR),
    ],
)
def test_bandit_without_findings(app: Project, tmp_path: Path, text: str, state: State) -> None:
    out = tmp_path / "bandit.json"
    out.write_text(text)
    assert judge_bandit(done(), out, app, 1).state is state


def test_bandit_says_when_it_left_files_out(app: Project, tmp_path: Path) -> None:
    out = tmp_path / "bandit.json"
    out.write_text(bandit_report())
    assert any("1 of 3 files" in note for note in judge_bandit(done(), out, app, 3).notes)


_CLEAN = {"name": "a", "version": "1", "vulns": []}
_SKIPPED = {"name": "b", "skip_reason": "not found"}
_BAD = {"name": "c", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": [], "aliases": [], "description": "d"}]}


@pytest.mark.parametrize(
    ("dependencies", "state"),
    [
        ([_CLEAN, _SKIPPED], State.PASSED),
        ([_CLEAN, _BAD], State.FINDINGS),
        ([_SKIPPED], State.UNAVAILABLE),
        ([], State.PASSED),
    ],
)
def test_pip_audit(app: Project, tmp_path: Path, dependencies: list[object], state: State) -> None:
    out = tmp_path / "audit.json"
    out.write_text(json.dumps({"dependencies": dependencies, "fixes": []}))
    assert judge_audit(done(1), out, app, ()).state is state


@pytest.mark.parametrize(
    ("completed", "state"),
    [
        (done(1, err="requests.exceptions.ReadTimeout: read timed out"), State.UNAVAILABLE),
        (done(1, err="ERROR: Could not connect to PyPI's vulnerability feed"), State.UNAVAILABLE),
        (done(-15, timed_out=True), State.UNAVAILABLE),
        (done(1, err="TypeError: a bug"), State.TOOL_ERROR),
        (done(0), State.TOOL_ERROR),
    ],
)
def test_pip_audit_without_a_report(app: Project, tmp_path: Path, completed: Completed, state: State) -> None:
    assert judge_audit(completed, tmp_path / "none", app, ()).state is state


def test_safety(tmp_path: Path) -> None:
    out = tmp_path / "safety.json"
    out.write_text(json.dumps({"vulnerabilities": []}))
    assert judge_safety(done(0), out, "x").state is State.PASSED
    assert judge_safety(done(69), out, "x").state is State.TOOL_ERROR
    known = {"vulnerability_id": "64227", "package_name": "jinja2", "analyzed_version": "3.1.2", "advisory": "bad"}
    out.write_text(json.dumps({"vulnerabilities": [known]}))
    result = judge_safety(done(64), out, "x")
    assert (result.state, result.findings[0].message) == (State.FINDINGS, "jinja2 3.1.2: bad")
    out.unlink()
    assert judge_safety(done(65), out, "x").state is State.UNAVAILABLE
    assert judge_safety(done(1, err="Traceback"), out, "x").state is State.TOOL_ERROR


def junit(total: int, *, failed: int = 0, skipped: int = 0) -> JUnit:
    counts = TestCounts(total=total, failed=failed, errors=0, skipped=skipped, seconds=0)
    return JUnit(counts=counts, failures=(), not_collected=())


@pytest.mark.parametrize(
    ("completed", "report", "state", "said"),
    [
        (done(0), junit(2), State.PASSED, "2 tests passed"),
        (done(0), junit(2, skipped=1), State.PASSED, "1 test passed, 1 skipped"),
        (done(0), junit(0), State.NOT_RUN, "collected no tests"),
        (done(5), junit(0), State.NOT_RUN, "collected no tests"),
        (done(0), junit(2, skipped=2), State.NOT_RUN, "all 2 tests were skipped"),
        (done(1), junit(2), State.FINDINGS, "exit code 1 without a failed test"),
        (done(2), junit(2), State.TOOL_ERROR, "interrupted"),
        (done(3), junit(2), State.TOOL_ERROR, "internal error"),
        (done(4), junit(0), State.TOOL_ERROR, "could not start"),
        (done(0), None, State.TOOL_ERROR, "left no report"),
        (done(-11), None, State.TOOL_ERROR, "SIGSEGV"),
        (done(-15, timed_out=True), junit(2), State.TOOL_ERROR, "was ended"),
    ],
)
def test_pytest(completed: Completed, report: JUnit | None, state: State, said: str) -> None:
    result = judge_pytest(completed, report)
    assert result.state is state
    assert said in result.detail


@pytest.mark.parametrize("text", ["", "<broken", "<testsuite tests='x'/>"])
def test_a_broken_junit_file_is_none(app: Project, tmp_path: Path, text: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(text)
    assert read_junit(path, app) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("x\n\ntests/a.py:3: \n    def f\n\ntests/a.py:9: AssertionError", ("tests/a.py", 9)),
        ("tests/a.py:3: in test\n/usr/lib/python3/json.py:5: in loads", ("tests/a.py", 3)),
        ('  File "tests/a.py", line 4, in f\nAssertionError', ("tests/a.py", 4)),
        ("nothing", ("", 0)),
        ("tests/gone.py:3: AssertionError", ("", 0)),
    ],
)
def test_the_failing_line_is_the_last_one_of_the_project(
    app: Project, tmp_path: Path, text: str, place: tuple[str, int]
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.py").touch()
    assert failing_place(text, app) == place
