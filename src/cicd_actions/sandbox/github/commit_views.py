"""How commits, their files and refs look in answers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cicd_actions.sandbox.github.repositories import Commit, Repository, Signature
from cicd_actions.sandbox.github.urls import node_id
from cicd_actions.sandbox.github.views import user

if TYPE_CHECKING:
    from cicd_actions.sandbox.github.merging import FileChange
    from cicd_actions.sandbox.github.state import State


def short_commit(state: State, repo: Repository, sha: str) -> dict[str, str]:
    """A parent, or the commit of a branch in a list."""
    return {
        "sha": sha,
        "url": state.urls.rest(repo.full_name, "commits", sha),
        "html_url": state.urls.html(repo.full_name, "commit", sha),
    }


def commit(state: State, repo: Repository, found: Commit) -> dict[str, Any]:
    """A commit as lists and comparisons show it."""
    rest = state.urls.rest
    author = state.accounts.by_email(found.author.email)
    committer = state.accounts.by_email(found.committer.email)
    return {
        "sha": found.sha,
        "node_id": node_id("Commit", f"{repo.id}:{found.sha}"),
        "commit": {
            "author": signature(found.author),
            "committer": signature(found.committer),
            "message": found.message,
            "tree": {
                "sha": found.tree,
                "url": rest(repo.full_name, "git", "trees", found.tree),
            },
            "url": rest(repo.full_name, "git", "commits", found.sha),
            "comment_count": _comments(state, repo, found.sha),
            "verification": verification(found),
        },
        **short_commit(state, repo, found.sha),
        "comments_url": rest(repo.full_name, "commits", found.sha, "comments"),
        "author": user(state, author.login) if author else None,
        "committer": user(state, committer.login) if committer else None,
        "parents": [short_commit(state, repo, parent) for parent in found.parents],
    }


def _comments(state: State, repo: Repository, sha: str) -> int:
    rows = list(state.records.comments)
    return sum(row.sha == sha and row.repository == repo.full_name for row in rows)


def git_commit(state: State, repo: Repository, found: Commit) -> dict[str, Any]:
    """A commit as the Git database API shows it."""
    rest = state.urls.rest
    return {
        "sha": found.sha,
        "node_id": node_id("Commit", f"{repo.id}:{found.sha}"),
        "url": rest(repo.full_name, "git", "commits", found.sha),
        "html_url": state.urls.html(repo.full_name, "commit", found.sha),
        "author": signature(found.author),
        "committer": signature(found.committer),
        "tree": {"sha": found.tree, "url": rest(repo.full_name, "git", "trees", found.tree)},
        "message": found.message,
        "parents": [
            {
                "sha": sha,
                "url": rest(repo.full_name, "git", "commits", sha),
                "html_url": state.urls.html(repo.full_name, "commit", sha),
            }
            for sha in found.parents
        ],
        "verification": verification(found),
    }


def signature(person: Signature) -> dict[str, str]:
    """Who and when, in UTC as the API tells it."""
    moment = datetime.fromisoformat(person.date).astimezone(UTC)
    date = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"name": person.name, "email": person.email, "date": date}


def verification(found: Commit) -> dict[str, Any]:
    """Whether the commit counts as signed: what the API itself commits does."""
    by_api = found.committer.email == "noreply@github.com"
    return {
        "verified": by_api,
        "reason": "valid" if by_api else "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": None,
    }


def file_change(state: State, repo: Repository, sha: str, change: FileChange) -> dict[str, Any]:
    """One file of a commit or comparison."""
    found = {
        "sha": change.sha,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": state.urls.html(repo.full_name, "blob", sha, change.path),
        "raw_url": state.urls.html(repo.full_name, "raw", sha, change.path),
        "contents_url": state.urls.rest(repo.full_name, "contents", change.path) + f"?ref={sha}",
    }
    return {**found, "patch": change.patch} if change.patch else found


def ref(state: State, repo: Repository, name: str, sha: str, kind: str = "commit") -> dict[str, Any]:
    """A git ref."""
    short = name.removeprefix("refs/")
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return {
        "ref": name,
        "node_id": node_id("Ref", f"{repo.id}:{digest}"),
        "url": state.urls.rest(repo.full_name, "git", "refs", short),
        "object": {
            "sha": sha,
            "type": kind,
            "url": state.urls.rest(repo.full_name, "git", f"{kind}s", sha),
        },
    }
