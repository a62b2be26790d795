"""Package sources, packages, layers, the cache and the database: everything that needs no engine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from cicd_actions.sandbox.parts import bytecode, deb, lifecycle, vulndb
from cicd_actions.sandbox.parts.bbolt import PAGE, encode
from cicd_actions.sandbox.parts.cache import default_cache, is_whole, made_once, write_whole
from cicd_actions.sandbox.parts.debian import Sources, machine_sources, parse_sources
from cicd_actions.sandbox.parts.interpreter import edited, place
from cicd_actions.sandbox.parts.lifecycle import runtime_folder
from cicd_actions.sandbox.parts.model import Unavailable
from cicd_actions.sandbox.parts.oci import LayerWriter
from cicd_actions.sandbox.parts.processes import running_program, start
from cicd_actions.sandbox.parts.rootfs import Root, accounts, merged, write_root
from cicd_actions.sandbox.parts.use import action_image_name

DEB822 = """Types: deb
# a comment
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.test/security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """# comment
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib
deb http://mirror.test/security bookworm-security main
"""


@pytest.mark.parametrize("text", [DEB822, ONE_LINE], ids=["deb822", "one-line"])
def test_sources_in_both_notations(text: str) -> None:
    expected = Sources(archive="http://mirror.test/debian", security="http://mirror.test/security")
    assert parse_sources(["deb http://other.test stable-x main\n", text]) == expected


def test_sources_without_debian(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://mirror.test/ubuntu noble main\n")
    with pytest.raises(Unavailable, match="no Debian archive"):
        machine_sources(tmp_path)


def _archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


def make_deb(
    path: Path, control: dict[str, bytes], files: dict[str, bytes], links: dict[str, str] | None = None
) -> Path:
    """A package file with that content."""
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": _archive(control),
        "data.tar.xz": _archive(files, links),
    }
    content = b"!<arch>\n"
    for name, data in parts.items():
        content += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    path.write_bytes(content)
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    control = b"Package: tool\nVersion: 1.0\nArchitecture: amd64\nMulti-Arch: same\nDescription: short\n long\n"
    return make_deb(
        tmp_path / "tool_1.0_amd64.deb",
        {
            "control": control,
            "conffiles": b"/etc/tool.conf\n",
            "triggers": b"interest-noawait ldconfig\n",
            "postinst": b"#!",
        },
        {
            "bin/tool": b"\x7fELF",
            "etc/tool.conf": b"a=1\n",
            "usr/share/man/man1/tool.1": b"x",
            "usr/share/doc/tool/copyright": b"c",
        },
        {"lib/x86/libtool.so": "libtool.so.1"},
    )


def test_package_metadata(package: Path) -> None:
    found = deb.read_package(package)
    assert (found.name, found.info_name, found.conffiles) == ("tool", "tool:amd64", ("/etc/tool.conf",))


def test_unpacking_takes_what_is_wanted(package: Path, tmp_path: Path) -> None:
    deb.unpack(package, tmp_path / "root", lambda name: name == "bin/tool")
    assert [path.name for path in (tmp_path / "root").rglob("*") if path.is_file()] == ["tool"]


def test_unpacking_stays_in_its_folder(tmp_path: Path) -> None:
    evil = make_deb(tmp_path / "evil.deb", {"control": b"Package: evil\n"}, {"../outside": b"x"})
    deb.unpack(evil, tmp_path / "root", lambda _: True)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"PK\x03\x04"], ids=["empty", "cut", "other"])
def test_no_package(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.deb").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.deb"):
        deb.read_package(tmp_path / "x.deb")


