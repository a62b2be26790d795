"""Objects of the GraphQL schema: repositories, refs, commits, trees, blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cicd_actions.sandbox.github.repositories import Entry, Repository
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.urls import node_id


class GraphQLError(Exception):
    """One entry of ``errors``."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class Node:
    """An object of the schema: values by field name, or functions of the arguments."""

    type: str
    fields: Mapping[str, Any]
    also: tuple[str, ...] = ()


def repository_node(state: State, repo: Repository) -> Node:
    """A repository as an object of the schema."""

    def find(args: Mapping[str, Any]) -> Node | None:
        return ref_node(state, repo, str(args.get("qualifiedName", "")))

    return Node(
        type="Repository",
        fields={
            "id": node_id("Repository", repo.id),
            "databaseId": repo.id,
            "name": repo.name,
            "nameWithOwner": repo.full_name,
            "isPrivate": repo.private,
            "isArchived": False,
            "url": state.urls.html(repo.full_name),
            "defaultBranchRef": lambda _: ref_node(state, repo, repo.default_branch),
            "ref": find,
            "object": lambda args: _object(state, repo, args),
        },
    )


def ref_node(state: State, repo: Repository, name: str) -> Node | None:
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    sha = repo.ref(full)
    if sha is None:
        return None
    prefix, short = (
        full.rsplit("/", 1)
        if full.count("/") == 2
        else (
            "/".join(full.split("/")[:2]),
            full.split("/", 2)[2],
        )
    )
    return Node(
        type="Ref",
        fields={
            "id": node_id("Ref", f"{repo.id}:{full}"),
            "name": short,
            "prefix": f"{prefix}/",
            "target": git_object(state, repo, sha),
        },
    )


def _object(state: State, repo: Repository, args: Mapping[str, Any]) -> Node | None:
    expression = str(args.get("expression") or args.get("oid") or "")
    name, _, path = expression.partition(":")
    sha = repo.resolve(name) or (name if repo.object_type(name) else None)
    if sha is None:
        return None
    if not path:
        return git_object(state, repo, sha)
    rows = [row for row in repo.tree(sha, under=path) if row.path == path]
    return git_object(state, repo, rows[0].sha) if rows else None


def git_object(state: State, repo: Repository, sha: str) -> Node | None:
    kind = repo.object_type(sha)
    fields: dict[str, Any] = {
        "oid": sha,
        "abbreviatedOid": sha[:7],
        "id": node_id("GitObject", f"{repo.id}:{sha}"),
    }
    if kind == "blob":
        return Node(type="Blob", fields={**fields, **_blob(repo, sha)}, also=("GitObject",))
    if kind == "commit":
        return Node(type="Commit", fields={**fields, **_commit(state, repo, sha)}, also=("GitObject",))
    if kind == "tree":
        return Node(type="Tree", fields={**fields, **_tree(state, repo, sha)}, also=("GitObject",))
    return None


def _blob(repo: Repository, sha: str) -> dict[str, Any]:
    data = repo.git("cat-file", "blob", sha)
    # GitHub looks for NUL in the beginning, as git does, and gives no text for such a file.
    binary = b"\0" in data[:8000]
    return {
        "byteSize": len(data),
        "isBinary": binary,
        "isTruncated": False,
        "text": None if binary else data.decode(errors="replace"),
    }


def _tree(state: State, repo: Repository, sha: str) -> dict[str, Any]:
    def entries(_: Mapping[str, Any]) -> list[Node]:
        return [_entry(state, repo, row) for row in repo.tree(sha)]

    return {"entries": entries}


def _entry(state: State, repo: Repository, row: Entry) -> Node:
    return Node(
        type="TreeEntry",
        fields={
            "name": row.path.rsplit("/", 1)[-1],
            "path": row.path,
            "type": row.type,
            "mode": int(row.mode, 8),
            "oid": row.sha,
            "object": git_object(state, repo, row.sha),
        },
    )


def _commit(state: State, repo: Repository, sha: str) -> dict[str, Any]:
    found = repo.commit(sha)
    url = state.urls.html(repo.full_name, "commit", sha)
    headline, _, body = found.message.partition("\n")

    def history(args: Mapping[str, Any]) -> Node:
        rows = repo.log(sha, limit=min(int(args.get("first") or 30), 100))
        nodes = [git_object(state, repo, row.sha) for row in rows]
        return Node(
            type="CommitHistoryConnection",
            fields={"totalCount": repo.count(sha), "nodes": nodes},
        )

    def file(args: Mapping[str, Any]) -> Node | None:
        path = str(args.get("path", ""))
        row = next((row for row in repo.tree(sha, under=path) if row.path == path), None)
        return _entry(state, repo, row) if row else None

    return {
        "file": file,
        "url": url,
        "commitUrl": url,
        "message": found.message,
        "messageHeadline": headline,
        "messageBody": body.strip(),
        "committedDate": found.committer.date,
        "authoredDate": found.author.date,
        "author": _git_actor(found.author.name, found.author.email),
        "committer": _git_actor(found.committer.name, found.committer.email),
        "tree": lambda _: git_object(state, repo, found.tree),
        "history": history,
    }


def _git_actor(name: str, email: str) -> Node:
    return Node(type="GitActor", fields={"name": name, "email": email})
