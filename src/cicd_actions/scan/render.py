"""The gate's result as Markdown, as text, as annotations, as JSON and as SARIF; pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cicd_actions.runner.report import Annotation
from cicd_actions.scan.findings import SEVERITIES, Finding, count_severities
from cicd_actions.scan.policy import Judgement, Policy

if TYPE_CHECKING:
    from cicd_actions.scan.layouts import PlatformScan

_MOST_ROWS = 50


def summary(scans: Sequence[PlatformScan], judgement: Judgement, policy: Policy, *, database: str) -> str:
    """Return the job summary: platforms by severity, then what blocks and what to upgrade to."""
    lines = [f"## Image scan: {headline(judgement, policy)}", ""]
    lines += _table(
        ("Platform", "OS", "Packages", *SEVERITIES),
        [
            (
                platform_name(one),
                one.scan.os or "-",
                str(one.scan.packages),
                *map(str, count_severities(one.scan.findings).values()),
            )
            for one in scans
        ],
    )
    if judgement.blocking:
        rows = [
            (
                finding.severity,
                finding.id,
                finding.package,
                finding.installed or "-",
                finding.fixed_version or "no fix known",
                where,
            )
            for finding, where in _grouped(judgement.blocking, scans)
        ]
        lines += ["", "### What blocks", ""]
        lines += _table(("Severity", "Id", "Package", "Installed", "Fixed in", "Where"), rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            lines += ["", f"and {len(rows) - _MOST_ROWS} more, see the report."]
    if judgement.waived:
        lines += ["", f"{len(judgement.waived)} findings are covered by the ledger of exceptions."]
    return "\n".join([*lines, "", f"Database: {_cell(database)}", ""])


def text(scans: Sequence[PlatformScan], judgement: Judgement, policy: Policy, *, database: str) -> str:
    """Return the same for a terminal."""
    lines = [headline(judgement, policy), f"database: {_line(database)}"]
    for one in scans:
        counts = ", ".join(f"{n} {word}" for word, n in count_severities(one.scan.findings).items() if n)
        lines.append(f"  {platform_name(one)}: {one.scan.packages} packages, {counts or 'no findings'}")
    for finding, where in _grouped(judgement.blocking, scans)[:_MOST_ROWS]:
        fix = f"fixed in {finding.fixed_version}" if finding.fixed_version else "no fix known"
        what = f"{finding.package or finding.path} {finding.installed}".strip()
        lines.append(_line(f"  blocks: {finding.severity} {finding.id} {what} ({fix}; {where})"))
    return "\n".join(lines)


def headline(judgement: Judgement, policy: Policy) -> str:
    """Return the verdict in a line."""
    least = policy.severities[-1]
    if judgement.blocking:
        number = len(judgement.blocking)
        return f"blocked, {number} finding{'' if number == 1 else 's'} of {least} or worse"
    return f"passed, nothing of {least} or worse"


def make_annotations(judgement: Judgement, policy: Policy) -> tuple[Annotation, ...]:
    """Return what belongs on the run's page."""
    notes: list[Annotation] = []
    if judgement.blocking:
        worst = judgement.blocking[0]
        fix = f", fixed in {worst.fixed_version}" if worst.fixed_version else ", no fix known"
        message = (
            f"{headline(judgement, policy)}. The worst: {worst.id} in {worst.package or worst.path}"
            f" {worst.installed}{fix}. Upgrade, or record an exception with reason, owner and expiry."
        )
        notes.append(Annotation(level="error", title="The image scan blocks", message=message))
    notes += [
        Annotation(
            level="warning",
            title="An exception has expired",
            message=f"{w.id} for {w.package} ({w.owner}) expired on {w.expires} and counts no more.",
        )
        for w in judgement.expired
    ]
    idle = [w for w in policy.waivers if w not in judgement.used and w not in judgement.expired]
    notes += [
        Annotation(
            level="notice",
            title="An exception is not needed",
            message=f"{w.id} for {w.package} matches nothing that blocks.",
        )
        for w in idle
    ]
    return tuple(notes)


def report_document(
    scans: Sequence[PlatformScan], judgement: Judgement, policy: Policy, *, database: str
) -> dict[str, Any]:
    """Return the report file's content: the verdict, and per platform which manifest was scanned and what was found."""
    return {
        "verdict": "findings" if judgement.blocking else "passed",
        "blocks": list(policy.severities),
        "ignore-unfixed": policy.ignore_unfixed,
        "database": database,
        "platforms": [
            {
                "platform": one.scan.platform,
                "manifest": one.manifest,
                "os": one.scan.os,
                "packages": one.scan.packages,
                "counts": count_severities(one.scan.findings),
                "findings": [
                    {**dataclasses.asdict(finding), "decision": _decision(finding, judgement)}
                    for finding in one.scan.findings
                ],
            }
            for one in scans
        ],
    }


def _decision(finding: Finding, judgement: Judgement) -> str:
    if finding in judgement.blocking:
        return "blocks"
    return "waived" if finding in judgement.waived else "tolerated"


def _grouped(findings: Sequence[Finding], scans: Sequence[PlatformScan]) -> list[tuple[Finding, str]]:
    """The same finding on several platforms is one row that names them."""
    rows: dict[tuple[str, ...], tuple[Finding, list[str]]] = {}
    for finding in findings:
        key = (finding.id, finding.package, finding.installed, finding.fixed_version)
        row = rows.setdefault(key, (finding, []))
        row[1].extend(
            platform_name(one) for one in scans if finding in one.scan.findings and platform_name(one) not in row[1]
        )
    return [(finding, ", ".join(where)) for finding, where in rows.values()]


def platform_name(one: PlatformScan) -> str:
    """Return what to call a scan: the platform, or the artifact when the report names none."""
    return one.scan.platform or one.scan.artifact or "report"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    """Foreign text in a table: no markup, no mention, no end of the cell."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!@])", r"\\\1", _line(text))


def _line(text: str) -> str:
    return " ".join(text.split())
