"""Scanning every platform of a layout at once, and believing nothing unproven."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cicd_actions.errors import ConfigError, Problem, UpstreamError
from cicd_actions.oci.layout import Child, Layout, make_view
from cicd_actions.runner.context import RunContext
from cicd_actions.scan import database as databases
from cicd_actions.scan import trivy as trivies
from cicd_actions.scan.database import Database
from cicd_actions.scan.findings import Expected, ReportError, Scan, read_report
from cicd_actions.scan.settings import ScanSettings
from cicd_actions.scan.trivy import Trivy

_log = logging.getLogger("cicd_actions.scan")

_AT_ONCE = 4  # each scan has a copy of the database


@dataclass(frozen=True, kw_only=True)
class PlatformScan:
    """One platform's scan: of which manifest (empty for a path or report), what was seen, and Trivy's own report."""

    manifest: str
    scan: Scan
    raw: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """A proven scanner: the program, a private copy of the database per slot, the settings."""

    trivy: Trivy
    database: Database
    caches: tuple[Path, ...]
    work: Path
    settings: ScanSettings
    context: RunContext

    def run(self, command: str, target: Path, *, slot: int) -> tuple[str, float]:
        """Scan one thing with the database copy of this slot; returns the raw report and the seconds."""
        started = time.monotonic()
        work = self.work / f"scan-{slot}"
        work.mkdir()
        raw = trivies.scan(
            self.trivy,
            command,
            ["--input", str(target)] if command == "image" else [str(target)],
            cache=self.caches[slot % len(self.caches)],
            work=work,
            scanners=self.settings.scanners,
            env=self.context.env,
        )
        return raw, time.monotonic() - started


@contextmanager
def open_scanner(
    settings: ScanSettings,
    context: RunContext,
    *,
    scans: int,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Scanner]:
    """Find Trivy, get the database, prove with a canary that the two find something; clean up at the end.

    Args:
        scans: How many scans there will be.

    Raises:
        UpstreamError: The scanner or its database cannot be relied on.
    """
    trivy = trivies.find_trivy(context.env, trivies.cache_home(context))
    with TemporaryDirectory(prefix="cicd-actions-scan-", dir=context.temp) as name:
        work = Path(name)
        database = _database(trivy, settings, context, work, now)
        caches = tuple(database.copy(work / f"cache-{slot}") for slot in range(max(1, min(scans, _AT_ONCE))))
        own = Database(cache=caches[0], updated_at=database.updated_at, source=database.source)
        (work / "canary").mkdir()
        databases.check_canary(trivy, own, work=work / "canary", env=context.env)
        _log.info(
            "Trivy %s, database of %s from %s.",
            trivy.version,
            f"{database.updated_at:%Y-%m-%d %H:%M} UTC",
            database.source,
        )
        yield Scanner(trivy=trivy, database=database, caches=caches, work=work, settings=settings, context=context)


def scan_layout(scanner: Scanner, layout: Layout, children: Sequence[Child]) -> tuple[PlatformScan, ...]:
    """Scan these platforms of a verified layout, several at once.

    Raises:
        UpstreamError: A scan failed, or its report does not prove what it should.
    """
    slots = len(scanner.caches)
    groups = [list(enumerate(children))[start::slots] for start in range(slots)]
    with ThreadPoolExecutor(max_workers=slots) as pool:
        # one thread per copy of the database, as two scans with one copy would wait for each other for ever
        done = pool.map(
            lambda group: [(number, _scan_child(scanner, layout, child, number)) for number, child in group],
            groups,
        )
        results = dict(pair for group in done for pair in group)
    return tuple(results[number] for number in range(len(children)))


def select_children(layout: Layout, platforms: Sequence[str]) -> tuple[Child, ...]:
    """Return the images of these platforms, or all.

    Raises:
        ConfigError: One is not in the layout.
    """
    present = {child.platform: child for child in layout.children}
    missing = [platform for platform in platforms if platform not in present]
    if missing:
        raise ConfigError(
            Problem(
                input="platforms",
                value=", ".join(missing),
                what="is not in the image",
                fix=f"It has: {', '.join(present)}.",
            )
        )
    return tuple(child for name, child in present.items() if not platforms or name in platforms)


def trusted(raw: str, *, expected: Expected | None, lists_packages: bool, allow_empty: bool, subject: str) -> Scan:
    """Read a report; one that is no evidence is the failure of a service, not a verdict.

    Raises:
        UpstreamError: With the reason.
    """
    try:
        return read_report(raw, expected=expected, lists_packages=lists_packages, allow_empty=allow_empty)
    except ReportError as error:
        hint = "Run the scan again and look at what the scanner says. Nothing was judged, so publish nothing."
        if error.reason in ("nothing-recognised", "no-packages"):
            hint += " If the image really has no packages (from scratch), set `allow-empty: true`."
        raise UpstreamError(
            f"The scan of {subject} is no evidence: {error}.", hint=hint, title=f"Scan report: {error.reason}"
        ) from error


def _scan_child(scanner: Scanner, layout: Layout, child: Child, number: int) -> PlatformScan:
    view = make_view(layout, child, scanner.work / f"view-{number}")
    raw, seconds = scanner.run("image", view, slot=number)
    scan = trusted(
        raw,
        expected=Expected(platform=child.platform, config_digest=child.config_digest),
        lists_packages=True,
        # only the vulnerability scanner lists packages
        allow_empty=scanner.settings.allow_empty or "vuln" not in scanner.settings.scanners,
        subject=f"{child.platform} ({child.digest})",
    )
    _log.info(
        "Scanned %s: %d packages, %d findings, %.1f s.", child.platform, scan.packages, len(scan.findings), seconds
    )
    return PlatformScan(manifest=child.digest, scan=scan, raw=raw, seconds=seconds)


def _database(
    trivy: Trivy, settings: ScanSettings, context: RunContext, work: Path, now: Callable[[], datetime]
) -> Database:
    folder = context.env.get("CICD_ACTIONS_TRIVY_DB", "")
    if folder:
        return databases.open_database(Path(folder), max_age=settings.max_age, now=now())
    fetched = work / "fetch"
    fetched.mkdir()
    return databases.fetch_database(
        trivy,
        settings.repositories,
        home=databases.home_of(settings.repositories, trivies.cache_home(context)),
        work=fetched,
        max_age=settings.max_age,
        env=context.env,
        now=now,
    )
