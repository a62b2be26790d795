"""How repositories and users look in answers and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.urls import node_id

if TYPE_CHECKING:
    from cicd_actions.sandbox.github.state import State
    from cicd_actions.sandbox.github.tokens import Actor

_EPOCH = "2024-01-01T00:00:00Z"

_USER_COUNTS = (
    "followers",
    "following",
    "public_gists",
    "public_repos",
    "collaborators",
    "disk_usage",
    "owned_private_repos",
    "private_gists",
    "total_private_repos",
)
_REPOSITORY_COUNTS = (
    "forks",
    "forks_count",
    "open_issues",
    "open_issues_count",
    "size",
    "stargazers_count",
    "watchers",
    "watchers_count",
    "network_count",
    "subscribers_count",
)

# What the addresses in a repository's JSON end with; the names are the keys without `_url`.
_REPOSITORY_URLS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}


def user(state: State, login: str) -> dict[str, Any]:
    """A simple user."""
    account = state.accounts.get(login)
    base = f"{state.urls.api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": f"{state.urls.root}/avatars/u/{account.id}",
        "gravatar_id": "",
        "url": base,
        "html_url": f"{state.urls.root}/{account.login}",
        "followers_url": f"{base}/followers",
        "following_url": f"{base}/following{{/other_user}}",
        "gists_url": f"{base}/gists{{/gist_id}}",
        "starred_url": f"{base}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{base}/subscriptions",
        "organizations_url": f"{base}/orgs",
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events{{/privacy}}",
        "received_events_url": f"{base}/received_events",
        "type": account.type,
        "site_admin": False,
    }


def me(state: State, login: str) -> dict[str, Any]:
    """The user behind the token."""
    account = state.accounts.get(login)
    text = dict.fromkeys(("bio", "blog", "company", "email", "location"))
    return {
        **user(state, login),
        **text,
        **dict.fromkeys(_USER_COUNTS, 0),
        "name": account.name,
        "hireable": None,
        "created_at": _EPOCH,
        "updated_at": _EPOCH,
        "two_factor_authentication": True,
    }


def minimal_repository(state: State, repo: Repository) -> dict[str, Any]:
    """A repository as other things refer to it."""
    base = state.urls.rest(repo.full_name)
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(state, repo.owner),
        "html_url": state.urls.html(repo.full_name),
        "description": None,
        "fork": False,
        "url": base,
        **{f"{name}_url": base + end for name, end in _REPOSITORY_URLS.items()},
    }


def repository(state: State, repo: Repository, actor: Actor | None = None) -> dict[str, Any]:
    """A repository in full, with what ``actor`` may do to it."""
    created = repo.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    clone = state.urls.git(repo.full_name)
    features = dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_discussions"), False)
    found = {
        **minimal_repository(state, repo),
        **dict.fromkeys(_REPOSITORY_COUNTS, 0),
        **features,
        "has_issues": True,
        "has_downloads": False,
        "clone_url": clone,
        "git_url": "git" + clone.removeprefix("http"),
        "ssh_url": "ssh" + clone.removeprefix("http"),
        "svn_url": state.urls.html(repo.full_name),
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "archived": False,
        "disabled": False,
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
        "created_at": created,
        "updated_at": created,
        "pushed_at": created,
    }
    if actor is not None and actor.kind != "anonymous":
        found["permissions"] = _permissions(repo, actor)
    return found


def _permissions(repo: Repository, actor: Actor) -> dict[str, bool]:
    level = actor.level(repo.full_name, "contents")
    admin = actor.level(repo.full_name, "administration") >= 2
    return {
        "admin": admin,
        "maintain": admin,
        "push": level >= 2,
        "triage": level >= 2,
        "pull": level >= 1 or not repo.private,
    }
