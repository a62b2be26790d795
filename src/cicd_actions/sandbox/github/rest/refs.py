"""Refs, branches, merges."""

from __future__ import annotations

from typing import Any

from cicd_actions.sandbox.github import commit_views
from cicd_actions.sandbox.github.answers import Answer, RefusedError, invalid, not_found
from cicd_actions.sandbox.github.merging import MergeConflictError, merge_tree
from cicd_actions.sandbox.github.plumbing import ZERO, is_ref_name
from cicd_actions.sandbox.github.policy import Protection
from cicd_actions.sandbox.github.routing import Call, Route, page
from cicd_actions.sandbox.github.trees import write_commit
from cicd_actions.sandbox.github.updates import MovedError, move_ref

_REPO = "/repos/{owner}/{repo}"


def _not_empty(call: Call) -> None:
    if not call.repo.refs():
        raise RefusedError(409, "Git Repository is empty.")


def get_ref(call: Call) -> Answer:
    """One ref."""
    _not_empty(call)
    name = f"refs/{call.params['ref']}"
    sha = call.repo.ref(name)
    if sha is None:
        raise not_found()
    kind = call.repo.object_type(sha) or "commit"
    return Answer(body=commit_views.ref(call.state, call.repo, name, sha, kind))


def matching_refs(call: Call) -> Answer:
    """All refs whose names begin so."""
    _not_empty(call)
    wanted = f"refs/{call.params['ref']}"
    rows = [
        commit_views.ref(call.state, call.repo, name, sha, call.repo.object_type(sha) or "commit")
        for name, sha in call.repo.refs().items()
        if name.startswith(wanted)
    ]
    return page(call, rows)


def create_ref(call: Call) -> Answer:
    """A new branch or tag."""
    _not_empty(call)
    name, sha = call.text("ref"), call.text("sha")
    if not name.startswith("refs/") or name.count("/") < 2 or not is_ref_name(name):
        raise invalid("Reference name must start with 'refs/' and contain at least two slashes.")
    if call.repo.object_type(sha) is None:
        raise invalid("Object does not exist")
    if call.repo.ref(name) is not None:
        raise invalid("Reference already exists")
    try:
        move_ref(call.state, call.repo, call.actor, name, sha, old=ZERO)
    except MovedError:
        raise invalid("Reference already exists") from None
    return Answer(status=201, body=commit_views.ref(call.state, call.repo, name, sha))


def update_ref(call: Call) -> Answer:
    """Move a branch; without force only forward."""
    name, sha = f"refs/{call.params['ref']}", call.text("sha")
    if call.repo.ref(name) is None:
        raise invalid("Reference does not exist")
    if call.repo.object_type(sha) is None:
        raise invalid("Object does not exist")
    if name.startswith("refs/heads/") and call.repo.object_type(sha) != "commit":
        raise invalid("Object is not a commit")
    force = call.fields.get("force") is True
    try:
        move_ref(call.state, call.repo, call.actor, name, sha, force=force)
    except MovedError:
        raise RefusedError(409, "Reference cannot be updated") from None
    return Answer(body=commit_views.ref(call.state, call.repo, name, sha))


def delete_ref(call: Call) -> Answer:
    """Take a branch or tag away."""
    name = f"refs/{call.params['ref']}"
    if call.repo.ref(name) is None:
        raise invalid("Reference does not exist")
    move_ref(call.state, call.repo, call.actor, name, ZERO)
    return Answer(status=204)


