"""The scenarios: what is pushed, what happens meanwhile, and how each stage has to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cicd_actions.errors import ConfigError, Problem

Status = Literal["passed", "failed", "blocked", "skipped"]
STAGES = ("quality", "merge", "build", "scan", "publish", "gitops")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One course of events; ``expected`` names the stages that do not pass and how they end instead.

    A stage is *failed* when it found something wrong or broke, *blocked* when an earlier stage held it back, and
    *skipped* when this machine cannot run it.
    """

    name: str
    text: str
    failing_test: bool = False
    vulnerable_image: bool = False
    main_moves: bool = False
    expected: Mapping[str, Status] = field(default_factory=dict)

    def expected_status(self, stage: str) -> Status:
        """Return how the stage has to end where every part is there."""
        return self.expected.get(stage, "passed")


def _from(stage: str) -> dict[str, Status]:
    """The named stage fails and everything after it is held back."""
    first = STAGES.index(stage)
    return {name: "failed" if name == stage else "blocked" for name in STAGES[first:]}


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="ok", text="dev is green: merged, built, scanned, published, GitOps updated"),
        Scenario(
            name="tests-fail",
            text="a test fails on dev: nothing is merged and the author is told",
            failing_test=True,
            expected=_from("quality"),
        ),
        Scenario(
            name="vulnerable-image",
            text="the image holds a critical vulnerability: nothing is published, GitOps stays as it was",
            vulnerable_image=True,
            expected=_from("scan"),
        ),
        Scenario(
            name="main-moved",
            text="main gets another commit while dev is tested: both end up in main, by a merge commit",
            main_moves=True,
        ),
    )
}


def find_scenario(name: str) -> Scenario:
    """Return the scenario of that name.

    Raises:
        ConfigError: There is none.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    raise ConfigError(
        Problem(input="scenario", value=name, what="is not a scenario", fix=f"Allowed: {', '.join(SCENARIOS)}.")
    )
