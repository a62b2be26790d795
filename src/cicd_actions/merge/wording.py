"""What to tell people about a landing: what happened, why, what to do. Pure."""

from __future__ import annotations

import shlex

from cicd_actions.github.markdown import code, one_line
from cicd_actions.merge.decision import Reason
from cicd_actions.merge.landing import Landing
from cicd_actions.merge.settings import Settings

_FILES_SHOWN = 20


def headline(settings: Settings, landing: Landing) -> str:
    """Return one sentence of plain text."""
    sha, source, target = settings.source_sha[:12], settings.source_branch, settings.target_branch
    sentences = {
        Reason.FAST_FORWARDED: f"{target} was moved forward to the tested commit {sha}.",
        Reason.MERGED: f"The tested commit {sha} was merged into {target} as {landing.merge_sha[:12]}.",
        Reason.ALREADY_MERGED: f"{target} contains the commit {sha} already; nothing was merged.",
        Reason.DRY_RUN: f"Dry run: {sha} would be landed on {target} by {landing.planned}; nothing was changed.",
        Reason.NOT_TESTED: f"Nothing was merged: {sha} is not the commit that was tested "
        f"({(settings.tested_sha or 'none: the files differed from their commit')[:50]}).",
        Reason.NOT_IN_SOURCE: f"Nothing was merged: the branch {source} does not contain the commit {sha} (any more).",
        Reason.DIVERGED: f"Nothing was merged: {target} has commits that {sha} lacks, so it cannot be fast-forwarded.",
        Reason.CONFLICT: f"Nothing was merged: {source} ({sha}) and {target} conflict.",
        Reason.PROTECTED: f"Nothing was merged: a rule of the branch {target} refuses.",
        Reason.PULL_BLOCKED: f"Nothing was merged: the pull request cannot be merged at {sha}.",
        Reason.MOVING: f"Nothing was merged: {target} moved each time before {sha} could land.",
    }
    said = f" GitHub says: {one_line(landing.said, 500)}" if landing.said else ""
    return one_line(sentences[landing.reason] + said, 900)


def remedy(settings: Settings, landing: Landing) -> str:
    """Return what to do about a refusal, as plain text; empty when there is nothing to do."""
    source, target = settings.source_branch, settings.target_branch
    texts = {
        Reason.NOT_TESTED: "Land what was tested: leave source-sha out, or pass the output tested-sha of quality-gate. "
        "If no commit was tested, see which earlier step changes tracked files.",
        Reason.NOT_IN_SOURCE: f"{source} was rewritten or deleted, or source-sha is wrong. The newest push to {source} "
        "has a run of its own; if there is none, push again.",
        Reason.DIVERGED: f"Rebase {source} on {target} and push, or allow merge commits (method: auto).",
        Reason.CONFLICT: "Resolve the conflict on the source branch and push; it is then tested again.",
        Reason.PROTECTED: "Let the rule be met in an earlier job, or sign in as a GitHub App on the rule's bypass list "
        "(app-id, app-private-key), or land through a pull request (method: pull-request).",
        Reason.PULL_BLOCKED: f"Reviews, checks and conflicts are shown at {landing.pull_url}",
        Reason.MOVING: "Run this again; `concurrency: merge-main` on the job keeps runs from racing each other.",
    }
    return texts.get(landing.reason, "")


def resolve_commands(settings: Settings) -> tuple[str, ...]:
    """Return the shell commands that resolve a conflict; branch names are quoted for the shell."""
    source, target = shlex.quote(settings.source_branch), shlex.quote(settings.target_branch)
    return (
        "git fetch origin",
        f"git switch {source} && git pull --ff-only",
        f"git merge {shlex.quote(f'origin/{settings.target_branch}')}   # conflicts with {target}: edit, then git add",
        f"git commit && git push origin {source}",
    )


def details(settings: Settings, landing: Landing) -> str:
    """Return Markdown with the files in conflict and the commands, or an empty string."""
    if landing.reason is not Reason.CONFLICT:
        return ""
    lines = []
    if landing.files:
        lines += ["Both sides changed:", ""]
        lines += [f"- {code(path)}" for path in landing.files[:_FILES_SHOWN]]
        if len(landing.files) > _FILES_SHOWN:
            lines.append(f"- and {len(landing.files) - _FILES_SHOWN} more")
        lines.append("")
    return "\n".join([*lines, "```sh", *resolve_commands(settings), "```"])
