"""The stand-in GitHub as scenarios and tests use it."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.github import dispatcher, gitcgi
from cicd_actions.sandbox.github.accounts import Accounts
from cicd_actions.sandbox.github.faults import Faults, RequestLog
from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO, Git, environment
from cicd_actions.sandbox.github.policy import Protection
from cicd_actions.sandbox.github.repositories import Repository, Signature
from cicd_actions.sandbox.github.repository_view import RepositoryView
from cicd_actions.sandbox.github.runs import Run, Runs, StartRun
from cicd_actions.sandbox.github.server import Server
from cicd_actions.sandbox.github.state import Hooks, Records, State
from cicd_actions.sandbox.github.tokens import RESTRICTED, Actor, Kind, Permissions, Tokens
from cicd_actions.sandbox.github.trees import File, edit_tree, files_of, write_commit
from cicd_actions.sandbox.github.updates import job_actor
from cicd_actions.sandbox.github.urls import Urls

__all__ = ["EVENT_NAMES", "RepositoryView", "StandInGitHub"]

_FULL_NAME = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)

EVENT_NAMES = (
    "push",
    "run_queued",
    "run_started",
    "run_completed",
    "comment",
    "issue",
    "pull_request",
)
"""What `StandInGitHub.on` can listen to."""


def _now() -> datetime:
    return datetime.now(UTC)


class StandInGitHub:
    """A local GitHub on real bare repositories. Use it as a context manager.

    Args:
        root: Folder for the repositories; it is made.
        start_run: Executes a run and says how it ended; None leaves all runs queued.
        clock: Tells the time; whatever is stored or answered uses it.
        random_bytes: Source of tokens and request ids.
        path: The PATH on which git is looked for; empty takes the usual places.
        port: Port to listen on (loopback only); 0 takes a free one.
        workers: How many runs may execute at a time.
        validate: Checks every REST exchange; what it finds makes the end of the context an error.
    """

    def __init__(
        self,
        root: Path,
        *,
        start_run: StartRun | None = None,
        clock: Callable[[], datetime] = _now,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        path: str = "",
        port: int = 0,
        workers: int = 1,
        validate: dispatcher.Validate | None = None,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root.resolve()
        self._environment = environment(path, self._root)
        self._validate = validate
        self.faults = Faults()
        self.requests = RequestLog()
        self._server = Server(lambda incoming: self._dispatch(incoming), self.faults, self.requests, port)
        hooks = Hooks()
        self.state = State(
            urls=Urls(root=f"http://127.0.0.1:{self._server.server_address[1]}"),
            accounts=Accounts(),
            tokens=Tokens(random_bytes),
            records=Records(),
            runs=Runs(start_run, clock=clock, fire=hooks.fire, workers=workers),
            hooks=hooks,
            clock=clock,
        )
        self._dispatch = dispatcher.Dispatcher(self.state, validate=validate, random_bytes=random_bytes)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="stand-in-github",
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.state.runs.start(lambda run: self.state.tokens.revoke(run.token))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.state.runs.stop(timeout=30)
        self._server.close()
        self._thread.join(10)
        if self._validate and self.violations and error is None:
            raise AssertionError("the stand-in broke its contract:\n" + "\n".join(self.violations))

    # -- addresses ----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The server's root, GITHUB_SERVER_URL of a job."""
        return self.state.urls.root

    @property
    def api_url(self) -> str:
        """Root of the REST API, GITHUB_API_URL of a job."""
        return self.state.urls.api

    @property
    def graphql_url(self) -> str:
        """The GraphQL endpoint, GITHUB_GRAPHQL_URL of a job."""
        return self.state.urls.graphql

    # -- setting up ---------------------------------------------------------------------------------------------

    def create_repository(
        self,
        full_name: str,
        files: Mapping[str, str | bytes] | Path | None = None,
        *,
        private: bool = False,
        default_branch: str = "main",
        login: str = "",
        message: str = "Initial commit",
        actions_may_create_pulls: bool = False,
        default_permissions: Mapping[str, str] = RESTRICTED,
    ) -> RepositoryView:
        """Make a repository, empty or with one first commit from a mapping or a folder. It starts no workflow.

        Args:
            login: Who made the first commit; the owner unless named.
            actions_may_create_pulls: GitHub's setting of that name; off for new repositories, as there.
            default_permissions: What a job's token gets when its workflow says nothing.
        """
        owner, _, name = full_name.partition("/")
        if not _FULL_NAME.fullmatch(full_name) or self.state.find(owner, name):
            raise ValueError(f"{full_name!r} is no free name of a repository")
        repo = Repository(
            owner=owner,
            name=name,
            id=7000 + len(self.state.repositories),
            private=private,
            default_branch=default_branch,
            created_at=self.state.clock(),
            git=self._bare(f"{owner}--{name}.git", default_branch),
            actions_may_create_pulls=actions_may_create_pulls,
            default_permissions=default_permissions,
        )
        gitcgi.install(repo)
        if files:
            self._seed(repo, files_of(files), login or owner, message)
        self.state.repositories[full_name] = repo
        return RepositoryView(self.state, repo)

    def _bare(self, name: str, default_branch: str) -> Git:
        git = Git(directory=self._root / name, environment=self._environment)
        git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", "--template=", str(git.directory))
        return git

    def _seed(self, repo: Repository, files: list[File], login: str, message: str) -> None:
        signature: Signature = self.state.signature(Actor(login=login, kind="user"))
        sha = write_commit(
            repo,
            tree=edit_tree(repo, EMPTY_TREE, files),
            parents=(),
            message=message,
            author=signature,
            committer=signature,
        )
        repo.set_ref(f"refs/heads/{repo.default_branch}", sha, ZERO)

    @property
    def repositories(self) -> dict[str, RepositoryView]:
        """All repositories by ``owner/name``."""
        found = self.state.repositories.items()
        return {name: RepositoryView(self.state, repo) for name, repo in found}

    def account(self, login: str, *, name: str = "", emails: tuple[str, ...] = ()) -> None:
        """Register a person, so that commits with one of the addresses count as theirs."""
        self.state.accounts.add(login, name=name, emails=emails)

    def token(self, login: str, permissions: Permissions, *, kind: Kind = "user") -> Secret:
        """A token for a person or (``kind="app"``) an App.

        ``permissions`` maps ``owner/name`` to scopes with levels, or to one word (read, write, admin) for all of them.
        To change workflow files a token needs ``workflows: write``.
        """
        self.state.accounts.get(login)
        return self.state.tokens.issue(Actor(login=login, kind=kind, permissions=permissions))

    def job_token(self, run: Run) -> Secret:
        """Another token of the same rights as a run's own; it outlives the run."""
        return self.state.tokens.issue(job_actor(run))

    def protect(self, full_name: str, branch: str, rules: Protection | None) -> None:
        """Put rules on a branch; None takes them off."""
        key = (full_name, branch)
        if rules is None:
            self.state.records.protections.pop(key, None)
        else:
            self.state.records.protections[key] = rules

    # -- watching -----------------------------------------------------------------------------------------------

    def on(self, event: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback`` at each event (one of `EVENT_NAMES`), in the thread in which it happens.

        ``push`` gives a `Push`, the run events a `Run`, the others the record that was made.
        """
        if event not in EVENT_NAMES:
            raise ValueError(f"{event!r} is not one of {', '.join(EVENT_NAMES)}")
        self.state.hooks.on(event, callback)

    def runs(self, full_name: str | None = None) -> list[Run]:
        """The runs of a repository, or all, oldest first."""
        return self.state.runs.all(self.state.repositories[full_name] if full_name else None)

    def wait_idle(self, timeout: float = 60.0) -> bool:
        """Wait until no run is queued or at work; False when time ran out first."""
        return self.state.runs.wait_idle(timeout)

    @property
    def violations(self) -> list[str]:
        """Broken handlers, and what ``validate`` found wrong."""
        return self._dispatch.violations
