"""New commits without a work tree: blobs, an index of their own, a tree, a commit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.repositories import Repository, Signature

REGULAR = "100644"
EXECUTABLE = "100755"


@dataclass(frozen=True, kw_only=True)
class File:
    """New content for a path; ``data`` None takes the path away."""

    path: str
    data: bytes | None
    mode: str = REGULAR


def write_blob(repo: Repository, data: bytes) -> str:
    """Store content; return its object name."""
    return repo.git.text("hash-object", "-w", "--stdin", data=data)


def edit_tree(repo: Repository, base: str, files: Sequence[File]) -> str:
    """The tree that results from putting some files into a base tree (or commit)."""
    rows = [
        f"0 {ZERO}\t{file.path}" if file.data is None
        else f"{file.mode} {write_blob(repo, file.data)}\t{file.path}"
        for file in files
    ]  # fmt: skip
    return edit_rows(repo, base, rows)


def edit_rows(repo: Repository, base: str, rows: Sequence[str]) -> str:
    """The tree that results from rows in the form of `git update-index --index-info` on a base tree."""
    with tempfile.TemporaryDirectory(prefix="index-", dir=repo.path) as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if base != EMPTY_TREE:
            repo.git("read-tree", base, env=env)
        data = "".join(f"{row}\0" for row in rows).encode("utf-8", "surrogateescape")
        repo.git("update-index", "-z", "--index-info", data=data, env=env)
        return repo.git.text("write-tree", env=env)


def write_commit(
    repo: Repository,
    *,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Signature,
    committer: Signature,
) -> str:
    """Store a commit; return its object name. No ref moves."""
    env = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_AUTHOR_DATE": author.date,
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
        "GIT_COMMITTER_DATE": committer.date,
    }
    lineage = [word for parent in parents for word in ("-p", parent)]
    return repo.git.text("commit-tree", tree, *lineage, data=message.encode(), env=env)


def files_of(source: Mapping[str, str | bytes] | Path) -> list[File]:
    """What a repository is seeded with: a mapping of path to content, or a folder (its ``.git`` is left out)."""
    if not isinstance(source, Path):
        return [File(path=path, data=data.encode() if isinstance(data, str) else data) for path, data in source.items()]
    found = (p for p in sorted(source.rglob("*")) if p.is_file() and not p.is_symlink())
    kept = ((p, p.relative_to(source)) for p in found)
    return [
        File(
            path=relative.as_posix(),
            data=path.read_bytes(),
            mode=EXECUTABLE if path.stat().st_mode & 0o100 else REGULAR,
        )
        for path, relative in kept
        if ".git" not in relative.parts
    ]
