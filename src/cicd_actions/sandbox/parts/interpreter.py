"""Debian's Python, moved to where the python images have it: all of it below /usr/local.

The interpreter finds its library by looking from its own place upward, so a copy at another place is complete. Debian's
own rules (dist-packages, the mark that forbids pip to install) are left out.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cicd_actions.sandbox.parts import bytecode, deb
from cicd_actions.sandbox.parts.oci import LayerWriter

WHEELS = ("python3-pip-whl", "python3-setuptools-whl")

_SCRIPT = """#!/usr/local/bin/python{version}
import re
import sys
from pip._internal.cli.main import main

if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""
# What Debian changed, and what was there before. A text that is missing is an error: then the packages have changed.
# The module site is frozen into the program as well, so its texts are replaced by others of the same length;
# "./././lib" below the prefix is its lib folder.
_SITE = ((b"dist-packages", b"site-packages"), (b"local/lib", b"./././lib"))
_SYSCONFIG = ((b"prefix_scheme = 'posix_local'", b"prefix_scheme = 'posix_prefix'"),)
_EDITS: Mapping[str, Sequence[tuple[bytes, bytes]]] = {
    "usr/local/bin/python{}": _SITE,
    "usr/local/lib/python{}/site.py": _SITE,
    "usr/local/lib/python{}/sysconfig.py": _SYSCONFIG,
    "usr/local/lib/python{}/sysconfig/__init__.py": _SYSCONFIG,
}


def relocated(version: str) -> tuple[str, ...]:
    """Names of the packages that make up this Python."""
    names = [f"libpython{version}-dev", f"libpython{version}-minimal", f"libpython{version}-stdlib"]
    names += [f"python{version}", f"python{version}-minimal", f"python{version}-venv"]
    # In 3.11 two parts of the standard library are packages of their own.
    return (*names, "python3-distutils", "python3-lib2to3") if version == "3.11" else tuple(names)


def place(name: str, version: str) -> str | None:
    """Where a file of these packages goes; None leaves it out."""
    library = f"usr/lib/python{version}/"
    if name == f"usr/bin/python{version}":
        return f"usr/local/bin/python{version}"
    if name.startswith(library):
        rest = name.removeprefix(library)
        if rest in {"EXTERNALLY-MANAGED", "_distutils_system_mod.py", "sitecustomize.py"} or rest.endswith(".a"):
            return None
        return f"usr/local/lib/python{version}/{rest}"
    if name.startswith(f"usr/include/python{version}/"):
        return f"usr/local/{name.removeprefix('usr/')}"
    return name if re.match(rf"usr/include/[^/]+-linux-gnu/python{re.escape(version)}/", name) else None


def write_python(writer: LayerWriter, version: str, packages: Sequence[Path], wheels: Sequence[Path]) -> None:
    """Write the interpreter, its library, pip and setuptools into the layer."""
    site = f"usr/local/lib/python{version}/site-packages"
    writer.folder(site)
    for name in ("python", "python3"):
        writer.link(f"usr/local/bin/{name}", f"python{version}")
    writer.link("usr/local/bin/pydoc", f"../lib/python{version}/pydoc.py")
    for path in packages:
        _copy(writer, version, path)
    for path in wheels:
        _unpack_wheels(writer, version, site, path)
    for name in ("pip", "pip3", f"pip{version}"):
        writer.file(f"usr/local/bin/{name}", _SCRIPT.format(version=version).encode(), 0o755)


def _copy(writer: LayerWriter, version: str, path: Path) -> None:
    with deb.opened(path, "data") as tar:
        for member in tar:
            target = place(member.name.removeprefix("./"), version)
            if target is None or target in writer:
                continue
            kept = copy.copy(member)
            kept.name, kept.uname, kept.gname = target, "", ""
            content = tar.extractfile(member) if member.isreg() else None
            edits = edits_of(target, version)
            if content is None or not (edits or target.endswith(".py")):
                writer.add(kept, content)
                continue
            text = edited(target, content.read(), edits)
            _add_module(writer, version, target, text, member.mode)


def edits_of(target: str, version: str) -> Sequence[tuple[bytes, bytes]]:
    """What is replaced in the file."""
    return next((edits for name, edits in _EDITS.items() if name.format(version) == target), ())


def edited(target: str, content: bytes, edits: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The content with the replacements made."""
    for old, new in edits:
        if old not in content:
            raise AssertionError(f"{target} is not what it was")
        content = content.replace(old, new)
    return content


def _unpack_wheels(writer: LayerWriter, version: str, site: str, package: Path) -> None:
    """Install the wheel in the package, and keep the wheel itself, from which ``venv`` installs."""
    with deb.opened(package, "data") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if not name.endswith(".whl") or (content := tar.extractfile(member)) is None:
                continue
            data = content.read()
            writer.file(name, data)
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                for item in wheel.infolist():
                    if not item.is_dir() and not item.filename.endswith(".exe"):
                        _add_module(writer, version, f"{site}/{item.filename}", wheel.read(item))


def _add_module(writer: LayerWriter, version: str, name: str, content: bytes, mode: int = 0o644) -> None:
    writer.file(name, content, mode)
    if (compiled := bytecode.compiled(version, name, content)) is not None:
        writer.file(*compiled)
