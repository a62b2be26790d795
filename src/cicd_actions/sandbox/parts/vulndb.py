"""A small real vulnerability database for Trivy, for trial use where the public one cannot be fetched.

``advisories.json`` beside this module holds published CVEs. An entry of "affects" is ``"in": "pip"`` (or npm) with the
lists "vulnerable" and "fixed", or ``"in": "debian 12"`` (or "alpine 3.20") with the *source* package and one "fixed"
version or a "status". CVE-2023-45853 is left out on purpose: it is in a part of zlib that Debian does not ship, yet
scanners report it for every image. What Trivy reads is a bbolt file of schema 2 with JSON values:

    data-source    / BUCKET            who published BUCKET
    vulnerability  / CVE               title, description, severities, CVSS, references
    BUCKET         / PACKAGE / CVE     the versions of PACKAGE that the CVE is in
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cicd_actions.sandbox.parts.bbolt import Tree, encode
from cicd_actions.sandbox.parts.oci import MANIFEST, Registry

SCHEMA = 2
REPOSITORY = "trivy-db"
ADVISORIES = Path(__file__).with_name("advisories.json")
_LAYER = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
_CONFIG = "application/vnd.aquasec.trivy.config.v1+json"
_SEVERITIES = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
_STATUSES = (
    "unknown",
    "not_affected",
    "affected",
    "fixed",
    "under_investigation",
    "will_not_fix",
    "fix_deferred",
    "end_of_life",
)
_LANGUAGES = ("pip", "npm")
_DISTRIBUTIONS = {
    "debian": {
        "ID": "debian",
        "Name": "Debian Security Tracker",
        "URL": "https://nvd.nist.gov/",
    },
    "alpine": {"ID": "alpine", "Name": "Alpine Secdb", "URL": "https://secdb.alpinelinux.org/"},
}


def database(advisories: Path = ADVISORIES) -> bytes:
    """The file ``trivy.db``; the same advisories give the same bytes.

    Raises:
        ValueError: An advisory lacks something or names something unknown.
    """
    return encode(tree(json.loads(advisories.read_text(encoding="utf-8"))["advisories"]))


def metadata(updated: datetime, valid_for: timedelta = timedelta(hours=24)) -> bytes:
    """The file ``metadata.json``: how old the data is, and when Trivy would ask for a newer one."""
    times = {"NextUpdate": updated + valid_for, "UpdatedAt": updated, "DownloadedAt": updated}
    document = {"Version": SCHEMA, **{key: time.astimezone(UTC).isoformat() for key, time in times.items()}}
    return json.dumps(document).encode() + b"\n"


def publish(registry: Registry, updated: datetime) -> str:
    """Put the database into the registry as Trivy's own is published.

    Returns:
        The reference, for ``--db-repository``.
    """
    layer = _archive({"trivy.db": database(), "metadata.json": metadata(updated)})
    config = registry.push_document(REPOSITORY, {}, _CONFIG)
    blob = registry.push_bytes(REPOSITORY, layer, _LAYER)
    title = {"org.opencontainers.image.title": "db.tar.gz"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [{**blob, "annotations": title}],
    }
    registry.push_manifest(REPOSITORY, str(SCHEMA), manifest)
    return f"{registry.address}/{REPOSITORY}:{SCHEMA}"


def tree(advisories: Sequence[Mapping[str, Any]]) -> Tree:
    """Trivy's buckets for the advisories."""
    sources: dict[str, bytes] = {}
    details: dict[str, bytes] = {}
    buckets: dict[str, dict[str, dict[str, bytes]]] = {}
    for advisory in advisories:
        try:
            details[advisory["id"]] = _json(_vulnerability(advisory))
            for entry in advisory["affects"]:
                bucket, source = _source(entry["in"])
                sources[bucket] = _json(source)
                package = buckets.setdefault(bucket, {}).setdefault(_package(entry), {})
                package[advisory["id"]] = _json(_affected(entry))
        except KeyError as error:
            raise ValueError(f"{advisory.get('id', 'an advisory')} lacks {error}") from error
        except ValueError as error:
            raise ValueError(f"{advisory.get('id', 'an advisory')}: {error}") from error
    return {"data-source": sources, "vulnerability": details, **buckets}


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of the files; the same files give the same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: Mapping[str, Any]) -> bytes:
    """JSON without empty members, as Trivy writes it."""
    kept = {key: item for key, item in value.items() if item}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def _place(name: str, names: Sequence[str]) -> int:
    if name not in names:
        raise ValueError(f"{name!r} is none of {', '.join(names)}")
    return names.index(name)


def _source(where: str) -> tuple[str, Mapping[str, str]]:
    """The bucket that an entry's "in" stands for, and who published it."""
    if where in _LANGUAGES:
        name = f"GitHub Security Advisory {where}"
        url = f"https://github.com/advisories?query=type%3Areviewed+ecosystem%3A{where}"
        return f"{where}::{name}", {"ID": "ghsa", "Name": name, "URL": url}
    distribution, _, release = where.partition(" ")
    if distribution not in _DISTRIBUTIONS or not release:
        raise ValueError(f'"in": {where!r} is neither {" nor ".join(_LANGUAGES)} nor a "debian 12"')
    return where, _DISTRIBUTIONS[distribution]


def _package(entry: Mapping[str, Any]) -> str:
    name: str = entry["package"]
    return (name.replace("_", "-") if entry["in"] == "pip" else name).lower()


def _vulnerability(advisory: Mapping[str, Any]) -> dict[str, Any]:
    severities = {vendor: _place(name, _SEVERITIES) for vendor, name in advisory["severity"].items()}
    return {
        "Title": advisory["title"],
        "Description": advisory["description"],
        "Severity": _SEVERITIES[max(severities.values())],
        "CweIDs": advisory.get("cwe"),
        "VendorSeverity": severities,
        "CVSS": {
            vendor: {"V3Vector": cvss["vector"], "V3Score": cvss["score"]}
            for vendor, cvss in advisory.get("cvss", {}).items()
        },
        "References": advisory["references"],
    }


def _affected(entry: Mapping[str, Any]) -> dict[str, Any]:
    fixed, language = entry.get("fixed"), entry["in"] in _LANGUAGES
    if fixed is not None and not isinstance(fixed, list if language else str):
        raise ValueError(f'"fixed" must be a {"list" if language else "string"} in {entry["in"]}')
    if language:
        versions = {"VulnerableVersions": entry["vulnerable"], "PatchedVersions": fixed}
    else:
        versions = {
            "Status": _place(entry.get("status", "unknown"), _STATUSES),
            "Severity": _place(entry.get("severity", "UNKNOWN"), _SEVERITIES),
            "FixedVersion": fixed,
        }
    return {"VendorIDs": entry.get("vendor_ids"), **versions}
