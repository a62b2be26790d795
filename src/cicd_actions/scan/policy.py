"""The verdict: which findings block. Pure; Trivy only reports, it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cicd_actions.scan.findings import SEVERITIES, Finding
from cicd_actions.scan.ledger import Waiver


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What blocks: severities at or above the threshold, findings without a fix too unless ``ignore_unfixed``."""

    severities: tuple[str, ...]
    ignore_unfixed: bool = False
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The findings sorted by what becomes of them, each list worst first; and the waivers that need attention."""

    blocking: tuple[Finding, ...]
    tolerated: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    expired: tuple[Waiver, ...]
    used: tuple[Waiver, ...]


def at_or_above(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the severities that a threshold stands for; of several words the lowest is the threshold.

    UNKNOWN is the lowest: naming it blocks everything.
    """
    lowest = max(SEVERITIES.index(word) for word in words)
    return SEVERITIES[: lowest + 1]


def judge(findings: tuple[Finding, ...], policy: Policy, today: date) -> Judgement:
    """Sort findings into blocking, tolerated and waived."""
    blocking: list[Finding] = []
    tolerated: list[Finding] = []
    waived: list[Finding] = []
    used: dict[Waiver, None] = {}
    for finding in sorted(findings, key=_rank):
        if finding.severity not in policy.severities or _is_unfixed(finding, policy):
            tolerated.append(finding)
            continue
        waiver = _waiver_for(finding, policy.waivers, today)
        if waiver is None:
            blocking.append(finding)
        else:
            used[waiver] = None
            waived.append(finding)
    return Judgement(
        blocking=tuple(blocking),
        tolerated=tuple(tolerated),
        waived=tuple(waived),
        expired=tuple(waiver for waiver in policy.waivers if waiver.is_expired(today)),
        used=tuple(used),
    )


def _is_unfixed(finding: Finding, policy: Policy) -> bool:
    """Only a vulnerability can wait for a fix; a secret in an image cannot."""
    return policy.ignore_unfixed and finding.kind == "vulnerability" and not finding.fixed_version


def _waiver_for(finding: Finding, waivers: tuple[Waiver, ...], today: date) -> Waiver | None:
    for waiver in waivers:
        fits = waiver.id == finding.id and waiver.package in (finding.package, finding.path)
        if fits and not waiver.is_expired(today):
            return waiver
    return None


def _rank(finding: Finding) -> tuple[int, str, str, str]:
    return (SEVERITIES.index(finding.severity), finding.package, finding.id, finding.target)
