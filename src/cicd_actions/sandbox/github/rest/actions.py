"""Workflows and their runs; starting one by hand."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from cicd_actions.sandbox.github import commit_views, events, views, workflows
from cicd_actions.sandbox.github.answers import Answer, invalid, not_found
from cicd_actions.sandbox.github.repositories import Commit, Repository
from cicd_actions.sandbox.github.routing import Call, Route, page
from cicd_actions.sandbox.github.runs import Run
from cicd_actions.sandbox.github.state import State, stamp
from cicd_actions.sandbox.github.updates import start
from cicd_actions.sandbox.github.urls import node_id
from cicd_actions.sandbox.github.workflows import Workflow

_REPO = "/repos/{owner}/{repo}/actions"


def workflow_id(path: str) -> int:
    """A number for a workflow file that stays the same."""
    return zlib.crc32(path.encode())


def _known(repo: Repository) -> list[Workflow]:
    """The workflows that GitHub knows: those on the default branch."""
    sha = repo.branch(repo.default_branch)
    return workflows.load(repo, sha) if sha else []


def _find(call: Call) -> Workflow:
    wanted = call.params["workflow_id"]
    for workflow in _known(call.repo):
        if wanted in (workflow.file, workflow.path, str(workflow_id(workflow.path))):
            return workflow
    raise not_found()


def list_workflows(call: Call) -> Answer:
    """All workflows of the default branch."""
    rows = [_workflow(call.state, call.repo, w) for w in _known(call.repo)]
    return page(call, rows, wrap="workflows")


def get_workflow(call: Call) -> Answer:
    """One workflow, by id or file name."""
    return Answer(body=_workflow(call.state, call.repo, _find(call)))


def dispatch(call: Call) -> Answer:
    """Start a workflow by hand, on a branch or tag."""
    repo, known, name = call.repo, _find(call), call.text("ref")
    short = name.removeprefix("refs/heads/").removeprefix("refs/tags/")
    ref = next((r for r in (f"refs/heads/{short}", f"refs/tags/{short}") if repo.ref(r) is not None), None)
    sha = repo.resolve(ref) if ref else None
    if ref is None or sha is None:
        raise invalid(f"No ref found for: {name}")
    workflow = next((w for w in workflows.load(repo, sha) if w.path == known.path), None)
    if workflow is None or "workflow_dispatch" not in workflow.triggers:
        raise invalid("Workflow does not have 'workflow_dispatch' trigger")
    given = call.fields.get("inputs") or {}
    if not isinstance(given, Mapping):
        raise invalid("Invalid request.\n\nFor 'properties/inputs', it is not an object.")
    try:
        inputs = workflows.dispatch_inputs(workflow, given)
    except workflows.InputsError as error:
        raise invalid(str(error)) from None
    payload = events.dispatch_payload(call.state, repo, call.actor, workflow=workflow.path, ref=ref, inputs=inputs)
    run = start(
        call.state,
        repo,
        workflow,
        event="workflow_dispatch",
        payload=payload,
        sha=sha,
        ref=ref,
        actor=call.actor,
    )
    if call.fields.get("return_run_details") is not True:
        return Answer(status=204)
    url = call.state.urls.rest(repo.full_name, "actions", "runs", run.id)
    body = {"workflow_run_id": run.id, "run_url": url, "html_url": run.url}
    return Answer(body=body)


def list_runs(call: Call) -> Answer:
    """The runs of the repository, newest first, narrowed by the query."""
    return _runs(call, call.state.runs.all(call.repo))


def list_workflow_runs(call: Call) -> Answer:
    """The runs of one workflow, newest first, narrowed by the query."""
    path = _find(call).path
    return _runs(call, [r for r in call.state.runs.all(call.repo) if r.workflow.path == path])


def _runs(call: Call, rows: list[Run]) -> Answer:
    wanted = call.query
    kept = [
        row
        for row in reversed(rows)
        if wanted.get("branch", row.ref_name) == row.ref_name
        and wanted.get("event", row.event) == row.event
        and wanted.get("head_sha", row.sha) == row.sha
        and wanted.get("actor", row.actor) == row.actor
        and wanted.get("status", row.status) in (row.status, row.conclusion)
    ]
    return page(call, [_run(call.state, row) for row in kept], wrap="workflow_runs")


def _run_of(call: Call) -> Run:
    for run in call.state.runs.all(call.repo):
        if str(run.id) == call.params["run_id"]:
            return run
    raise not_found()


def get_run(call: Call) -> Answer:
    """One run."""
    return Answer(body=_run(call.state, _run_of(call)))


def list_jobs(call: Call) -> Answer:
    """The jobs of a run."""
    run = _run_of(call)
    rows = [_job(call.state, run, index, key, name) for index, (key, name) in enumerate(run.workflow.jobs.items())]
    return page(call, rows, wrap="jobs")


def _workflow(state: State, repo: Repository, workflow: Workflow) -> dict[str, Any]:
    number = workflow_id(workflow.path)
    created = stamp(repo.created_at)
    html = state.urls.html
    return {
        "id": number,
        "node_id": node_id("Workflow", number),
        "name": workflow.name,
        "path": workflow.path,
        "state": "active",
        "created_at": created,
        "updated_at": created,
        "url": state.urls.rest(repo.full_name, "actions", "workflows", number),
        "html_url": html(repo.full_name, "blob", repo.default_branch, workflow.path),
        "badge_url": html(repo.full_name, "workflows", workflow.name, "badge.svg"),
    }


def _run(state: State, run: Run) -> dict[str, Any]:
    repo, commit = run.repository, run.repository.commit(run.sha)
    url = state.urls.rest(repo.full_name, "actions", "runs", run.id)
    number = workflow_id(run.workflow.path)
    parts = ("jobs", "logs", "cancel", "rerun", "artifacts")
    manual = run.event == "workflow_dispatch"
    updated = run.completed_at or run.started_at or run.created_at
    return {
        "id": run.id,
        "name": run.workflow.name,
        "node_id": node_id("WorkflowRun", run.id),
        "head_branch": run.ref_name,
        "head_sha": run.sha,
        "path": run.workflow.path,
        "display_title": run.workflow.name if manual else commit.headline,
        "run_number": run.number,
        "run_attempt": 1,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion if run.status == "completed" else None,
        "workflow_id": number,
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CheckSuite", run.id),
        "url": url,
        "html_url": run.url,
        "pull_requests": [],
        "created_at": stamp(run.created_at),
        "updated_at": stamp(updated),
        "run_started_at": stamp(run.started_at or run.created_at),
        "actor": views.user(state, run.actor),
        "triggering_actor": views.user(state, run.actor),
        **{f"{part}_url": f"{url}/{part}" for part in parts},
        "check_suite_url": state.urls.rest(repo.full_name, "check-suites", run.id),
        "workflow_url": state.urls.rest(repo.full_name, "actions", "workflows", number),
        "previous_attempt_url": None,
        "head_commit": _simple_commit(commit),
        "repository": views.minimal_repository(state, repo),
        "head_repository": views.minimal_repository(state, repo),
    }


def _simple_commit(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": commit_views.signature(commit.committer)["date"],
        "author": {"name": commit.author.name, "email": commit.author.email},
        "committer": {"name": commit.committer.name, "email": commit.committer.email},
    }


def _job(state: State, run: Run, index: int, key: str, name: str) -> dict[str, Any]:
    number = run.id * 100 + index
    rest = state.urls.rest
    full = run.repository.full_name
    done = run.status == "completed"
    special = run.outcome.jobs if run.outcome else {}
    conclusion = special.get(key, run.conclusion) if done else None
    return {
        "id": number,
        "run_id": run.id,
        "run_url": rest(full, "actions", "runs", run.id),
        "run_attempt": 1,
        "node_id": node_id("CheckRun", number),
        "head_sha": run.sha,
        "head_branch": run.ref_name,
        "workflow_name": run.workflow.name,
        "url": rest(full, "actions", "jobs", number),
        "html_url": f"{run.url}/job/{number}",
        "status": run.status,
        "conclusion": "failure" if conclusion == "startup_failure" else conclusion,
        "created_at": stamp(run.created_at),
        "started_at": stamp(run.started_at or run.created_at),
        "completed_at": stamp(run.completed_at) if done and run.completed_at else None,
        "name": name,
        "steps": [],
        "check_run_url": rest(full, "check-runs", number),
        "labels": [],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
    }


def _route(method: str, path: str, handler: Any) -> Route:
    return Route(
        method=method,
        template=_REPO + path,
        handler=handler,
        scope="actions",
        write=method != "GET",
    )


ROUTES = (
    _route("GET", "/workflows", list_workflows),
    _route("GET", "/workflows/{workflow_id}", get_workflow),
    _route("POST", "/workflows/{workflow_id}/dispatches", dispatch),
    _route("GET", "/workflows/{workflow_id}/runs", list_workflow_runs),
    _route("GET", "/runs", list_runs),
    _route("GET", "/runs/{run_id}/jobs", list_jobs),
    _route("GET", "/runs/{run_id}", get_run),
)
