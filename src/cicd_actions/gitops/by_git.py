"""The branch of a repository on any host, written by git: no work tree, no rebase, never with force."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cicd_actions.errors import ActionError, ConfigError, Problem, UpstreamError
from cicd_actions.gitops.by_api import protected
from cicd_actions.gitops.contention import Backoff, Commit
from cicd_actions.gitops.message import Message
from cicd_actions.gitops.repository import GitRepository, last_words
from cicd_actions.gitops.wording import meaning
from cicd_actions.process import Completed

log = logging.getLogger("cicd_actions.gitops")

_NETWORK_TRIES = 5
_HISTORY = 50


@dataclass
class GitBranch:
    """A branch by git; see `contention.Remote`.

    ``backoff`` gives the waits after network failures; ``failures`` counts the pushes that the network ate.
    """

    repository: GitRepository
    branch: str
    backoff: Backoff
    failures: int = 0

    def head(self) -> str:
        """Fetch, and return the branch's commit."""
        self._fetch(depth=1)
        return self.repository.head()

    def read(self, path: str, head: str) -> bytes | None:
        """The file's bytes at the head, fetched now if need be."""
        entry = self.repository.entry(head, path)
        if entry is None:
            return None
        done = self._persist(lambda: self.repository.unpack(entry[1]))
        file = self.repository.folder / done.stdout.strip()
        data = file.read_bytes()
        file.unlink()
        return data

    def commit(self, head: str, additions: Mapping[str, bytes], message: Message) -> Commit | None:
        """Push a commit on top of ``head``; None when others were faster.

        When the connection broke, the branch itself tells whether the push arrived.
        """
        sha = self.repository.write_commit(head, additions, message.text)
        done = self.repository.push(sha, self.branch)
        if done.ok:
            return Commit(sha=sha)
        said = f"{done.stdout}\n{done.stderr}"
        kind = "network" if done.timed_out else meaning(said)
        if kind in ("race", "network"):
            log.info("git push: %s", last_words(done))
            self._fetch(depth=_HISTORY)
            if self.repository.holds(sha):
                return Commit(sha=sha)
            self.failures += kind == "network"
            if self.failures < _NETWORK_TRIES:
                return None
        if kind == "protected":
            raise protected(self.repository.url, self.branch, _remote_lines(said) or last_words(done))
        raise self._error(done, "push to")

    def _fetch(self, *, depth: int) -> None:
        self._persist(lambda: self.repository.fetch(self.branch, depth=depth))

    def _persist(self, call: Callable[[], Completed]) -> Completed:
        """Repeat a reading command while the network is what fails."""
        for attempt in range(1, _NETWORK_TRIES + 1):
            done = call()
            if done.ok:
                return done
            network = done.timed_out or meaning(done.stderr) in ("network", "race")
            if not network or attempt == _NETWORK_TRIES:
                break
            wait = self.backoff.wait(attempt + 2)
            log.info("git: %s; trying again in %.1f s.", last_words(done), wait)
            self.backoff.sleep(wait)
        raise self._error(done, "read")

    def _error(self, done: Completed, doing: str) -> ActionError:
        kind, url = "network" if done.timed_out else meaning(f"{done.stdout}\n{done.stderr}"), self.repository.url
        said = f"git says: {last_words(done)}"
        if kind == "no-branch":
            fix = "Correct the name, or create the branch; an empty repository needs a first commit."
            return ConfigError(Problem(input="branch", value=self.branch, what=f"does not exist in {url}", fix=fix))
        if kind == "no-right":
            fix = "Give a token (https) or an ssh-key that may read and write contents there."
            name = "token" if url.startswith("http") else "ssh-key"
            return ConfigError(Problem(input=name, what=f"may not {doing} {url}. {said}", fix=fix))
        if kind == "no-repository":
            fix = "Check the address, and that token or ssh-key may see the repository."
            return ConfigError(Problem(input="repository", value=url, what=f"was not found. {said}", fix=fix))
        if kind in ("network", "race"):
            hint = "Check the network and the host, then run again; nothing was written."
            return UpstreamError(f"Could not {doing} {url}. {said}", hint=hint)
        return ActionError(f"Could not {doing} {url}. {said}")


def _remote_lines(said: str) -> str:
    """The server's own words."""
    lines = [line.removeprefix("remote:").strip() for line in said.splitlines() if line.startswith("remote:")]
    return " ".join(line for line in lines if line)[:400]
