"""The branch of a repository on the run's GitHub, written without a clone (signed by GitHub)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.github import commits
from cicd_actions.github.refs import RefUpdate, branch_head, create_branch, fast_forward
from cicd_actions.github.session import Session
from cicd_actions.gitops.contention import Commit
from cicd_actions.gitops.message import Message

_RULES_URL = "https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository"


@dataclass(frozen=True)
class ApiBranch:
    """A branch by API; see `contention.Remote`."""

    session: Session
    branch: str

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
        outcome = commits.create_commit_on_branch(
            self.session,
            branch=self.branch,
            expected_head=head,
            headline=message.headline,
            body=message.body,
            additions=additions,
        )
        if outcome.kind is commits.Commit.COMMITTED:
            return Commit(sha=outcome.sha, url=outcome.url)
        if outcome.kind is commits.Commit.PROTECTED:
            raise protected(self.session.repository, self.branch, outcome.message)
        if outcome.kind is commits.Commit.NO_BRANCH:
            self.head()  # raises unless somebody has just made it again
        return None


def protected(repository: str, branch: str, said: str) -> ActionError:
    """The error for a branch whose rules refuse the commit."""
    return ActionError(
        f"A rule protects the branch {branch!r} of {repository}, so the commit was refused: {' '.join(said.split())}",
        hint="Use mode pull-request, or sign in as a GitHub App that is on the rule's bypass list (app-id, "
        "app-private-key). The job's own token cannot be put on a bypass list.",
        url=_RULES_URL,
        title="The branch is protected",
    )


def prepare_branch(session: Session, branch: str, base_head: str, *, in_use: bool) -> bool:
    """Make sure that the branch of a pull request exists and may be written.

    Args:
        session: The session.
        branch: The pull request's branch.
        base_head: The commit that a new branch starts at.
        in_use: It has an open pull request, so it is left where it is.

    Returns:
        False when the branch is left over from an earlier pull request and cannot be moved forward to the base.
    """
    if in_use or create_branch(session, branch, base_head):
        return True
    return fast_forward(session, branch, base_head).kind is RefUpdate.UPDATED
