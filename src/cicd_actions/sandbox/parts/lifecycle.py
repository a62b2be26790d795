"""Starting the parts, sharing them between processes, and stopping what was started.

Whoever uses the parts holds a shared lock. Who comes second attaches to what is running; who leaves last stops it.
After a kill the kernel frees the locks, and the next one cleans up.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cicd_actions.sandbox.parts import programs, vulndb
from cicd_actions.sandbox.parts.binfmt import ensure_arm64
from cicd_actions.sandbox.parts.cache import default_cache, locked, write_whole
from cicd_actions.sandbox.parts.debian import machine_sources
from cicd_actions.sandbox.parts.engine import (
    Engine,
    answers,
    machine_engine,
    private_engine,
    reaches_public_images,
    release_mounts,
    start_private,
)
from cicd_actions.sandbox.parts.images import Workshop, ensure_base_images
from cicd_actions.sandbox.parts.model import Parts, Unavailable
from cicd_actions.sandbox.parts.oci import Registry
from cicd_actions.sandbox.parts.processes import Daemon
from cicd_actions.sandbox.parts.registry import start_base_registry
from cicd_actions.sandbox.parts.runner_image import ensure_runner_image
from cicd_actions.sandbox.parts.surroundings import look_around
from cicd_actions.sandbox.parts.tools import Tools, emulator, engine_tools

logger = logging.getLogger("cicd_actions.sandbox")

_STATE = "state.json"
_LONGEST_FOLDER = 60  # a socket's path has at most 107 characters, and the engine puts some deep below its folder
_USUAL_BASE = "python:3.11-slim"


def prepare(cache: Path | None = None, *, env: Mapping[str, str]) -> Parts:
    """Make everything that the parts consist of, so that the next start is quick; nothing keeps running.

    Raises:
        Unavailable: The parts cannot be had here.
    """
    with running(cache, env=env) as parts:
        return parts


@contextmanager
def running(cache: Path | None = None, *, env: Mapping[str, str]) -> Iterator[Parts]:
    """The parts, made where they are missing, and running for as long as the context lasts.

    Args:
        cache: Where everything is kept between runs; by default ``$XDG_CACHE_HOME/cicd-actions``.
        env: The environment; proxies and certificates are taken from it.

    Raises:
        Unavailable: The parts cannot be had here; the message says why.
    """
    home = (cache or default_cache(env)).absolute()
    runtime = runtime_folder(home)
    with ExitStack() as stack:
        stack.enter_context(_termination_raises())
        users = stack.enter_context(locked(runtime / "users.lock", shared=True))
        stack.callback(_leave, home, runtime, users)
        with locked(runtime / "start.lock"):
            parts = _start(home, runtime, dict(env))
        yield parts


def runtime_folder(cache: Path) -> Path:
    """Where sockets, pid files and logs are: below the cache, unless that makes a socket's path too long."""
    folder = cache / "run"
    if len(str(folder)) > _LONGEST_FOLDER:
        name = hashlib.sha256(str(cache).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"cicd-actions-{name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def workshop(cache: Path, registry: str, env: Mapping[str, str]) -> Workshop:
    """Where images are made."""
    return Workshop(
        cache=cache,
        sources=machine_sources(),
        surroundings=look_around(env),
        registry=Registry(address=registry),
        env=dict(env),
    )


def _start(cache: Path, runtime: Path, env: dict[str, str]) -> Parts:
    started = time.monotonic()
    act, trivy = programs.find_act(env), programs.verified_trivy(cache)
    _refuse_unfit_machine()
    amd64 = partial(workshop(cache, "", env).archive, architecture="amd64")
    tools = engine_tools(cache, amd64)
    state = _State(runtime)
    address = state.address()
    if not address:
        state.stop()
        address, daemon = start_base_registry(tools.program("docker-registry"), cache, runtime, env)
        state.add(daemon, address)
    shop = workshop(cache, address, env)
    engine, stand_ins, private = _engine(cache, runtime, tools, state, env)
    ensure_arm64(lambda: emulator(cache, amd64))
    with ThreadPoolExecutor(2) as pool:
        base = pool.submit(ensure_base_images, shop, [_USUAL_BASE] if stand_ins else [])
        runner = pool.submit(ensure_runner_image, shop, engine, tools, trivy)
        database = vulndb.publish(shop.registry, datetime.now(UTC))
        base.result()
        image = runner.result()
    logger.info("The parts are running (%.1f s)", time.monotonic() - started)
    return Parts(
        cache=cache,
        docker_host=engine.host,
        docker=engine.docker,
        env=engine.env,
        act=act,
        skopeo=tools.program("skopeo"),
        registry=tools.program("docker-registry"),
        trivy=trivy,
        base_registry=address,
        trivy_db=database,
        runner_image=image,
        stand_ins=stand_ins,
        private_engine=private,
    )


def _engine(
    cache: Path, runtime: Path, tools: Tools, state: _State, env: Mapping[str, str]
) -> tuple[Engine, bool, bool]:
    """The engine; whether it needs stand-ins for public images; whether it is our own."""
    own = private_engine(tools, runtime, env)
    if state.has_engine() and answers(own):
        logger.info("Using the engine that is running already")
        return own, state.stand_ins, True
    reachable = reaches_public_images(tools.program("skopeo"), env)
    if reachable and (found := machine_engine(env)) is not None:
        logger.info("Using the engine of this machine at %s", found.host)
        return found, False, False
    logger.info("Starting a private container engine%s", "" if reachable else "; public images cannot be reached")
    mirror = "" if reachable else state.address()
    engine, daemon = start_private(tools, cache, runtime, mirror=mirror, env=env)
    state.add(daemon, stand_ins=not reachable)
    return engine, not reachable, True


def _refuse_unfit_machine() -> None:
    reasons = []
    if sys.platform != "linux":
        reasons.append(f"this is {sys.platform}, not Linux")
    elif os.uname().machine != "x86_64":
        reasons.append(f"the processor is {os.uname().machine}, not x86_64")
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        reasons.append("this process does not run as root")
    if shutil.which("apt-get") is None:
        reasons.append("apt-get is not there")
    if reasons:
        raise Unavailable(
            f"A private container engine cannot be started: {', '.join(reasons)}.",
            hint="Run the sandbox as root on Debian 12 (x86-64).",
        )


class _State:
    """What is running, kept in a file so that another process can attach to it or stop it."""

    def __init__(self, runtime: Path) -> None:
        self._file = runtime / _STATE
        self._data: dict[str, object] = {}
        self.daemons: list[Daemon] = []
        with suppress(OSError, ValueError, TypeError, KeyError):
            self._data = json.loads(self._file.read_text(encoding="utf-8"))
            self.daemons = [Daemon(**entry) for entry in self._data.pop("daemons")]  # type: ignore[attr-defined]

    @property
    def stand_ins(self) -> bool:
        """Whether the running engine looks for images in the base registry."""
        return bool(self._data.get("stand_ins"))

    def address(self) -> str:
        """Address of the running base registry, empty when there is none."""
        alive = any(one.name == "the base registry" and one.is_alive() for one in self.daemons)
        return str(self._data.get("address", "")) if alive else ""

    def has_engine(self) -> bool:
        """True while the private engine's process is there."""
        return any(one.name == "the container engine" and one.is_alive() for one in self.daemons)

    def add(self, daemon: Daemon, address: str = "", *, stand_ins: bool | None = None) -> None:
        """Remember one more process."""
        self.daemons = [one for one in self.daemons if one.is_alive()] + [daemon]
        if address:
            self._data["address"] = address
        if stand_ins is not None:
            self._data["stand_ins"] = stand_ins
        content = {**self._data, "daemons": [one.to_json() for one in self.daemons]}
        write_whole(self._file, json.dumps(content), mode=0o600)

    def stop(self) -> None:
        """Stop everything that is remembered, the latest first."""
        for daemon in reversed(self.daemons):
            daemon.stop()
        self.daemons = []
        self._file.unlink(missing_ok=True)


def _leave(cache: Path, runtime: Path, users: int) -> None:
    """Stop the parts if nobody else uses them."""
    with locked(runtime / "start.lock"):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _State(runtime).stop()
        release_mounts(cache, runtime)


@contextmanager
def _termination_raises() -> Iterator[None]:
    """Let SIGTERM end the context in order, as Ctrl-C does; only the main thread may decide that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
