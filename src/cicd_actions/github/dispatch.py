"""Starting a workflow and making sure that it really runs.

A push made with a job's own token starts nothing; ``workflow_dispatch`` is the documented exception. Source: GitHub's
REST pages "Workflows" (create a dispatch event; ``return_run_details`` since 2026-02) and "Workflow runs".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cicd_actions.errors import ActionError, ConfigError, Problem, UpstreamError
from cicd_actions.github.answer import Answer
from cicd_actions.github.problems import OutcomeUnknown, refusal
from cicd_actions.github.session import Session, segment

log = logging.getLogger("cicd_actions.github")

_WRITE = "actions: write"
_READ = "actions: read"
_POLLS = 10
_POLL_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A workflow run: ``created`` is False when it was there before we asked."""

    id: int
    url: str
    created: bool


def dispatch_once(
    session: Session,
    workflow: str,
    *,
    ref: str,
    commits: Collection[str],
    inputs: Mapping[str, str] | None = None,
) -> Run:
    """Start ``workflow`` on the branch ``ref`` unless it ran there for one of ``commits``, and see that the run exists.

    Args:
        session: The session.
        workflow: The file's name below ``.github/workflows``.
        ref: The branch.
        commits: Commits whose run counts as the one that is wanted, whatever started it.
        inputs: Inputs of the workflow.

    Raises:
        ConfigError: No such workflow, no ``workflow_dispatch`` trigger, or no right.
        UpstreamError: GitHub failed, or said yes and no run came.
    """
    before = _runs(session, workflow, branch=ref)
    existing = [row for row in before if row["head_sha"] in commits]
    if existing:
        newest = max(existing, key=lambda row: int(row["id"]))
        return Run(id=int(newest["id"]), url=str(newest["html_url"]), created=False)
    known = frozenset(row["id"] for row in before)

    def look() -> Run | None:
        rows = _runs(session, workflow, branch=ref, event="workflow_dispatch")
        fresh = [row for row in rows if row["id"] not in known]
        return _as_run(min(fresh, key=lambda row: int(row["id"]))) if fresh else None

    return _start(session, workflow, ref, inputs or {}, look)


def _start(session: Session, workflow: str, ref: str, inputs: Mapping[str, str], look: Callable[[], Run | None]) -> Run:
    try:
        answer = _dispatch(session, workflow, ref=ref, inputs=inputs)
    except OutcomeUnknown:
        log.info("GitHub: no answer to the dispatch; looking whether the run exists.")
        found = _poll(session, look)
        if found is not None:
            return found
        answer = _dispatch(session, workflow, ref=ref, inputs=inputs)
    if answer.status == 200 and answer.data.get("workflow_run_id"):
        return _verify(session, int(answer.data["workflow_run_id"]), workflow)
    return _poll(session, look) or _never_came(workflow, ref)


def _dispatch(session: Session, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> Answer:
    doing = f"start the workflow {workflow!r} on {ref!r}"
    path = f"/actions/workflows/{segment(workflow)}/dispatches"

    def send(*, details: bool) -> Answer:
        body: dict[str, Any] = {"ref": ref, "inputs": dict(inputs)}
        if details:
            body["return_run_details"] = True
        return session.call("POST", path, doing=doing, body=body, accept=(404, 422), repeatable=False, needs=_WRITE)

    answer = send(details=True)
    if answer.status == 422 and "return_run_details" in answer.message:
        answer = send(details=False)  # a server older than 2026-02
    if answer.ok:
        return answer
    if answer.status == 404:
        raise no_workflow(session, workflow)
    if answer.status == 422:
        raise ConfigError(
            Problem(
                input="next-workflow",
                value=workflow,
                what=f"cannot be started on {ref!r}. GitHub says: {answer.message}",
                fix="Give the workflow an `on: workflow_dispatch:` trigger on that branch, without "
                "required inputs that this step does not send.",
            )
        )
    raise refusal(answer, doing=doing, repository=session.repository, needs=_WRITE)


def no_workflow(session: Session, workflow: str) -> ActionError:
    """Return the error for a workflow file that GitHub does not know."""
    return ConfigError(
        Problem(
            input="next-workflow",
            value=workflow,
            what=f"is no workflow that GitHub knows in {session.repository} (404), " f"or the token lacks `{_WRITE}`",
            fix="Give the file name below .github/workflows; the file must be on the default "
            f"branch with `on: workflow_dispatch:`. Add `{_WRITE}` under `permissions:`.",
        )
    )


def workflow_exists(session: Session, workflow: str) -> bool:
    """Return whether GitHub knows the workflow (a file on the default branch).

    Raises:
        ConfigError, UpstreamError: No right to read it, or GitHub failed.
    """
    answer = session.call(
        "GET",
        f"/actions/workflows/{segment(workflow)}",
        doing=f"read the workflow {workflow!r}",
        accept=(404,),
        needs=_WRITE,
    )
    return answer.ok


def _runs(session: Session, workflow: str, **narrow: str) -> list[Mapping[str, Any]]:
    params: dict[str, str | int] = {"per_page": 50}
    params.update(narrow)
    answer = session.call(
        "GET",
        f"/actions/workflows/{segment(workflow)}/runs",
        doing=f"list the runs of {workflow!r}",
        params=params,
        accept=(404,),
        needs=_READ,
    )
    if not answer.ok:
        raise no_workflow(session, workflow)
    rows: list[Mapping[str, Any]] = answer.data["workflow_runs"]
    return rows


def _as_run(row: Mapping[str, Any]) -> Run:
    return Run(id=int(row["id"]), url=str(row["html_url"]), created=True)


def _verify(session: Session, run_id: int, workflow: str) -> Run:
    def look() -> Run | None:
        answer = session.call(
            "GET",
            f"/actions/runs/{run_id}",
            doing=f"read the run {run_id} of {workflow!r}",
            accept=(404,),
            needs=_READ,
        )
        return _as_run(answer.data) if answer.ok else None

    found = _poll(session, look)
    if found is None:
        raise UpstreamError(f"GitHub started {workflow!r} as run {run_id}, but that run is not there.")
    return found


def _poll(session: Session, look: Callable[[], Run | None]) -> Run | None:
    for turn in range(_POLLS):
        if turn:
            session.policy.sleep(_POLL_SECONDS if turn > 2 else 0.5)
        found = look()
        if found is not None:
            return found
    return None


def _never_came(workflow: str, ref: str) -> Run:
    raise UpstreamError(
        f"The workflow {workflow!r} was asked to start on {ref!r}, but no run of it came.",
        hint="Start it by hand from the Actions page, or run this step again: it starts it only if "
        "there is no run for the commit yet.",
        title="The next workflow did not start",
    )
