"""How long and how often a call is tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_BUDGET = "CICD_ACTIONS_RETRY_SECONDS"


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Retries with growing waits: at most ``attempts`` calls, and no wait that would pass ``budget`` seconds in all.

    ``sleep``, ``now`` (seconds since the epoch) and ``chance`` (0..1) are arguments for tests.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 20.0
    budget: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RetryPolicy:
        """Return the policy; ``CICD_ACTIONS_RETRY_SECONDS`` in the environment sets the budget (0: no retry)."""
        text = env.get(_BUDGET, "")
        return cls(budget=float(text)) if text.isdigit() else cls()

    def wait(self, attempt: int, asked: float) -> float:
        """Return the wait before the next try: what the server asked for, or 0.5, 1, 2, ... s with jitter.

        Jitter keeps two writers that met once from meeting again.
        """
        if asked:
            return asked
        wait = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1))
        return wait * (0.5 + self.chance())
