"""Posting to a Slack incoming webhook.

Source: Slack's page "Sending messages using incoming webhooks"; about one message a second, else 429 with Retry-After.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cicd_actions.errors import UpstreamError
from cicd_actions.github.retry import RetryPolicy
from cicd_actions.runner.secrets import Secret

_TIMEOUT = 10.0
_TRIES = 3
_LONGEST_WAIT = 30.0


def post(webhook: Secret, payload: Mapping[str, Any], *, policy: RetryPolicy) -> None:
    """Post a payload; a limit, a 5xx and a connection that was never made are tried again, a lost answer is not.

    Raises:
        UpstreamError: Slack refused or cannot be reached. The text never holds the address, which is a secret.
    """
    import httpx

    failure, waited = "", 0.0
    for attempt in range(1, _TRIES + 1):
        asked = 0.0
        try:
            answer = httpx.post(webhook.reveal(), json=dict(payload), timeout=_TIMEOUT, follow_redirects=False)
        except httpx.ConnectError:
            failure = "it cannot be reached"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failed(f"no answer ({type(error).__name__})") from None
        else:
            if answer.is_success:
                return
            failure = f"it answered {answer.status_code} {_first_words(answer.text)}"
            if answer.status_code != 429 and answer.status_code < 500:
                raise _failed(failure)
            after = answer.headers.get("retry-after", "")
            asked = float(after) if after.isdigit() else 0.0
        wait = policy.wait(attempt, asked)
        if attempt == _TRIES or waited + wait > min(_LONGEST_WAIT, policy.budget):
            break
        waited += wait
        policy.sleep(wait)
    raise _failed(failure)


def _first_words(text: str) -> str:
    """Slack's error is a short code such as ``invalid_token``; anything else is left out."""
    word = text.strip()[:60]
    return f"({word})" if word.replace("_", "").isalnum() else ""


def _failed(why: str) -> UpstreamError:
    return UpstreamError(
        f"Slack did not take the notice: {why.strip()}.",
        hint="Check that slack-webhook is the address of a webhook that still exists.",
    )
