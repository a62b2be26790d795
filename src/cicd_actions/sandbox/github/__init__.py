"""A GitHub on one machine: real git over HTTP, and the part of the REST and GraphQL APIs that the actions use.

    with StandInGitHub(folder, start_run=execute) as hub:
        hub.create_repository("acme/shop", Path("app"))
        token = hub.token("alice", {"acme/shop": "write"})

Everything about refs, commits and files lives in bare git repositories; the rest (comments, statuses, issues, runs) in
memory. Differences from GitHub that matter are named where they are: one token per run instead of one per job, no
`concurrency:`, limits that are told but never reached, rules by exact branch name.
"""

from __future__ import annotations

from cicd_actions.sandbox.github.dispatcher import Exchange
from cicd_actions.sandbox.github.hub import RepositoryView, StandInGitHub
from cicd_actions.sandbox.github.policy import Protection
from cicd_actions.sandbox.github.runs import Run, RunOutcome
from cicd_actions.sandbox.github.updates import Push

__all__ = [
    "Exchange",
    "Protection",
    "Push",
    "RepositoryView",
    "Run",
    "RunOutcome",
    "StandInGitHub",
]
