"""Bare repositories on disk and what is read from them. Git is the only truth about refs, commits and files."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cicd_actions.sandbox.github.plumbing import Git, GitError, is_ref_name, is_sha

_FIELDS = ("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B")
_FORMAT = "--format=tformat:" + "%x00".join(_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who and when; ``date`` is ISO 8601 with an offset."""

    name: str
    email: str
    date: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit as git stores it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def headline(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A file at a commit."""

    sha: str
    mode: str
    path: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a tree."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


@dataclass(kw_only=True)
class Repository:
    """One bare repository. ``lock`` is held while its refs change: each change has one before and one after."""

    owner: str
    name: str
    id: int
    private: bool
    default_branch: str
    created_at: datetime
    git: Git
    actions_may_create_pulls: bool = False
    default_permissions: Mapping[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def path(self) -> Path:
        """The bare repository's folder."""
        return self.git.directory

    # -- refs ---------------------------------------------------------------------------------------------------

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """All refs below a prefix, by full name, with the objects they point to."""
        out = self.git.text("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        pairs = (line.split(" ", 1) for line in out.splitlines())
        return {name: sha for name, sha in pairs}  # noqa: C416 - two words, told apart by name

    def ref(self, name: str) -> str | None:
        """What a full ref name points to, or None."""
        if not is_ref_name(name):
            return None
        code, out, _ = self.git.result("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return out.decode().strip() if code == 0 else None

    def branch(self, name: str) -> str | None:
        """The commit that a branch points to, or None."""
        return self.ref(f"refs/heads/{name}")

    def head(self, branch: str | None = None) -> str:
        """The commit at the tip of a branch (the default branch unless named).

        Raises:
            KeyError: There is no such branch.
        """
        name = branch or self.default_branch
        sha = self.branch(name)
        if sha is None:
            raise KeyError(f"{self.full_name} has no branch {name!r}")
        return sha

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, tag, full ref or (short) SHA names, in that order; None when there is none."""
        candidates = []
        if is_ref_name(name):
            candidates = [f"refs/heads/{name}", f"refs/tags/{name}"]
            if name.startswith("refs/") or name == "HEAD":
                candidates.insert(0, name)
        if 4 <= len(name) <= 40 and all(c in "0123456789abcdef" for c in name.lower()):
            candidates.append(name)
        if not candidates:
            return None
        asked = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates)
        for line in self.git.text("cat-file", "--batch-check", data=asked.encode()).splitlines():
            words = line.split(" ")
            if len(words) == 3 and words[1] == "commit":
                return words[0]
        return None

    def set_ref(self, name: str, new: str, old: str) -> bool:
        """Move a ref from ``old`` to ``new`` (zeros: create or delete); False when it no longer is at ``old``."""
        line = f"update {name} {new} {old}\n"
        code, _, _ = self.git.result("update-ref", "--stdin", data=line.encode())
        return code == 0

    # -- history ------------------------------------------------------------------------------------------------

    def log(
        self,
        revision: str | None = None,
        *,
        limit: int = 250,
        path: str = "",
        reverse: bool = False,
    ) -> list[Commit]:
        """The commits reachable from a revision or in a range, newest first; of the default branch unless named."""
        argv = ["log", "-z", f"--max-count={limit}", _FORMAT]
        if reverse:
            argv.append("--reverse")
        argv += ["--end-of-options", revision or f"refs/heads/{self.default_branch}", "--"]
        if path:
            argv.append(path)
        return parse_log(self.git(*argv))

    def commit(self, revision: str) -> Commit:
        """One commit.

        Raises:
            KeyError: There is no such commit.
        """
        sha = self.resolve(revision)
        if sha is None:
            raise KeyError(f"{self.full_name} has no commit {revision!r}")
        return self.log(sha, limit=1)[0]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether ``newer`` contains ``older``."""
        return self.git.result("merge-base", "--is-ancestor", older, newer)[0] == 0

    def count(self, revisions: str) -> int:
        """How many commits a range holds."""
        return int(self.git.text("rev-list", "--count", "--end-of-options", revisions))

    # -- files --------------------------------------------------------------------------------------------------

    def tree(self, revision: str, *, recursive: bool = False, under: str = "") -> list[Entry]:
        """The rows of a commit's or tree's listing, all of them or those below a folder."""
        argv = ["ls-tree", "-z", "--long", *(("-r",) if recursive else ()), revision]
        if under:
            argv += ["--", under]
        rows = self.git(*argv).decode("utf-8", "surrogateescape").split("\0")
        return [_entry(row) for row in rows if row]

    def blob(self, revision: str, path: str) -> Blob | None:
        """A file at a revision, or None when there is no *file* of that name."""
        rows = [row for row in self.tree(revision, under=path) if row.path == path]
        if not rows or rows[0].type != "blob":
            return None
        row = rows[0]
        return Blob(sha=row.sha, mode=row.mode, path=path, data=self.git("cat-file", "blob", row.sha))

    def show(self, path: str, revision: str | None = None) -> str:
        """A file's text at a revision (the default branch unless named).

        Raises:
            KeyError: There is no such revision or file.
        """
        return self.show_bytes(path, revision).decode(errors="replace")

    def show_bytes(self, path: str, revision: str | None = None) -> bytes:
        """Like `show`, every byte."""
        sha = self.resolve(revision or self.default_branch)
        found = self.blob(sha, path) if sha else None
        if found is None:
            raise KeyError(f"{self.full_name} has no file {path!r} at {revision or 'its tip'}")
        return found.data

    def files(self, revision: str | None = None) -> list[str]:
        """All file paths at a revision (the default branch unless named)."""
        sha = self.resolve(revision or self.default_branch)
        return [row.path for row in self.tree(sha, recursive=True)] if sha else []

    def changed_paths(self, old: str, new: str, *under: str) -> list[str]:
        """The paths that differ between two commits or trees, or only those below some folders."""
        argv = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new, "--", *under]
        out = self.git(*argv).decode("utf-8", "replace")
        return [path for path in out.split("\0") if path]

    def diff(self, old: str, new: str) -> str:
        """The difference between two revisions, as text."""
        return self.git("diff", "--no-color", "--no-ext-diff", old, new, "--").decode(errors="replace")

    def object_type(self, sha: str) -> str | None:
        """``commit``, ``tree``, ``blob``, ``tag`` or None."""
        if not is_sha(sha):
            return None
        try:
            return self.git.text("cat-file", "-t", sha)
        except GitError:
            return None


def parse_log(data: bytes) -> list[Commit]:
    """Read what `git log -z` printed in our format; hostile messages cannot break it: git forbids NUL in them."""
    fields = data.decode(errors="replace").split("\0")
    width = len(_FIELDS)
    rows = [fields[i : i + width] for i in range(0, len(fields) - width + 1, width)]
    return [_commit(row) for row in rows]


def _commit(row: Sequence[str]) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = row
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Signature(name=an, email=ae, date=ad),
        committer=Signature(name=cn, email=ce, date=cd),
        message=message.rstrip("\n"),
    )


def _entry(row: str) -> Entry:
    head, path = row.split("\t", 1)
    mode, kind, sha, size = head.split()
    return Entry(mode=mode, type=kind, sha=sha, size=None if size == "-" else int(size), path=path)