def test_layer_of_a_root_file_system(package: Path, tmp_path: Path) -> None:
    def write(name: str) -> str:
        with LayerWriter(tmp_path / name) as writer:
            write_root(writer, Root(packages=[package], files={"etc/own": b"1"}))
            layer = writer.finish()
        content = (tmp_path / name).read_bytes()
        assert layer.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(content)).hexdigest()}"
        return layer.digest

    assert write("one.tar.gz") == write("two.tar.gz")
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        names = tar.getnames()
        status = tar.extractfile("var/lib/dpkg/status")
        listed = tar.extractfile("var/lib/dpkg/info/tool:amd64.list")
        trigger = tar.extractfile("var/lib/dpkg/triggers/ldconfig")
        assert tar.getmember("bin").linkname == "usr/bin"
        assert status is not None
        assert listed is not None
        assert trigger is not None
        assert "Status: install ok installed" in status.read().decode()
        assert "/bin/tool\n" in listed.read().decode()
        assert trigger.read() == b"tool/noawait\n"
    assert {"usr/bin/tool", "usr/lib/x86/libtool.so", "usr/share/doc/tool/copyright", "etc/own"} <= set(names)
    assert "usr/share/man/man1/tool.1" not in names
    assert len(names) == len(set(names))


def test_accounts_come_from_the_lists(tmp_path: Path) -> None:
    files = {
        "usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/bash\nwww-data:*:33:33:w:/var:/x\n",
        "usr/share/base-passwd/group.master": b"root:*:0:\nstaff:*:50:\n",
    }
    path = make_deb(tmp_path / "base-passwd_3_amd64.deb", {"control": b"Package: base-passwd\n"}, files)
    found = accounts([path])
    assert found["etc/passwd"].startswith(b"root:x:0:0:")
    assert b"www-data:x:33" in found["etc/passwd"]
    assert found["etc/group"] == b"root:x:0:\nstaff:x:50:\n"
    assert found["etc/shadow"].splitlines()[0] == b"root:*:19700:0:99999:7:::"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bin/sh", "usr/bin/sh"), ("lib", "lib"), ("usr/bin/x", "usr/bin/x"), ("library/x", "library/x")],
)
def test_merged_folders(name: str, expected: str) -> None:
    assert merged(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("usr/bin/python3.11", "usr/local/bin/python3.11"),
        ("usr/lib/python3.11/os.py", "usr/local/lib/python3.11/os.py"),
        ("usr/lib/python3.11/EXTERNALLY-MANAGED", None),
        ("usr/include/python3.11/Python.h", "usr/local/include/python3.11/Python.h"),
        ("usr/include/x86_64-linux-gnu/python3.11/pyconfig.h", "usr/include/x86_64-linux-gnu/python3.11/pyconfig.h"),
        ("usr/share/doc/python3.11/README", None),
        ("usr/lib/python3x11/os.py", None),
    ],
)
def test_places_of_the_interpreter(name: str, expected: str | None) -> None:
    assert place(name, "3.11") == expected


def test_an_edit_that_finds_nothing_is_noticed() -> None:
    assert edited("x", b"a b", [(b"a", b"c")]) == b"c b"
    with pytest.raises(AssertionError, match="not what it was"):
        edited("x", b"b", [(b"a", b"c")])


