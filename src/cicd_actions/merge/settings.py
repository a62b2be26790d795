"""Land exactly the tested commit on the target branch and start the next workflow.

Lands by a fast-forward where that is possible, else by a merge commit or a pull request, never with force; then starts
the next workflow and makes sure that its run exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cicd_actions.github.events import own_branch, tested_commit
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.runner.secrets import Secret

METHODS = ("auto", "fast-forward", "merge", "pull-request")

INPUTS = (
    Input(
        "token",
        "Token that may write contents, and start workflows when next-workflow is given. The job's own token by "
        "default.",
        secret=True,
    ),
    Input("app-id", "Id of a GitHub App to sign in as, instead of using token. Needs app-private-key."),
    Input("app-private-key", "Private key (PEM) of that GitHub App.", secret=True),
    Input(
        "source-sha",
        "Commit to land, as a full SHA. The commit that this run is about by default (GITHUB_SHA on a push).",
    ),
    Input(
        "tested-sha",
        "Commit that was tested, such as the output tested-sha of quality-gate; none says that no commit was. When it "
        "is given and is not source-sha, nothing is merged.",
    ),
    Input("source-branch", "Branch that must contain the commit. The run's own branch by default."),
    Input("target-branch", "Branch to land on.", default="main"),
    Input(
        "method",
        "How to land: auto (fast-forward, else a merge commit), fast-forward, merge (always a merge commit) or "
        "pull-request.",
        default="auto",
    ),
    Input(
        "next-workflow",
        "File name of the workflow to start on the target branch afterwards. It needs the trigger workflow_dispatch. "
        "Nothing is started by default.",
    ),
    Input("dry-run", "Say what would be done and change nothing.", default="false"),
)

OUTPUTS = (
    Output("merged", "true when the target branch contains the commit, else false."),
    Output("merge-sha", "Commit on the target branch that brought it in; the commit itself after a fast-forward."),
    Output("method-used", "fast-forward, merge or pull-request; none when nothing was written."),
    Output(
        "reason",
        "One word for why: fast-forwarded, merged, already-merged, dry-run, not-the-tested-commit, not-in-source, "
        "diverged, conflict, protected, pull-request-blocked or target-keeps-moving.",
    ),
    Output("dispatched-run-url", "Page of the next workflow's run; empty when none was asked for."),
)

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_WORKFLOW = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml")
# what `git check-ref-format` refuses, and a leading dash, which a command could take for an option
_BAD_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-/.]|[/.]$")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to land where.

    ``tested_sha`` is None when nobody said what was tested, and empty when no commit was: then nothing is merged.
    """

    token: Secret
    app_id: str
    app_private_key: Secret
    source_sha: str
    tested_sha: str | None
    source_branch: str
    target_branch: str
    method: str
    next_workflow: str
    dry_run: bool


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Return the settings from the inputs; the run gives the commit and the branch when they are not given.

    Raises:
        ConfigError: All problems at once.
    """
    settings = Settings(
        token=inputs.secret("token"),
        app_id=inputs.text("app-id"),
        app_private_key=inputs.secret("app-private-key"),
        source_sha=_sha(inputs, "source-sha", tested_commit(context) or context.sha),
        tested_sha=_tested(inputs, context),
        source_branch=_branch(inputs, "source-branch", own_branch(context)),
        target_branch=_branch(inputs, "target-branch", ""),
        method=inputs.choice("method", METHODS),
        next_workflow=_workflow(inputs),
        dry_run=inputs.flag("dry-run"),
    )
    if not settings.source_sha:
        inputs.problem("source-sha", "is not known", "Give the full SHA; outside Actions there is no default.")
    if not settings.source_branch:
        inputs.problem("source-branch", "is not known", "Give the branch; this run is not on one.")
    elif settings.source_branch == settings.target_branch:
        inputs.problem(
            "source-branch",
            f"is the same as target-branch ({settings.target_branch})",
            "Run this on the branch that is tested (usually dev), or name it.",
        )
    if bool(settings.app_id) != bool(settings.app_private_key):
        missing = "app-private-key" if settings.app_id else "app-id"
        inputs.problem(missing, "is required when the other half of the App's sign-in is given", "Give both.")
    elif not settings.token and not settings.app_id:
        inputs.problem("token", "is required and was not given", "Give a token, or app-id and app-private-key.")
    inputs.finish()
    return settings


def _sha(inputs: Inputs, name: str, default: str) -> str:
    value = (inputs.text(name) or default).lower()
    if value and not _SHA.fullmatch(value):
        inputs.problem(name, "is not a full commit SHA", "Give all 40 hexadecimal digits.")
    return value


def _tested(inputs: Inputs, context: RunContext) -> str | None:
    if inputs.text("tested-sha").lower() == "none":
        return ""
    return _sha(inputs, "tested-sha", tested_commit(context)) or None


def _branch(inputs: Inputs, name: str, default: str) -> str:
    value = (inputs.text(name) or default).removeprefix("refs/heads/")
    if value and _BAD_BRANCH.search(value):
        inputs.problem(name, "is not a valid branch name", "Give the name as `git branch` shows it.")
    return value


def _workflow(inputs: Inputs) -> str:
    value = inputs.text("next-workflow").removeprefix(".github/workflows/")
    if value and not _WORKFLOW.fullmatch(value):
        inputs.problem(
            "next-workflow",
            "is not the file name of a workflow",
            "Give the name of a .yml or .yaml file in .github/workflows, such as build-and-deploy.yml.",
        )
    return value
