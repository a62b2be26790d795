"""The image that jobs run in: Debian with what a hosted runner has and our actions use."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

from cicd_actions.process import run
from cicd_actions.sandbox.parts.cache import locked
from cicd_actions.sandbox.parts.engine import Engine
from cicd_actions.sandbox.parts.images import MINIMAL, SEARCH_PATH, Workshop
from cicd_actions.sandbox.parts.model import Unavailable
from cicd_actions.sandbox.parts.oci import Image, LayerWriter
from cicd_actions.sandbox.parts.rootfs import Root, accounts, write_root
from cicd_actions.sandbox.parts.tools import Tools

logger = logging.getLogger("cicd_actions.sandbox")

NAME = "cicd-actions-runner"
_SUITE = "bookworm"
_REPOSITORY = "cicd-actions/runner"
_PACKAGES = (
    "bash",
    "curl",
    "file",
    "git",
    "jq",
    "openssh-client",
    "procps",
    "python3",
    "python3-venv",
    "skopeo",
    "sudo",
    "tar",
    "unzip",
    "xz-utils",
)
_RECIPE = "3"
_SUDOERS = b'Defaults env_keep += "PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE"\nroot ALL=(ALL:ALL) NOPASSWD: ALL\n'
_PULL_SECONDS = 300.0


def ensure_runner_image(shop: Workshop, engine: Engine, tools: Tools, trivy: Path) -> str:
    """The name of the runner image in the engine's own store; made first where it is not there.

    Raises:
        Unavailable: The packages or the engine failed.
    """
    recipe = (
        f"{_RECIPE} {_SUITE} {' '.join(_PACKAGES)} {shop.surroundings.fingerprint()} {shop.surroundings.environment}"
    )
    name = f"{NAME}:{_SUITE}"
    label = run(
        [engine.docker, "image", "inspect", "--format", '{{index .Config.Labels "recipe"}}', name], env=engine.env
    )
    if label.ok and label.stdout.strip() == recipe:
        return name
    with locked(shop.cache / "runner.lock"):
        if not shop.registry.has_image(_REPOSITORY, _SUITE, recipe):
            _make(shop, tools, trivy, recipe)
        _pull(engine, f"{shop.registry.address}/{_REPOSITORY}:{_SUITE}", name)
    return name


def _make(shop: Workshop, tools: Tools, trivy: Path, recipe: str) -> None:
    logger.info("Making the runner image")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=shop.cache, prefix=".making-image-") as scratch:
        packages = shop.archive(_SUITE, "amd64").closure((*MINIMAL, *_PACKAGES), Path(scratch) / "debs")
        files = {
            **accounts(packages),
            **shop.surroundings.files(shop.sources, _SUITE, packages),
            "etc/sudoers": _SUDOERS,  # read-only is not asked for, as sudo runs as root here
            "etc/ImageOS": b"debian12\n",
        }
        with LayerWriter(Path(scratch) / "layer.tar.gz") as writer:
            for target, source in _programs(tools, trivy).items():
                writer.file(target, source.read_bytes(), 0o755)
            write_root(writer, Root(packages=packages, files=files, links=shop.surroundings.links()))
            layer = writer.finish()
        environment = [SEARCH_PATH, "LANG=C.UTF-8", "ImageOS=debian12", *shop.surroundings.environment]
        image = Image(
            architecture="amd64", layers=[layer], environment=environment, command=["bash"], labels={"recipe": recipe}
        )
        shop.registry.push_index(_REPOSITORY, [_SUITE], [image], recipe)
    logger.info("The runner image is ready (%.1f s)", time.monotonic() - started)


def _programs(tools: Tools, trivy: Path) -> dict[str, Path]:
    """What a hosted runner has beyond Debian's packages, at its places."""
    return {
        "usr/local/bin/docker": tools.program("docker"),
        "usr/local/lib/docker/cli-plugins/docker-buildx": tools.buildx,
        "usr/local/bin/trivy": trivy,
    }


def _pull(engine: Engine, reference: str, name: str) -> None:
    for words in (["pull", "--quiet", reference], ["tag", reference, name]):
        done = run([engine.docker, *words], env=engine.env, timeout=_PULL_SECONDS)
        if not done.ok:
            raise Unavailable(f"The engine cannot take the runner image: {done.stderr.strip()}")
