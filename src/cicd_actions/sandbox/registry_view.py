"""Looks into the scenario's registry, independently of what the actions say."""

from __future__ import annotations

import hashlib

import httpx

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.evidence import Published

_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def look(address: str, repository: str, user: str, password: Secret) -> Published | None:
    """Return the image of ``repository`` whose platforms all resolve, or None when the registry knows no such name.

    Something that was pushed without a tag comes back too, without digest: it is there, and nobody is told where.

    Raises:
        httpx.HTTPError: The registry does not answer, or a manifest that it lists is not there.
    """
    with httpx.Client(base_url=f"http://{address}/v2/", auth=(user, password.reveal()), timeout=10) as client:
        if repository not in (client.get("_catalog").raise_for_status().json()["repositories"] or []):
            return None
        answer = client.get(f"{repository}/tags/list")
        tags = sorted(answer.json().get("tags") or []) if answer.status_code == httpx.codes.OK else []
        if not tags:
            return Published(reference=f"{address}/{repository}", digest="", platforms={}, tags=())
        index = _manifest(client, repository, tags[0])
        platforms = {}
        for child in index.json().get("manifests", []):
            _manifest(client, repository, child["digest"])
            platform = child.get("platform", {})
            platforms[f"{platform.get('os')}/{platform.get('architecture')}"] = child["digest"]
    digest = f"sha256:{hashlib.sha256(index.content).hexdigest()}"
    return Published(reference=f"{address}/{repository}", digest=digest, platforms=platforms, tags=tags)


def _manifest(client: httpx.Client, repository: str, reference: str) -> httpx.Response:
    return client.get(f"{repository}/manifests/{reference}", headers={"Accept": ", ".join(_KINDS)}).raise_for_status()
