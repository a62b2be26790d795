"""A Debian root file system straight from packages to an image layer.

Nothing is executed, so both platforms cost the same; what the packages' installation scripts would leave behind and a
container needs (accounts, alternatives, dpkg's records, certificates) is written by hand.
"""

from __future__ import annotations

import copy
import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cicd_actions.sandbox.parts import bytecode, deb
from cicd_actions.sandbox.parts.oci import LayerWriter

# Since Debian 12 these are links into /usr, while packages may still name them as folders.
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_LEFT_OUT = re.compile(
    r"usr/share/(doc/(?!.*/copyright$)[^/]+/.|man/.|info/.|locale/.|lintian/.|linda/.|groff/.)|usr/share/doc-base/"
)
_ALTERNATIVES = {
    "usr/bin/awk": "/usr/bin/mawk",
    "usr/bin/nawk": "/usr/bin/mawk",
    "usr/bin/which": "/usr/bin/which.debianutils",
    "usr/bin/pager": "/bin/more",
}
_PYTHON = "3.11"  # of Debian 12
_PAM = {
    "auth": "pam_unix.so nullok",
    "account": "pam_unix.so",
    "password": "pam_unix.so",  # nosec B105
    "session": "pam_unix.so",
}  # nosec B105 - names of PAM's modules


@dataclass
class _Records:
    """dpkg's records, collected package by package."""

    stanzas: list[str] = field(default_factory=list)
    info: dict[str, bytes] = field(default_factory=dict)
    triggers: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Root:
    """What goes into the layer.

    ``packages`` are unpacked; ``recorded`` are the packages of the layers below, so that dpkg's status lists all of
    them. ``files`` and ``links`` win over the packages' own. ``base`` is true for the lowest layer.
    """

    packages: Sequence[Path]
    recorded: Sequence[Path] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    base: bool = True


def write_root(writer: LayerWriter, root: Root) -> None:
    """Write the whole root file system of a Debian system with those packages."""
    if root.base:
        for name in _MERGED:
            writer.link(name, f"usr/{name}")
        for name, mode in {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "proc": 0o755, "sys": 0o755}.items():
            writer.folder(name, mode)
    for name, content in root.files.items():
        writer.file(name, content)
    for name, target in root.links.items():
        writer.link(name, target)
    records = _Records()
    for path in root.recorded:
        _record(deb.read_package(path), [], {}, records)
    records.info.clear()  # the layers below have those files
    for path in root.packages:
        package = deb.read_package(path)
        names, hashes = _copy(writer, path, set(package.conffiles))
        _record(package, names, hashes, records)
    if root.base:
        _finish(writer)
    _write_records(writer, records)


def _copy(writer: LayerWriter, path: Path, conffiles: set[str]) -> tuple[list[str], dict[str, str]]:
    """Copy a package's files into the layer; the names as dpkg lists them, and the hashes of configuration files."""
    names, hashes = ["/."], {}
    with deb.opened(path, "data") as tar:
        for member in tar:
            name = member.name.removeprefix(".").rstrip("/")
            if not name:
                continue
            names.append(name)
            target = merged(name.lstrip("/"))
            if _LEFT_OUT.match(target):
                continue
            kept = copy.copy(member)
            kept.name, kept.uname, kept.gname = target, "", ""
            if member.islnk():
                kept.linkname = merged(member.linkname.removeprefix("./"))
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None and name in conffiles:
                data = content.read()
                hashes[name] = hashlib.md5(data, usedforsecurity=False).hexdigest()
                writer.file(target, data, member.mode)
            elif content is not None and target.startswith("usr/lib/python3") and target.endswith(".py"):
                _add_module(writer, kept, content.read())
            elif not (member.isdir() and target in _MERGED):
                writer.add(kept, content)
    return names, hashes


def _add_module(writer: LayerWriter, member: tarfile.TarInfo, content: bytes) -> None:
    """A module of Debian's own Python, with its compiled form, which the installation scripts would make."""
    writer.add(member, io.BytesIO(content))
    compiled = bytecode.compiled(_PYTHON, member.name, content, modified=int(member.mtime))
    if compiled is not None:
        writer.file(*compiled)


