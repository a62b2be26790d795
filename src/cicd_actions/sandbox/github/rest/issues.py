"""Issues and the comments on issues and pull requests."""

from __future__ import annotations

from typing import Any

from cicd_actions.sandbox.github import views
from cicd_actions.sandbox.github.answers import Answer, not_found, validation_failed
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.routing import Call, Route, forbidden, page
from cicd_actions.sandbox.github.state import Issue, IssueComment, Pull, State, stamp
from cicd_actions.sandbox.github.urls import node_id

_REPO = "/repos/{owner}/{repo}/issues"


def _find(call: Call) -> Issue:
    wanted = call.params["issue_number"]
    for issue in list(call.state.records.issues):
        if issue.repository == call.repo.full_name and str(issue.number) == wanted:
            return issue
    raise not_found()


def create(call: Call) -> Answer:
    """A new issue."""
    title = call.text("title")
    if not title.strip():
        raise validation_failed("Issue", "title", "missing_field")
    records, now = call.state.records, call.state.clock()
    labels = call.fields.get("labels") or []
    with records.lock:
        issue = Issue(
            id=records.new_id(),
            number=records.next_number(call.repo.full_name),
            repository=call.repo.full_name,
            title=title,
            body=call.fields.get("body"),
            login=call.actor.login,
            created_at=now,
            updated_at=now,
            labels=tuple(row["name"] if isinstance(row, dict) else str(row) for row in labels),
        )
        records.issues.append(issue)
    call.state.hooks.fire("issue", issue)
    return Answer(status=201, body=_issue(call.state, call.repo, issue))


def get(call: Call) -> Answer:
    """One issue or pull request."""
    return Answer(body=_issue(call.state, call.repo, _find(call)))


def create_comment(call: Call) -> Answer:
    """A comment on an issue or pull request."""
    issue, text = _find(call), call.text("body")
    scope = "pull-requests" if isinstance(issue, Pull) else "issues"
    if call.actor.level(call.repo.full_name, scope) < 2:
        raise forbidden(call.actor)
    if not text.strip():
        raise validation_failed("IssueComment", "body", "missing_field")
    records = call.state.records
    with records.lock:
        comment = IssueComment(
            id=records.new_id(),
            repository=issue.repository,
            number=issue.number,
            body=text,
            login=call.actor.login,
            created_at=call.state.clock(),
        )
        records.issue_comments.append(comment)
    call.state.hooks.fire("comment", comment)
    return Answer(status=201, body=_comment(call.state, call.repo, comment))


def list_comments(call: Call) -> Answer:
    """The comments on an issue or pull request."""
    issue = _find(call)
    rows = [
        _comment(call.state, call.repo, row)
        for row in list(call.state.records.issue_comments)
        if (row.repository, row.number) == (issue.repository, issue.number)
    ]
    return page(call, rows)


def _issue(state: State, repo: Repository, issue: Issue) -> dict[str, Any]:
    url = state.urls.rest(repo.full_name, "issues", issue.number)
    rows = list(state.records.issue_comments)
    count = sum((row.repository, row.number) == (repo.full_name, issue.number) for row in rows)
    return {
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "url": url,
        "repository_url": state.urls.rest(repo.full_name),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": state.urls.html(repo.full_name, "issues", issue.number),
        "number": issue.number,
        "state": issue.state,
        "title": issue.title,
        "body": issue.body,
        "user": views.user(state, issue.login),
        "labels": [{"name": name} for name in issue.labels],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": count,
        "closed_at": stamp(issue.updated_at) if issue.state == "closed" else None,
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(issue.updated_at),
        "author_association": "CONTRIBUTOR",
    }


def _comment(state: State, repo: Repository, row: IssueComment) -> dict[str, Any]:
    page_url = state.urls.html(repo.full_name, "issues", row.number)
    return {
        "id": row.id,
        "node_id": node_id("IssueComment", row.id),
        "url": state.urls.rest(repo.full_name, "issues", "comments", row.id),
        "html_url": f"{page_url}#issuecomment-{row.id}",
        "issue_url": state.urls.rest(repo.full_name, "issues", row.number),
        "body": row.body,
        "user": views.user(state, row.login),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
        "author_association": "CONTRIBUTOR",
    }


ROUTES = (
    Route(method="POST", template=_REPO, handler=create, scope="issues", write=True),
    Route(method="GET", template=_REPO + "/{issue_number}/comments", handler=list_comments, scope="issues"),
    # Which scope a comment needs depends on what it is on, so the handler looks.
    Route(method="POST", template=_REPO + "/{issue_number}/comments", handler=create_comment),
    Route(method="GET", template=_REPO + "/{issue_number}", handler=get, scope="issues"),
)
