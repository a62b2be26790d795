"""The decision is a table."""

from __future__ import annotations

from typing import get_args

import pytest

from cicd_actions.github.compare import Status
from cicd_actions.merge.decision import Decision, Facts, Reason, Step, decide
from cicd_actions.merge.settings import METHODS

SHA, OTHER = "a" * 40, "b" * 40
ALREADY = Decision(step=Step.NOTHING, reason=Reason.ALREADY_MERGED)
DIVERGED = Decision(step=Step.REFUSE, reason=Reason.DIVERGED)
FORWARD = Decision(step=Step.FAST_FORWARD)
MERGE = Decision(step=Step.MERGE)
PULL = Decision(step=Step.PULL_REQUEST)

TABLE: dict[str, dict[Status, Decision]] = {
    "auto": {"identical": ALREADY, "behind": ALREADY, "ahead": FORWARD, "diverged": MERGE},
    "fast-forward": {"identical": ALREADY, "behind": ALREADY, "ahead": FORWARD, "diverged": DIVERGED},
    "merge": {"identical": ALREADY, "behind": ALREADY, "ahead": MERGE, "diverged": MERGE},
    "pull-request": {"identical": ALREADY, "behind": ALREADY, "ahead": PULL, "diverged": PULL},
}


def facts(status: Status, *, tested: str | None = SHA, in_source: bool = True) -> Facts:
    return Facts(source_sha=SHA, tested_sha=tested, in_source=in_source, status=status)


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(METHODS)
    assert all(set(row) == set(get_args(Status)) for row in TABLE.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize("tested", [SHA, None], ids=["said", "not said"])
def test_each_method_and_status(method: str, status: Status, tested: str | None) -> None:
    assert decide(method, facts(status, tested=tested)) == TABLE[method][status]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", get_args(Status))
@pytest.mark.parametrize("tested", [OTHER, ""], ids=["another", "none"])
def test_another_commit_than_the_tested_one_never_lands(method: str, status: Status, tested: str) -> None:
    assert decide(method, facts(status, tested=tested)).reason is Reason.NOT_TESTED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", ["ahead", "diverged"])
def test_a_rewritten_source_branch_never_lands(method: str, status: Status) -> None:
    assert decide(method, facts(status, in_source=False)).reason is Reason.NOT_IN_SOURCE


@pytest.mark.parametrize("status", ["identical", "behind"])
def test_what_landed_before_stays_a_success_when_its_branch_is_gone(status: Status) -> None:
    assert decide("auto", facts(status, in_source=False)) == ALREADY
