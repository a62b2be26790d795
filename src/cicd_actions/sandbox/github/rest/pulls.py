"""Pull requests between branches of one repository."""

from __future__ import annotations

from typing import Any

from cicd_actions.sandbox.github import merging, views
from cicd_actions.sandbox.github.answers import (
    Answer,
    RefusedError,
    not_found,
    validation_failed,
)
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.routing import Call, Route, page
from cicd_actions.sandbox.github.state import Pull, State, stamp
from cicd_actions.sandbox.github.trees import write_commit
from cicd_actions.sandbox.github.updates import MovedError, move_ref
from cicd_actions.sandbox.github.urls import node_id

_REPO = "/repos/{owner}/{repo}/pulls"


def _all(call: Call) -> list[Pull]:
    full = call.repo.full_name
    rows = [row for row in list(call.state.records.issues) if row.repository == full]
    return [_refresh(call, row) for row in rows if isinstance(row, Pull)]


def _refresh(call: Call, pull: Pull) -> Pull:
    """An open pull request follows its branches, and counts as merged once the base contains its head."""
    if pull.state == "open":
        pull.head_sha = call.repo.branch(pull.head) or pull.head_sha
        base_sha = call.repo.branch(pull.base) or pull.base_sha
        if base_sha != pull.base_sha and call.repo.is_ancestor(pull.head_sha, base_sha):
            pull.state, pull.merged_at = "closed", call.state.clock()
            pull.merge_commit_sha = pull.head_sha
        else:
            pull.base_sha = base_sha
    return pull


def _find(call: Call) -> Pull:
    for pull in _all(call):
        if str(pull.number) == call.params["pull_number"]:
            return pull
    raise not_found()


def list_pulls(call: Call) -> Answer:
    """The pull requests, newest first, narrowed by state, head and base."""
    wanted = call.query
    state, head = wanted.get("state", "open"), wanted.get("head", "")
    rows = [
        pull
        for pull in reversed(_all(call))
        if state in ("all", pull.state)
        and wanted.get("base", pull.base) == pull.base
        and head in ("", f"{call.repo.owner}:{pull.head}")
    ]
    return page(call, [_simple(call.state, call.repo, pull) for pull in rows])


def get(call: Call) -> Answer:
    """One pull request."""
    return Answer(body=_full(call.state, call.repo, _find(call)))


def create(call: Call) -> Answer:
    """A new pull request."""
    repo, records = call.repo, call.state.records
    if call.actor.kind == "job" and not repo.actions_may_create_pulls:
        raise RefusedError(403, "GitHub Actions is not permitted to create or approve pull requests.")
    head = call.text("head").removeprefix(f"{repo.owner}:")
    base = call.text("base")
    base_sha, head_sha = repo.branch(base), repo.branch(head)
    if base_sha is None:
        raise validation_failed("PullRequest", "base", "invalid")
    if head_sha is None:
        raise validation_failed("PullRequest", "head", "invalid")
    with records.lock:
        if any(p.state == "open" and (p.head, p.base) == (head, base) for p in _all(call)):
            message = f"A pull request already exists for {repo.owner}:{head}."
            raise validation_failed("PullRequest", "head", "custom", message)
        if repo.is_ancestor(head_sha, base_sha):
            message = f"No commits between {base} and {head}"
            raise validation_failed("PullRequest", "head", "custom", message)
        now = call.state.clock()
        pull = Pull(
            id=records.new_id(),
            number=records.next_number(repo.full_name),
            repository=repo.full_name,
            title=call.text("title"),
            body=call.fields.get("body"),
            login=call.actor.login,
            created_at=now,
            updated_at=now,
            head=head,
            base=base,
            head_sha=head_sha,
            base_sha=base_sha,
            draft=call.fields.get("draft") is True,
        )
        records.issues.append(pull)
    call.state.hooks.fire("pull_request", pull)
    return Answer(status=201, body=_full(call.state, repo, pull))


def update(call: Call) -> Answer:
    """Change title, body or state."""
    pull, given = _find(call), call.fields
    state = given.get("state", pull.state)
    if state not in ("open", "closed") or (pull.merged_at and state == "open"):
        raise validation_failed("PullRequest", "state", "invalid")
    with call.state.records.lock:
        pull.title = str(given.get("title", pull.title))
        pull.body = given.get("body", pull.body)
        pull.state = state
        pull.updated_at = call.state.clock()
    return Answer(body=_full(call.state, call.repo, pull))


def merge(call: Call) -> Answer:
    """Merge it, by merge commit or squash."""
    repo = call.repo
    with repo.lock:
        pull = _find(call)
        method = call.text("merge_method", "merge")
        expected = call.fields.get("sha")
        if pull.state != "open" or pull.draft:
            raise RefusedError(405, "Pull Request is not mergeable")
        if expected is not None and expected != pull.head_sha:
            raise RefusedError(409, "Head branch was modified. Review and try the merge again.")
        if method not in ("merge", "squash"):
            raise RefusedError(405, f"{method.capitalize()} merges are not allowed on this repository.")
        sha = _merge_commit(call, pull, method)
        ref = f"refs/heads/{pull.base}"
        try:
            move_ref(
                call.state,
                repo,
                call.actor,
                ref,
                sha,
                old=pull.base_sha,
                pull_head=pull.head_sha,
                rule_status=405,
            )
        except MovedError:
            raise RefusedError(405, "Base branch was modified. Review and try the merge again.") from None
        pull.state, pull.merged_at, pull.merge_commit_sha = "closed", call.state.clock(), sha
        pull.merged_by = call.actor.login
    message = "Pull Request successfully merged"
    return Answer(body={"sha": sha, "merged": True, "message": message})


