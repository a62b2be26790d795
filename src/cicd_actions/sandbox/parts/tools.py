"""The programs that the sandbox needs, in a private folder: nothing is installed on the machine."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.sandbox.parts.cache import made_once
from cicd_actions.sandbox.parts.deb import unpack
from cicd_actions.sandbox.parts.debian import Archive

logger = logging.getLogger("cicd_actions.sandbox")

# Debian 12's engine has no multi-platform image store; Debian 13's has, and runs on Debian 12's C library.
_NEWER = ("containerd", "docker-buildx", "docker-cli", "docker.io")
_NEWER_SUITE, _OWN_SUITE = "trixie", "bookworm"
# The newer runc wants a newer C library, so runc comes from the machine's own release, like the rest.
_OWN = (
    "docker-registry",
    "golang-github-containers-common",
    "iptables",
    "libassuan0",
    "libdevmapper1.02.1",
    "libgpgme11",
    "libip4tc2",
    "libip6tc2",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
    "libxtables12",
    "runc",
    "skopeo",
    "tini",
)
_PROGRAMS = {
    "usr/bin/containerd": "containerd",
    "usr/bin/containerd-shim-runc-v2": "containerd-shim-runc-v2",
    "usr/bin/docker": "docker",
    "usr/bin/docker-registry": "docker-registry",
    "usr/bin/skopeo": "real/skopeo",
    "usr/bin/tini-static": "docker-init",
    "usr/sbin/docker-proxy": "docker-proxy",
    "usr/sbin/dockerd": "dockerd",
    "usr/sbin/runc": "runc",
    "usr/sbin/xtables-nft-multi": "real/xtables-nft-multi",
}
_PLUGIN = "usr/libexec/docker/cli-plugins/docker-buildx"
_LIBRARIES = "usr/lib/x86_64-linux-gnu/"
_OLD_LIBRARIES = "lib/x86_64-linux-gnu/"  # where packages from before the merged /usr still put some
_POLICY = "etc/containers/policy.json"
_EMULATOR = "usr/bin/qemu-aarch64-static"
_RECIPE = "4"

# A wrapper finds its libraries beside itself, wherever the cache lies.
_WRAPPER = """#!/bin/sh
here=${{0%/*}}
LD_LIBRARY_PATH="$here/../lib" XTABLES_LIBDIR="$here/../lib/xtables" exec "$here/real/{program}" {words} "$@"
"""
_WRAPPERS = {
    "ip6tables": ("xtables-nft-multi", "ip6tables"),
    "iptables": ("xtables-nft-multi", "iptables"),
    "skopeo": ("skopeo", '--policy "$here/../etc/policy.json"'),
}


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The folder with the private programs."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where the programs are; goes first in ``PATH`` of the engine."""
        return self.folder / "bin"

    @property
    def docker_config(self) -> Path:
        """A ``DOCKER_CONFIG`` in which the docker program finds buildx."""
        return self.folder / "docker"

    @property
    def buildx(self) -> Path:
        """The buildx plugin."""
        return self.docker_config / "cli-plugins" / "docker-buildx"

    def program(self, name: str) -> Path:
        """One of the programs."""
        return self.bin / name


def engine_tools(cache: Path, archive: Callable[[str], Archive]) -> Tools:
    """The engine, its client with buildx, the registry and the image copier, unpacked below the cache.

    ``archive`` gives the packages of a suite; it is asked only when the tools have to be made.
    """

    def make(folder: Path) -> None:
        logger.info("Fetching the container engine and its companions")
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, ThreadPoolExecutor(2) as pool:
            newer, own = pool.map(archive, (_NEWER_SUITE, _OWN_SUITE))
            debs = newer.download(_NEWER, Path(scratch) / "newer")
            debs += own.download(_OWN, Path(scratch) / "own")
            root = Path(scratch) / "root"
            for deb in debs:
                unpack(deb, root, _is_wanted)
            _arrange(root, folder)

    recipe = f"{_RECIPE} {_NEWER_SUITE} {_OWN_SUITE} {' '.join(_NEWER + _OWN)}"
    return Tools(folder=made_once(cache / "tools", recipe, make))


def emulator(cache: Path, archive: Callable[[str], Archive]) -> Path:
    """QEMU for arm64, statically linked."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            (deb,) = archive(_OWN_SUITE).download(["qemu-user-static"], Path(scratch))
            unpack(deb, Path(scratch), _EMULATOR.__eq__, stop_after=1)
            shutil.move(Path(scratch) / _EMULATOR, folder / Path(_EMULATOR).name)

    return made_once(cache / "emulator", _RECIPE, make) / Path(_EMULATOR).name


def _is_wanted(name: str) -> bool:
    library = name.startswith((_LIBRARIES, _OLD_LIBRARIES)) and ".so" in name
    return library or name in _PROGRAMS or name in {_PLUGIN, _POLICY}


def _arrange(root: Path, folder: Path) -> None:
    places = {source: f"bin/{name}" for source, name in _PROGRAMS.items()}
    places |= {_PLUGIN: "docker/cli-plugins/docker-buildx", _POLICY: "etc/policy.json"}
    for source, name in places.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / source, target)
    shutil.move(root / _LIBRARIES, folder / "lib")
    for library in (root / _OLD_LIBRARIES).glob("*.so*"):
        shutil.move(library, folder / "lib" / library.name)
    for name, (program, words) in _WRAPPERS.items():
        wrapper = folder / "bin" / name
        wrapper.write_text(_WRAPPER.format(program=program, words=words), encoding="utf-8")
        wrapper.chmod(0o755)
    (folder / "docker" / "config.json").write_text("{}\n", encoding="utf-8")
    if not all(os.access(folder / "bin" / name, os.X_OK) for name in _PROGRAMS.values()):
        raise AssertionError("a program of the engine cannot be run")  # the packages' content is fixed
