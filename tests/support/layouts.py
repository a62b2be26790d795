"""Makes small OCI layouts: real images, only tiny."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def python_package(name: str, version: str) -> dict[str, str]:
    """Return the file that an installed distribution leaves."""
    path = f"usr/lib/python3/dist-packages/{name}-{version}.dist-info/METADATA"
    return {path: f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}


DEBIAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "etc/debian_version": "12.9\n",
    "var/lib/dpkg/status": (
        "Package: base-files\nStatus: install ok installed\nArchitecture: all\n"
        "Version: 12.4+deb12u9\nMaintainer: nobody\nDescription: made up\n\n"
    ),
}


def make_layout(path: Path, images: Mapping[str, Mapping[str, str]], *, attestation: bool = False) -> Path:
    """Write a layout with one image per platform (platform -> files) under one index."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    entries = [_image(path, platform, files) for platform, files in images.items()]
    if attestation:
        statement = _image(path, "unknown/unknown", {"statement": "{}"})
        statement["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
        entries.append(statement)
    index = _document(path, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    return path


def _image(path: Path, platform: str, files: Mapping[str, str]) -> dict[str, Any]:
    system, architecture, *variant = platform.split("/")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
    layer = _blob(path, buffer.getvalue(), LAYER)
    config: dict[str, Any] = {
        "architecture": architecture,
        "os": system,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "config": {},
    }
    if variant:
        config["variant"] = variant[0]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _document(path, config, CONFIG),
        "layers": [layer],
    }
    descriptor = _document(path, manifest, MANIFEST)
    return {**descriptor, "platform": {"os": system, "architecture": architecture}}


def _document(path: Path, document: Mapping[str, Any], media_type: str) -> dict[str, Any]:
    return _blob(path, json.dumps(document).encode(), media_type)


def _blob(path: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (path / "blobs" / "sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}
