"""Where the values live: a repository on the GitHub of the run, or any repository that git can reach."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_SCP = re.compile(r"(?P<user>[A-Za-z0-9._-]+)@(?P<host>[A-Za-z0-9.-]+):(?P<path>[A-Za-z0-9_./~-]+)")
_SCHEMES = ("https", "http", "ssh", "file")
# The prefix of the tokens that GitHub mints for a job or for an App: worth nothing elsewhere but to a thief.
_JOB_TOKEN = "ghs_"  # noqa: S105 # nosec B105


@dataclass(frozen=True)
class ApiTarget:
    """A repository that is written by API; ``name`` is owner/name."""

    name: str


@dataclass(frozen=True)
class GitTarget:
    """A repository that is written by git; ``url`` never holds a password."""

    url: str

    @property
    def name(self) -> str:
        """The address, for messages."""
        return self.url


Target: TypeAlias = ApiTarget | GitTarget


class TargetError(ValueError):
    """The text names no repository; the message says what is wrong with it."""


def resolve(text: str, *, server_url: str, ssh: bool) -> Target:
    """Read the input ``repository``.

    Args:
        text: owner/name, or an address for git (https, http, ssh, file, or ``git@host:path``).
        server_url: The GitHub of the run.
        ssh: A key for SSH was given, so git over SSH is wanted also for the run's own GitHub.

    Raises:
        TargetError: It is neither, or holds a password.
    """
    server = urlsplit(server_url)
    if _NAME.fullmatch(text):
        return GitTarget(f"git@{server.hostname}:{text}.git") if ssh else ApiTarget(text)
    if _SCP.fullmatch(text) and "://" not in text:
        return GitTarget(text)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise TargetError("is not an address") from error
    _check(parts, text)
    path = parts.path.strip("/").removesuffix(".git")
    if parts.netloc.lower() == server.netloc.lower() and parts.scheme in ("http", "https") and _NAME.fullmatch(path):
        return ApiTarget(path)
    return GitTarget(text)


def _check(parts: SplitResult, text: str) -> None:
    if parts.scheme not in _SCHEMES or re.search(r"[\x00-\x20\x7f]", text):
        raise TargetError("is neither owner/name nor an address that starts with https, ssh, file or git@host:")
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        raise TargetError("holds a name or a password; give them as token or ssh-key")
    if parts.scheme != "file" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9a-fA-F:]+", parts.hostname or ""):
        raise TargetError("names no host")
    if parts.query or parts.fragment or len(parts.path) < 2:
        raise TargetError("is not the address of a repository")


def accepts_token(url: str, token: str) -> bool:
    """Whether a token may be sent to this address: only over HTTP(S), encrypted unless the host is this machine, and
    never the short-lived token of a GitHub job, which is a default and was not meant for a foreign host.
    """
    parts = urlsplit(url)
    if not token or parts.scheme not in ("http", "https") or token.startswith(_JOB_TOKEN):
        return False
    return parts.scheme == "https" or _is_local(parts.hostname or "")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
