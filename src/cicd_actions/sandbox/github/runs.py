"""Workflow runs: their records, their queue, and the workers that execute them."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.workflows import Workflow

logger = logging.getLogger("cicd_actions.sandbox.github")

Conclusion = Literal["success", "failure", "cancelled", "timed_out", "startup_failure", "skipped"]
Status = Literal["queued", "in_progress", "completed"]


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run ended; ``jobs`` may name single jobs that ended otherwise."""

    conclusion: Conclusion
    jobs: Mapping[str, Conclusion] = field(default_factory=dict)


@dataclass(kw_only=True)
class Run:
    """One run. What it is stays; ``status``, ``conclusion`` and the times move on."""

    id: int
    number: int
    repository: Repository
    workflow: Workflow
    event: Literal["push", "workflow_dispatch"]
    payload: Mapping[str, Any]
    sha: str
    ref: str
    actor: str
    created_at: datetime
    url: str
    token: Secret = field(default_factory=Secret)
    status: Status = "queued"
    conclusion: Conclusion | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    outcome: RunOutcome | None = None
    error: str = ""

    @property
    def ref_name(self) -> str:
        """The branch or tag name."""
        return self.ref.split("/", 2)[-1]

    @property
    def workflow_path(self) -> str:
        """``.github/workflows/<file>``."""
        return self.workflow.path

    @property
    def workflow_name(self) -> str:
        """The workflow's display name."""
        return self.workflow.name


StartRun = Callable[[Run], RunOutcome]
Fire = Callable[[str, Any], None]


class Runs:
    """All runs of the hub. Without ``start_run`` they are recorded and stay queued."""

    def __init__(
        self,
        start_run: StartRun | None,
        *,
        clock: Callable[[], datetime],
        fire: Fire,
        workers: int,
        first_id: int = 1001,
    ) -> None:
        self._start_run = start_run
        self._clock = clock
        self._fire = fire
        self._ids = itertools.count(first_id)
        self._all: list[Run] = []
        self._queue: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._finish: Callable[[Run], None] = lambda _: None
        self._workers = [
            threading.Thread(target=self._work, name=f"runner-{i + 1}", daemon=True)
            for i in range(workers if start_run else 0)
        ]

    def start(self, finish: Callable[[Run], None]) -> None:
        """Start the workers; ``finish`` is called when a run has ended."""
        self._finish = finish
        for worker in self._workers:
            worker.start()

    def stop(self, timeout: float) -> None:
        """Take no further run and wait for those at work."""
        self._stopping.set()
        for _ in self._workers:
            self._queue.put(None)
        for worker in self._workers:
            if worker.is_alive():
                worker.join(timeout)

    def new_id(self) -> int:
        """The id of the next run."""
        return next(self._ids)

    def add(self, run: Run) -> None:
        """Record a run and, unless it has ended already, put it in the queue."""
        with self._changed:
            self._all.append(run)
        self._fire("run_queued", run)
        if run.status == "queued" and self._start_run:
            self._queue.put(run)

    def all(self, repository: Repository | None = None) -> list[Run]:
        """The runs of one repository, or of all, oldest first."""
        with self._changed:
            return [run for run in self._all if repository in (None, run.repository)]

    def number(self, repository: Repository, path: str) -> int:
        """The number that the next run of a workflow gets."""
        return 1 + sum(run.workflow.path == path for run in self.all(repository))

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is queued or at work; False when time ran out first."""
        if self._start_run is None:
            return True
        deadline = time.monotonic() + timeout
        with self._changed:
            while any(run.status != "completed" for run in self._all):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return all(run.status == "completed" for run in self._all)
        return True

    def _work(self) -> None:
        while (run := self._queue.get()) is not None and not self._stopping.is_set():
            self._execute(run)

    def _execute(self, run: Run) -> None:
        if self._start_run is None:
            return
        run.started_at = self._clock()
        run.status = "in_progress"
        try:
            self._fire("run_started", run)
            outcome = self._start_run(run)
        except Exception as error:  # Whatever it is, the run failed and the server goes on.
            logger.exception("run %s of %s broke", run.id, run.workflow.path)
            run.error = f"{type(error).__name__}: {error}"
            outcome = RunOutcome(conclusion="failure")
        with self._changed:
            run.outcome = outcome
            run.conclusion = outcome.conclusion
            run.completed_at = self._clock()
        self._finish(run)
        try:
            self._fire("run_completed", run)
        finally:
            # Last: what listeners start (another run) is queued before anyone may believe that all is done.
            with self._changed:
                run.status = "completed"
                self._changed.notify_all()
