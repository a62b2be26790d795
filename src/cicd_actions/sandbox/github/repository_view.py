"""One repository of the stand-in, in the hands of a test or scenario."""

from __future__ import annotations

from collections.abc import Mapping

from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.state import CommitComment, CommitStatus, Issue, State
from cicd_actions.sandbox.github.tokens import Actor
from cicd_actions.sandbox.github.trees import File, edit_tree, write_commit
from cicd_actions.sandbox.github.updates import Push, announce


class RepositoryView:
    """One repository in the hands of a test: git's facts, and what was said about its commits."""

    def __init__(self, state: State, repository: Repository) -> None:
        self._state = state
        self._repository = repository
        self.full_name = repository.full_name
        self.path = repository.path
        self.clone_url = state.urls.git(repository.full_name)
        self.html_url = state.urls.html(repository.full_name)
        self.head = repository.head
        self.branch = repository.branch
        self.log = repository.log
        self.commit = repository.commit
        self.show = repository.show
        self.show_bytes = repository.show_bytes
        self.files = repository.files
        self.diff = repository.diff
        self.refs = repository.refs
        self.is_ancestor = repository.is_ancestor

    def comments(self, sha: str | None = None) -> list[CommitComment]:
        """The comments on a commit, or on all."""
        rows = list(self._state.records.comments)
        return [r for r in rows if r.repository == self.full_name and sha in (None, r.sha)]

    def statuses(self, sha: str) -> list[CommitStatus]:
        """The statuses of a commit, newest first."""
        return self._state.records.statuses_of(self.full_name, sha)

    def issues(self) -> list[Issue]:
        """Issues and pull requests."""
        return [i for i in self._state.records.issues if i.repository == self.full_name]

    def commit_files(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        message: str,
        login: str,
        branch: str | None = None,
    ) -> str:
        """Put a commit on a branch as if ``login`` had pushed it (it starts workflows); None deletes a file."""
        repo, state = self._repository, self._state
        name = branch or repo.default_branch
        ref = f"refs/heads/{name}"
        with repo.lock:
            old = repo.branch(name)
            parent = old or repo.branch(repo.default_branch)
            changed = [
                File(path=path, data=data.encode() if isinstance(data, str) else data) for path, data in files.items()
            ]
            signature = state.signature(Actor(login=login, kind="user"))
            sha = write_commit(
                repo,
                tree=edit_tree(repo, parent or EMPTY_TREE, changed),
                parents=(parent,) if parent else (),
                message=message,
                author=signature,
                committer=signature,
            )
            repo.set_ref(ref, sha, old or ZERO)
            actor = Actor(login=login, kind="user", permissions={self.full_name: "write"})
            before = old or ZERO
            announce(state, Push(repository=repo, actor=actor, ref=ref, before=before, after=sha))
        return sha
