"""What the stand-in remembers beside the git repositories, and the services its handlers share."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cicd_actions.sandbox.github.accounts import Accounts
from cicd_actions.sandbox.github.answers import not_found
from cicd_actions.sandbox.github.policy import Protection
from cicd_actions.sandbox.github.repositories import Repository, Signature
from cicd_actions.sandbox.github.runs import Runs
from cicd_actions.sandbox.github.tokens import Actor, Tokens
from cicd_actions.sandbox.github.urls import Urls

logger = logging.getLogger("cicd_actions.sandbox.github")


@dataclass(frozen=True, kw_only=True)
class CommitComment:
    """A comment on a commit."""

    id: int
    repository: str
    sha: str
    body: str
    login: str
    path: str | None
    line: int | None
    position: int | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class CommitStatus:
    """A status of a commit."""

    id: int
    repository: str
    sha: str
    state: Literal["error", "failure", "pending", "success"]
    context: str
    description: str | None
    target_url: str | None
    login: str
    created_at: datetime


@dataclass(kw_only=True)
class Issue:
    """An issue, or the conversation of a pull request."""

    id: int
    number: int
    repository: str
    title: str
    body: str | None
    login: str
    created_at: datetime
    updated_at: datetime
    labels: tuple[str, ...] = ()
    state: Literal["open", "closed"] = "open"


@dataclass(kw_only=True)
class Pull(Issue):
    """A pull request between two branches of one repository."""

    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: str = ""
    merge_commit_sha: str | None = None


@dataclass(frozen=True, kw_only=True)
class IssueComment:
    """A comment on an issue or pull request."""

    id: int
    repository: str
    number: int
    body: str
    login: str
    created_at: datetime


@dataclass(kw_only=True)
class Records:
    """Everything that is not in git. Lists only grow; read and append them under ``lock``."""

    comments: list[CommitComment] = field(default_factory=list)
    statuses: list[CommitStatus] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    issue_comments: list[IssueComment] = field(default_factory=list)
    protections: dict[tuple[str, str], Protection] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def new_id(self) -> int:
        """A number that was never given out."""
        return next(self._ids)

    def next_number(self, repository: str) -> int:
        """The number of the next issue or pull request."""
        return 1 + sum(issue.repository == repository for issue in self.issues)

    def statuses_of(self, repository: str, sha: str) -> list[CommitStatus]:
        """The statuses of a commit, newest first."""
        with self.lock:
            rows = [s for s in self.statuses if s.repository == repository and s.sha == sha]
        return rows[::-1]

    def latest(self, repository: str, sha: str) -> dict[str, CommitStatus]:
        """The newest status of each context."""
        found: dict[str, CommitStatus] = {}
        for status in self.statuses_of(repository, sha):
            found.setdefault(status.context, status)
        return found

    def protection(self, repository: str, branch: str) -> Protection | None:
        """The rules of a branch."""
        return self.protections.get((repository, branch))


class Hooks:
    """Listeners by event name. One that breaks is noted in ``errors`` and harms nobody else."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[[Any], None]]] = {}
        self.errors: list[BaseException] = []

    def on(self, event: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback`` whenever ``event`` happens."""
        self._listeners.setdefault(event, []).append(callback)

    def fire(self, event: str, value: Any) -> None:
        """Tell the listeners."""
        for callback in tuple(self._listeners.get(event, ())):
            try:
                callback(value)
            except Exception as error:
                logger.exception("a listener of %s broke", event)
                self.errors.append(error)


@dataclass(kw_only=True)
class State:
    """The whole stand-in, as its handlers see it."""

    urls: Urls
    accounts: Accounts
    tokens: Tokens
    records: Records
    runs: Runs
    hooks: Hooks
    clock: Callable[[], datetime]
    repositories: dict[str, Repository] = field(default_factory=dict)

    def repository(self, owner: str, name: str) -> Repository:
        """A repository by its names, whatever their case.

        Raises:
            RefusedError: There is none (404).
        """
        found = self.find(owner, name)
        if found is None:
            raise not_found()
        return found

    def find(self, owner: str, name: str) -> Repository | None:
        """A repository by its names, or None."""
        wanted = f"{owner}/{name}".lower()
        return next((r for key, r in self.repositories.items() if key.lower() == wanted), None)

    def signature(self, actor: Actor) -> Signature:
        """How commits made through the API by this identity are signed."""
        account = self.accounts.get(actor.login)
        return Signature(name=account.name, email=account.email, date=stamp(self.clock()))

    def web_flow(self) -> Signature:
        """The committer of everything that the API commits."""
        return Signature(name="GitHub", email="noreply@github.com", date=stamp(self.clock()))


def stamp(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
