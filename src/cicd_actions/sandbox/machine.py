"""What this machine lends to a scenario: the runner, the engine behind it, a registry."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox import parts
from cicd_actions.sandbox.act import REFERENCE
from cicd_actions.sandbox.application import Application
from cicd_actions.sandbox.parts import Parts, Substitution, Unavailable

# starts an empty registry: (folder, user, password) -> context manager that gives HOST:PORT
StartRegistry = Callable[[Path, str, Secret], AbstractContextManager[str]]

# what act and the jobs on this machine may see of its environment: how to find programs and packages, no secrets
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX",
)  # fmt: skip


# the Docker-based actions that the templates use, and the Dockerfiles that their action.yml files name
DOCKERFILES = {"gitops-tag-update": "Dockerfile", "notify": "Dockerfile"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The parts as a scenario uses them.

    ``runner_image`` is ``-self-hosted`` where there is no engine; then ``no_engine`` says why, and the image stages
    are skipped. ``substitutions`` are the images for which something else answers here. ``turn_file`` is locked by the
    sandbox whose turn it is to use the runner.
    """

    act: Path
    runner_image: str
    environment: Mapping[str, str]
    start_registry: StartRegistry | None = None
    trivy_db: str = ""
    substitutions: tuple[Substitution, ...] = ()
    no_engine: str = ""
    notes: Sequence[str] = ()
    turn_file: Path | None = None

    @contextmanager
    def turn(self, say: Callable[[str], None]) -> Iterator[None]:
        """Keep workflow runs on one engine apart: act names its containers after the workflow and the job alone."""
        if self.turn_file is None:
            yield
            return
        with self.turn_file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another sandbox on this machine has the runner; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def lend(app: Application, actions: Path, cache: Path, env: Mapping[str, str], *, engine: bool) -> Iterator[Machine]:
    """Lend the parts of this machine for as long as the context lasts.

    Args:
        app: The application; the base images of its Dockerfile are seen to.
        actions: The tree of the actions; the images of the Docker-based ones are built from it.
        cache: Where everything that takes long to make is kept.
        env: The environment.
        engine: Whether to look for an engine at all.

    Raises:
        UpstreamError: A base image can neither be pulled nor stood in for, or the runner is not there.
    """
    with ExitStack() as stack:
        if not engine:
            lent = without_engine(cache, env, "an engine was not wanted (--no-engine).")
        else:
            try:
                running = stack.enter_context(parts.running(cache, env=env))
                lent = _with_engine(running, app, actions, env)
            except Unavailable as error:
                lent = without_engine(cache, env, error.message)
        yield lent


def _with_engine(running: Parts, app: Application, actions: Path, env: Mapping[str, str]) -> Machine:
    dockerfile = (app.root / "Dockerfile").read_text(encoding="utf-8", errors="replace")
    substitutions = parts.provide_base_images(running, dockerfile, env=env)
    for slug, name in DOCKERFILES.items():
        image = parts.action_image_name(REFERENCE.replace("@", f"/actions/{slug}@"))
        parts.build_action_image(running, context=actions, dockerfile=actions / name, image=image, env=env)

    def start_registry(folder: Path, user: str, password: Secret) -> AbstractContextManager[str]:
        return parts.fresh_registry(running.registry, folder, user, password, env=env)

    home = running.cache / "runner-home"
    home.mkdir(parents=True, exist_ok=True)
    return Machine(
        act=running.act,
        runner_image=running.runner_image,
        environment={**running.env, "HOME": str(home)},
        start_registry=start_registry,
        trivy_db=running.trivy_db,
        substitutions=substitutions,
        notes=tuple(str(one) for one in substitutions),
        turn_file=running.cache / "runner.lock",
    )


def without_engine(cache: Path, env: Mapping[str, str], reason: str) -> Machine:
    """Return what a machine without an engine lends: act runs the jobs on the machine itself.

    Raises:
        Unavailable: act is not there either.
    """
    home = cache / "runner-home"
    home.mkdir(parents=True, exist_ok=True)
    environment = {name: env[name] for name in _PASSED_ON if env.get(name)} | {"HOME": str(home)}
    return Machine(
        act=parts.find_act(env),
        runner_image="-self-hosted",
        environment=environment,
        no_engine=reason,
        notes=(f"Image stages are skipped: {reason}",),
    )
