"""The findings as SARIF 2.1.0, for code scanning; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cicd_actions import __version__
from cicd_actions.scan.findings import Finding
from cicd_actions.scan.policy import Judgement
from cicd_actions.scan.render import platform_name

if TYPE_CHECKING:
    from cicd_actions.scan.layouts import PlatformScan

_LEVELS = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning", "LOW": "note", "UNKNOWN": "note"}


def make_sarif(scans: Sequence[PlatformScan], judgement: Judgement) -> dict[str, Any]:
    """Return SARIF 2.1.0: one run per platform, every finding of every severity, suppressed where waived."""
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [_sarif_run(one, judgement) for one in scans],
    }


def _sarif_run(one: PlatformScan, judgement: Judgement) -> dict[str, Any]:
    rules = {finding.id: finding for finding in one.scan.findings}
    driver = {
        "name": "Trivy, judged by cicd-actions",
        "version": __version__,
        "rules": [
            {
                "id": id_,
                "shortDescription": {"text": finding.title or id_},
                **({"helpUri": finding.url} if finding.url else {}),
            }
            for id_, finding in rules.items()
        ],
    }
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"trivy-gate/{platform_name(one)}/"},
        "results": [_sarif_result(finding, judgement) for finding in one.scan.findings],
    }


def _sarif_result(finding: Finding, judgement: Judgement) -> dict[str, Any]:
    fix = f"; fixed in {finding.fixed_version}" if finding.fixed_version else ""
    where = (finding.path or finding.target or finding.package or "image").lstrip("/")
    result: dict[str, Any] = {
        "ruleId": finding.id,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.severity}: {finding.package} {finding.installed}{fix}. {finding.title}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": where}}}],
        # no version and no layer in it, so that an alert lives on when the image changes
        "partialFingerprints": {"finding/v1": f"{finding.kind}:{finding.id}:{finding.package}:{finding.path}"},
    }
    if finding in judgement.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result
