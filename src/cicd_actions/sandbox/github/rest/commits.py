"""Commits, comparisons, comments and statuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cicd_actions.sandbox.github import commit_views, merging, views
from cicd_actions.sandbox.github.answers import (
    Answer,
    RefusedError,
    invalid,
    not_found,
    validation_failed,
)
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.routing import Call, Route, page, sha_of
from cicd_actions.sandbox.github.state import CommitComment, CommitStatus, State, stamp
from cicd_actions.sandbox.github.urls import node_id

_REPO = "/repos/{owner}/{repo}"
_MAX_COMMITS = 250
_MAX_DESCRIPTION = 140
_STATES = ("error", "failure", "pending", "success")


def get_commit(call: Call) -> Answer:
    """One commit with its files."""
    repo = call.repo
    found = repo.commit(call.commit(call.params["ref"]))
    if "vnd.github.sha" in call.accept:
        return Answer(raw=found.sha.encode(), media="application/vnd.github.sha; charset=utf-8")
    changed = merging.changes(repo, merging.parent_or_empty(repo, found.sha), found.sha)
    added, deleted = sum(c.additions for c in changed), sum(c.deletions for c in changed)
    body = {
        **commit_views.commit(call.state, repo, found),
        "stats": {"total": added + deleted, "additions": added, "deletions": deleted},
        "files": [commit_views.file_change(call.state, repo, found.sha, c) for c in changed],
    }
    return Answer(body=body)


def list_commits(call: Call) -> Answer:
    """History of a branch, or of a path in it."""
    repo = call.repo
    if not repo.refs():
        raise RefusedError(409, "Git Repository is empty.")
    sha = repo.resolve(call.query.get("sha", repo.default_branch))
    if sha is None:
        raise not_found()
    rows = repo.log(sha, limit=1000, path=call.query.get("path", ""))
    return page(call, [commit_views.commit(call.state, repo, row) for row in rows])


def compare(call: Call) -> Answer:
    """How two commits relate."""
    repo = call.repo
    names = call.params["basehead"].split("...")
    if len(names) != 2:
        raise not_found()
    own = f"{repo.owner}:"
    base, head = (repo.resolve(name.removeprefix(own)) for name in names)
    if base is None or head is None:
        raise not_found()
    found = merging.compare(repo, base, head)
    if found is None:
        raise RefusedError(404, f"No common ancestor between {names[0]} and {names[1]}.")
    urls, span = call.state.urls, "...".join(names)
    html = urls.html(repo.full_name, "compare", span)
    commits = repo.log(f"{base}..{head}", limit=_MAX_COMMITS)[::-1]
    changed = merging.changes(repo, found.merge_base, head)
    body = {
        "url": urls.rest(repo.full_name, "compare", span),
        "html_url": html,
        "permalink_url": urls.html(repo.full_name, "compare", f"{base[:7]}...{head[:7]}"),
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": commit_views.commit(call.state, repo, repo.commit(base)),
        "merge_base_commit": commit_views.commit(call.state, repo, repo.commit(found.merge_base)),
        "status": found.status,
        "ahead_by": found.ahead,
        "behind_by": found.behind,
        "total_commits": found.ahead,
        "commits": [commit_views.commit(call.state, repo, commit) for commit in commits],
        "files": [commit_views.file_change(call.state, repo, head, change) for change in changed],
    }
    return Answer(body=body)


def create_comment(call: Call) -> Answer:
    """A comment on a commit."""
    repo, sha = call.repo, sha_of(call, call.params["commit_sha"])
    text = call.text("body")
    if not text.strip():
        raise validation_failed("CommitComment", "body", "missing_field")
    if len(text) > 65536:
        raise validation_failed("CommitComment", "body", "custom", "body is too long")
    records = call.state.records
    with records.lock:
        comment = CommitComment(
            id=records.new_id(),
            repository=repo.full_name,
            sha=sha,
            body=text,
            login=call.actor.login,
            path=call.fields.get("path"),
            line=call.fields.get("line"),
            position=call.fields.get("position"),
            created_at=call.state.clock(),
        )
        records.comments.append(comment)
    call.state.hooks.fire("comment", comment)
    return Answer(status=201, body=_comment(call.state, repo, comment))


def update_comment(call: Call) -> Answer:
    """Other text for a comment; the token may change what its own account wrote."""
    text, records = call.text("body"), call.state.records
    with records.lock:
        for index, row in enumerate(records.comments):
            if str(row.id) == call.params["comment_id"] and row.repository == call.repo.full_name:
                if row.login != call.actor.login:
                    raise RefusedError(403, "Must have admin rights to Repository.")
                records.comments[index] = replace(row, body=text)
                return Answer(body=_comment(call.state, call.repo, records.comments[index]))
    raise not_found()


def list_comments(call: Call) -> Answer:
    """The comments on a commit."""
    repo, sha = call.repo, call.params["commit_sha"]
    rows = [
        _comment(call.state, repo, row)
        for row in list(call.state.records.comments)
        if row.sha == sha and row.repository == repo.full_name
    ]
    return page(call, rows)


def _comment(state: State, repo: Repository, row: CommitComment) -> dict[str, Any]:
    page_url = state.urls.html(repo.full_name, "commit", row.sha)
    return {
        "url": state.urls.rest(repo.full_name, "comments", row.id),
        "html_url": f"{page_url}#commitcomment-{row.id}",
        "id": row.id,
        "node_id": node_id("CommitComment", row.id),
        "user": views.user(state, row.login),
        "position": row.position,
        "line": row.line,
        "path": row.path,
        "commit_id": row.sha,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
        "author_association": "CONTRIBUTOR",
        "body": row.body,
    }


def create_status(call: Call) -> Answer:
    """A status on a commit."""
    repo, sha = call.repo, sha_of(call, call.params["sha"])
    state = call.text("state")
    if state not in _STATES:
        raise validation_failed("Status", "state", "invalid")
    description = call.fields.get("description")
    if isinstance(description, str) and len(description) > _MAX_DESCRIPTION:
        message = f"description is too long (maximum is {_MAX_DESCRIPTION} characters)"
        raise validation_failed("Status", "description", "custom", message)
    target = call.fields.get("target_url")
    if isinstance(target, str) and target and not target.startswith(("http://", "https://")):
        raise invalid("target_url must use http(s) scheme")
    records = call.state.records
    with records.lock:
        status = CommitStatus(
            id=records.new_id(),
            repository=repo.full_name,
            sha=sha,
            state=state,  # type: ignore[arg-type]
            context=call.text("context", "default"),
            description=description,
            target_url=target,
            login=call.actor.login,
            created_at=call.state.clock(),
        )
        records.statuses.append(status)
    return Answer(status=201, body=_status(call.state, repo, status))


def list_statuses(call: Call) -> Answer:
    """All statuses of a commit, newest first."""
    repo, sha = call.repo, call.commit(call.params["ref"])
    rows = call.state.records.statuses_of(repo.full_name, sha)
    return page(call, [_status(call.state, repo, row) for row in rows])


def combined_status(call: Call) -> Answer:
    """The newest status of each context, and the verdict over all."""
    repo, sha = call.repo, call.commit(call.params["ref"])
    latest = list(call.state.records.latest(repo.full_name, sha).values())
    states = {row.state for row in latest}
    if states & {"failure", "error"}:
        verdict = "failure"
    else:
        verdict = "pending" if not states or "pending" in states else "success"
    rest = call.state.urls.rest
    body = {
        "state": verdict,
        "sha": sha,
        "total_count": len(latest),
        "statuses": [_simple_status(call.state, repo, row) for row in latest],
        "repository": views.minimal_repository(call.state, repo),
        "commit_url": rest(repo.full_name, "commits", sha),
        "url": rest(repo.full_name, "commits", sha, "status"),
    }
    return Answer(body=body)


def _simple_status(state: State, repo: Repository, row: CommitStatus) -> dict[str, Any]:
    creator = views.user(state, row.login)
    return {
        "url": state.urls.rest(repo.full_name, "statuses", row.sha),
        "avatar_url": creator["avatar_url"],
        "id": row.id,
        "node_id": node_id("StatusContext", row.id),
        "state": row.state,
        "description": row.description,
        "target_url": row.target_url,
        "context": row.context,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
    }


def _status(state: State, repo: Repository, row: CommitStatus) -> dict[str, Any]:
    return {**_simple_status(state, repo, row), "creator": views.user(state, row.login)}


def _route(method: str, path: str, handler: Any, scope: str = "contents") -> Route:
    return Route(
        method=method,
        template=_REPO + path,
        handler=handler,
        scope=scope,
        write=method != "GET",
    )


# GitHub's pages name "contents" for writing commit comments; forks' read-only tokens are refused, so: write.
ROUTES = (
    _route("GET", "/compare/{basehead}", compare),
    _route("GET", "/commits/{commit_sha}/comments", list_comments),
    _route("POST", "/commits/{commit_sha}/comments", create_comment),
    _route("PATCH", "/comments/{comment_id}", update_comment),
    _route("GET", "/commits/{ref}/status", combined_status, "statuses"),
    _route("GET", "/commits/{ref}/statuses", list_statuses, "statuses"),
    _route("POST", "/statuses/{sha}", create_status, "statuses"),
    _route("GET", "/commits/{ref}", get_commit),
    _route("GET", "/commits", list_commits),
)
