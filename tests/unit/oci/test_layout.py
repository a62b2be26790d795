from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.layouts import make_layout

from cicd_actions.oci.layout import LayoutError, blob_path, complete, make_view, normalise_platform, read_layout

IMAGES = {"linux/arm64": {"a": "1"}, "linux/amd64": {"a": "2"}}


def test_reads_every_platform_and_no_attestation(tmp_path: Path) -> None:
    layout = read_layout(make_layout(tmp_path / "l", IMAGES, attestation=True))
    assert [child.platform for child in layout.children] == ["linux/amd64", "linux/arm64"]
    # the index, two images and the attestation; a configuration and a layer each
    assert len(layout.manifests) == 4
    assert len(layout.blobs) == 6
    assert layout.manifests[0] == layout.digest
    assert json.loads(layout.document(layout.digest))["manifests"]


def test_a_view_holds_one_platform_only(tmp_path: Path) -> None:
    layout = read_layout(make_layout(tmp_path / "l", IMAGES))
    view = read_layout(make_view(layout, layout.children[1], tmp_path / "view"))
    assert [child.platform for child in view.children] == ["linux/arm64"]
    assert view.digest == layout.children[1].digest


def test_a_variant_is_part_of_the_platform(tmp_path: Path) -> None:
    layout = read_layout(make_layout(tmp_path / "l", {"linux/arm/v7": {}, "linux/arm64/v8": {"a": "b"}}))
    assert [child.platform for child in layout.children] == ["linux/arm/v7", "linux/arm64"]


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_changed_bytes_are_noticed(tmp_path: Path, which: str) -> None:
    path = make_layout(tmp_path / "l", {"linux/amd64": {"a": "1"}})
    layout = read_layout(path)
    child = layout.children[0]
    manifest = json.loads(layout.document(child.digest))
    digest = {"layer": manifest["layers"][0]["digest"], "config": child.config_digest, "manifest": child.digest}[which]
    blob = blob_path(path, digest)
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    with pytest.raises(LayoutError, match="does not match its digest"):
        read_layout(path)


def test_a_missing_or_cut_blob_is_noticed(tmp_path: Path) -> None:
    path = make_layout(tmp_path / "l", {"linux/amd64": {"a": "1"}})
    blob = blob_path(path, read_layout(path).children[0].config_digest)
    content = blob.read_bytes()
    blob.write_bytes(content[:-1])
    with pytest.raises(LayoutError, match="has not the size"):
        read_layout(path)
    blob.unlink()
    with pytest.raises(LayoutError, match="is missing"):
        read_layout(path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", "is not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "lists 0 images"),
        ('{"manifests": [{}, {}]}', "lists 2 images"),
        ('{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}', "is not a sha256 digest"),
        ('{"manifests": ["x"]}', "not an object"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_malformed_index_is_refused(tmp_path: Path, index: str, message: str) -> None:
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(LayoutError, match=message):
        read_layout(tmp_path)


def test_no_index_at_all(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"index\.json could not be read"):
        read_layout(tmp_path)


def test_only_attestations_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="only attestations"):
        read_layout(make_layout(tmp_path / "l", {}, attestation=True))


def test_the_marker_is_written_when_the_builder_left_it_out(tmp_path: Path) -> None:
    path = make_layout(tmp_path / "l", IMAGES)
    (path / "oci-layout").unlink()
    complete(path)
    assert json.loads((path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
    ],
)
def test_platforms_have_one_spelling(text: str, expected: str) -> None:
    assert normalise_platform(text) == expected


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "linux amd64", "../x/y"])
def test_refuses_what_is_no_platform(text: str) -> None:
    with pytest.raises(ValueError, match="os/architecture"):
        normalise_platform(text)