def get_branch(call: Call) -> Answer:
    """A branch with its newest commit."""
    repo, name = call.repo, call.params["branch"]
    sha = repo.branch(name)
    if sha is None:
        raise RefusedError(404, "Branch not found")
    rules = call.state.records.protection(repo.full_name, name)
    url = call.state.urls.rest(repo.full_name, "branches", name)
    checks: dict[str, Any] = {
        "enforcement_level": "non_admins" if rules else "off",
        "contexts": list(rules.required_checks) if rules else [],
        "checks": [],
    }
    body = {
        "name": name,
        "commit": commit_views.commit(call.state, repo, repo.commit(sha)),
        "_links": {"self": url, "html": call.state.urls.html(repo.full_name, "tree", name)},
        "protected": rules is not None,
        "protection": {"enabled": rules is not None, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }
    return Answer(body=body)


def list_branches(call: Call) -> Answer:
    """All branches."""
    repo = call.repo
    rows = [
        {
            "name": name.removeprefix("refs/heads/"),
            "commit": {"sha": sha, "url": call.state.urls.rest(repo.full_name, "commits", sha)},
            "protected": (repo.full_name, name.removeprefix("refs/heads/")) in call.state.records.protections,
        }
        for name, sha in repo.refs("refs/heads/").items()
    ]
    return page(call, rows)


def protection(call: Call) -> Answer:
    """Classic protection of a branch."""
    repo, name = call.repo, call.params["branch"]
    if repo.branch(name) is None:
        raise RefusedError(404, "Branch not found")
    rules = call.state.records.protection(repo.full_name, name)
    if rules is None or rules.ruleset:
        raise RefusedError(404, "Branch not protected")
    url = call.state.urls.rest(repo.full_name, "branches", name, "protection")
    body: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        "allow_force_pushes": {"enabled": rules.allow_force},
        "allow_deletions": {"enabled": rules.allow_deletion},
    }
    if rules.required_checks:
        body["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": rules.strict,
            "contexts": list(rules.required_checks),
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": name, "app_id": None} for name in rules.required_checks],
        }
    if rules.require_pull_request:
        body["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "required_approving_review_count": 0,
            "require_last_push_approval": False,
        }
    return Answer(body=body)


def branch_rules(call: Call) -> Answer:
    """The rules of rulesets that hold for a branch."""
    repo = call.repo
    rules = call.state.records.protection(repo.full_name, call.params["branch"])
    rows = _ruleset(rules) if rules and rules.ruleset else []
    source = {
        "ruleset_source_type": "Repository",
        "ruleset_source": repo.full_name,
        "ruleset_id": repo.id,
    }
    return page(call, [{**row, **source} for row in rows])


def _ruleset(rules: Protection) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if not rules.allow_deletion:
        rows.append({"type": "deletion"})
    if not rules.allow_force:
        rows.append({"type": "non_fast_forward"})
    if rules.required_checks:
        parameters = {
            "strict_required_status_checks_policy": rules.strict,
            "required_status_checks": [{"context": name} for name in rules.required_checks],
        }
        rows.append({"type": "required_status_checks", "parameters": parameters})
    if rules.require_pull_request:
        names = (
            "dismiss_stale_reviews_on_push",
            "require_code_owner_review",
            "require_last_push_approval",
            "required_review_thread_resolution",
        )
        parameters = {**dict.fromkeys(names, False), "required_approving_review_count": 0}
        rows.append({"type": "pull_request", "parameters": parameters})
    return rows


def merge(call: Call) -> Answer:
    """Merge a branch or commit into a branch: always a merge commit, as GitHub makes it."""
    repo, base, head = call.repo, call.text("base"), call.text("head")
    with repo.lock:
        old, new = repo.branch(base), repo.resolve(head)
        if old is None:
            raise RefusedError(404, "Base does not exist")
        if new is None:
            raise RefusedError(404, "Head does not exist")
        if repo.is_ancestor(new, old):
            return Answer(status=204)
        try:
            tree = merge_tree(repo, old, new)
        except MergeConflictError:
            raise RefusedError(409, "Merge conflict") from None
        sha = write_commit(
            repo,
            tree=tree,
            parents=(old, new),
            message=call.text("commit_message", f"Merge {head} into {base}"),
            author=call.state.signature(call.actor),
            committer=call.state.web_flow(),
        )
        ref = f"refs/heads/{base}"
        move_ref(call.state, repo, call.actor, ref, sha, old=old, rule_status=403)
    return Answer(status=201, body=commit_views.commit(call.state, repo, repo.commit(sha)))


def _route(method: str, path: str, handler: Any, scope: str = "contents") -> Route:
    return Route(
        method=method,
        template=_REPO + path,
        handler=handler,
        scope=scope,
        write=method != "GET",
    )


ROUTES = (
    _route("GET", "/git/ref/{ref}", get_ref),
    _route("GET", "/git/matching-refs/{ref}", matching_refs),
    _route("POST", "/git/refs", create_ref),
    _route("PATCH", "/git/refs/{ref}", update_ref),
    _route("DELETE", "/git/refs/{ref}", delete_ref),
    _route("GET", "/branches/{branch}/protection", protection, "administration"),
    _route("GET", "/branches/{branch}", get_branch),
    _route("GET", "/branches", list_branches),
    _route("GET", "/rules/branches/{branch}", branch_rules, "metadata"),
    _route("POST", "/merges", merge),
)
