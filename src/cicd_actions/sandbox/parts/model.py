"""What the parts are, once they are there, and how their absence is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import UpstreamError


class Unavailable(UpstreamError):  # noqa: N818 - reads as a state of the machine
    """The engine or one of its companions cannot be had on this machine; the message is the exact reason."""

    default_title = "No container engine can be had here"


@dataclass(frozen=True, kw_only=True)
class Substitution:
    """An image that a Dockerfile asks for and the stand-in that answers for it.

    ``rewrite`` is true where no registry can answer for the reference (it names a digest, or a frontend), so that the
    Dockerfile has to name ``stand_in`` instead (see ``references.rewrite``). ``stand_in`` is empty where the line is to
    be dropped.
    """

    reference: str
    stand_in: str
    why: str
    rewrite: bool = False

    def __str__(self) -> str:
        return f"{self.reference}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The real parts that the sandbox works with, all running.

    Attributes:
        cache: The folder that everything lies in.
        docker_host: Address of the engine, as in ``DOCKER_HOST``.
        docker: The ``docker`` program.
        env: Environment for the ``docker`` program (``PATH``, ``DOCKER_HOST``, ``DOCKER_CONFIG`` with buildx).
        act: The runner.
        skopeo: The image copier.
        registry: The registry program (CNCF distribution).
        trivy: The scanner.
        base_registry: ``HOST:PORT`` of the registry that holds base images and the vulnerability database.
        trivy_db: Reference of the vulnerability database, for ``--db-repository``.
        runner_image: Name, in the engine's own store, of the image that jobs run in.
        stand_ins: True when base images come from ``base_registry`` because no public registry can be reached.
        private_engine: True when the engine is one that the sandbox started.
    """

    cache: Path
    docker_host: str
    docker: Path
    env: Mapping[str, str]
    act: Path
    skopeo: Path
    registry: Path
    trivy: Path
    base_registry: str
    trivy_db: str
    runner_image: str
    stand_ins: bool
    private_engine: bool

    @property
    def socket(self) -> Path:
        """Path of the engine's socket, for mounting it into a job's container."""
        return Path(self.docker_host.removeprefix("unix://"))
