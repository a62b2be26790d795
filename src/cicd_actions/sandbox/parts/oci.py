"""Writing images by hand: layers, configuration, manifests and the index, straight into a registry."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from cicd_actions.errors import UpstreamError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
RECIPE = "io.cicd-actions.recipe"  # annotation: what an image was made from, to know when to make it anew
_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A finished layer: the compressed file, its digest and size, and the digest of the tar in it."""

    path: Path
    digest: str
    size: int
    diff_id: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """One platform's image: its layers from the lowest up, and the run-time configuration."""

    architecture: str
    layers: Sequence[Layer]
    environment: Sequence[str]
    command: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> None: ...


class _Hashing(io.RawIOBase):
    """A file that hashes what is written through it."""

    def __init__(self, file: _Sink) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        content = bytes(data)
        self._hash.update(content)
        self._file.write(content)
        self.size += len(content)
        return len(content)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class LayerWriter:
    """Collects files into one gzipped layer; what comes first keeps its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._outer = _Hashing(self._file)
        # Low effort: these layers travel over the loopback device only.
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=self._outer, mtime=0)
        self._inner = _Hashing(self._gzip)
        self._tar = tarfile.TarFile.open(fileobj=self._inner, mode="w|", format=tarfile.GNU_FORMAT)
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()  # finish() has completed the layer, or it is worth nothing

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, member: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        """Add a member as it is, unless its name is taken already."""
        if member.name in self._names:
            return
        self._parents(member.name)
        self._names.add(member.name)
        self._tar.addfile(member, content)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file, owned by root."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        self.add(member, io.BytesIO(content))

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        self.add(member)

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add an empty folder."""
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self.add(member)

    def _parents(self, name: str) -> None:
        parent = name.rpartition("/")[0]
        if parent and parent not in self._names:
            self.folder(parent)

    def finish(self) -> Layer:
        """Close the layer and return it."""
        self._tar.close()
        self._gzip.close()
        self._file.flush()
        return Layer(path=self._path, digest=self._outer.digest, size=self._outer.size, diff_id=self._inner.digest)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    content: bytes
    location: str


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry on the loopback address that wants no sign-in."""

    address: str

    def push_blob(self, repository: str, digest: str, content: bytes | Path) -> None:
        """Upload a blob unless the repository has it."""
        if self._send("HEAD", f"/v2/{repository}/blobs/{digest}", missing=True) is not None:
            return
        begun = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        parts = urlsplit(begun.location if begun else "")
        location = f"{parts.path}?{parts.query}" if parts.query else parts.path
        joint = "&" if "?" in location else "?"
        data = content.read_bytes() if isinstance(content, Path) else content
        self._send("PUT", f"{location}{joint}digest={digest}", content=data, kind="application/octet-stream")

    def push_manifest(self, repository: str, tag: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Upload a manifest or index under the tag, or by its digest where the tag is ""; its descriptor."""
        data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        kind = str(document["mediaType"])
        self._send("PUT", f"/v2/{repository}/manifests/{tag or digest}", content=data, kind=kind)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def manifest(self, repository: str, reference: str) -> dict[str, Any] | None:
        """The manifest or index, None when it is not there."""
        response = self._send("GET", f"/v2/{repository}/manifests/{reference}", missing=True)
        return None if response is None else dict(json.loads(response.content))

    def has_image(self, repository: str, tag: str, recipe: str) -> bool:
        """True when the image is there, made by that recipe, with all that belongs to it."""
        index = self.manifest(repository, tag)
        if index is None or index.get("annotations", {}).get(RECIPE) != recipe:
            return False
        for child in index.get("manifests", []):
            manifest = self.manifest(repository, child["digest"])
            if manifest is None:
                return False
            for blob in (manifest["config"], *manifest["layers"]):
                if self._send("HEAD", f"/v2/{repository}/blobs/{blob['digest']}", missing=True) is None:
                    return False
        return True

    def push_index(self, repository: str, tags: Sequence[str], images: Sequence[Image], recipe: str) -> None:
        """Upload the images and one index over them, under all the tags."""
        children = []
        for image in images:
            descriptor = self._push_image(repository, image)
            children.append({**descriptor, "platform": {"os": "linux", "architecture": image.architecture}})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children, "annotations": {RECIPE: recipe}}
        for tag in tags:
            self.push_manifest(repository, tag, index)

    def push_derived(
        self, repository: str, index: Mapping[str, Any], top: Layer, tags: Sequence[str], recipe: str
    ) -> None:
        """Upload, under the tags, the images of an index that is there already with one more layer on top of each."""
        self.push_blob(repository, top.digest, top.path)
        children = []
        for child in index["manifests"]:
            manifest = self.manifest(repository, child["digest"]) or {}
            config = self.blob(repository, manifest["config"]["digest"])
            config["rootfs"]["diff_ids"].append(top.diff_id)
            config["history"].append({"created_by": "cicd-actions sandbox"})
            manifest["config"] = self.push_document(repository, config, CONFIG)
            manifest["layers"].append({"mediaType": LAYER, "digest": top.digest, "size": top.size})
            children.append({**self.push_manifest(repository, "", manifest), "platform": child["platform"]})
        derived = {**index, "manifests": children, "annotations": {RECIPE: recipe}}
        for tag in tags:
            self.push_manifest(repository, tag, derived)

    def blob(self, repository: str, digest: str) -> dict[str, Any]:
        """A blob that is a JSON document."""
        response = self._send("GET", f"/v2/{repository}/blobs/{digest}")
        return dict(json.loads(response.content)) if response is not None else {}

    def _push_image(self, repository: str, image: Image) -> dict[str, Any]:
        config = {
            "architecture": image.architecture,
            "os": "linux",
            "config": {"Env": list(image.environment), "Cmd": list(image.command), "Labels": dict(image.labels)},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in image.layers]},
            "history": [{"created_by": "cicd-actions sandbox"} for _ in image.layers],
        }
        for layer in image.layers:
            self.push_blob(repository, layer.digest, layer.path)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.push_document(repository, config, CONFIG),
            "layers": [{"mediaType": LAYER, "digest": one.digest, "size": one.size} for one in image.layers],
        }
        return self.push_manifest(repository, "", manifest)

    def push_document(self, repository: str, document: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Upload a JSON document as a blob; its descriptor."""
        return self.push_bytes(repository, json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), kind)

    def push_bytes(self, repository: str, data: bytes, kind: str) -> dict[str, Any]:
        """Upload a small blob; its descriptor."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.push_blob(repository, digest, data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _send(
        self, method: str, path: str, *, content: bytes = b"", kind: str = "", missing: bool = False
    ) -> _Answer | None:
        host, _, port = self.address.rpartition(":")
        headers = {"Accept": f"{INDEX}, {MANIFEST}", **({"Content-Type": kind} if kind else {})}
        connection = http.client.HTTPConnection(host, int(port), timeout=_SECONDS)
        try:
            connection.request(method, path, body=content, headers=headers)
            response = connection.getresponse()
            answer = _Answer(content=response.read(), location=response.getheader("Location", ""))
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamError(f"The base registry {self.address} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status == HTTPStatus.NOT_FOUND and missing:
            return None
        if response.status >= HTTPStatus.BAD_REQUEST:
            said = answer.content.decode("utf-8", "replace")[:300]
            raise UpstreamError(f"The base registry refused {method} {path}: {response.status} {said}")
        return answer