def _merge_commit(call: Call, pull: Pull, method: str) -> str:
    repo = call.repo
    try:
        tree = merging.merge_tree(repo, pull.base_sha, pull.head_sha)
    except merging.MergeConflictError:
        raise RefusedError(405, "Pull Request has merge conflicts") from None
    merge_title = f"Merge pull request #{pull.number} from {repo.owner}/{pull.head}"
    squash = method == "squash"
    title = call.text("commit_title", f"{pull.title} (#{pull.number})" if squash else merge_title)
    detail = call.text("commit_message", "" if squash else pull.title)
    return write_commit(
        repo,
        tree=tree,
        parents=(pull.base_sha,) if squash else (pull.base_sha, pull.head_sha),
        message=f"{title}\n\n{detail}".strip(),
        author=call.state.signature(call.actor),
        committer=call.state.web_flow(),
    )


def _branch(state: State, repo: Repository, name: str, sha: str) -> dict[str, Any]:
    # Here GitHub shows a repository without these two numbers.
    whole = views.repository(state, repo).items()
    shown = {key: value for key, value in whole if key not in ("network_count", "subscribers_count")}
    return {
        "label": f"{repo.owner}:{name}",
        "ref": name,
        "sha": sha,
        "user": views.user(state, repo.owner),
        "repo": shown,
    }


def _links(state: State, repo: Repository, pull: Pull) -> dict[str, str]:
    rest, html = state.urls.rest, state.urls.html(repo.full_name, "pull", pull.number)
    url = rest(repo.full_name, "pulls", pull.number)
    issue = rest(repo.full_name, "issues", pull.number)
    return {
        "self": url,
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": rest(repo.full_name, "pulls", "comments") + "{/number}",
        "commits": f"{url}/commits",
        "statuses": rest(repo.full_name, "statuses", pull.head_sha),
    }


def _simple(state: State, repo: Repository, pull: Pull) -> dict[str, Any]:
    links = _links(state, repo, pull)
    html = links["html"]
    named = {f"{name}_url": link for name, link in links.items() if name not in ("self", "html")}
    return {
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "url": links["self"],
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        **named,
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "body": pull.body,
        "user": views.user(state, pull.login),
        "draft": pull.draft,
        "labels": [],
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "milestone": None,
        "auto_merge": None,
        "author_association": "CONTRIBUTOR",
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp(pull.merged_at or pull.updated_at) if pull.state == "closed" else None,
        "merged_at": stamp(pull.merged_at) if pull.merged_at else None,
        "merge_commit_sha": pull.merge_commit_sha,
        "head": _branch(state, repo, pull.head, pull.head_sha),
        "base": _branch(state, repo, pull.base, pull.base_sha),
        "_links": {name: {"href": link} for name, link in links.items()},
    }


def _full(state: State, repo: Repository, pull: Pull) -> dict[str, Any]:
    comparison = merging.compare(repo, pull.base_sha, pull.head_sha)
    changed = merging.changes(repo, comparison.merge_base, pull.head_sha) if comparison else []
    mergeable = None if pull.merged_at else _mergeable(repo, pull)
    rows = list(state.records.issue_comments)
    comments = sum((r.repository, r.number) == (repo.full_name, pull.number) for r in rows)
    return {
        **_simple(state, repo, pull),
        "merged": pull.merged_at is not None,
        "mergeable": mergeable,
        "rebaseable": False,
        "mergeable_state": {None: "unknown", True: "clean", False: "dirty"}[mergeable],
        "merged_by": views.user(state, pull.merged_by) if pull.merged_by else None,
        "comments": comments,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": comparison.ahead if comparison else 0,
        "additions": sum(change.additions for change in changed),
        "deletions": sum(change.deletions for change in changed),
        "changed_files": len(changed),
    }


def _mergeable(repo: Repository, pull: Pull) -> bool:
    try:
        merging.merge_tree(repo, pull.base_sha, pull.head_sha)
    except merging.MergeConflictError:
        return False
    return True


_ONE = _REPO + "/{pull_number}"
_SCOPE = "pull-requests"

ROUTES = (
    Route(method="GET", template=_REPO, handler=list_pulls, scope=_SCOPE),
    Route(method="POST", template=_REPO, handler=create, scope=_SCOPE, write=True),
    Route(method="PUT", template=_ONE + "/merge", handler=merge, scope="contents", write=True),
    Route(method="GET", template=_ONE, handler=get, scope=_SCOPE),
    Route(method="PATCH", template=_ONE, handler=update, scope=_SCOPE, write=True),
)
