"""Fetching an image from a registry into a layout, every byte checked against its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cicd_actions.errors import ConfigError, Problem, UpstreamError
from cicd_actions.oci.layout import (
    INDEX_TYPES,
    Layout,
    LayoutError,
    blob_path,
    complete,
    normalise_platform,
    read_layout,
)
from cicd_actions.oci.reference import DIGEST, Reference
from cicd_actions.oci.registry import Registry


def pull(reference: Reference, registry: Registry, target: Path, *, platforms: Sequence[str] = ()) -> Layout:
    """Fetch an image (of these platforms, or of all that it has) and return it as a verified layout.

    An index is fetched whole, the layers of unwanted platforms are not; so the layout's ``digest`` is that of
    the image only when nothing was left out.

    Raises:
        UpstreamError: The registry does not have it, or serves something else than it names.
        ConfigError: A platform is wanted that the image does not have.
    """
    name = reference.digest or reference.tag or "latest"
    content = registry.manifest(name)
    (target / "blobs" / "sha256").mkdir(parents=True)
    document = _document(content)
    if document.get("mediaType") in INDEX_TYPES or "manifests" in document:
        entries = _wanted(document, platforms, reference)
        entries = [_fetch_image(registry, entry, target) for entry in entries]
        content = json.dumps({**document, "manifests": entries}).encode()
        descriptor = _store(target, content, INDEX_TYPES[0])
    else:
        descriptor = _store(target, content, str(document.get("mediaType", "")))
        _fetch_blobs(registry, document, target)
    complete(target)
    (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}), encoding="utf-8")
    try:
        return read_layout(target)
    except LayoutError as error:
        raise UpstreamError(f"{reference} is not a usable image: {error}.") from error


def _wanted(index: Mapping[str, Any], platforms: Sequence[str], reference: Reference) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in index.get("manifests") or []:
        place = entry.get("platform") or {}
        words = [str(place.get(key) or "") for key in ("os", "architecture", "variant")]
        try:
            found[normalise_platform("/".join(word for word in words if word))] = entry
        except ValueError:
            continue
    # attestations are listed as unknown/unknown
    found.pop("unknown/unknown", None)
    missing = [platform for platform in platforms if platform not in found]
    if missing or not found:
        raise ConfigError(
            Problem(
                input="platforms",
                value=", ".join(missing),
                what=f"{reference} does not have it",
                fix=f"It has: {', '.join(sorted(found)) or 'no platform at all'}.",
            )
        )
    return [entry for platform, entry in found.items() if not platforms or platform in platforms]


def _fetch_image(registry: Registry, entry: dict[str, Any], target: Path) -> dict[str, Any]:
    digest = str(entry.get("digest", ""))
    content = registry.manifest(digest)
    _store(target, content, "")
    _fetch_blobs(registry, _document(content), target)
    return entry


def _fetch_blobs(registry: Registry, manifest: Mapping[str, Any], target: Path) -> None:
    for descriptor in [manifest.get("config"), *(manifest.get("layers") or [])]:
        digest = str(descriptor.get("digest", "")) if isinstance(descriptor, dict) else ""
        if not DIGEST.fullmatch(digest):
            raise UpstreamError("The image's manifest holds something that is not a digest.")
        path = blob_path(target, digest)
        if not path.exists():
            registry.save_blob(digest, path)


def _store(target: Path, content: bytes, media_type: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blob_path(target, digest).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UpstreamError("The registry served a manifest that is not a JSON object.")
    return document
