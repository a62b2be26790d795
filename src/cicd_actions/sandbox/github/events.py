"""The event payloads that a run gets as its event file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cicd_actions.sandbox.github import views
from cicd_actions.sandbox.github.plumbing import ZERO
from cicd_actions.sandbox.github.repositories import Commit, Repository

if TYPE_CHECKING:
    from cicd_actions.sandbox.github.state import State
    from cicd_actions.sandbox.github.tokens import Actor
    from cicd_actions.sandbox.github.updates import Push

MAX_COMMITS = 20


def push_payload(state: State, push: Push) -> dict[str, Any]:
    """The `push` event. The newest `MAX_COMMITS` commits carry their files; older ones are left out."""
    repo = push.repository
    new_branch = push.before == ZERO
    commits = _new_commits(push)
    account = state.accounts.get(push.actor.login)
    span = push.after[:12] if new_branch else f"{push.before[:12]}...{push.after[:12]}"
    head = repo.commit(push.after)
    return {
        "ref": push.ref,
        "before": push.before,
        "after": push.after,
        "base_ref": None,
        "created": new_branch,
        "deleted": False,
        "forced": not new_branch and not repo.is_ancestor(push.before, push.after),
        "compare": state.urls.html(repo.full_name, "compare", span),
        "commits": [_commit(state, repo, commit) for commit in commits],
        "head_commit": _commit(state, repo, head),
        "pusher": {"name": account.login, "email": account.email},
        **common(state, repo, push.actor),
    }


def dispatch_payload(
    state: State, repo: Repository, actor: Actor, *, workflow: str, ref: str, inputs: dict[str, str]
) -> dict[str, Any]:
    """The `workflow_dispatch` event."""
    return {
        "inputs": inputs or None,
        "ref": ref,
        "workflow": workflow,
        **common(state, repo, actor),
    }


def common(state: State, repo: Repository, actor: Actor) -> dict[str, Any]:
    """What every event carries."""
    return {
        "repository": views.repository(state, repo),
        "sender": views.user(state, actor.login),
    }


def _new_commits(push: Push) -> list[Commit]:
    repo = push.repository
    if push.before != ZERO:
        span = f"{push.before}..{push.after}"
    elif push.ref != f"refs/heads/{repo.default_branch}" and repo.branch(repo.default_branch):
        span = f"refs/heads/{repo.default_branch}..{push.after}"
    else:
        span = push.after
    return repo.log(span, limit=MAX_COMMITS)[::-1]


def _commit(state: State, repo: Repository, commit: Commit) -> dict[str, Any]:
    found: dict[str, list[str]] = {"A": [], "D": [], "M": []}
    argv = ("diff-tree", "--root", "-r", "-z", "--no-commit-id", "--name-status", "--no-renames")
    words = repo.git(*argv, commit.sha).decode("utf-8", "replace").split("\0")
    for status, path in zip(words[0::2], words[1::2], strict=False):
        found.setdefault(status[:1], []).append(path)
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committer.date,
        "url": state.urls.html(repo.full_name, "commit", commit.sha),
        "author": _person(state, commit.author.name, commit.author.email),
        "committer": _person(state, commit.committer.name, commit.committer.email),
        "added": found["A"],
        "removed": found["D"],
        "modified": found["M"] + found.get("T", []),
    }


def _person(state: State, name: str, email: str) -> dict[str, str]:
    account = state.accounts.by_email(email)
    person = {"name": name, "email": email}
    return {**person, "username": account.login} if account else person