def test_compiled_modules_are_those_of_python(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = bytecode.compiled(version, "lib/mod.py", b"X = 41 + 1\n")
    assert found is not None
    (tmp_path / "mod.py").write_bytes(b"X = 41 + 1\n")
    os.utime(tmp_path / "mod.py", (0, 0))
    target = tmp_path / "__pycache__" / Path(found[0]).name
    target.parent.mkdir()
    target.write_bytes(found[1])
    done = subprocess.run(
        [sys.executable, "-v", "-c", "import mod; print(mod.X)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "42\n"
    assert f"matches {tmp_path}/mod.py" in done.stderr.replace(str(tmp_path / "__pycache__"), "")
    assert bytecode.compiled("2.7", "lib/mod.py", b"") is None
    assert bytecode.compiled(version, "lib/mod.py", b"def (") is None
    assert bytecode.compiled(version, "lib/test/mod.py", b"") is None


def test_default_cache() -> None:
    assert default_cache({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/cicd-actions")
    assert default_cache({"XDG_CACHE_HOME": "relative", "HOME": "/h"}) == Path("/h/.cache/cicd-actions")


def test_made_once_and_made_again_when_damaged(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("content")

    target = tmp_path / "thing"
    for _ in range(2):
        assert made_once(target, "1", make) == target
    assert len(calls) == 1
    (target / "file").write_text("damaged")
    assert not is_whole(target, "1")
    made_once(target, "1", make)
    made_once(target, "2", make)
    assert len(calls) == 3
    assert (target / "file").read_text() == "content"


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        made_once(tmp_path / "thing", "1", make)
    assert [path.name for path in tmp_path.iterdir()] == [".thing.lock"]


def test_two_at_once_make_one(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("x")

    threads = [threading.Thread(target=made_once, args=(tmp_path / "thing", "1", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_write_whole_sets_the_mode(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "secret", "x", mode=0o600)
    assert (tmp_path / "a" / "secret").stat().st_mode & 0o777 == 0o600


def test_sockets_stay_short(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 80)
    assert len(str(runtime_folder(deep))) < 60
    assert runtime_folder(deep) == runtime_folder(deep)


def test_daemons_are_known_by_pid_and_start(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    log = tmp_path / "log"
    daemon = start("it", argv, env=os.environ, log=log, ready=lambda: b"up" in log.read_bytes(), seconds=20)
    (tmp_path / "pid").write_text(str(daemon.pid))
    assert daemon.is_alive()
    assert running_program(tmp_path / "pid", below=Path("/nowhere")) is None
    assert running_program(tmp_path / "pid", below=Path(f"/proc/{daemon.pid}/exe").readlink().parent) is not None
    assert not type(daemon)(name="it", pid=daemon.pid, started=daemon.started + 1).is_alive()
    daemon.stop(5)
    assert not daemon.is_alive()
    daemon.stop(5)


def test_a_daemon_that_ends_tells_why(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "raise SystemExit('no room')"]
    with pytest.raises(Unavailable, match=r"it ended at once: no room"):
        start("it", argv, env=os.environ, log=tmp_path / "log", ready=lambda: False, seconds=20)


def test_a_daemon_that_hangs_is_ended(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"]
    with pytest.raises(Unavailable, match="not ready in time"):
        start("it", argv, env=os.environ, log=tmp_path / "log", ready=lambda: False, seconds=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)


def test_database_is_the_same_each_time() -> None:
    first = vulndb.database()
    assert first == vulndb.database()
    assert len(first) % PAGE == 0
    assert first[16:20] == bytes.fromhex("edda0ced")  # bbolt's magic number, little-endian


def test_database_has_what_the_advisories_say() -> None:
    advisories = json.loads(vulndb.ADVISORIES.read_text())["advisories"]
    buckets = vulndb.tree(advisories)
    assert set(buckets["vulnerability"]) == {entry["id"] for entry in advisories}
    assert "pip::GitHub Security Advisory pip" in buckets


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": {"nvd": "AWFUL"}}, "'AWFUL' is none of"),
        ({"affects": [{"in": "plan9", "package": "a"}]}, "is neither pip nor npm"),
        ({"affects": [{"in": "pip", "package": "a", "vulnerable": ["<1"], "fixed": "1"}]}, "must be a list"),
        ({"title": None, "affects": [{"package": "a"}]}, "lacks 'in'"),
    ],
)
def test_wrong_advisories(change: dict[str, object], message: str) -> None:
    advisory = {
        "id": "CVE-1",
        "title": "t",
        "description": "d",
        "severity": {"nvd": "LOW"},
        "references": [],
        "affects": [],
    }
    with pytest.raises(ValueError, match=message):
        vulndb.tree([{**advisory, **change}])


def test_long_leaves_run_on() -> None:
    data = encode({"bucket": {f"key{number:04}": b"v" * 100 for number in range(200)}})
    assert len(data) % PAGE == 0
    assert len(data) > 7 * PAGE


def test_name_of_an_action_image() -> None:
    name = action_image_name("OWNER/cicd-actions/actions/notify@REF")
    assert name == "act-owner-cicd-actions-actions-notify-ref-actions-notify-dockeraction:latest"


def test_an_unfit_machine_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="this is darwin, not Linux, this process does not run as root"):
        lifecycle._refuse_unfit_machine()
