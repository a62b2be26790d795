"""How two commits relate, and the merge of them, as GitHub tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, GitError
from cicd_actions.sandbox.github.repositories import Repository

Status = Literal["identical", "ahead", "behind", "diverged"]

_STATUS = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file of a comparison."""

    path: str
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """``head`` seen from ``base``."""

    base: str
    head: str
    merge_base: str
    ahead: int
    behind: int

    @property
    def status(self) -> Status:
        """One word for it."""
        if self.ahead and self.behind:
            return "diverged"
        if self.ahead:
            return "ahead"
        return "behind" if self.behind else "identical"


class MergeConflictError(Exception):
    """The two sides changed the same lines; ``paths`` names the files."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(f"conflict in {', '.join(paths)}")
        self.paths = paths


def compare(repo: Repository, base: str, head: str) -> Comparison | None:
    """Compare two commits; None when they have no common ancestor."""
    try:
        merge_base = repo.git.text("merge-base", base, head)
    except GitError:
        return None
    counts = repo.git.text("rev-list", "--left-right", "--count", f"{base}...{head}")
    behind, ahead = (int(word) for word in counts.split())
    return Comparison(base=base, head=head, merge_base=merge_base, ahead=ahead, behind=behind)


def merge_tree(repo: Repository, base: str, head: str) -> str:
    """The tree of the merge of two commits.

    Raises:
        MergeConflictError: It needs a person.
    """
    argv = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", base, head)
    code, out, err = repo.git.result(*argv)
    parts = out.decode("utf-8", "replace").split("\0")
    if code == 1:
        raise MergeConflictError(tuple(part for part in parts[1:] if part))
    if code != 0:
        raise GitError(argv, code, err)
    return parts[0].strip()


def changes(repo: Repository, old: str, new: str) -> list[FileChange]:
    """The files that differ between two commits, with counts and patch."""
    options = ("-r", "-z", "--no-renames", old, new)
    raw = repo.git("diff-tree", "--raw", *options).decode("utf-8", "replace").split("\0")
    numbers = repo.git("diff-tree", "--numstat", *options).decode("utf-8", "replace").split("\0")
    counts = {row.split("\t", 2)[2]: row.split("\t", 2)[:2] for row in numbers if row}
    found = []
    for head, path in zip(raw[0::2], raw[1::2], strict=False):
        words = head.lstrip(":").split(" ")
        added, deleted = counts.get(path, ["0", "0"])
        found.append(
            FileChange(
                path=path,
                status=_STATUS.get(words[4][:1], "changed"),
                sha=words[2] if words[4][:1] == "D" else words[3],
                additions=int(added) if added.isdigit() else 0,
                deletions=int(deleted) if deleted.isdigit() else 0,
                patch=_patch(repo, old, new, path),
            )
        )
    return found


def _patch(repo: Repository, old: str, new: str, path: str) -> str:
    """The hunks alone, as the API gives them; empty for a binary file."""
    text = repo.git("diff-tree", "-p", "--no-color", old, new, "--", f":(literal){path}").decode(errors="replace")
    start = text.find("\n@@")
    return text[start + 1 :].rstrip("\n") if start >= 0 else ""


def parent_or_empty(repo: Repository, sha: str) -> str:
    """The first parent of a commit, or the empty tree for a root."""
    parents = repo.commit(sha).parents
    return parents[0] if parents else EMPTY_TREE
