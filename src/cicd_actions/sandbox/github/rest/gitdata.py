"""The Git database: blobs, trees and commits without a branch."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cicd_actions.sandbox.github import commit_views
from cicd_actions.sandbox.github.answers import Answer, RefusedError, invalid, not_found
from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.repositories import Signature
from cicd_actions.sandbox.github.rest.contents import good_path
from cicd_actions.sandbox.github.routing import Call, Route
from cicd_actions.sandbox.github.trees import edit_rows, write_blob, write_commit
from cicd_actions.sandbox.github.urls import node_id

_REPO = "/repos/{owner}/{repo}/git"
_MODES = ("100644", "100755", "040000", "160000", "120000")


def get_commit(call: Call) -> Answer:
    """One commit."""
    sha = call.params["commit_sha"]
    if call.repo.object_type(sha) != "commit":
        raise not_found()
    return Answer(body=commit_views.git_commit(call.state, call.repo, call.repo.commit(sha)))


def create_commit(call: Call) -> Answer:
    """A commit on a tree; no branch moves."""
    repo, tree, message = call.repo, call.text("tree"), call.text("message")
    parents = call.fields.get("parents") or []
    if repo.object_type(tree) != "tree":
        raise invalid("Tree SHA does not exist")
    if any(repo.object_type(str(parent)) != "commit" for parent in parents):
        raise invalid("Parent SHA does not exist or is not a commit object")
    author = _person(call, "author") or call.state.signature(call.actor)
    sha = write_commit(
        repo,
        tree=tree,
        parents=parents,
        message=message,
        author=author,
        committer=_person(call, "committer") or (author if _person(call, "author") else call.state.web_flow()),
    )
    return Answer(status=201, body=commit_views.git_commit(call.state, repo, repo.commit(sha)))


def _person(call: Call, name: str) -> Signature | None:
    given = call.fields.get(name)
    if not isinstance(given, Mapping):
        return None
    date = str(given.get("date") or call.state.web_flow().date)
    try:
        datetime.fromisoformat(date)
    except ValueError:
        raise invalid(f"Invalid request.\n\n{date!r} is not a date-time.") from None
    return Signature(name=str(given.get("name")), email=str(given.get("email")), date=date)


def get_blob(call: Call) -> Answer:
    """A file's content by its object name."""
    repo, sha = call.repo, call.params["file_sha"]
    if repo.object_type(sha) != "blob":
        raise not_found()
    data = repo.git("cat-file", "blob", sha)
    if "raw" in call.accept:
        return Answer(raw=data, media="application/vnd.github.raw; charset=utf-8")
    body = {
        "sha": sha,
        "node_id": node_id("Blob", f"{repo.id}:{sha}"),
        "size": len(data),
        "url": call.state.urls.rest(repo.full_name, "git", "blobs", sha),
        "content": base64.encodebytes(data).decode(),
        "encoding": "base64",
    }
    return Answer(body=body)


def create_blob(call: Call) -> Answer:
    """Store content."""
    content, encoding = call.text("content"), call.text("encoding", "utf-8")
    try:
        data = base64.b64decode(content) if encoding == "base64" else content.encode()
    except ValueError:
        raise invalid("content is not valid Base64") from None
    sha = write_blob(call.repo, data)
    url = call.state.urls.rest(call.repo.full_name, "git", "blobs", sha)
    return Answer(status=201, body={"sha": sha, "url": url})


def get_tree(call: Call) -> Answer:
    """A tree's rows."""
    repo, name = call.repo, call.params["tree_sha"]
    sha = name if repo.object_type(name) == "tree" else None
    commit = None if sha else repo.resolve(name)
    sha = repo.commit(commit).tree if commit else sha
    if sha is None:
        raise not_found()
    recursive = bool(call.query.get("recursive"))
    return Answer(body=_tree(call, sha, recursive=recursive))


def create_tree(call: Call) -> Answer:
    """A tree from rows on a base tree."""
    repo, base = call.repo, call.fields.get("base_tree")
    if base is not None and repo.object_type(str(base)) not in ("tree", "commit"):
        raise invalid("base_tree is not a valid tree oid")
    rows = call.fields.get("tree")
    if not isinstance(rows, list) or not rows:
        raise invalid("Invalid tree info")
    lines = [line for row in rows for line in _rows(call, row)]
    sha = edit_rows(repo, str(base) if base else EMPTY_TREE, lines)
    return Answer(status=201, body=_tree(call, sha, recursive=False))


def _rows(call: Call, row: Any) -> list[str]:
    if not isinstance(row, Mapping) or not good_path(str(row.get("path", ""))):
        raise invalid("tree.path contains a malformed path component")
    path, mode, sha = str(row["path"]), str(row.get("mode", "100644")), row.get("sha")
    if mode not in _MODES:
        raise invalid(f"Must supply a valid tree.mode, not {mode}")
    if "content" in row:
        sha = write_blob(call.repo, str(row["content"]).encode())
    elif sha is None:
        return [f"0 {ZERO}\t{path}"]
    kind = call.repo.object_type(str(sha))
    if kind is None and mode != "160000":
        raise RefusedError(422, f"tree.sha {sha} is not a valid blob")
    if mode == "040000":
        entries = call.repo.tree(str(sha), recursive=True)
        return [f"{entry.mode} {entry.sha}\t{path}/{entry.path}" for entry in entries]
    return [f"{mode} {sha}\t{path}"]


def _tree(call: Call, sha: str, *, recursive: bool) -> dict[str, Any]:
    repo, rest = call.repo, call.state.urls.rest
    rows = []
    for entry in repo.tree(sha, recursive=recursive):
        row: dict[str, Any] = {
            "path": entry.path,
            "mode": entry.mode,
            "type": entry.type,
            "sha": entry.sha,
            "url": rest(repo.full_name, "git", f"{entry.type}s", entry.sha),
        }
        if entry.size is not None:
            row["size"] = entry.size
        rows.append(row)
    url = rest(repo.full_name, "git", "trees", sha)
    return {"sha": sha, "url": url, "tree": rows, "truncated": False}


def _route(method: str, path: str, handler: Any) -> Route:
    return Route(
        method=method,
        template=_REPO + path,
        handler=handler,
        scope="contents",
        write=method != "GET",
    )


ROUTES = (
    _route("GET", "/commits/{commit_sha}", get_commit),
    _route("POST", "/commits", create_commit),
    _route("GET", "/blobs/{file_sha}", get_blob),
    _route("POST", "/blobs", create_blob),
    _route("GET", "/trees/{tree_sha}", get_tree),
    _route("POST", "/trees", create_tree),
)
