from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from cicd_actions.errors import ConfigError, UpstreamError
from cicd_actions.oci.layout import normalise_platform
from cicd_actions.scan.tools import TRIVY, Download, fetch, unpack
from cicd_actions.scan.trivy import find_trivy


def archive(name: str = "trivy", content: bytes = b"#!/bin/sh\n") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pinned(content: bytes) -> Download:
    return Download(name="trivy.tar.gz", sha256=hashlib.sha256(content).hexdigest())


def test_the_pins_are_whole() -> None:
    assert set(TRIVY) == {"linux/amd64", "linux/arm64"}
    for platform, download in TRIVY.items():
        assert normalise_platform(platform) == platform
        assert len(bytes.fromhex(download.sha256)) == 32
        assert download.url.startswith("https://github.com/aquasecurity/trivy/releases/download/v")


def test_a_matching_archive_is_unpacked(tmp_path: Path) -> None:
    data = archive(content=b"the scanner")
    unpack(data, pinned(data), tmp_path / "new" / "trivy")
    assert (tmp_path / "new" / "trivy").read_bytes() == b"the scanner"
    assert os.access(tmp_path / "new" / "trivy", os.X_OK)
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_another_hash_is_refused(tmp_path: Path) -> None:
    data = archive()
    with pytest.raises(UpstreamError, match="It was not used"):
        unpack(data + b"\0", pinned(data), tmp_path / "trivy")
    assert not (tmp_path / "trivy").exists()


@pytest.mark.parametrize("name", ["../trivy", "bin/trivy", "readme"])
def test_an_archive_without_the_scanner(tmp_path: Path, name: str) -> None:
    data = archive(name)
    with pytest.raises(UpstreamError, match="no scanner in"):
        unpack(data, pinned(data), tmp_path / "x" / "trivy")


def test_a_download_that_fails() -> None:
    waits: list[float] = []
    with pytest.raises(UpstreamError, match="could not be downloaded"):
        fetch("http://127.0.0.1:1/trivy.tar.gz", sleep=waits.append)
    assert waits == [2.0, 4.0]


def test_a_named_scanner_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not an executable file"):
        find_trivy({"CICD_ACTIONS_TRIVY": str(tmp_path / "none")}, tmp_path)


def test_something_else_called_trivy_is_no_scanner(tmp_path: Path) -> None:
    (tmp_path / "trivy").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "trivy").chmod(0o755)
    with pytest.raises(UpstreamError, match="--version"):
        find_trivy({"PATH": str(tmp_path)}, tmp_path)
