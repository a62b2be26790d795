"""Which commit the checkout holds, and which files git tracks in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.process import Completed, run
from cicd_actions.runner.context import RunContext

# A dispatched or scheduled run may test any commit; GITHUB_SHA is then only where the workflow file came from.
_FREE_EVENTS = ("workflow_dispatch", "repository_dispatch", "schedule", "workflow_call", "release")
_HINT = "Run actions/checkout without a `ref` of its own, or give the gate the checkout of the event's commit."


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A checkout: its top folder, commit and whether the tracked files equal that commit.

    ``sha`` is empty when the folder is no git checkout; ``changed`` names tracked files that differ.
    """

    root: Path
    sha: str
    changed: tuple[str, ...] = ()

    @property
    def tested_sha(self) -> str:
        """The commit that a verdict may be about: none when tracked files differ from it."""
        return "" if self.changed else self.sha


def read_revision(directory: Path, context: RunContext) -> Revision:
    """Return the commit checked out in ``directory``.

    Raises:
        ConfigError: In a workflow run, the folder is no checkout, or holds another commit than the event's.
    """
    top = git(directory, context.env, "rev-parse", "--show-toplevel")
    head = git(directory, context.env, "rev-parse", "--verify", "HEAD^{commit}")
    if not top.ok or not head.ok:
        if context.in_actions:
            what = "is no git checkout with a commit"
            fix = "Run actions/checkout before this step."
            raise ConfigError(Problem(input="working-directory", value=str(directory), what=what, fix=fix))
        return Revision(root=Path(top.stdout.strip()) if top.ok else directory, sha="")
    sha = head.stdout.strip()
    allowed = _event_commits(context)
    if allowed and sha not in allowed:
        what = f"the checkout holds commit {sha}, but this run is about {' or '.join(sorted(allowed))}"
        raise ConfigError(Problem(input="working-directory", value=str(directory), what=what, fix=_HINT))
    status = git(directory, context.env, "status", "--porcelain=v1", "-z", "--untracked-files=no")
    changed = tuple(entry[3:] for entry in status.stdout.split("\0") if entry[3:])
    return Revision(root=Path(top.stdout.strip()), sha=sha, changed=changed)


def tracked_files(directory: Path, env: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the tracked files that exist, relative to ``directory``; None when git knows none of it."""
    listed = git(directory, env, "ls-files", "-z")
    if not listed.ok:
        return None
    names = sorted({name for name in listed.stdout.split("\0") if name})
    return tuple(name for name in names if (directory / name).is_file())


def _event_commits(context: RunContext) -> set[str]:
    """The commits that the event is about; an empty set allows any."""
    if not context.in_actions or not context.sha or context.event_name in _FREE_EVENTS:
        return set()
    parts = (("pull_request", "head", "sha"), ("workflow_run", "head_sha"))
    return {context.sha} | {sha for keys in parts if (sha := look_up(context.event, keys))}


def look_up(event: object, keys: Sequence[str]) -> str:
    """Return the text at this path of an event, or ``""``."""
    for key in keys:
        event = event.get(key) if isinstance(event, Mapping) else None
    return event if isinstance(event, str) else ""


def git(directory: Path, env: Mapping[str, str], *words: str) -> Completed:
    """Run git in a checkout, without anything that the checkout or the caller could make it start."""
    # A container job's checkout belongs to another user, and a repository's own settings may start programs.
    clean = {key: value for key, value in env.items() if not key.startswith("GIT_")}
    options = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    return run(["git", *options, *words], cwd=directory, env=clean, timeout=60)
