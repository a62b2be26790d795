"""The scanner's download: one pinned release, checked against hashes that are kept here.

A checksum file beside the release proves nothing once the publisher is taken over (Trivy, March 2026: v0.69.4 to
v0.69.6 were made by an attacker). So the values stand in this repository, and a newer release is taken up after
some days only, with hashes from more than one place.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import platform
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cicd_actions.errors import UpstreamError
from cicd_actions.oci.layout import normalise_platform

if TYPE_CHECKING:
    import httpx

TRIVY_VERSION = "0.69.3"
_RELEASES = "https://github.com/aquasecurity/trivy/releases/download"
_MAX_ARCHIVE = 200 * 1024 * 1024
_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Download:
    """One archive of the release and the SHA-256 that it must have."""

    name: str
    sha256: str

    @property
    def url(self) -> str:
        """Where the release page serves it."""
        return f"{_RELEASES}/v{TRIVY_VERSION}/{self.name}"


# From the release's own trivy_0.69.3_checksums.txt, published before the attack. The same values stand in the pinned
# tool lists and Dockerfiles of several unrelated public projects, one of which records that it checked the release's
# sigstore signature. The archives themselves were not downloaded here to compare them.
TRIVY = {
    "linux/amd64": Download(
        name=f"trivy_{TRIVY_VERSION}_Linux-64bit.tar.gz",
        sha256="1816b632dfe529869c740c0913e36bd1629cb7688bd5634f4a858c1d57c88b75",
    ),
    "linux/arm64": Download(
        name=f"trivy_{TRIVY_VERSION}_Linux-ARM64.tar.gz",
        sha256="7e3924a974e912e57b4a99f65ece7931f8079584dae12eb7845024f97087bdfd",
    ),
}


def fetch(url: str, *, sleep: Callable[[float], None] = time.sleep) -> bytes:
    """Download a file, trying again when the network fails.

    Raises:
        UpstreamError: It cannot be had, or is larger than any release of the scanner.
    """
    import httpx

    problem = ""
    for attempt in range(1, _TRIES + 1):
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=60) as response:
                response.raise_for_status()
                return _bounded(response)
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
        if attempt < _TRIES:
            sleep(2.0**attempt)
    raise UpstreamError(
        f"The scanner could not be downloaded from {url}: {problem}.",
        hint="Install Trivy on the runner (it is found on PATH) or name it in CICD_ACTIONS_TRIVY.",
    )


def unpack(archive: bytes, download: Download, target: Path) -> None:
    """Check an archive against its hash and write the scanner that is in it to ``target``, executable.

    Raises:
        UpstreamError: The hash differs, or there is no scanner in the archive.
    """
    actual = hashlib.sha256(archive).hexdigest()
    if actual != download.sha256:
        raise UpstreamError(
            f"{download.url} has the SHA-256 {actual}, expected was {download.sha256}. It was not used.",
            hint="Something between here and the release page changed the file. Do not override this; report it.",
            title="The scanner's download does not match its hash",
        )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        member = next((m for m in files.getmembers() if m.name == "trivy" and m.isfile()), None)
        content = files.extractfile(member) if member else None
        if content is None:
            raise UpstreamError(f"There is no scanner in {download.name}.")
        _write(target, content.read())


def _bounded(response: httpx.Response) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > _MAX_ARCHIVE:
            raise UpstreamError("The scanner's download is larger than any release of it.")
    return bytes(data)


def _write(target: Path, content: bytes) -> None:
    """Write beside the target and rename, so that a half-written scanner is never found."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.replace(target)


def pick_download() -> Download | None:
    """Return the download for this machine, or None when none is pinned."""
    system, machine = platform.system().lower(), platform.machine()
    try:
        return TRIVY.get(normalise_platform(f"{system}/{machine}"))
    except ValueError:
        return None


def main(argv: Sequence[str]) -> None:
    """``python -m cicd_actions.scan.tools FILE``: used when the action's image is built."""
    parser = argparse.ArgumentParser(prog="cicd_actions.scan.tools", description="Download the pinned Trivy.")
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args(argv)
    download = pick_download()
    if download is None:
        parser.error(f"there is no pinned release for {platform.system()} on {platform.machine()}")
    unpack(fetch(download.url), download, arguments.target)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
