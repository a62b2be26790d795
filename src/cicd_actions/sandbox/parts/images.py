"""The stand-ins for public base images: made from Debian packages, kept in the base registry, one index each."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from cicd_actions.errors import UpstreamError
from cicd_actions.sandbox.parts import references
from cicd_actions.sandbox.parts.cache import locked
from cicd_actions.sandbox.parts.debian import Architecture, Archive, Sources
from cicd_actions.sandbox.parts.interpreter import WHEELS, relocated, write_python
from cicd_actions.sandbox.parts.model import Substitution
from cicd_actions.sandbox.parts.oci import Image, Layer, LayerWriter, Registry
from cicd_actions.sandbox.parts.references import StandIn
from cicd_actions.sandbox.parts.rootfs import Root, accounts, write_root
from cicd_actions.sandbox.parts.surroundings import Surroundings

logger = logging.getLogger("cicd_actions.sandbox")

ARCHITECTURES: tuple[Architecture, ...] = ("amd64", "arm64")
# "usr-is-merged" says that /bin and the like are links; else a package that makes them so would bring Perl along.
MINIMAL = (
    "?essential",
    "adduser",
    "apt",
    "ca-certificates",
    "debconf",
    "mount",
    "netbase",
    "passwd",
    "tzdata",
    "usr-is-merged",
)
SEARCH_PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_NEWEST_WHEELS = "trixie"  # Debian 12's setuptools is an old one with known weaknesses
_RECIPE = "5"


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What images are made from and where they go."""

    cache: Path
    sources: Sources
    surroundings: Surroundings
    registry: Registry
    env: dict[str, str]
    _updated: set[str] = field(default_factory=set, repr=False, compare=False)

    def archive(self, suite: str, architecture: Architecture) -> Archive:
        """The suite's packages, with lists fetched once in this run."""
        archive = Archive(
            sources=self.sources, suite=suite, architecture=architecture, state=self.cache / "apt", env=self.env
        )
        with locked(self.cache / "apt" / f"{suite}-{architecture}.lock"):
            if f"{suite}-{architecture}" not in self._updated:
                archive.update()
                self._updated.add(f"{suite}-{architecture}")
        return archive


def ensure_image(shop: Workshop, stand_in: StandIn) -> None:
    """Make the stand-in and put it into the base registry, unless it is there."""
    repository, recipe = stand_in.repository, _recipe(shop, stand_in)
    if shop.registry.has_image(repository, stand_in.tag, recipe):
        return
    with locked(shop.cache / "images.lock"):
        plain = replace(stand_in, answers_for="", tag=f"made-{stand_in.python or stand_in.suite}")
        if not shop.registry.has_image(repository, plain.tag, _recipe(shop, plain)):
            _make(shop, plain)
        index = shop.registry.manifest(repository, plain.tag) or {}
        if not stand_in.answers_for:
            shop.registry.push_manifest(repository, stand_in.tag, index)
            return
        with tempfile.TemporaryDirectory(dir=shop.cache, prefix=".making-image-") as scratch:
            links = _alias_layer(stand_in.python, stand_in.answers_for, Path(scratch) / "alias.tar.gz")
            shop.registry.push_derived(repository, index, links, [stand_in.tag], recipe)


def _recipe(shop: Workshop, stand_in: StandIn) -> str:
    environment = " ".join(shop.surroundings.environment)
    made_from = f"{_RECIPE} {stand_in.suite} {stand_in.python} {stand_in.answers_for}"
    return f"{made_from} {shop.surroundings.fingerprint()} {environment}"


def _make(shop: Workshop, stand_in: StandIn) -> None:
    what = f"Python {stand_in.python}" if stand_in.python else f"Debian {stand_in.suite}"
    logger.info("Making the base image for %s, on %s", what, " and ".join(f"linux/{one}" for one in ARCHITECTURES))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=shop.cache, prefix=".making-image-") as scratch:
        wheels: list[Path] = []
        if stand_in.python:
            wheels = shop.archive(_NEWEST_WHEELS, "amd64").download(WHEELS, Path(scratch) / "wheels")

        def make(architecture: Architecture) -> Image:
            return _image(shop, stand_in, architecture, wheels, Path(scratch) / architecture)

        with ThreadPoolExecutor(len(ARCHITECTURES)) as pool:
            images = list(pool.map(make, ARCHITECTURES))
        shop.registry.push_index(stand_in.repository, [stand_in.tag], images, _recipe(shop, stand_in))
    logger.info("The base image for %s is ready (%.1f s)", what, time.monotonic() - started)


