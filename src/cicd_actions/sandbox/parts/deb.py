"""Reading .deb files: an ar archive with two compressed tars in it, metadata and content."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_MAGIC = b"!<arch>\n"
_HEADER = 60


class _Part:
    """One member of the ar archive as a read-only file; tarfile needs no more than ``read``."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, and none beyond the member's end."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


@contextmanager
def opened(path: Path, part: str) -> Iterator[tarfile.TarFile]:
    """The tar ``control`` or ``data`` of the package, to be read once from front to back."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path} is no Debian package")
        while header := file.read(_HEADER):
            name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            if name.startswith(f"{part}.tar"):
                kind = {"xz": "r|xz", "gz": "r|gz", "": "r|"}.get(name.removeprefix(f"{part}.tar").lstrip("."))
                if kind is None:
                    raise ValueError(f"{path} is compressed in a way that Python cannot read: {name}")
                with tarfile.open(fileobj=_Part(file, size), mode=kind) as tar:  # type: ignore[call-overload]
                    yield tar
                return
            file.seek(size + size % 2, 1)
    raise ValueError(f"{path} has no {part}.tar")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package's metadata: the control fields as text, and its further control files by name."""

    control: str
    files: dict[str, bytes]

    def field(self, name: str) -> str:
        """The first line of a control field, empty when it is not there."""
        found = re.search(rf"^{name}:[ \t]*(.*)$", self.control, re.MULTILINE)
        return found[1].strip() if found else ""

    @property
    def name(self) -> str:
        """The package's name."""
        return self.field("Package")

    @property
    def info_name(self) -> str:
        """What its files below var/lib/dpkg/info are called: with the architecture where several may be installed."""
        return f"{self.name}:{self.field('Architecture')}" if self.field("Multi-Arch") == "same" else self.name

    @property
    def conffiles(self) -> tuple[str, ...]:
        """Absolute paths of the files that dpkg treats as configuration."""
        lines = self.files.get("conffiles", b"").decode("utf-8", "replace").splitlines()
        return tuple(line for line in lines if line.startswith("/"))


def read_package(path: Path) -> Package:
    """The metadata of the package file."""
    files: dict[str, bytes] = {}
    with opened(path, "control") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                files[member.name.removeprefix("./")] = content.read()
    return Package(control=files.pop("control").decode("utf-8", "replace").strip() + "\n", files=files)


def unpack(path: Path, folder: Path, wanted: Callable[[str], bool], *, stop_after: int = 0) -> None:
    """Write the wanted files and links of the package below the folder (names are relative to the root).

    ``stop_after`` ends the reading after so many files, for huge packages of which one file is needed.
    """
    written = 0
    with opened(path, "data") as tar:
        for member in tar:
            name = member.name.removeprefix("./").strip("/")
            if not (member.isreg() or member.issym()) or ".." in name.split("/") or not wanted(name):
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                target.symlink_to(member.linkname)
            else:
                content = tar.extractfile(member)
                assert content is not None  # noqa: S101 # nosec B101 - a regular file has content
                with target.open("wb") as file:
                    while block := content.read(1 << 20):
                        file.write(block)
                target.chmod(member.mode & 0o777)
            written += 1
            if stop_after and written >= stop_after:
                return
