"""What a scenario came to: stages with status, time and evidence; the same facts as JSON and as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cicd_actions.sandbox.scenarios import Scenario, Status


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: ``offset`` and ``seconds`` are seconds since the push and its duration (0 when it never ran)."""

    name: str
    status: Status
    reason: str = ""
    offset: float = 0.0
    seconds: float = 0.0
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkflowRun:
    """One workflow run: its log is what the runner printed, its summaries are Markdown."""

    name: str
    event: str
    conclusion: str
    offset: float
    seconds: float
    log: Sequence[str]
    summaries: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a scenario; ``problems`` says what did not end as the scenario should (empty: it passed)."""

    scenario: Scenario
    application: str
    stages: Sequence[Stage]
    runs: Sequence[WorkflowRun]
    image: Mapping[str, Any] | None
    merge: Mapping[str, Any] | None
    gitops: Mapping[str, Any] | None
    notices: Sequence[str]
    notes: Sequence[str]
    problems: Sequence[str]
    seconds: float
    page: str = ""

    @property
    def verdict(self) -> str:
        """``passed`` when the scenario ended as it should, else ``failed``."""
        return "failed" if self.problems else "passed"

    def with_page(self, page: str) -> Outcome:
        """Return the same outcome with the path of its page."""
        return replace(self, page=page)

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints (docs/sandbox.md)."""
        return {
            "scenario": self.scenario.name,
            "verdict": self.verdict,
            "problems": list(self.problems),
            "application": self.application,
            "stages": [
                {
                    "name": stage.name,
                    "status": stage.status,
                    "reason": stage.reason,
                    "seconds": round(stage.seconds, 2),
                    "evidence": dict(stage.evidence),
                }
                for stage in self.stages
            ],
            "image": self.image,
            "merge": self.merge,
            "gitops": self.gitops,
            "deploy": None,
            "notices": list(self.notices),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 2),
            "page": self.page,
        }


def compare(scenario: Scenario, stages: Sequence[Stage]) -> list[str]:
    """Return in what the stages differ from what the scenario expects; a skipped stage is never a difference.

    Stages that are only held back by an earlier one are told together with it, in one sentence.
    """
    problems: list[str] = []
    held_back: list[str] = []
    for stage in stages:
        expected = scenario.expected_status(stage.name)
        if stage.status in (expected, "skipped"):
            continue
        if problems and stage.status == "blocked":
            held_back.append(stage.name)
            continue
        why = f": {stage.reason}" if stage.reason else ""
        problems.append(f"{stage.name} is {stage.status}, the scenario expects {expected}{why}")
    if held_back:
        problems.append(f"held back by it: {', '.join(held_back)}")
    return problems


def table(outcome: Outcome) -> str:
    """Return the stages as a table for a terminal."""
    rows = [("stage", "status", "seconds", "evidence")]
    for stage in outcome.stages:
        seconds = f"{stage.seconds:.1f}" if stage.seconds else "-"
        rows.append((stage.name, stage.status, seconds, stage.reason or headline(stage)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows]
    lines.insert(1, "-" * (sum(widths) + 6 + 40))
    return "\n".join(lines)


def headline(stage: Stage) -> str:
    """Return the evidence of a stage in one line for people; digests and commits are shortened."""
    told = _HEADLINES[stage.name](stage.evidence) if stage.name in _HEADLINES and stage.evidence else ()
    return ", ".join(part for part in told if part)


def _quality(evidence: Mapping[str, Any]) -> Sequence[str]:
    tests = evidence.get("tests") or {}
    ran = f"{tests.get('passed', 0)} of {tests['total']} tests passed" if tests.get("total") else ""
    covered = f"{evidence['coverage']} % covered" if evidence.get("coverage") else ""
    return ran, covered, f"{evidence.get('findings', '0')} blocking findings", _short("commit", evidence, "tested-sha")


def _merge(evidence: Mapping[str, Any]) -> Sequence[str]:
    how = {"fast-forward": "main moved forward", "merge": "merge commit on main"}
    method = str(evidence.get("method-used", ""))
    return how.get(method, method), _short("at", evidence, "merge-sha"), "next workflow started"


def _built(evidence: Mapping[str, Any]) -> Sequence[str]:
    return ", ".join(evidence.get("platforms") or ()), _short("", evidence, "digest")


def _scanned(evidence: Mapping[str, Any]) -> Sequence[str]:
    counts = evidence.get("counts") or {}
    found = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number)
    return f"{evidence.get('blocking', '0')} findings block", f"found {found}" if found else "nothing found"


def _published(evidence: Mapping[str, Any]) -> Sequence[str]:
    return str(evidence.get("reference", "")), "tags " + " ".join(evidence.get("tags") or ())


def _updated(evidence: Mapping[str, Any]) -> Sequence[str]:
    return ", ".join(evidence.get("files") or ()), _short("commit", evidence, "commit-sha")


_HEADLINES: Mapping[str, Callable[[Mapping[str, Any]], Sequence[str]]] = {
    "quality": _quality,
    "merge": _merge,
    "build": _built,
    "scan": _scanned,
    "publish": _published,
    "gitops": _updated,
}


def _short(word: str, evidence: Mapping[str, Any], key: str) -> str:
    value = str(evidence.get(key, ""))
    kind, colon, digits = value.rpartition(":")
    return f"{word} {kind}{colon}{digits[:12]}".strip() if value else ""
