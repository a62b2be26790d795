"""What this machine lends to a scenario: the runner, the engine behind it, a registry."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import UpstreamError
from cicd_actions.runner.secrets import Secret

# starts an empty registry: (folder, user, password) -> context manager that gives HOST:PORT
StartRegistry = Callable[[Path, str, Secret], AbstractContextManager[str]]

# what act and the jobs on this machine may see of its environment: how to find programs and packages, no secrets
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The parts as a scenario uses them.

    ``runner_image`` is ``-self-hosted`` where there is no engine; then ``no_engine`` says why, and the image stages
    are skipped. ``offline`` tells that stand-ins take the place of images from public registries.
    """

    act: Path
    runner_image: str
    environment: Mapping[str, str]
    start_registry: StartRegistry | None = None
    trivy_db: str = ""
    offline: bool = False
    no_engine: str = ""
    notes: Sequence[str] = ()


def without_engine(cache: Path, env: Mapping[str, str], reason: str) -> Machine:
    """Return what a machine without an engine lends: act runs the jobs on the machine itself.

    Raises:
        UpstreamError: act is not there either.
    """
    home = cache / "runner-home"
    home.mkdir(parents=True, exist_ok=True)
    environment = {name: env[name] for name in _PASSED_ON if env.get(name)} | {"HOME": str(home)}
    return Machine(
        act=find_act(env),
        runner_image="-self-hosted",
        environment=environment,
        no_engine=reason,
        notes=(f"Image stages are skipped: {reason}",),
    )


def find_act(env: Mapping[str, str]) -> Path:
    """Return the program act: the one beside our interpreter, else the one on PATH.

    Raises:
        UpstreamError: There is none.
    """
    own = Path(sysconfig.get_path("scripts")) / "act"
    found = str(own) if own.is_file() else shutil.which("act", path=env.get("PATH"))
    if not found:
        raise UpstreamError(
            "The runner act was not found.", hint="Install cicd-actions with the extra `sandbox`, or put act on PATH."
        )
    return Path(found)
