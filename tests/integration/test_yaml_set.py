"""yaml-set through the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cicd_actions.cli import main

VALUES = b'image:\r\n  tag: "1.0.0" # t\r\nlist:\n- {name: web, v: 1}\n- {name: log, v: 2}\n"a.b": {c: d}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_bytes(VALUES)
    return path


def run(*words: str | Path) -> int:
    return main(["yaml-set", *map(str, words)], {})


def test_sets_several_keys(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "image.tag=1.1", "list[name=log].v=x", '"a.b".c=yes') == 0
    expected = VALUES.replace(b"1.0.0", b"1.1").replace(b"v: 2", b"v: x").replace(b"c: d", b'c: "yes"')
    assert file.read_bytes() == expected
    assert capsys.readouterr().out == ""


def test_values_may_hold_anything(file: Path) -> None:
    assert run(file, "image.tag=a=b [c] {d} # é\n") == 0
    assert file.read_bytes() == VALUES.replace(b"1.0.0", "a=b [c] {d} # é\\n".encode())
    assert run(file, "image.tag=") == 0
    assert b'tag: "" # t' in file.read_bytes()


def test_diff(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "list[0].v=z", "--diff") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[2:] == ["@@ -1,6 +1,6 @@", *out[3:]]
    assert [line for line in out if line.startswith(("-", "+"))][2:] == ["-- {name: web, v: 1}", "+- {name: web, v: z}"]
    assert b"v: z" in file.read_bytes()


@pytest.mark.parametrize(("update", "code"), [("image.tag=2", 1), ("image.tag=1.0.0", 0)])
def test_check(file: Path, update: str, code: int) -> None:
    assert run(file, update, "--check") == code
    assert file.read_bytes() == VALUES


def test_dry_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "image.tag=2", "--dry-run") == 0
    assert '+  tag: "2" # t' in capsys.readouterr().out
    assert file.read_bytes() == VALUES


def test_no_write_when_equal(file: Path) -> None:
    before = file.stat()
    assert run(file, "image.tag=1.0.0") == 0
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        (["image.tga=1"], ["image.tga", "Perhaps you meant 'image.tag'"]),
        (["image.tag=2", "nope=1"], ["nope"]),
        (["image.tag"], ["has no value"]),
        (["image.tag=1", "image.tag=2"], ["second time"]),
        (["image[=1"], ["not well formed"]),
        (["list[name=x].v=1"], ["'web', 'log'"]),
    ],
)
def test_errors(file: Path, updates: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, *updates) == 2
    err = capsys.readouterr().err
    for word in words:
        assert word in err
    assert str(file) in err
    assert file.read_bytes() == VALUES
    assert list(file.parent.iterdir()) == [file]


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "no.yaml", "a=b") == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run(tmp_path, "a=b") == 2


def test_no_updates(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file) == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_mode_and_link_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.yaml"
    link.symlink_to("../values.yaml")
    assert run(link, "image.tag=9") == 0
    assert link.is_symlink()
    assert b'"9"' in file.read_bytes()
    assert file.stat().st_mode & 0o7777 == 0o640
    assert list(folder.iterdir()) == [link]


def test_document(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_bytes(b"a: 1\n---\na: 2\n")
    assert run(file, "a=x") == 2
    assert run(file, "a=x", "--document", "1") == 0
    assert file.read_bytes() == b"a: 1\n---\na: x\n"


def test_aliases_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: &x v\nb: *x\n")
    assert run(file, "a=w") == 0
    assert "line 2" in capsys.readouterr().err


def test_failed_write_leaves_all_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(file, "image.tag=9") == 2
    assert file.read_bytes() == VALUES
    assert list(file.parent.iterdir()) == [file]


def test_create_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "values.yaml"
    file.write_bytes(b"image:\r\n  tag: '1.0.0' # t\r\n# end\r\n")
    assert run(file, "image.digest=sha256:0a") == 2
    assert "no key digest" in capsys.readouterr().err
    assert run(file, "image.digest=sha256:0a", "image.tag=1.0.1", "web.port=80", "--create-missing") == 0
    expected = b"image:\r\n  tag: '1.0.1' # t\r\n  digest: 'sha256:0a'\r\nweb:\r\n  port: \"80\"\r\n# end\r\n"
    assert file.read_bytes() == expected
