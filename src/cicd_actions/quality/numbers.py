"""What the tests covered, judged: the floor, the ratchet, and the floor for the change alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cicd_actions.quality.change import Change
from cicd_actions.quality.coverage import judge_coverage, read_coverage
from cicd_actions.quality.model import CheckResult, Coverage
from cicd_actions.quality.patch import judge_patch
from cicd_actions.quality.project import Project
from cicd_actions.quality.ratchet import Recorded
from cicd_actions.quality.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Judged:
    """All results, those about coverage last, and the numbers behind them."""

    results: tuple[CheckResult, ...]
    coverage: Coverage | None
    patch: Coverage | None


def judge_numbers(
    settings: Settings,
    project: Project,
    change: Change | None,
    results: tuple[CheckResult, ...],
    path: Path,
    recorded: Recorded,
) -> Judged:
    """Return the results with those of coverage, where something is demanded of it; else the project's floor counts.

    ``path`` is coverage.py's JSON report, which need not be there; ``recorded`` is what the ratchet compares with.
    """
    if "pytest" not in settings.checks:
        return Judged(results=results, coverage=None, patch=None)
    coverage, patch = read_coverage(path, project), None
    floor = project.config.fail_under if settings.coverage_floor is None else settings.coverage_floor
    judged = recorded.problem or judge_coverage(
        coverage, floor=floor, baseline=recorded.percent, ratchet=settings.coverage_ratchet
    )
    if judged and recorded.note:
        judged = replace(judged, notes=(*judged.notes, recorded.note))
    results = (*results, judged) if judged else results
    if settings.patch_floor is not None and change is not None:
        result, patch = judge_patch(coverage, change, settings.patch_floor)
        results = (*results, result)
    return Judged(results=results, coverage=coverage, patch=patch)
