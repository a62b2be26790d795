"""The container engine: the machine's own where it will do, else a private one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.process import run
from cicd_actions.sandbox.parts.processes import Daemon, running_program, start
from cicd_actions.sandbox.parts.tools import Tools

_START_SECONDS = 60.0
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PROBE_SECONDS = 10.0
# The image that nearly every Dockerfile of a Python application starts from tells whether public images can be had.
_PROBE_IMAGE = "python:3.11-slim"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A running engine and how the docker program reaches it."""

    host: str
    docker: Path
    env: Mapping[str, str]


def machine_engine(env: Mapping[str, str]) -> Engine | None:
    """The engine that the machine has running, if it keeps multi-platform images and the client has buildx."""
    docker = shutil.which("docker", path=env.get("PATH", _SYSTEM_PATH))
    if docker is None:
        return None
    host = env.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).is_socket():
        return None
    own = {**env, "DOCKER_HOST": host}
    info = run([docker, "info", "--format", "{{json .DriverStatus}}"], env=own, timeout=_PROBE_SECONDS)
    if not info.ok or "io.containerd.snapshotter" not in info.stdout:
        return None
    if not run([docker, "buildx", "version"], env=own, timeout=_PROBE_SECONDS).ok:
        return None
    return Engine(host=host, docker=Path(docker), env=own)


def reaches_public_images(skopeo: Path | str, env: Mapping[str, str]) -> bool:
    """True when base images can be had from where Dockerfiles name them."""
    words = [skopeo, "inspect", "--raw", f"docker://{_PROBE_IMAGE}"]
    return run(words, env=env, timeout=_PROBE_SECONDS).ok


def client_env(tools: Tools, host: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the private docker program talks to the private engine, and to nothing else."""
    kept = {name: value for name, value in env.items() if not name.startswith(("DOCKER_", "BUILDX_"))}
    path = f"{tools.bin}:{env.get('PATH', _SYSTEM_PATH)}"
    return {**kept, "PATH": path, "DOCKER_HOST": host, "DOCKER_CONFIG": str(tools.docker_config)}


def start_private(
    tools: Tools, cache: Path, runtime: Path, *, mirror: str, env: Mapping[str, str]
) -> tuple[Engine, Daemon]:
    """Start an engine with everything of its own below the cache, listening on a socket in ``runtime``.

    ``mirror`` is the address of the base registry: unqualified image names are looked up there first, so the
    applications' Dockerfiles need no change; "" where public images can be reached.
    """
    _end_leftovers(cache, runtime)
    configuration = runtime / "engine.json"
    configuration.write_text(json.dumps(_configuration(tools, mirror), indent=1), encoding="utf-8")
    socket = runtime / "docker.sock"
    engine = private_engine(tools, runtime, env)
    words: list[str | Path] = [
        tools.program("dockerd"),
        *("--config-file", configuration),
        *("--data-root", cache / "engine"),
        *("--exec-root", runtime / "exec"),
        *("--pidfile", runtime / "engine.pid"),
        *("--host", engine.host),
    ]
    daemon = start(
        "the container engine",
        words,
        env={**_daemon_env(env), "PATH": f"{tools.bin}:{_SYSTEM_PATH}"},
        log=runtime / "engine.log",
        ready=lambda: socket.is_socket() and answers(engine),
        seconds=_START_SECONDS,
    )
    _remove_containers(engine)
    return engine, daemon


def private_engine(tools: Tools, runtime: Path, env: Mapping[str, str]) -> Engine:
    """How the private engine is reached, running or not."""
    host = f"unix://{runtime / 'docker.sock'}"
    return Engine(host=host, docker=tools.program("docker"), env=client_env(tools, host, env))


def answers(engine: Engine) -> bool:
    """True when the engine answers."""
    return run([engine.docker, "version", "--format", "{{.Server.Version}}"], env=engine.env, timeout=10).ok


def _daemon_env(env: Mapping[str, str]) -> dict[str, str]:
    """Proxies and certificates reach the engine; nothing else of the caller's environment does."""
    kept = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME"}
    return {name: value for name, value in env.items() if name.upper() in kept}


def _configuration(tools: Tools, mirror: str) -> dict[str, object]:
    settings: dict[str, object] = {
        "features": {"containerd-snapshotter": True},
        "insecure-registries": ["127.0.0.0/8"],
        "userland-proxy-path": str(tools.program("docker-proxy")),
        "init-path": str(tools.program("docker-init")),
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": "10GB"}},
        "log-level": "warn",
    }
    if mirror:
        settings["registry-mirrors"] = [f"http://{mirror}"]
    if mtu := _outward_mtu():
        settings["mtu"] = mtu
    return settings


def _outward_mtu(route: Path = Path("/proc/net/route"), devices: Path = Path("/sys/class/net")) -> int:
    """Packet size of the device that leads outward: larger packets from containers would be lost on the way."""
    for line in route.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000":
            return int((devices / fields[0] / "mtu").read_text(encoding="ascii"))
    return 0


def _end_leftovers(cache: Path, runtime: Path) -> None:
    """What a killed engine left behind would keep the next one from starting: processes, mounts, pid files, sockets."""
    for name in ("engine.pid", "exec/containerd/containerd.pid"):
        found = running_program(runtime / name, below=cache)
        if found is not None:
            found.stop()
        (runtime / name).unlink(missing_ok=True)
    release_mounts(cache, runtime)
    (runtime / "docker.sock").unlink(missing_ok=True)


def _remove_containers(engine: Engine) -> None:
    """Containers of a run that was killed; nobody else uses this engine when it has just been started."""
    left = run([engine.docker, "ps", "--all", "--quiet"], env=engine.env).stdout.split()
    if left:
        run([engine.docker, "rm", "--force", *left], env=engine.env)


def release_mounts(*folders: Path) -> None:
    """Undo what a stopped engine leaves mounted below the folders: it would keep them from being removed."""
    for folder in folders:
        for point in _mounts_below(folder):
            run(["umount", "-l", point])


def _mounts_below(folder: Path, mounts: Path = Path("/proc/mounts")) -> list[Path]:
    """Mount points below the folder, the deepest first."""
    points = [Path(line.split()[1]) for line in mounts.read_text(encoding="utf-8").splitlines()]
    return sorted((point for point in points if folder in point.parents), reverse=True)
