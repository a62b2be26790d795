"""Files, one by one."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cicd_actions.sandbox.github import commit_views
from cicd_actions.sandbox.github.answers import Answer, RefusedError, invalid, not_found
from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.repositories import Blob, Entry, Repository
from cicd_actions.sandbox.github.routing import Call, Route
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.trees import File, edit_tree, write_commit
from cicd_actions.sandbox.github.updates import MovedError, move_ref

_TEMPLATE = "/repos/{owner}/{repo}/contents/{path}"
_RAW = re.compile(r"vnd\.github\.(v3\.)?raw")
_MAX_JSON = 1024 * 1024
_BAD_PATH = re.compile(r"(^|/)(\.{0,2}|\.git)(/|$)", re.IGNORECASE)


def good_path(path: str) -> bool:
    """Whether git may hold a file of that name: relative, no empty, dot or .git parts."""
    return bool(path) and "\0" not in path and not _BAD_PATH.search(path)


def get(call: Call) -> Answer:
    """A file, or the listing of a folder."""
    repo, path = call.repo, call.params.get("path", "").strip("/")
    ref = call.query.get("ref", repo.default_branch)
    sha = repo.resolve(ref)
    if sha is None:
        message = f"No commit found for the ref {ref}" if repo.refs() else "This repository is empty."
        raise RefusedError(404, message)
    blob = repo.blob(sha, path) if path else None
    if blob is not None:
        if _RAW.search(call.accept):
            return Answer(raw=blob.data, media="application/vnd.github.raw; charset=utf-8")
        return Answer(body=_file(call.state, repo, blob, ref))
    rows = repo.tree(sha, under=f"{path}/" if path else "")
    if not rows:
        raise not_found()
    return Answer(body=[_row(call.state, repo, row, ref) for row in rows])


def put(call: Call) -> Answer:
    """Create or change one file in one commit."""
    repo, path = call.repo, call.params["path"]
    if not good_path(path):
        raise invalid("path contains a malformed path component")
    try:
        data = base64.b64decode(call.text("content"), validate=False)
    except (binascii.Error, ValueError):
        raise invalid("content is not valid Base64") from None
    branch = call.text("branch", repo.default_branch)
    with repo.lock:
        head = repo.branch(branch)
        if head is None and repo.refs():
            raise RefusedError(404, f"Branch {branch} not found")
        old = repo.blob(head, path) if head else None
        _check_blob(call, path, old)
        mode = old.mode if old else "100644"
        tree = edit_tree(repo, head or EMPTY_TREE, [File(path=path, data=data, mode=mode)])
        sha = write_commit(
            repo,
            tree=tree,
            parents=(head,) if head else (),
            message=call.text("message"),
            author=call.state.signature(call.actor),
            committer=call.state.web_flow(),
        )
        try:
            ref = f"refs/heads/{branch}"
            move_ref(call.state, repo, call.actor, ref, sha, old=head or ZERO, rule_status=409)
        except RefusedError as refused:
            if refused.status == 409:
                raise RefusedError(409, f"Could not update file: {refused.message}") from None
            raise
        except MovedError:
            raise RefusedError(409, f"{path} is at another commit than expected") from None
    new = repo.blob(sha, path)
    commit = commit_views.git_commit(call.state, repo, repo.commit(sha))
    content = _file(call.state, repo, new, branch, with_content=False) if new else None
    return Answer(status=200 if old else 201, body={"content": content, "commit": commit})


def _check_blob(call: Call, path: str, old: Blob | None) -> None:
    given = call.fields.get("sha")
    if old is not None and given is None:
        raise invalid('Invalid request.\n\n"sha" wasn\'t supplied.')
    if given is not None and (old is None or given != old.sha):
        now = old.sha if old else "nothing"
        raise RefusedError(409, f"{path} is at {now} but expected {given}")


def _file(state: State, repo: Repository, blob: Blob, ref: str, *, with_content: bool = True) -> dict[str, Any]:
    entry = Entry(mode=blob.mode, type="blob", sha=blob.sha, size=len(blob.data), path=blob.path)
    found = _row(state, repo, entry, ref)
    if with_content:
        small = len(blob.data) <= _MAX_JSON
        found["content"] = base64.encodebytes(blob.data).decode() if small else ""
        found["encoding"] = "base64" if small else "none"
    return found


def _row(state: State, repo: Repository, row: Entry, ref: str) -> dict[str, Any]:
    is_file = row.type == "blob"
    url = state.urls.rest(repo.full_name, "contents", row.path) + f"?ref={ref}"
    kind = "file" if is_file else "dir"
    git = state.urls.rest(repo.full_name, "git", "blobs" if is_file else "trees", row.sha)
    view = "blob" if is_file else "tree"
    html = state.urls.html(repo.full_name, view, ref, row.path)
    raw = state.urls.html(repo.full_name, "raw", ref, row.path) if is_file else None
    return {
        "name": row.path.rsplit("/", 1)[-1],
        "path": row.path,
        "sha": row.sha,
        "size": row.size or 0,
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": raw,
        "type": kind,
        "_links": {"self": url, "git": git, "html": html},
    }


ROUTES = (
    Route(method="GET", template=_TEMPLATE, handler=get, scope="contents"),
    Route(method="PUT", template=_TEMPLATE, handler=put, scope="contents", write=True),
)
