"""The one door through which refs move by API, and what a moved ref sets off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cicd_actions.sandbox.github import events, workflows
from cicd_actions.sandbox.github.answers import RefusedError, invalid
from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.policy import rule_problem, workflow_problem
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.runs import Run
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.tokens import BOT, Actor, job_permissions
from cicd_actions.sandbox.github.workflows import Workflow


class MovedError(Exception):
    """The ref was not where the caller expected it."""


@dataclass(frozen=True, kw_only=True)
class Push:
    """A ref that moved, by git or by API: what listeners of ``push`` get."""

    repository: Repository
    actor: Actor
    ref: str
    before: str
    after: str


def branch_problem(
    state: State,
    repo: Repository,
    actor: Actor,
    *,
    ref: str,
    old: str,
    new: str,
    pull_head: str = "",
) -> str:
    """Why the rules of a branch forbid a move; empty when they do not, or when there are none."""
    name = ref.removeprefix("refs/heads/")
    protection = state.records.protection(repo.full_name, name)
    if protection is None or not ref.startswith("refs/heads/"):
        return ""
    fast_forward = ZERO in (old, new) or repo.is_ancestor(old, new)
    # What the rules ask of a pull request is asked of its head: that is where the checks ran.
    latest = state.records.latest(repo.full_name, pull_head or new)
    states = {context: status.state for context, status in latest.items()}
    problem = rule_problem(
        protection, actor, new=new, states=states, fast_forward=fast_forward, via_pull=bool(pull_head)
    )
    return protection.wording(problem) if problem else ""


def move_ref(
    state: State,
    repo: Repository,
    actor: Actor,
    ref: str,
    new: str,
    *,
    old: str | None = None,
    force: bool = False,
    pull_head: str = "",
    rule_status: int = 422,
) -> None:
    """Move, create or (``new`` zeros) delete a ref, then start what that starts.

    Args:
        old: What the caller takes the ref to be at; None takes it from wherever it is.
        pull_head: The head of the pull request that is being merged, if one is.
        rule_status: Status of the answer when the branch's rules forbid it; GitHub's endpoints differ in this.

    Raises:
        MovedError: The ref is not at ``old``.
        RefusedError: 422 not a fast forward; rules (``rule_status``); workflow files under the wrong token (403).
    """
    with repo.lock:
        current = repo.ref(ref) or ZERO
        if old is not None and current != old:
            raise MovedError
        problem = workflow_problem(repo, actor, old=current, new=new)
        if problem:
            raise RefusedError(403, problem)
        if not force and ZERO not in (current, new) and not repo.is_ancestor(current, new):
            raise invalid("Update is not a fast forward")
        problem = branch_problem(state, repo, actor, ref=ref, old=current, new=new, pull_head=pull_head)
        if problem:
            raise RefusedError(rule_status, problem)
        if not repo.set_ref(ref, new, current):
            raise MovedError
        announce(state, Push(repository=repo, actor=actor, ref=ref, before=current, after=new))


def announce(state: State, push: Push) -> None:
    """Tell the listeners of a moved ref and start the workflows that want it."""
    if push.before == push.after:
        return
    state.hooks.fire("push", push)
    repo = push.repository
    if push.after == ZERO or not push.actor.triggers:
        return
    sha = repo.resolve(push.after)
    if sha is None or workflows.skips(repo.commit(sha).message):
        return
    found = workflows.load(repo, sha)
    paths: list[str] = []
    if any(workflows.wants_paths(workflow) for workflow in found):
        paths = repo.changed_paths(EMPTY_TREE if push.before == ZERO else push.before, sha)
    wanted = [w for w in found if w.error or workflows.matches_push(w, push.ref, paths)]
    payload = events.push_payload(state, push) if wanted else {}
    for workflow in wanted:
        start(
            state,
            repo,
            workflow,
            event="push",
            payload=payload,
            sha=sha,
            ref=push.ref,
            actor=push.actor,
        )


def start(
    state: State,
    repo: Repository,
    workflow: Workflow,
    *,
    event: Literal["push", "workflow_dispatch"],
    payload: dict[str, Any],
    sha: str,
    ref: str,
    actor: Actor,
) -> Run:
    """Record a run and queue it. A workflow file that cannot be read gives a run that failed at once."""
    number = state.runs.new_id()
    run = Run(
        id=number,
        number=state.runs.number(repo, workflow.path),
        repository=repo,
        workflow=workflow,
        event=event,
        payload=payload,
        sha=sha,
        ref=ref,
        actor=actor.login,
        created_at=state.clock(),
        url=state.urls.html(repo.full_name, "actions", "runs", number),
    )
    if workflow.error:
        run.status, run.conclusion, run.error = "completed", "startup_failure", workflow.error
        run.started_at = run.completed_at = run.created_at
    else:
        run.token = state.tokens.issue(job_actor(run))
    state.runs.add(run)
    return run


def job_actor(run: Run) -> Actor:
    """The identity of a run's token: the bot, on this repository alone, with what the workflow asks for."""
    repo = run.repository
    permissions = job_permissions(run.workflow.document, repo.default_permissions)
    return Actor(login=BOT, kind="job", permissions={repo.full_name: permissions}, run_id=run.id)