def merged(name: str) -> str:
    """Where the file really lies: /bin, /lib and so on are links into /usr."""
    top, slash, rest = name.partition("/")
    return f"usr/{top}/{rest}" if slash and top in _MERGED else name


def _record(package: deb.Package, names: Iterable[str], hashes: Mapping[str, str], records: _Records) -> None:
    lines = package.control.rstrip().splitlines()
    lines.insert(1, "Status: install ok installed")
    if package.conffiles:
        lines.append("Conffiles:")
        lines += [f" {name} {hashes.get(name, 'newconffile')}" for name in package.conffiles]
    records.stanzas.append("\n".join(lines) + "\n")
    records.info[f"{package.info_name}.list"] = ("\n".join(names) + "\n").encode()
    for name, content in package.files.items():
        records.info[f"{package.info_name}.{name}"] = content
    for line in package.files.get("triggers", b"").decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) == 2 and words[0].startswith("interest"):
            mark = "/noawait" if words[0].endswith("noawait") else ""
            records.triggers.setdefault(words[1], []).append(f"{package.name}{mark}")


def _write_records(writer: LayerWriter, records: _Records) -> None:
    folder = "var/lib/dpkg"
    writer.file(f"{folder}/status", "\n".join(records.stanzas).encode())
    for name in (
        "available",
        "diversions",
        "statoverride",
        "lock",
        "lock-frontend",
        "triggers/Lock",
        "triggers/Unincorp",
    ):
        writer.file(f"{folder}/{name}", b"")
    for name in ("alternatives", "parts", "updates"):
        writer.folder(f"{folder}/{name}")
    writer.file(f"{folder}/info/format", b"1\n")
    for name, content in records.info.items():
        executable = name.rpartition(".")[2] in {"preinst", "postinst", "prerm", "postrm", "config"}
        writer.file(f"{folder}/info/{name}", content, 0o755 if executable else 0o644)
    by_file = [(name, owner) for name, owners in records.triggers.items() if name.startswith("/") for owner in owners]
    writer.file(f"{folder}/triggers/File", "".join(f"{name} {owner}\n" for name, owner in by_file).encode())
    for name, owners in records.triggers.items():
        if not name.startswith("/"):
            writer.file(f"{folder}/triggers/{name}", "".join(f"{owner}\n" for owner in owners).encode())


def _finish(writer: LayerWriter) -> None:
    """What the installation scripts of the essential packages leave behind."""
    for name, target in _ALTERNATIVES.items():
        writer.link(f"etc/alternatives/{Path(name).name}", target)
        writer.link(name, f"/etc/alternatives/{Path(name).name}")
    for kind, module in _PAM.items():
        writer.file(f"etc/pam.d/common-{kind}", f"{kind} required {module}\n".encode())
    writer.file("etc/pam.d/common-session-noninteractive", b"session required pam_unix.so\n")
    writer.file("etc/hostname", b"localhost\n")
    writer.file("etc/machine-id", b"")
    writer.link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    writer.file("etc/timezone", b"Etc/UTC\n")
    writer.file("etc/environment", b"")


def accounts(packages: Sequence[Path]) -> dict[str, bytes]:
    """/etc/passwd, group and shadow files, from the lists in the package base-passwd."""
    found: dict[str, bytes] = {}
    for path in packages:
        if path.name.startswith("base-passwd_"):
            with deb.opened(path, "data") as tar:
                for member in tar:
                    if member.name.endswith(".master") and (content := tar.extractfile(member)):
                        found[Path(member.name).stem] = content.read()
    passwd = found["passwd"].replace(b"root:*:", b"root:x:")
    passwd = re.sub(rb"^(\w[\w-]*):\*:", rb"\1:x:", passwd, flags=re.MULTILINE)
    group = re.sub(rb"^(\w[\w-]*):\*:", rb"\1:x:", found["group"], flags=re.MULTILINE)
    users = [line.partition(b":")[0] for line in passwd.splitlines()]
    groups = [line.partition(b":")[0] for line in group.splitlines()]
    return {
        "etc/passwd": passwd,
        "etc/group": group,
        "etc/shadow": b"".join(user + b":*:19700:0:99999:7:::\n" for user in users),
        "etc/gshadow": b"".join(name + b":*::\n" for name in groups),
    }
