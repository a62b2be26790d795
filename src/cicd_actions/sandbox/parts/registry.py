"""OCI registries on the loopback address: one that keeps the base images, and fresh ones that stand in for GHCR."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.parts.cache import write_whole
from cicd_actions.sandbox.parts.processes import Daemon, start

_START_SECONDS = 20.0
_HOST = "127.0.0.1"


def start_base_registry(program: Path, cache: Path, runtime: Path, env: Mapping[str, str]) -> tuple[str, Daemon]:
    """Start the registry that keeps the base images; its port stays the same between runs where it is free.

    Returns:
        Its address and the process.
    """
    remembered = cache / "registry" / "port"
    port = _free_port(int(remembered.read_text("ascii")) if remembered.is_file() else 0)
    write_whole(remembered, str(port))
    return _start("the base registry", program, cache / "registry", runtime / "registry.log", port, env)


@contextmanager
def fresh_registry(
    program: Path, folder: Path, user: str, password: Secret, *, env: Mapping[str, str]
) -> Iterator[str]:
    """An empty registry that wants the user and the password; it stands in for GHCR during one run.

    Yields:
        Its address, ``HOST:PORT``. It is stopped at the end; the folder keeps what was pushed.
    """
    import bcrypt

    folder.mkdir(parents=True, exist_ok=True)
    accounts = folder / "htpasswd"
    digest = bcrypt.hashpw(password.reveal().encode(), bcrypt.gensalt(rounds=5, prefix=b"2a")).decode("ascii")
    write_whole(accounts, f"{user}:{digest}\n", mode=0o600)
    auth = {"htpasswd": {"realm": "registry", "path": str(accounts)}}
    log = folder / "registry.log"
    address, daemon = _start("the registry", program, folder, log, _free_port(0), env, auth=auth)
    try:
        yield address
    finally:
        daemon.stop()


def _start(
    name: str,
    program: Path,
    folder: Path,
    log: Path,
    port: int,
    env: Mapping[str, str],
    *,
    auth: Mapping[str, object] | None = None,
) -> tuple[str, Daemon]:
    address = f"{_HOST}:{port}"
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": address, "secret": secrets.token_hex(16)},
        **({"auth": dict(auth)} if auth else {}),
    }
    configuration = folder / "registry.json"
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    write_whole(configuration, json.dumps(settings), mode=0o600)  # JSON is YAML
    daemon = start(
        name,
        [program, "serve", configuration],
        env={key: value for key, value in env.items() if not key.startswith("REGISTRY_")},
        log=log,
        ready=answers(address),
        seconds=_START_SECONDS,
    )
    return address, daemon


def answers(address: str) -> Callable[[], bool]:
    """A check that the address takes connections."""
    host, _, port = address.rpartition(":")

    def check() -> bool:
        with socket.socket() as connection:
            connection.settimeout(1)
            return connection.connect_ex((host, int(port))) == 0

    return check


def _free_port(wanted: int) -> int:
    """The wanted port if it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as server:
            if os.name == "posix":
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind((_HOST, port))
            except OSError:
                continue
            return int(server.getsockname()[1])
    raise OSError("no free port on the loopback address")
