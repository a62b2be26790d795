"""What to do, from facts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cicd_actions.github.compare import Status


class Step(StrEnum):
    """The next thing to do; every other value of a decision is a reason not to."""

    FAST_FORWARD = "fast-forward"
    MERGE = "merge"
    PULL_REQUEST = "pull-request"
    NOTHING = "nothing"
    REFUSE = "refuse"


class Reason(StrEnum):
    """The output ``reason``."""

    FAST_FORWARDED = "fast-forwarded"
    MERGED = "merged"
    ALREADY_MERGED = "already-merged"
    DRY_RUN = "dry-run"
    NOT_TESTED = "not-the-tested-commit"
    NOT_IN_SOURCE = "not-in-source"
    DIVERGED = "diverged"
    CONFLICT = "conflict"
    PROTECTED = "protected"
    PULL_BLOCKED = "pull-request-blocked"
    MOVING = "target-keeps-moving"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known before anything is written.

    ``tested_sha``: None when nobody said what was tested, empty when it is known that no commit was (the gate looked at
    a tree that differs from its commit). ``in_source``: the source branch's history holds the commit. ``status``: the
    commit as seen from the target.
    """

    source_sha: str
    tested_sha: str | None
    in_source: bool
    status: Status


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A step; ``reason`` for NOTHING and REFUSE."""

    step: Step
    reason: Reason | None = None


def decide(method: str, facts: Facts) -> Decision:
    """Return what to do.

    The commit lands when it is the tested one, its branch still stands behind it, and the target lacks it. A source
    branch that moved on keeps standing behind it; one that was rewritten does not.
    """
    if facts.tested_sha is not None and facts.tested_sha != facts.source_sha:
        return Decision(step=Step.REFUSE, reason=Reason.NOT_TESTED)
    if facts.status in ("identical", "behind"):
        return Decision(step=Step.NOTHING, reason=Reason.ALREADY_MERGED)
    if not facts.in_source:
        return Decision(step=Step.REFUSE, reason=Reason.NOT_IN_SOURCE)
    if method == "pull-request":
        return Decision(step=Step.PULL_REQUEST)
    if facts.status == "ahead" and method != "merge":
        return Decision(step=Step.FAST_FORWARD)
    if method == "fast-forward":
        return Decision(step=Step.REFUSE, reason=Reason.DIVERGED)
    return Decision(step=Step.MERGE)
