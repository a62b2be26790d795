"""Whether a ref may move: branch protection, rulesets, and workflow files under a token that may not touch them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.tokens import Actor
from cicd_actions.sandbox.github.workflows import FOLDER


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The rules of one branch, as classic protection or (``ruleset``) as a ruleset."""

    required_checks: tuple[str, ...] = ()
    require_pull_request: bool = False
    allow_force: bool = False
    allow_deletion: bool = False
    strict: bool = False
    bypass: frozenset[str] = frozenset()
    ruleset: bool = False

    def wording(self, problem: str) -> str:
        """A refusal in the API's words."""
        if not self.ruleset:
            return problem
        return f"Repository rule violations found\n\n{problem}\n\n"


def rule_problem(
    protection: Protection,
    actor: Actor,
    *,
    new: str,
    states: Mapping[str, str],
    fast_forward: bool,
    via_pull: bool = False,
) -> str:
    """Why a protected branch may not move to ``new``; empty when it may.

    ``states`` holds the newest status of each context of the new commit.
    """
    if actor.login in protection.bypass:
        return ""
    if new == ZERO:
        return "" if protection.allow_deletion else "Cannot delete this protected branch"
    if not fast_forward and not protection.allow_force:
        return "Cannot force-push to this branch"
    if protection.require_pull_request and not via_pull:
        return "Changes must be made through a pull request."
    missing = [name for name in protection.required_checks if states.get(name) != "success"]
    if len(missing) > 1:
        total = len(protection.required_checks)
        return f"{len(missing)} of {total} required status checks are expected."
    return f'Required status check "{missing[0]}" is expected.' if missing else ""


def may_touch_workflows(repo: Repository, actor: Actor) -> bool:
    """Whether a token may change workflow files. The token of a job never may."""
    return actor.kind != "job" and actor.level(repo.full_name, "workflows") >= 2


def workflow_problem(repo: Repository, actor: Actor, *, old: str, new: str) -> str:
    """Why a ref may not move from ``old`` to ``new`` because of workflow files; empty when it may.

    A new ref is compared with the default branch.
    """
    if new == ZERO or may_touch_workflows(repo, actor):
        return ""
    base = repo.branch(repo.default_branch) or EMPTY_TREE if old == ZERO else old
    paths = repo.changed_paths(base, new, FOLDER)
    return workflow_wording(actor, paths[0]) if paths else ""


def workflow_wording(actor: Actor, path: str) -> str:
    """The refusal, in GitHub's words for the kind of token."""
    who = "a Personal Access Token" if actor.kind == "user" else "a GitHub App"
    scope = "`workflow` scope" if actor.kind == "user" else "`workflows` permission"
    return f"refusing to allow {who} to create or update workflow `{path}` without {scope}"