def _image(
    shop: Workshop, stand_in: StandIn, architecture: Architecture, wheels: Sequence[Path], scratch: Path
) -> Image:
    archive = shop.archive(stand_in.suite, architecture)
    base = archive.closure(MINIMAL, scratch / "base")
    layers = [base_layer(shop, stand_in.suite, base, scratch / "base.tar.gz")]
    environment, command = [SEARCH_PATH], ["bash"]
    if stand_in.python:
        layers.append(_python_layer(archive, stand_in.python, base, wheels, scratch))
        environment += ["LANG=C.UTF-8", f"PYTHON_VERSION={stand_in.python}"]
        command = ["python3"]
    environment += shop.surroundings.environment
    return Image(architecture=architecture, layers=layers, environment=environment, command=command)


def base_layer(shop: Workshop, suite: str, packages: Sequence[Path], target: Path) -> Layer:
    """A Debian root file system with the packages, and with what the machine lends it."""
    files = {**accounts(packages), **shop.surroundings.files(shop.sources, suite, packages)}
    with LayerWriter(target) as writer:
        write_root(writer, Root(packages=packages, files=files, links=shop.surroundings.links()))
        return writer.finish()


def _python_layer(archive: Archive, version: str, base: Sequence[Path], wheels: Sequence[Path], scratch: Path) -> Layer:
    """The interpreter below /usr/local, and the libraries that it needs as Debian packages."""
    names = relocated(version)
    wanted = (*MINIMAL, f"python{version}-minimal", f"libpython{version}-stdlib")
    below = {path.name for path in base}
    full = archive.closure(wanted, scratch / "full")
    libraries = [path for path in full if path.name not in below and path.name.partition("_")[0] not in names]
    interpreter = archive.download(names, scratch / "python")
    with LayerWriter(scratch / "python.tar.gz") as writer:
        write_python(writer, version, interpreter, wheels)
        write_root(writer, Root(packages=libraries, recorded=base, base=False))
        return writer.finish()


def _alias_layer(version: str, wanted: str, target: Path) -> Layer:
    """Links so that paths with the wanted version in them lead to the version that is there."""
    with LayerWriter(target) as writer:
        writer.link(f"usr/local/bin/python{wanted}", f"python{version}")
        writer.link(f"usr/local/bin/pip{wanted}", f"pip{version}")
        writer.link(f"usr/local/lib/python{wanted}", f"python{version}")
        return writer.finish()


def ensure_base_images(shop: Workshop, wanted: Iterable[str]) -> tuple[Substitution, ...]:
    """Make the stand-ins for the images that a Dockerfile starts from.

    Args:
        shop: Where they are made.
        wanted: Image references, as in ``FROM`` lines; see ``references.bases``.

    Returns:
        The differences to announce.

    Raises:
        UpstreamError: Some image has no stand-in; all of them are named.
    """
    problems: list[str] = []
    chosen: list[StandIn] = []
    announced: list[Substitution] = []
    for reference in dict.fromkeys(wanted):
        choice = references.choose(reference)
        if isinstance(choice, str):
            problems.append(f"{reference}: {choice}")
            continue
        chosen.append(choice[0])
        if choice[1] is not None:
            announced.append(choice[1])
    if problems:
        raise UpstreamError(
            "No registry of public images can be reached, and there is no stand-in for " + "; ".join(problems) + ".",
            hint=f"Stand-ins: {references.AVAILABLE}. Use one of them, or run where the images can be pulled.",
            title="A base image cannot be had",
        )
    for stand_in in chosen:
        ensure_image(shop, stand_in)
    return tuple(announced)
