"""The run: which repository, commit, event and job this is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cicd_actions.errors import ConfigError, Problem

_API_URL = "https://api.github.com"
_SERVER_URL = "https://github.com"


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Facts of the run, from GitHub's default variables and the event file.

    ``event`` is the webhook payload ({} outside Actions); ``run_url`` is empty outside Actions; ``env`` is the
    environment as it was read, for the programs that we start.
    """

    in_actions: bool
    repository: str
    sha: str
    ref: str
    ref_name: str
    event_name: str
    event: Mapping[str, Any]
    actor: str
    run_id: str
    run_attempt: str
    workflow: str
    job: str
    server_url: str
    api_url: str
    graphql_url: str
    workspace: Path
    temp: Path
    tool_cache: Path | None
    env: Mapping[str, str] = field(repr=False)

    @property
    def run_url(self) -> str:
        """The page of this run, or an empty string outside Actions."""
        if not (self.repository and self.run_id):
            return ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, cwd: Path, temp: Path) -> RunContext:
        """Read the context from the environment.

        Args:
            env: The environment, usually ``os.environ``.
            cwd: The workspace when GITHUB_WORKSPACE is not set.
            temp: The folder for temporary files when RUNNER_TEMP is not set.

        Raises:
            ConfigError: The event file that GITHUB_EVENT_PATH names is not a JSON object.
        """
        api_url = env.get("GITHUB_API_URL") or _API_URL
        ref = env.get("GITHUB_REF", "")
        tool_cache = env.get("RUNNER_TOOL_CACHE", "")
        return cls(
            in_actions=env.get("GITHUB_ACTIONS") == "true",
            repository=env.get("GITHUB_REPOSITORY", ""),
            sha=env.get("GITHUB_SHA", ""),
            ref=ref,
            ref_name=env.get("GITHUB_REF_NAME") or ref.removeprefix("refs/heads/"),
            event_name=env.get("GITHUB_EVENT_NAME", ""),
            event=_read_event(env.get("GITHUB_EVENT_PATH", "")),
            actor=env.get("GITHUB_ACTOR", ""),
            run_id=env.get("GITHUB_RUN_ID", ""),
            run_attempt=env.get("GITHUB_RUN_ATTEMPT", ""),
            workflow=env.get("GITHUB_WORKFLOW", ""),
            job=env.get("GITHUB_JOB", ""),
            server_url=(env.get("GITHUB_SERVER_URL") or _SERVER_URL).rstrip("/"),
            api_url=api_url.rstrip("/"),
            graphql_url=env.get("GITHUB_GRAPHQL_URL") or _graphql_url(api_url),
            workspace=Path(env.get("GITHUB_WORKSPACE") or cwd),
            temp=Path(env.get("RUNNER_TEMP") or temp),
            tool_cache=Path(tool_cache) if tool_cache else None,
            env=dict(env),
        )


def _graphql_url(api_url: str) -> str:
    """GitHub.com has /graphql beside the REST root; GitHub Enterprise Server has /api/v3 and /api/graphql."""
    root = api_url.rstrip("/")
    return root.removesuffix("/v3") + "/graphql"


def _read_event(path: str) -> Mapping[str, Any]:
    if not path or not Path(path).is_file():
        return {}
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        event = error
    if isinstance(event, dict):
        return event
    raise ConfigError(Problem(input="GITHUB_EVENT_PATH", value=path, what="does not hold a JSON object"))
