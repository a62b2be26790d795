"""What a Trivy report says, read strictly: a report that cannot be trusted is an error, never "no findings".

Contract: Trivy's JSON report, SchemaVersion 2 (read on 0.59 and 0.69).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")
_SCHEMA = 2

Kind = Literal["vulnerability", "secret", "misconfiguration", "license"]


class ReportError(ValueError):
    """The report is no evidence; ``reason`` is a word for programs, the text is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found; ``fixed_version`` is empty when no fix is known, ``path`` when it is not in a file."""

    kind: Kind
    id: str
    severity: str
    package: str
    installed: str = ""
    fixed_version: str = ""
    target: str = ""
    path: str = ""
    title: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the report must be about: the platform and the digest of the image's configuration."""

    platform: str
    config_digest: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A trusted report: where it looked, how many packages it lists, what it found."""

    platform: str
    artifact: str
    os: str
    packages: int
    findings: tuple[Finding, ...]


def read_report(
    text: str, *, expected: Expected | None = None, lists_packages: bool = False, allow_empty: bool = False
) -> Scan:
    """Read a report and refuse it unless it proves that somebody looked at the right thing.

    Args:
        text: The file's content.
        expected: The image that was given to the scanner; None when only the report is known.
        lists_packages: The report was made with the list of all packages, so that none listed means none seen.
        allow_empty: An artifact in which nothing was recognised is fine (an image from scratch).

    Raises:
        ReportError: It is empty, truncated, of another schema, about another image or platform, or saw nothing.
    """
    document = _document(text)
    metadata = _mapping(document, "Metadata")
    config = _mapping(metadata, "ImageConfig")
    words = [str(config.get(key) or "") for key in ("os", "architecture", "variant")]
    platform = "/".join(word for word in words if word)
    if expected is not None:
        _check_subject(expected, metadata, platform)
    results = document.get("Results", [])
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise ReportError("malformed", "the report's Results are not a list of objects")
    findings = tuple(finding for result in results for finding in _findings(result))
    system = _mapping(metadata, "OS")
    os = f"{system.get('Family', '')} {system.get('Name', '')}".strip()
    if not allow_empty:
        _check_coverage(results, os=os, lists_packages=lists_packages, found=bool(findings))
    return Scan(
        platform=expected.platform if expected else platform,
        artifact=str(document.get("ArtifactName", "")),
        os=os,
        packages=sum(len(result.get("Packages") or []) for result in results),
        findings=findings,
    )


def count_severities(findings: tuple[Finding, ...]) -> dict[str, int]:
    """Return severity -> number, worst first, zeros included."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES}


def _document(text: str) -> dict[str, Any]:
    if not text.strip():
        raise ReportError("empty", "the report is empty")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError("truncated", "the report is not whole: it is not valid JSON") from error
    if not isinstance(document, dict):
        raise ReportError("malformed", "the report is not a JSON object")
    if document.get("SchemaVersion") != _SCHEMA:
        version = document.get("SchemaVersion")
        raise ReportError("schema", f"the report has SchemaVersion {version!r}; only {_SCHEMA} is understood")
    return document


def _check_subject(expected: Expected, metadata: Mapping[str, Any], platform: str) -> None:
    image = metadata.get("ImageID")
    if image != expected.config_digest:
        raise ReportError("wrong-image", f"the report is about the image {image!r}, not about {expected.config_digest}")
    # the variant is left out by some builders; system and architecture must agree
    if platform.split("/")[:2] != expected.platform.split("/")[:2]:
        raise ReportError("wrong-platform", f"the report is about {platform!r}, not about {expected.platform}")


def _check_coverage(results: list[Any], *, os: str, lists_packages: bool, found: bool) -> None:
    """Refuse a report that finds nothing because nothing was recognised.

    An operating system without a single package is an image whose package database was removed or is not understood.
    """
    packages = {str(result.get("Class")): len(result.get("Packages") or []) for result in results}
    listed = lists_packages or any(packages.values())
    if listed and os and not packages.get("os-pkgs"):
        raise ReportError(
            "no-packages", f"the scanner sees {os}, but not one of its packages, so it could not judge them"
        )
    if not found and not (any(packages.values()) if listed else results):
        raise ReportError(
            "nothing-recognised",
            "the scanner recognised no package at all, so it has not looked at anything it understands",
        )


def _findings(result: Mapping[str, Any]) -> Iterator[Finding]:
    target = str(result.get("Target", ""))
    for item in _items(result, "Vulnerabilities"):
        yield Finding(
            kind="vulnerability",
            id=_text(item, "VulnerabilityID"),
            severity=_severity(item),
            package=_text(item, "PkgName"),
            installed=str(item.get("InstalledVersion") or ""),
            fixed_version=str(item.get("FixedVersion") or ""),
            target=target,
            path=str(item.get("PkgPath") or ""),
            title=str(item.get("Title") or ""),
            url=str(item.get("PrimaryURL") or ""),
        )
    for item in _items(result, "Secrets"):
        yield _other(item, "secret", "RuleID", target)
    for item in _items(result, "Misconfigurations"):
        if item.get("Status", "FAIL") == "FAIL":
            yield _other(item, "misconfiguration", "ID", target)
    for item in _items(result, "Licenses"):
        yield _other(item, "license", "Name", target)


def _other(item: Mapping[str, Any], kind: Kind, id_key: str, target: str) -> Finding:
    return Finding(
        kind=kind,
        id=_text(item, id_key),
        severity=_severity(item),
        package=str(item.get("PkgName") or ""),
        target=target,
        path=str(item.get("FilePath") or target),
        title=str(item.get("Title") or ""),
        url=str(item.get("PrimaryURL") or ""),
    )


def _items(result: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = result.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ReportError("malformed", f"{key} in the report is not a list of objects")
    return items


def _severity(item: Mapping[str, Any]) -> str:
    word = str(item.get("Severity", "")).upper()
    if word not in SEVERITIES:
        raise ReportError("malformed", f"the report has a finding of the severity {word!r}")
    return word


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise ReportError("malformed", f"the report has a finding without {key}")
    return value


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise ReportError("malformed", f"{key} in the report is not an object")
    return value
