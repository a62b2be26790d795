"""The change under test: which lines and files differ from where the commit left the branch that it is meant for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.quality.revision import Revision, git, look_up
from cicd_actions.runner.context import RunContext

_HUNK = re.compile(r"@@ -\d+(?:,(?P<old>\d+))? \+(?P<start>\d+)(?:,(?P<new>\d+))? @@")
_ESCAPE = re.compile(r"\\([0-7]{3}|.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_LOCAL_NAMES = ("origin/HEAD", "origin/main", "main", "origin/master", "master")
_FIX = "Give actions/checkout `fetch-depth: 0`, or name with the input base a commit that the checkout has."


@dataclass(frozen=True, kw_only=True)
class Change:
    """``base`` is the commit compared with, ``name`` what led to it; paths are relative to the repository.

    ``files`` holds every path that differs, deleted ones too; ``added`` the lines that are new or changed.
    """

    base: str
    name: str
    files: frozenset[str]
    added: Mapping[str, frozenset[int]]


def read_change(base: str, revision: Revision, context: RunContext) -> Change:
    """Return what differs from ``base``, or, where that is empty, from what the event says.

    Raises:
        ConfigError: No base can be found; that is never read as "nothing changed".
    """
    if not revision.sha:
        raise _no_base("this folder is no git checkout")
    names = _candidates(base, context)
    found: list[tuple[str, str]] = []
    for name in names:
        commit = git(revision.root, context.env, "rev-parse", "--verify", "--quiet", "--end-of-options",
                     f"{name}^{{commit}}")  # fmt: skip
        if not commit.ok:
            continue
        merge_base = git(revision.root, context.env, "merge-base", commit.stdout.strip(), "HEAD")
        if merge_base.ok:
            found.append((name, merge_base.stdout.strip()))
    if not found:
        shallow = git(revision.root, context.env, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        why = "; the checkout is shallow" if shallow else ""
        raise _no_base(f"found no common commit with {', '.join(names) or 'anything: no branch is named'}{why}")
    # a branch that already holds this commit says nothing about the change, where another name does
    name, sha = next(((name, sha) for name, sha in found if sha != revision.sha), found[0])
    return _compare(revision, context, name, sha)


def _candidates(base: str, context: RunContext) -> tuple[str, ...]:
    """What to look for, the best first."""
    if base:
        return (base, f"origin/{base}")
    event = context.event
    names: list[str] = []
    if target := look_up(event, ("pull_request", "base", "ref")):
        return (f"origin/{target}", look_up(event, ("pull_request", "base", "sha")))
    if sha := look_up(event, ("merge_group", "base_sha")):
        return (sha,)
    default = look_up(event, ("repository", "default_branch"))
    if default and default != context.ref_name:
        names += [f"origin/{default}", default]
    before = look_up(event, ("before",))
    if before.strip("0"):  # all zeros: the branch is new
        names.append(before)
    return tuple(names) if names or context.in_actions else _LOCAL_NAMES


def _compare(revision: Revision, context: RunContext, name: str, sha: str) -> Change:
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules")
    diff = git(revision.root, context.env, "diff", "-U0", *options, "--src-prefix=a/", "--dst-prefix=b/", sha, "--")
    names = git(revision.root, context.env, "diff", "--name-only", "-z", *options, sha, "--")
    if not diff.ok or not names.ok:
        said = " ".join((diff.stderr or names.stderr).split())
        raise _no_base(f"git could not compare with {sha[:12]}: {said[:300]}")
    return Change(
        base=sha,
        name=name,
        files=frozenset(path for path in names.stdout.split("\0") if path),
        added=read_diff(diff.stdout),
    )


def read_diff(text: str) -> dict[str, frozenset[int]]:
    """Return path -> new or changed lines of a unified diff without context; hunks are counted, not guessed at."""
    added: dict[str, set[int]] = {}
    path, lines = "", iter(text.split("\n"))
    for line in lines:
        if line.startswith("+++ "):
            path = _path(line[4:])
        elif match := _HUNK.match(line):
            number = int(match["new"] or 1) if match["new"] is not None else 1
            start = int(match["start"])
            if path and number:
                added.setdefault(path, set()).update(range(start, start + number))
            removed = int(match["old"]) if match["old"] is not None else 1
            _skip(lines, removed + number)  # their text may look like a header
    return {path: frozenset(found) for path, found in added.items()}


def _skip(lines: Iterator[str], number: int) -> None:
    while number > 0:
        line = next(lines, None)
        if line is None:
            return
        number -= not line.startswith("\\")  # "\ No newline at end of file"


def _path(name: str) -> str:
    """The path of a ``+++`` line: quoted as in C where it holds odd characters, /dev/null for a deleted file."""
    if name.startswith('"') and name.rstrip().endswith('"'):
        name = _ESCAPE.sub(
            lambda m: chr(int(m[1], 8)) if m[1].isdigit() else _LETTERS.get(m[1], m[1]), name.rstrip()[1:-1]
        )
    return name[2:].removesuffix("\t") if name.startswith("b/") else ""


def _no_base(what: str) -> ConfigError:
    return ConfigError(Problem(input="base", what=f"the change cannot be told from what was there: {what}", fix=_FIX))


def changed_python_files(change: Change, files: tuple[str, ...], directory: Path, root: Path) -> frozenset[str] | None:
    """Return those of ``files`` (relative to ``directory``) that changed; None when all must be looked at.

    All of them it is when the configuration of a tool changed: then files that nobody touched may have new findings.
    """
    prefix = directory.relative_to(root).as_posix() if directory.is_relative_to(root) else "."
    head = "" if prefix == "." else f"{prefix}/"
    if any(
        path.rpartition("/")[2] in _CONFIGURATION and head.startswith(path.rpartition("/")[0]) for path in change.files
    ):
        return None
    return frozenset(name for name in files if f"{head}{name}" in change.files)


_CONFIGURATION = frozenset(
    {"pyproject.toml", "setup.cfg", "tox.ini", ".flake8", ".bandit", "bandit.yaml", "bandit.yml", ".bandit.yaml",
     ".bandit.yml", "bandit.toml"}
)  # fmt: skip
