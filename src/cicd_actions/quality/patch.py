"""Patch coverage: how much of what the change added or altered the tests execute. Pure."""

from __future__ import annotations

from fractions import Fraction

from cicd_actions.quality.bench import count, words_of
from cicd_actions.quality.change import Change
from cicd_actions.quality.model import CheckResult, Coverage, FileCoverage, Finding, Severity, State, format_percent
from cicd_actions.quality.project import is_test

CHECK = "patch-coverage"
_REMEDY = "Write tests that execute these lines."


def patch_coverage(coverage: Coverage, change: Change) -> Coverage:
    """Return the coverage of the change alone: lines only, those that coverage.py takes for statements."""
    files = []
    for file in coverage.files:
        added = change.added.get(file.file, frozenset())
        executed, missing = file.executed & added, file.missing & added
        if executed or missing:
            total = len(executed) + len(missing)
            files.append(FileCoverage(file=file.file, covered=len(executed), total=total, missing=missing))
    return Coverage(
        covered=sum(file.covered for file in files), total=sum(file.total for file in files), files=tuple(files)
    )


def judge_patch(coverage: Coverage | None, change: Change, floor: Fraction) -> tuple[CheckResult, Coverage | None]:
    """Return the result of the check ``patch-coverage``, and the numbers where there are some."""
    if coverage is None:
        return CheckResult(check=CHECK, state=State.NOT_RUN, detail="no coverage was measured",
                           remedy="Does the project's coverage configuration name the right source?"), None  # fmt: skip
    patch = patch_coverage(coverage, change)
    since = f"since {change.name} ({change.base[:12]})"
    notes = _not_measured(coverage, change)
    if not patch.total:
        detail = f"no statement that is measured changed {since}; {count(len(change.files), 'file')} did"
        return CheckResult(check=CHECK, state=State.PASSED, detail=detail, notes=notes), None
    shown = f"{patch} % of {count(patch.total, 'changed statement')} covered {since}"
    if patch.percent >= floor:
        return CheckResult(check=CHECK, state=State.PASSED, detail=shown, notes=notes), patch
    findings = tuple(
        Finding(check=CHECK, rule="not-covered", severity=Severity.MEDIUM, file=file.file, line=min(file.missing),
                message=f"no test executes the changed {_lines(sorted(file.missing))}")
        for file in patch.files
        if file.missing
    )  # fmt: skip
    detail = f"{shown}, below the floor of {format_percent(floor).rstrip('0').rstrip('.')} %"
    return CheckResult(check=CHECK, state=State.FINDINGS, detail=detail, remedy=_REMEDY, findings=findings,
                       notes=notes), patch  # fmt: skip


def _not_measured(coverage: Coverage, change: Change) -> tuple[str, ...]:
    """Changed source files that the report does not know: the floor says nothing about them."""
    measured = {file.file for file in coverage.files}
    unknown = sorted(
        name for name in change.added if name.endswith(".py") and name not in measured and not is_test(name)
    )
    if not unknown:
        return ()
    return (f"patch coverage: the coverage configuration leaves out {words_of(unknown)}",)


def _lines(numbers: list[int]) -> str:
    """``line 3`` or ``lines 3, 5-8``."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return ("line " if len(numbers) == 1 else "lines ") + words_of(words, limit=20)
