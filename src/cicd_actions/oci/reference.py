"""Names of images: ``registry/repository``, with a tag or a digest where one is meant."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_DOCKER_HUB = "docker.io"
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One image: ``registry`` is host[:port], ``tag`` and ``digest`` are empty when not given."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """``registry/repository`` without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def is_loopback(self) -> bool:
        """True for a registry on this machine, the only kind that is spoken to without TLS."""
        return is_loopback(self.registry)


def parse_reference(text: str) -> Reference:
    """Read ``[registry/]repository[:tag][@digest]``.

    Capitals in the repository are lower-cased: GitHub's owner names have them and registries refuse them.

    Raises:
        ValueError: It is not an image name; the text says what is wrong.
    """
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ValueError("the digest must be sha256: and 64 hexadecimal digits")
    first, slash, remainder = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, remainder
    else:
        registry, path = _DOCKER_HUB, rest
    path, colon, tag = path.partition(":")
    if colon and not TAG.fullmatch(tag):
        raise ValueError("the tag may hold letters, digits, '_', '.', '-', 128 characters at most")
    if not _HOST.fullmatch(registry):
        raise ValueError(f"{registry!r} is not a host name")
    repository = path.lower()
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
        raise ValueError("the repository may hold letters, digits, single '.', '_', '-' and '/' between them")
    if registry == _DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry=registry, repository=repository, tag=tag, digest=digest)


def is_loopback(registry: str) -> bool:
    """True when ``host[:port]`` names this machine."""
    host = registry.rsplit(":", 1)[0] if re.search(r":\d+$", registry) else registry
    host = host.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
