"""Writing where others write too: read the head, edit, commit on exactly that head, else all over again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cicd_actions.errors import UpstreamError
from cicd_actions.gitops.message import Message
from cicd_actions.gitops.plan import Plan

log = logging.getLogger("cicd_actions.gitops")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit that is on the branch; ``url`` is its page, where there is one."""

    sha: str
    url: str = ""


class Remote(Protocol):
    """A branch of a repository, by API or by git."""

    def head(self) -> str:
        """The commit that the branch points at now; raises when there is no such branch."""
        ...

    def read(self, path: str, head: str) -> bytes | None:
        """A file at that commit, None when it is not there."""
        ...

    def commit(self, head: str, additions: Mapping[str, bytes], message: Message) -> Commit | None:
        """Commit on top of ``head``; None when the branch has moved (nothing was written then)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to keep trying: waits of 0.25 s (or an attempt's time), growing by half, at most 8 s, 5 minutes in all.

    ``sleep``, ``now`` and ``chance`` (0..1) are arguments for tests.
    """

    tries: int = 60
    first: float = 0.25
    factor: float = 1.5
    longest: float = 8.0
    budget: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def wait(self, attempt: int, spent: float = 0.0) -> float:
        """The wait after a lost attempt (from 1) that took ``spent`` seconds.

        It grows from the attempt's own time, since more than one writer in that time cannot win; all of it is chance,
        since writers that met once must not meet again.
        """
        first = max(self.first, spent)
        return min(self.longest, first * self.factor ** min(attempt - 1, 40)) * (0.1 + self.chance())


@dataclass(frozen=True, kw_only=True)
class Landing:
    """How it ended: the plan that counts, the head that it was made for, and the commit if there is one."""

    plan: Plan
    head: str
    commit: Commit | None
    attempts: int


def land(
    remote: Remote,
    paths: Sequence[str],
    *,
    plan: Callable[[Mapping[str, bytes | None], str], Plan],
    message: Callable[[Plan], Message],
    backoff: Backoff,
    dry_run: bool,
) -> Landing:
    """Apply an edit to files (``paths``) of a branch as one commit; a lost race starts again from the new head.

    Args:
        plan: Makes the plan from path -> content and the head's SHA; its errors end it, nothing is written.
        message: Makes the commit's message.
        dry_run: Stop before the commit.

    Raises:
        ActionError: From plan or remote; UpstreamError when every race was lost.
    """
    started = backoff.now()
    for attempt in range(1, backoff.tries + 1):
        begun = backoff.now()
        head = remote.head()
        current = plan({path: remote.read(path, head) for path in paths}, head)
        if dry_run or not current.additions:
            return Landing(plan=current, head=head, commit=None, attempts=attempt)
        commit = remote.commit(head, current.additions, message(current))
        if commit is not None:
            return Landing(plan=current, head=head, commit=commit, attempts=attempt)
        wait = backoff.wait(attempt, backoff.now() - begun)
        if backoff.now() - started + wait > backoff.budget:
            break
        log.info("The branch moved while the edit was made; trying again on the new head in %.1f s.", wait)
        backoff.sleep(wait)
    spent = f"{attempt} attempts in {backoff.now() - started:.0f} s"
    raise UpstreamError(
        f"The branch kept moving: {spent} were all overtaken by others.",
        hint="Run again; if this happens often, fewer writers should write to one branch.",
        title="Too many writers",
    )
