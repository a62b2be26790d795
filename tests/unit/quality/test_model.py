"""The verdict, the order of findings, exact percentages."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cicd_actions.quality.coverage import judge_coverage
from cicd_actions.quality.model import (
    CheckResult,
    Coverage,
    Finding,
    Severity,
    State,
    Verdict,
    decide,
    format_percent,
    order_findings,
)


def result(check: str, state: State) -> CheckResult:
    return CheckResult(check=check, state=state, detail="")


@pytest.mark.parametrize(
    ("states", "verdict", "code"),
    [
        pytest.param([State.PASSED], Verdict.PASSED, 0, id="passed"),
        pytest.param([State.PASSED, State.FINDINGS], Verdict.FAILED, 1, id="findings"),
        pytest.param([State.TOOL_ERROR, State.FINDINGS], Verdict.FAILED, 1, id="findings weigh most"),
        pytest.param([State.UNAVAILABLE, State.FINDINGS], Verdict.FAILED, 1, id="findings beside an outage"),
        pytest.param([State.TOOL_ERROR, State.UNAVAILABLE], Verdict.ERROR, 1, id="tool error beside an outage"),
        pytest.param([State.NOT_RUN, State.UNAVAILABLE], Verdict.ERROR, 2, id="not run beside an outage"),
        pytest.param([State.PASSED, State.NOT_RUN], Verdict.ERROR, 2, id="not run"),
        pytest.param([State.PASSED, State.UNAVAILABLE], Verdict.UNAVAILABLE, 3, id="outage"),
    ],
)
def test_verdict(states: list[State], verdict: Verdict, code: int) -> None:
    names = [f"check{number}" for number in range(len(states))]
    assert decide([result(n, s) for n, s in zip(names, states, strict=True)], names) == (verdict, code)


def test_an_expected_check_without_a_result_is_no_pass() -> None:
    assert decide([result("black", State.PASSED)], ["black", "pytest"]) == (Verdict.ERROR, 1)
    assert decide([], []) == (Verdict.ERROR, 1)


def test_findings_come_worst_first() -> None:
    def finding(name: str, severity: Severity, *, blocking: bool = True) -> Finding:
        return Finding(check="x", rule=name, message="", severity=severity, blocking=blocking)

    mixed = [
        finding("reported", Severity.HIGH, blocking=False),
        finding("low", Severity.LOW),
        finding("high", Severity.HIGH),
        finding("medium", Severity.MEDIUM),
    ]
    assert [f.rule for f in order_findings(mixed)] == ["high", "medium", "low", "reported"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(100), "100.00"),
        (Fraction(8999999, 100000), "89.99"),
        (Fraction(200, 3), "66.66"),
        (Fraction(0), "0.00"),
    ],
)
def test_percentages_are_rounded_down(value: Fraction, text: str) -> None:
    assert format_percent(value) == text


def test_coverage_that_was_demanded_and_not_measured_is_not_run() -> None:
    judged = judge_coverage(None, floor=Fraction(1), baseline=None, ratchet=None)
    assert judged is not None
    assert judged.state is State.NOT_RUN
    assert judge_coverage(None, floor=None, baseline=None, ratchet=None) is None


@pytest.mark.parametrize(
    ("covered", "floor", "state"),
    [
        pytest.param(846, "85", State.FINDINGS, id="84.6 is not 85"),
        pytest.param(850, "85", State.PASSED, id="exactly"),
        pytest.param(849, "84.9", State.PASSED, id="decimals"),
        pytest.param(849, "84.91", State.FINDINGS, id="decimals below"),
    ],
)
def test_the_floor_is_exact(covered: int, floor: str, state: State) -> None:
    coverage = Coverage(covered=covered, total=1000)
    judged = judge_coverage(coverage, floor=Fraction(floor), baseline=None, ratchet=None)
    assert judged is not None
    assert judged.state is state


@pytest.mark.parametrize(("ratchet", "state"), [("0.5", State.FINDINGS), ("1", State.PASSED)])
def test_the_ratchet_tolerates_what_it_was_told(ratchet: str, state: State) -> None:
    judged = judge_coverage(
        Coverage(covered=89, total=100), floor=None, baseline=Fraction(90), ratchet=Fraction(ratchet)
    )
    assert judged is not None
    assert judged.state is state
