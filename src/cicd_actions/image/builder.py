"""Which builder builds: the one named, the current one when it can, or one that is made for this run.

Contract: `docker buildx inspect` and `docker info` of Docker 24 and later.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cicd_actions import process
from cicd_actions.errors import ActionError, ConfigError, Problem, UpstreamError
from cicd_actions.oci.layout import normalise_platform

_log = logging.getLogger("cicd_actions.image")

# Registers QEMU in the kernel; privileged, hence pinned by digest (an index).
_BINFMT = "tonistiigi/binfmt@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0"
_TIMEOUT = 300
_TAIL = 8


@dataclass(frozen=True, kw_only=True)
class Builder:
    """A builder: its name, driver, and what it can build."""

    name: str
    driver: str
    platforms: tuple[str, ...]


@contextmanager
def open_builder(wanted: str, platforms: Sequence[str], *, env: Mapping[str, str], suffix: str) -> Iterator[Builder]:
    """Find or make a builder for these platforms; one that was made is removed at the end.

    Args:
        wanted: A builder's name, or "" for our choice.
        platforms: What it must be able to build.
        env: The environment for docker.
        suffix: Makes the name of a new builder unique.

    Raises:
        ConfigError: There is no engine, no buildx, no such builder, or a platform that it cannot build.
        UpstreamError: The engine is there but does not work.
    """
    if wanted:
        yield _with_platforms(_inspect(wanted, env), platforms, env)
        return
    current = _inspect("", env)
    if current.driver != "docker" or _has_image_store(env):
        yield _with_platforms(current, platforms, env)
        return
    name = f"cicd-actions-{suffix}"
    _log.info("The engine cannot keep several platforms; a builder of its own, %s, is made.", name)
    _docker(["buildx", "create", "--name", name, "--driver", "docker-container", "--bootstrap"], env)
    try:
        yield _with_platforms(_inspect(name, env), platforms, env)
    finally:
        process.run(["docker", "buildx", "rm", "--force", name], env=env, timeout=_TIMEOUT)


def parse_inspect(text: str) -> Builder:
    """Read what `docker buildx inspect` prints; a platform that is not one word (``linux/amd64*``) is cleaned."""
    fields = re.findall(r"^(Name|Driver|Platforms):[ \t]*(.*)$", text, re.MULTILINE)
    # the first Name is the builder's, later ones are its nodes'
    names = [value for key, value in fields if key == "Name"]
    drivers = [value for key, value in fields if key == "Driver"]
    platforms: dict[str, None] = {}
    for key, value in fields:
        for word in value.split(",") if key == "Platforms" else ():
            try:
                platforms[normalise_platform(word.strip().rstrip("*"))] = None
            except ValueError:
                continue
    return Builder(
        name=names[0].strip() if names else "",
        driver=drivers[0].strip() if drivers else "",
        platforms=tuple(platforms),
    )


def _inspect(name: str, env: Mapping[str, str]) -> Builder:
    done = process.run(
        ["docker", "buildx", "inspect", "--bootstrap", *([name] if name else [])], env=env, timeout=_TIMEOUT
    )
    trouble = re.search(r"^Error:\s*(.+)$", done.stdout, re.MULTILINE)
    if done.ok and not trouble:
        return parse_inspect(done.stdout)
    said = trouble[1] if trouble else _tail(done)
    if name and "no builder" in said:
        raise ConfigError(Problem(input="builder", value=name, what="there is no such builder"))
    raise _no_engine(said)


def _no_engine(said: str) -> ActionError:
    if "unknown command" in said or "is not a docker command" in said or "unknown flag: --bootstrap" in said:
        return ConfigError(f"Docker has no buildx here: {said}", hint="Install the buildx plugin (docker-buildx).")
    hint = "Run on a Linux runner with Docker, or set DOCKER_HOST; on your own machine start the engine."
    if "Cannot connect" in said or "failed to connect" in said or "no such file" in said:
        return ConfigError(f"No Docker engine answers: {said}", hint=hint)
    return UpstreamError(f"The builder does not work: {said}", hint=hint)


def _has_image_store(env: Mapping[str, str]) -> bool:
    """True when the engine keeps images in containerd, which alone lets the `docker` driver write layouts."""
    done = process.run(["docker", "info", "--format", "{{json .DriverStatus}}"], env=env, timeout=_TIMEOUT)
    return done.ok and "io.containerd.snapshotter" in done.stdout


def _with_platforms(builder: Builder, platforms: Sequence[str], env: Mapping[str, str]) -> Builder:
    missing = [platform for platform in platforms if platform not in builder.platforms]
    if not missing or not builder.platforms:
        return builder
    if builder.driver in ("docker", "docker-container") and not env.get("DOCKER_HOST", "").startswith("tcp"):
        _register(missing, env)
        builder = _inspect(builder.name, env)
        missing = [platform for platform in platforms if platform not in builder.platforms]
    if missing:
        raise ConfigError(
            Problem(
                input="platforms",
                value=", ".join(missing),
                what=f"the builder {builder.name!r} cannot build it",
                fix=f"It can build: {', '.join(builder.platforms)}. Set up QEMU, or name another builder.",
            )
        )
    return builder


def _register(platforms: Sequence[str], env: Mapping[str, str]) -> None:
    """Let the kernel run programs of these platforms; a failure is told by the check that follows."""
    names = ",".join(platform.split("/")[1] for platform in platforms)
    _log.info("Registering emulation for %s.", names)
    done = process.run(
        ["docker", "run", "--rm", "--privileged", _BINFMT, "--install", names], env=env, timeout=_TIMEOUT
    )
    if not done.ok:
        _log.warning("Emulation could not be registered: %s", _tail(done))


def _docker(words: Sequence[str | Path], env: Mapping[str, str]) -> None:
    done = process.run(["docker", *words], env=env, timeout=_TIMEOUT)
    if not done.ok:
        raise UpstreamError(f"`docker {words[0]} {words[1]}` failed: {_tail(done)}", title="No builder could be made")


def _tail(done: process.Completed) -> str:
    return "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-_TAIL:])
