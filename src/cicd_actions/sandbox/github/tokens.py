"""Who calls and what they may do: people, Apps, and the token of a job.

Permissions are those of fine-grained tokens: a scope (`contents`, `actions`, ...) has the level read or write. A
repository's value may be one word instead of a mapping: ``read``, ``write`` or ``admin``, meaning every scope.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cicd_actions.runner.secrets import Secret

Kind = Literal["user", "app", "job", "anonymous"]
Permissions = Mapping[str, str | Mapping[str, str]]

SCOPES = (
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
)
"""The keys that a workflow's ``permissions:`` may hold. ``workflows`` is not among them, as on GitHub."""

RESTRICTED = {"contents": "read", "packages": "read"}
"""What a job gets when its workflow says nothing; GitHub's default for new repositories."""

BOT = "github-actions[bot]"

_LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}
_PREFIX = {"user": "github_pat_", "app": "ghs_", "job": "ghs_", "anonymous": ""}


@dataclass(frozen=True, kw_only=True)
class Actor:
    """An identity behind a request. ``run_id`` is set for the token of a job."""

    login: str
    kind: Kind
    permissions: Permissions = field(default_factory=dict)
    run_id: int | None = None

    def level(self, repository: str, scope: str) -> int:
        """0 none, 1 read, 2 write, 3 admin, on a repository named ``owner/name``."""
        given = self._given(repository)
        if given is None:
            return 0
        if isinstance(given, str):
            return _LEVELS.get(given, 0)
        if scope == "metadata":
            return 1
        wanted = scope.replace("_", "-")
        found = {name.replace("_", "-"): level for name, level in given.items()}
        return _LEVELS.get(found.get(wanted, "none"), 0)

    def sees(self, repository: str) -> bool:
        """Whether the token was given anything at all on the repository."""
        return self._given(repository) is not None

    @property
    def triggers(self) -> bool:
        """Whether what it pushes starts workflows; what a job's token does starts none."""
        return self.kind in ("user", "app")

    def _given(self, repository: str) -> str | Mapping[str, str] | None:
        wanted = repository.lower()
        return next((v for k, v in self.permissions.items() if k.lower() == wanted), None)


ANONYMOUS = Actor(login="", kind="anonymous")


class Tokens:
    """The tokens that were given out; only their digests are kept."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._actors: dict[str, Actor] = {}

    def issue(self, actor: Actor) -> Secret:
        """Make a token for an identity."""
        token = _PREFIX[actor.kind] + self._random_bytes(20).hex()
        self._actors[_digest(token)] = actor
        return Secret(token)

    def find(self, token: str) -> Actor | None:
        """The identity behind a token, or None."""
        return self._actors.get(_digest(token))

    def revoke(self, token: Secret) -> None:
        """Take a token out of use."""
        self._actors.pop(_digest(token.reveal()), None)


def job_permissions(document: Mapping[str, Any], default: Mapping[str, str] = RESTRICTED) -> dict[str, str]:
    """What the token of a run may do, from the workflow's ``permissions:``.

    A job's own block replaces the top one, which replaces the repository's default. On GitHub every job has a token of
    its own; here a run has one, with the union over its jobs.
    """
    top = _block(document.get("permissions"), default)
    jobs = document.get("jobs")
    found: dict[str, str] = {}
    for job in (jobs if isinstance(jobs, Mapping) else {}).values():
        own = job.get("permissions") if isinstance(job, Mapping) else None
        for scope, level in _block(own, top).items():
            if _LEVELS.get(level, 0) > _LEVELS.get(found.get(scope, "none"), 0):
                found[scope] = level
    return found


def _block(value: object, default: Mapping[str, str]) -> Mapping[str, str]:
    if value is None:
        return default
    if value in ("read-all", "write-all"):
        return dict.fromkeys(SCOPES, str(value).removesuffix("-all"))
    if not isinstance(value, Mapping):
        return {}
    return {str(scope): str(level) for scope, level in value.items() if scope in SCOPES}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
