"""black: is the code formatted? Its names come from stderr, the first changed line from the diff on stdout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cicd_actions.process import Completed
from cicd_actions.quality.bench import Bench, count, tool_error
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import Project

_WOULD = re.compile(r"^would reformat (.+)$", re.MULTILINE)
_CANNOT = re.compile(r"^error: cannot format (.+?): (.+)$", re.MULTILINE)
_PARSE = re.compile(r"^error: cannot parse: (.+):(\d+):\d+$", re.MULTILINE)  # since 26
_UNCHANGED = re.compile(r"(\d+) files? would be left unchanged")
_HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
_REMEDY = "Run black on these files and commit the result."


def check_black(bench: Bench) -> CheckResult:
    """Run black over the paths; nothing is changed."""
    if not bench.lint_paths():
        return bench.unchanged("black")
    options = ("--check", "--diff", "--no-color", *_excludes(bench.project))
    result = judge_black(bench.run_tool("black", *options, "--", *bench.lint_paths()), bench.project)
    if result.state is State.NOT_RUN and bench.only is not None:
        return bench.unchanged("black", why="the project's settings leave out every changed file")
    return result


def judge_black(completed: Completed, project: Project) -> CheckResult:
    """Return what black's output says."""
    lines = _first_lines(completed.stdout)
    reformat = [_finding(project, name, lines.get(name, 0)) for name in _WOULD.findall(completed.stderr)]
    unreadable = [_unreadable(project, *place) for place in _unreadable_files(completed.stderr)]
    left = sum(int(number) for number in _UNCHANGED.findall(completed.stderr))
    if completed.timed_out or completed.returncode not in (0, 1, 123):
        return tool_error("black", completed, f"ended with exit code {completed.returncode}")
    if "required version" in completed.stderr:
        return tool_error("black", completed, "is not the version that the project requires", _VERSION)
    if unreadable:
        state, detail = State.TOOL_ERROR, f"{count(len(unreadable), 'file')} could not be parsed"
    elif reformat:
        state, detail = State.FINDINGS, f"{count(len(reformat), 'file')} would be reformatted"
    elif completed.returncode == 0 and left:
        state, detail = State.PASSED, f"{count(left, 'file')} well formatted"
    elif completed.returncode == 0:
        state, detail = State.NOT_RUN, "black found no file: the project's own exclude settings leave none"
    else:
        return tool_error("black", completed, f"ended with exit code {completed.returncode}")
    remedy = {State.FINDINGS: _REMEDY, State.TOOL_ERROR: "Mend the syntax of these files."}.get(state, "")
    return CheckResult(check="black", state=state, detail=detail, remedy=remedy,
                       findings=(*unreadable, *reformat), seconds=completed.seconds)  # fmt: skip


_VERSION = "Remove required-version from [tool.black], or set it to this version."


def _excludes(project: Project) -> tuple[str, ...]:
    """Files named one by one escape the project's excludes, unless these are forced."""
    table: Mapping[str, Any] = project.config.pyproject.get("tool", {}).get("black", {})
    patterns = [table.get(key) for key in ("exclude", "extend-exclude")]
    given = [f"(?x:{p})" if "\n" in p else f"(?:{p})" for p in patterns if isinstance(p, str) and p.strip()]
    return ("--force-exclude", "|".join(given)) if given and "force-exclude" not in table else ()


def _finding(project: Project, name: str, line: int) -> Finding:
    return Finding(check="black", rule="format", severity=Severity.LOW, message="black would reformat this file",
                   file=project.in_repository(name), line=line)  # fmt: skip


def _first_lines(diff: str) -> dict[str, int]:
    """Return for each file of a unified diff the first line that would change."""
    lines: dict[str, int] = {}
    name, row = "", 0
    for text in diff.splitlines():
        if text.startswith("--- ") and "\t" in text:
            name, row = text[4:].split("\t")[0], 0
        elif hunk := _HUNK.match(text):
            row = int(hunk[1])
        elif text.startswith(("-", "+")) and row and not text.startswith("+++ "):
            lines.setdefault(name, max(row, 1))
        elif text.startswith(" ") and name not in lines:
            row += 1
    return lines


def _unreadable_files(stderr: str) -> list[tuple[str, int, str]]:
    """Return file, line and reason for each file that black could not read."""
    found = [(name, int(line), "black could not parse this file") for name, line in _PARSE.findall(stderr)]
    for name, reason in _CANNOT.findall(stderr):
        place = re.search(r": (\d+):\d+", reason)
        found.append((name, int(place[1]) if place else 0, reason))
    return found


def _unreadable(project: Project, name: str, line: int, reason: str) -> Finding:
    return Finding(check="black", rule="cannot-format", severity=Severity.HIGH, message=reason,
                   file=project.in_repository(name), line=line)  # fmt: skip
