"""OCI layouts: checked against their digests, and cut into one view per platform.

A scanner that is given a layout looks at the first image only, and believes the file names instead of the
content (Trivy does both). So every blob is hashed first, and each platform gets a folder of its own.

Contract: OCI Image Layout 1.0 (oci-layout, index.json, blobs/sha256/*), Image Index, Image Manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cicd_actions.oci.reference import DIGEST

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MARKER = '{"imageLayoutVersion":"1.0.0"}'
_ATTESTATION = "vnd.docker.reference.type"
# the GOOS and GOARCH words of the image specification for which images are built
_SYSTEMS = ("linux", "windows", "freebsd", "darwin")
_ARCHITECTURES = ("amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le", "loong64", "wasm")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?")
_DEEPEST = 4
_MAX_DOCUMENT = 4 * 1024 * 1024


class LayoutError(ValueError):
    """The layout is not what it says it is."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """One platform's image: digests of its manifest and of its configuration, and the manifest's descriptor."""

    platform: str
    digest: str
    config_digest: str
    descriptor: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A verified layout: ``digest`` and ``media_type`` of what a registry would serve under a tag.

    ``manifests`` are the indexes and manifests in it (attestations too), ``blobs`` the configurations and layers.
    """

    path: Path
    digest: str
    media_type: str
    children: tuple[Child, ...]
    manifests: tuple[str, ...]
    blobs: tuple[str, ...]

    def document(self, digest: str) -> bytes:
        """Return the bytes of one manifest or index."""
        return blob_path(self.path, digest).read_bytes()


def blob_path(root: Path, digest: str) -> Path:
    """Return where a blob lies.

    Raises:
        LayoutError: The digest is not sha256; nothing else may become a path.
    """
    if not DIGEST.fullmatch(digest):
        raise LayoutError(f"{digest!r} is not a sha256 digest")
    return root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def normalise_platform(text: str) -> str:
    """Return ``os/architecture[/variant]`` in the usual spelling.

    ``linux/arm64/v8`` is ``linux/arm64``, and x86_64, aarch64 are the names of Linux, not of OCI.

    Raises:
        ValueError: It is not a platform.
    """
    word = text.strip().lower()
    if not _PLATFORM.fullmatch(word):
        raise ValueError("write os/architecture, for example linux/amd64")
    system, architecture, *variant = word.split("/")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(architecture, architecture)
    if system not in _SYSTEMS or architecture not in _ARCHITECTURES:
        raise ValueError(f"systems are {', '.join(_SYSTEMS)}, architectures {', '.join(_ARCHITECTURES)}")
    if (architecture, variant) in (("arm64", ["v8"]), ("amd64", ["v1"])):
        variant = []
    return "/".join([system, architecture, *variant])


def read_layout(path: Path) -> Layout:
    """Read a layout and hash every blob that it refers to.

    Args:
        path: The folder that holds index.json. ``oci-layout`` may be missing, as older BuildKit left it out.

    Raises:
        LayoutError: Something is missing, does not match its digest, or it holds not exactly one image or index.
    """
    top = _json_file(path / "index.json")
    entries = top.get("manifests")
    if not isinstance(entries, list) or len(entries) != 1:
        count = len(entries) if isinstance(entries, list) else 0
        raise LayoutError(f"index.json lists {count} images; exactly one image or one index is needed")
    seen: dict[str, bool] = {}
    children = tuple(_walk(path, entries[0], seen, depth=0))
    if not children:
        raise LayoutError("there is no image in it, only attestations")
    names = [child.platform for child in children]
    if len(set(names)) != len(names):
        raise LayoutError(f"a platform is in it twice: {', '.join(sorted(names))}")
    return Layout(
        path=path,
        digest=str(entries[0]["digest"]),
        media_type=str(entries[0].get("mediaType", "")),
        children=tuple(sorted(children, key=lambda child: child.platform)),
        manifests=tuple(digest for digest, is_manifest in seen.items() if is_manifest),
        blobs=tuple(digest for digest, is_manifest in seen.items() if not is_manifest),
    )


def make_view(layout: Layout, child: Child, target: Path) -> Path:
    """Make a folder that is a layout of one platform only; the blobs are linked, not copied."""
    target.mkdir(parents=True)
    (target / "oci-layout").write_text(_MARKER, encoding="utf-8")
    (target / "blobs").symlink_to(layout.path.resolve() / "blobs", target_is_directory=True)
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": [dict(child.descriptor)]}
    (target / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return target


def complete(path: Path) -> None:
    """Write the marker file when the builder left it out; other tools insist on it."""
    marker = path / "oci-layout"
    if not marker.exists():
        marker.write_text(_MARKER, encoding="utf-8")


def _walk(root: Path, descriptor: Any, seen: dict[str, bool], *, depth: int) -> Iterator[Child]:
    if depth > _DEEPEST:
        raise LayoutError("indexes are nested too deeply")
    digest = _check_blob(root, descriptor, seen, is_manifest=True)
    document = _json_file(blob_path(root, digest))
    kind = descriptor.get("mediaType") or document.get("mediaType")
    if kind in INDEX_TYPES:
        for entry in _list(document, "manifests", digest):
            yield from _walk(root, entry, seen, depth=depth + 1)
        return
    if kind not in MANIFEST_TYPES:
        raise LayoutError(f"{digest} has the media type {kind!r}, which is neither an image nor an index")
    for layer in _list(document, "layers", digest):
        _check_blob(root, layer, seen)
    config_digest = _check_blob(root, document.get("config"), seen)
    if _ATTESTATION in (descriptor.get("annotations") or {}):
        return
    config = _json_file(blob_path(root, config_digest))
    yield Child(
        platform=_platform(config, digest),
        digest=digest,
        config_digest=config_digest,
        descriptor=dict(descriptor),
    )


def _platform(config: Mapping[str, Any], digest: str) -> str:
    parts = [str(config.get(key) or "") for key in ("os", "architecture", "variant")]
    try:
        return normalise_platform("/".join(part for part in parts if part))
    except ValueError:
        raise LayoutError(f"the configuration of {digest} names no platform") from None


def _check_blob(root: Path, descriptor: Any, seen: dict[str, bool], *, is_manifest: bool = False) -> str:
    if not isinstance(descriptor, dict):
        raise LayoutError("a descriptor is missing or is not an object")
    digest = str(descriptor.get("digest", ""))
    blob = blob_path(root, digest)
    if digest in seen:
        return digest
    if not blob.is_file():
        raise LayoutError(f"the blob {digest} is missing")
    size = descriptor.get("size")
    if os.path.getsize(blob) != size:  # noqa: PTH202 - one call, no stat object
        raise LayoutError(f"the blob {digest} has not the size that its descriptor says ({size})")
    with blob.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if f"sha256:{actual}" != digest:
        raise LayoutError(f"the blob {digest} does not match its digest (it is sha256:{actual})")
    seen[digest] = is_manifest
    return digest


def _list(document: Mapping[str, Any], key: str, digest: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise LayoutError(f"{digest} has no list {key!r}")
    return value


def _json_file(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_DOCUMENT:
            raise LayoutError(f"{path.name} is larger than any index, manifest or configuration")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise LayoutError(f"{path.name} could not be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise LayoutError(f"{path.name} is not JSON") from error
    if not isinstance(document, dict):
        raise LayoutError(f"{path.name} is not a JSON object")
    return document
