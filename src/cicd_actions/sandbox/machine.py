"""What this machine lends to a scenario: the runner, the engine behind it, a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.runner.secrets import Secret

# starts an empty registry: (folder, user, password) -> context manager that gives HOST:PORT
StartRegistry = Callable[[Path, str, Secret], AbstractContextManager[str]]


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
