"""The branch of a repository on the run's GitHub, written without a clone (signed by GitHub)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.github import commits
from cicd_actions.github.refs import branch_head
from cicd_actions.github.rules import in_the_way
from cicd_actions.github.session import Session
from cicd_actions.github.trees import EXECUTABLE, PLAIN, commit_tree, file_modes
from cicd_actions.gitops.contention import Commit
from cicd_actions.gitops.message import Message

_RULES_URL = "https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository"


@dataclass(frozen=True)
class ApiBranch:
    """A branch by API; see `contention.Remote`."""

    session: Session
    branch: str
    _modes: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def head(self) -> str:
        """The branch's commit."""
        found = branch_head(self.session, self.branch)
        if found is None:
            raise ConfigError(
                Problem(
                    input="branch",
                    value=self.branch,
                    what=f"does not exist in {self.session.repository}",
                    fix="Correct the name, or create the branch; an empty repository needs a first commit.",
                )
            )
        return found

    def read(self, path: str, head: str) -> bytes | None:
        """The file's bytes at the head."""
        return commits.read_file(self.session, path, ref=head)

    def commit(self, head: str, additions: Mapping[str, bytes], message: Message) -> Commit | None:
        """Commit if the branch still points at ``head``."""
        outcome = self._commit(head, additions, message)
        if outcome.kind is commits.Commit.COMMITTED:
            return Commit(sha=outcome.sha, url=outcome.url)
        if outcome.kind is commits.Commit.PROTECTED:
            raise protected(self.session.repository, self.branch, outcome.message)
        if outcome.kind is commits.Commit.NO_BRANCH:
            self.head()  # raises unless somebody has just made it again
        return None

    def _commit(self, head: str, additions: Mapping[str, bytes], message: Message) -> commits.CommitOutcome:
        """GitHub's own commit makes every file a plain one, so an executable file takes the longer way."""
        modes = self._read_modes(head, tuple(additions))
        if EXECUTABLE in modes.values():
            files = {path: (modes[path], data) for path, data in additions.items()}
            return commit_tree(self.session, branch=self.branch, parent=head, message=message.text.strip(), files=files)
        return commits.create_commit_on_branch(
            self.session,
            branch=self.branch,
            expected_head=head,
            headline=message.headline,
            body=message.body,
            additions=additions,
        )

    def _read_modes(self, head: str, paths: tuple[str, ...]) -> dict[str, str]:
        """The files' modes, asked for once: a race must not take longer for it."""
        unknown = [path for path in paths if path not in self._modes]
        if unknown:
            self._modes.update(dict.fromkeys(unknown, PLAIN) | file_modes(self.session, head, unknown))
        for path in paths:
            if self._modes[path] not in (PLAIN, EXECUTABLE):
                fix = "Name the file itself: a commit would put a plain file in the place of the link."
                raise ConfigError(Problem(input="file", value=path, what="is a symbolic link", fix=fix))
        return {path: self._modes[path] for path in paths}

    def preflight(self, *, dry_run: bool) -> tuple[str, ...]:
        """Look for rules that refuse a direct commit; remarks in a dry run.

        Raises:
            ActionError: GitHub says that this login cannot pass them.
        """
        found = in_the_way(self.session, self.branch)
        kinds = ", ".join(found.kinds)
        if found.certain:
            raise protected(self.session.repository, self.branch, f"rules {kinds}; this login cannot bypass them")
        if dry_run and kinds:
            way_out = "The way out is mode pull-request, or a GitHub App on the bypass list."
            return (f"The rules {kinds} of {self.branch} let only a login that bypasses them commit. {way_out}",)
        return ()


def protected(repository: str, branch: str, said: str) -> ActionError:
    """The error for a branch whose rules refuse the commit."""
    return ActionError(
        f"A rule protects the branch {branch!r} of {repository}, so the commit was refused: {' '.join(said.split())}",
        hint="Use mode pull-request, or sign in as a GitHub App that is on the rule's bypass list (app-id, "
        "app-private-key). The job's own token cannot be put on a bypass list.",
        url=_RULES_URL,
        title="The branch is protected",
    )
