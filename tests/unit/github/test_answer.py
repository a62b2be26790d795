"""What an answer means."""

from __future__ import annotations

import pytest

from cicd_actions.github.answer import Answer
from cicd_actions.github.retry import RetryPolicy


@pytest.mark.parametrize(
    ("answer", "transient", "carried_out"),
    [
        (Answer(status=200), False, True),
        (Answer(status=403, data={"message": "Resource not accessible by integration"}), False, True),
        (Answer(status=403, data={"message": "API rate limit exceeded for 1.2.3.4"}), True, False),
        (Answer(status=403, headers={"retry-after": "1"}), True, False),
        (Answer(status=429), True, False),
        (Answer(status=502), True, True),
        (Answer(status=501), False, True),
        (Answer(status=422), False, True),
    ],
)
def test_transient(answer: Answer, *, transient: bool, carried_out: bool) -> None:
    assert (answer.transient, answer.carried_out) == (transient, carried_out)


def test_message_joins_the_details() -> None:
    data = {
        "message": "Validation Failed",
        "errors": [{"message": "No commits between\n main and dev"}, "x", {"code": 1}],
    }
    assert Answer(status=422, data=data).message == "Validation Failed No commits between main and dev x"
    assert Answer(status=422, data=[]).message == ""


@pytest.mark.parametrize(("text", "budget"), [("", 120.0), ("0", 0.0), ("30", 30.0), ("-1", 120.0), ("soon", 120.0)])
def test_the_budget_comes_from_the_environment(text: str, budget: float) -> None:
    assert RetryPolicy.from_env({"CICD_ACTIONS_RETRY_SECONDS": text}).budget == budget


def test_waits_stay_below_the_longest() -> None:
    policy = RetryPolicy(chance=lambda: 1.0)
    assert max(policy.wait(attempt, 0.0) for attempt in range(1, 20)) == 30.0
    assert policy.wait(1, 7.0) == 7.0
