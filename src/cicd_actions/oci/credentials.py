"""Who we are at a registry, and where that may be told."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cicd_actions.oci.reference import is_loopback
from cicd_actions.runner.secrets import Secret

_GITHUB_TOKEN = re.compile(r"gh[a-z]_|github_pat_")
_GITHUB_REGISTRIES = ("ghcr.io", "docker.pkg.github.com")
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name and a password or token for one registry; falsy when there is none."""

    username: str = ""
    password: Secret = Secret()  # noqa: RUF009 - immutable

    def __bool__(self) -> bool:
        return bool(self.password)


def choose_credentials(
    registry: str, *, username: str, token: Secret, server_url: str, env: Mapping[str, str]
) -> Credentials:
    """Decide what the registry may be told.

    A token of GitHub is shown to GitHub's own registries (and to one on this machine) only: the default of the
    input is the job's token, and an image at another registry must not hand it over. Without a usable token the
    login that an earlier step left in Docker's configuration counts.
    """
    if token and (not _GITHUB_TOKEN.match(token.reveal()) or _is_github(registry, server_url)):
        return Credentials(username=username or "x-access-token", password=token)
    return _from_docker_config(registry, env)


def _is_github(registry: str, server_url: str) -> bool:
    host = server_url.partition("://")[2].split("/")[0]
    return registry in (*_GITHUB_REGISTRIES, f"containers.{host}") or is_loopback(registry)


def docker_config_folder(env: Mapping[str, str]) -> Path | None:
    """Return Docker's configuration folder, or None when the environment names no home."""
    if env.get("DOCKER_CONFIG"):
        return Path(env["DOCKER_CONFIG"])
    return Path(env["HOME"]) / ".docker" if env.get("HOME") else None


def _from_docker_config(registry: str, env: Mapping[str, str]) -> Credentials:
    folder = docker_config_folder(env)
    if folder is None:
        return Credentials()
    try:
        document: Any = json.loads((folder / "config.json").read_bytes())
        key = _DOCKER_HUB_KEY if registry == "docker.io" else registry
        encoded = document["auths"][key]["auth"]
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (OSError, ValueError, KeyError, TypeError, binascii.Error):
        return Credentials()
    return Credentials(username=user, password=Secret(password)) if colon else Credentials()


@contextmanager
def docker_config(registry: str, credentials: Credentials, temp: Path) -> Iterator[Path]:
    """Hold a private Docker configuration folder (mode 700, its file 600) with this one login, then remove it."""
    with TemporaryDirectory(prefix="cicd-actions-login-", dir=temp) as name:
        folder = Path(name)
        auths: dict[str, Any] = {}
        if credentials:
            pair = f"{credentials.username}:{credentials.password.reveal()}"
            key = _DOCKER_HUB_KEY if registry == "docker.io" else registry
            auths[key] = {"auth": base64.b64encode(pair.encode()).decode()}
        file = folder / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": auths}), encoding="utf-8")
        yield folder
