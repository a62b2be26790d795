"""trivy-gate: scan, judge, report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from cicd_actions.errors import EXIT_FAILED, EXIT_OK, ConfigError, Problem, UpstreamError
from cicd_actions.oci.credentials import Credentials
from cicd_actions.oci.layout import Layout, LayoutError, read_layout
from cicd_actions.oci.pull import pull
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Report
from cicd_actions.scan import render
from cicd_actions.scan.findings import count_severities
from cicd_actions.scan.layouts import (
    PlatformScan,
    open_scanner,
    scan_layout,
    select_children,
    trusted,
)
from cicd_actions.scan.policy import Judgement, judge
from cicd_actions.scan.sarif import make_sarif
from cicd_actions.scan.settings import ScanSettings, Settings

_ROOTFS_MARKS = ("etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed")


@dataclass(frozen=True, kw_only=True)
class Result:
    """The facts: every platform's scan, the judgement over all of them, and where the files are."""

    scans: tuple[PlatformScan, ...]
    judgement: Judgement
    settings: ScanSettings
    database: str
    report: Path
    sarif: Path | None

    @property
    def verdict(self) -> str:
        """``passed`` or ``findings``; trouble is an error and never gets this far."""
        return "findings" if self.judgement.blocking else "passed"

    @property
    def counts(self) -> dict[str, int]:
        """Severity -> number over all platforms."""
        return count_severities(tuple(f for one in self.scans for f in one.scan.findings))


def run(settings: Settings, context: RunContext, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Result:
    """Scan what the settings name and judge it.

    Raises:
        ConfigError: The layout or the image is not as the settings say.
        UpstreamError: The scanner, its database, its report or the registry is not to be relied on.
    """
    if settings.source == "report" and settings.place:
        return _judge_report(settings, context, now)
    if settings.source == "path" and settings.place:
        return _scan_path(settings, settings.place, context, now)
    with TemporaryDirectory(prefix="cicd-actions-image-", dir=context.temp) as temp:
        layout = _get_layout(settings, Path(temp))
        return gate(layout, settings.platforms, settings.scan, context, now=now)


def gate(
    layout: Layout,
    platforms: Sequence[str],
    settings: ScanSettings,
    context: RunContext,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Result:
    """Scan the platforms of a verified layout and judge them together."""
    children = select_children(layout, platforms)
    with open_scanner(settings, context, scans=len(children), now=now) as scanner:
        scans = scan_layout(scanner, layout, children)
        database = f"{scanner.database.updated_at:%Y-%m-%d %H:%M} UTC, {scanner.database.source}"
    return _conclude(scans, settings, context, database=database, now=now)


def report(result: Result) -> Report:
    """Return outputs, summary, annotations and exit code for a result."""
    return Report(
        outputs={
            "verdict": result.verdict,
            "counts": json.dumps(result.counts),
            "blocking": str(len(result.judgement.blocking)),
            "report": str(result.report),
            "sarif": str(result.sarif or ""),
        },
        exit_code=EXIT_OK if result.verdict == "passed" else EXIT_FAILED,
        summary=render.summary(result.scans, result.judgement, result.settings.policy, database=result.database),
        text=render.text(result.scans, result.judgement, result.settings.policy, database=result.database),
        annotations=render.make_annotations(result.judgement, result.settings.policy),
    )


def _get_layout(settings: Settings, temp: Path) -> Layout:
    if settings.image is not None:
        # nothing of ours is shown: an image that needs a login is given as a layout
        with Registry(settings.image, Credentials()) as registry:
            return pull(settings.image, registry, temp / "layout", platforms=settings.platforms)
    if settings.place is None:
        raise AssertionError("load() lets no settings without a place or an image through")
    try:
        return read_layout(settings.place)
    except LayoutError as error:
        raise ConfigError(Problem(input="layout", value=str(settings.place), what=str(error))) from error


def _judge_report(settings: Settings, context: RunContext, now: Callable[[], datetime]) -> Result:
    place = settings.place or Path()
    try:
        raw = place.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UpstreamError(f"{place} could not be read: {error.strerror}.") from error
    scan = trusted(raw, expected=None, lists_packages=False, allow_empty=settings.scan.allow_empty, subject=str(place))
    scans = (PlatformScan(manifest="", scan=scan, raw=raw, seconds=0.0),)
    return _conclude(scans, settings.scan, context, database="not known: an existing report", now=now)


def _scan_path(settings: Settings, place: Path, context: RunContext, now: Callable[[], datetime]) -> Result:
    """Scan sources with ``fs``, an unpacked image with ``rootfs``: each sees what the other misses."""
    command = "rootfs" if any((place / mark).exists() for mark in _ROOTFS_MARKS) else "fs"
    with open_scanner(settings.scan, context, scans=1, now=now) as scanner:
        raw, seconds = scanner.run(command, place, slot=0)
        database = f"{scanner.database.updated_at:%Y-%m-%d %H:%M} UTC, {scanner.database.source}"
    allow_empty = settings.scan.allow_empty or "vuln" not in settings.scan.scanners
    scan = trusted(raw, expected=None, lists_packages=True, allow_empty=allow_empty, subject=str(place))
    scans = (PlatformScan(manifest="", scan=scan, raw=raw, seconds=seconds),)
    return _conclude(scans, settings.scan, context, database=database, now=now)


def _conclude(
    scans: tuple[PlatformScan, ...],
    settings: ScanSettings,
    context: RunContext,
    *,
    database: str,
    now: Callable[[], datetime],
) -> Result:
    findings = tuple(finding for one in scans for finding in one.scan.findings)
    judgement = judge(findings, settings.policy, now().date())
    folder = Path(mkdtemp(prefix="cicd-actions-report-", dir=context.temp))
    document = render.report_document(scans, judgement, settings.policy, database=database)
    path = folder / "scan-report.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    for number, one in enumerate(scans):
        name = one.scan.platform.replace("/", "-") or f"report-{number}"
        (folder / f"trivy-{name}.json").write_text(one.raw, encoding="utf-8")
    if settings.sarif is not None:
        settings.sarif.parent.mkdir(parents=True, exist_ok=True)
        settings.sarif.write_text(json.dumps(make_sarif(scans, judgement)), encoding="utf-8")
    return Result(
        scans=scans, judgement=judgement, settings=settings, database=database, report=path, sarif=settings.sarif
    )  # fmt: skip
