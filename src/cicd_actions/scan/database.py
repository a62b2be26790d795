"""The vulnerability database: fetched, young enough, and proven to find something known.

A damaged database makes Trivy report nothing and exit 0. The proof is a canary: a made-up folder with two packages
whose vulnerabilities any usable database knows is scanned first, and both must be found.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cicd_actions import process
from cicd_actions.errors import UpstreamError
from cicd_actions.scan import trivy as trivy_module
from cicd_actions.scan.findings import ReportError, read_report
from cicd_actions.scan.trivy import Trivy

_log = logging.getLogger("cicd_actions.scan")

DEFAULT_REPOSITORIES = ("mirror.gcr.io/aquasec/trivy-db:2", "ghcr.io/aquasecurity/trivy-db:2")
_TRIES = 3
_FETCH_TIMEOUT = 600
_TITLE = "The vulnerability database cannot be relied on"

# Both are in every database that is fit for an application in Python on Debian: found, or the database is no good.
_CANARIES = {"CVE-2020-14343": "PyYAML 5.3.1", "CVE-2023-5363": "openssl 3.0.11-1~deb12u1"}


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database: ``cache`` is the folder for ``--cache-dir``, ``source`` the place it came from."""

    cache: Path
    updated_at: datetime
    source: str

    def age(self, now: datetime) -> float:
        """Return the age of its content in seconds."""
        return (now - self.updated_at).total_seconds()

    def copy(self, target: Path) -> Path:
        """Copy it for one scan: Trivy locks the file itself, and a hard link would share the lock."""
        shutil.copytree(self.cache / "db", target / "db")
        return target


def fetch_database(
    trivy: Trivy,
    repositories: Sequence[str],
    *,
    home: Path,
    work: Path,
    max_age: float,
    env: Mapping[str, str],
    now: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> Database:
    """Return a database: the kept one while its publisher says that no newer one is due, else a fresh one.

    Args:
        repositories: Tried in this order, each of them a few times.
        home: Where the database is kept between runs.
        work: An empty folder.
        max_age: Seconds that the content may be old.

    Raises:
        UpstreamError: No source answers and the kept copy is too old, or the freshest one is.
    """
    kept = read_database(home)
    if kept is not None and now() < _next_update(home):
        return _check_age(kept, max_age, now())
    try:
        fresh, source = _fetch(trivy, repositories, work, env, sleep)
    except UpstreamError:
        if kept is None or kept.age(now()) > max_age:
            raise
        _log.warning("No source of the database answers; the kept one of %s is used.", kept.updated_at)
        return kept
    return _check_age(_keep(fresh, home, source), max_age, now())


def _fetch(
    trivy: Trivy, repositories: Sequence[str], work: Path, env: Mapping[str, str], sleep: Callable[[float], None]
) -> tuple[Path, str]:
    """Return the folder of a fresh download and its source: the first that answers, each tried a few times."""
    said = ""
    for number, repository in enumerate(repositories):
        for attempt in range(1, _TRIES + 1):
            fresh = work / f"{number}-{attempt}"
            done = _download(trivy, repository, fresh, env)
            if done.ok and read_database(fresh) is not None:
                return fresh, repository
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            _log.info("Database from %s, attempt %d of %d: %s", repository, attempt, _TRIES, said)
            if attempt < _TRIES:
                sleep(2.0**attempt)
    raise UpstreamError(
        f"The vulnerability database could not be fetched from {', '.join(repositories)}: {said}",
        hint="Run it again later, or name a mirror in `db-repository`.",
        title=_TITLE,
    )


def open_database(folder: Path, *, max_age: float, now: datetime) -> Database:
    """Return the database in a folder that somebody else keeps up to date (CICD_ACTIONS_TRIVY_DB).

    Raises:
        UpstreamError: There is none, or it is too old.
    """
    database = read_database(folder)
    if database is None:
        raise UpstreamError(
            f"There is no vulnerability database in {folder} (db/trivy.db and db/metadata.json).",
            hint="CICD_ACTIONS_TRIVY_DB must name a folder such as Trivy's --cache-dir.",
            title=_TITLE,
        )
    return _check_age(database, max_age, now)


def read_database(cache: Path) -> Database | None:
    """Return what is in a cache folder, or None when a file is missing, empty or garbled."""
    try:
        if (cache / "db" / "trivy.db").stat().st_size == 0:
            return None
        updated = _time(_metadata(cache)["UpdatedAt"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Database(cache=cache, updated_at=updated, source=_source(cache))


def check_canary(trivy: Trivy, database: Database, *, work: Path, env: Mapping[str, str]) -> None:
    """Scan two packages that are known to be vulnerable.

    Raises:
        UpstreamError: One of them is not found, so the database (or the scanner) is broken.
    """
    root = work / "canary"
    make_canary(root)
    report = trivy_module.scan(
        trivy, "rootfs", [str(root)], cache=database.cache, work=work, scanners=("vuln",), env=env
    )
    try:
        found = {finding.id for finding in read_report(report).findings}
    except ReportError:
        found = set()
    missing = [what for name, what in _CANARIES.items() if name not in found]
    if missing:
        raise UpstreamError(
            f"The database from {database.source} knows nothing of {' and '.join(missing)}, which any usable one does.",
            hint="It is damaged or empty. Remove the kept copy, or name another source in `db-repository`.",
            title=_TITLE,
        )


def make_canary(root: Path) -> None:
    """Write a folder that looks like an installed Debian 12 with one old package of each kind."""
    files = {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "etc/debian_version": "12.1\n",
        "var/lib/dpkg/status": (
            "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\n"
            "Version: 3.0.11-1~deb12u1\nMaintainer: nobody\nDescription: a canary\n\n"
        ),
        "usr/lib/python3/dist-packages/PyYAML-5.3.1.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3.1\n"
        ),
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _download(trivy: Trivy, repository: str, cache: Path, env: Mapping[str, str]) -> process.Completed:
    home = cache / "home"
    home.mkdir(parents=True)
    (home / "empty").touch()
    return process.run(
        [
            trivy.path, "image", "--download-db-only", "--db-repository", repository,
            "--cache-dir", cache, "--config", home / "empty", "--no-progress",
        ],
        cwd=home,
        env=trivy_module.clean_environment(env, home, network=True),
        timeout=_FETCH_TIMEOUT,
    )  # fmt: skip


def _keep(fresh: Path, home: Path, source: str) -> Database:
    """Put a fresh database in the place of the kept one; another job may do the same at the same time."""
    old = fresh / "old"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if (home / "db").exists():
            (home / "db").rename(old)
        (fresh / "db").rename(home / "db")
    except OSError:  # not writable, another file system, or another job was faster
        place = fresh if (fresh / "db").exists() else home
    else:
        place = home
    (place / "source").write_text(source, encoding="utf-8")
    database = read_database(place)
    if database is None:
        raise UpstreamError(f"The database in {place} vanished while it was read.", title=_TITLE)
    return database


def _source(cache: Path) -> str:
    """Return where a database came from: kept beside it by us, else only its folder is known."""
    try:
        return (cache / "source").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return str(cache)


def _check_age(database: Database, max_age: float, now: datetime) -> Database:
    age = database.age(now)
    if age > max_age:
        raise UpstreamError(
            f"The vulnerability database is {age / 86400:.1f} days old ({database.updated_at:%Y-%m-%d %H:%M} UTC);"
            f" {max_age / 86400:.1f} days are allowed (`db-max-age`).",
            hint="Look why its source is not updated, name another in `db-repository`, or allow more.",
            title=_TITLE,
        )
    return database


def _next_update(cache: Path) -> datetime:
    try:
        return _time(_metadata(cache)["NextUpdate"])
    except (OSError, ValueError, KeyError, TypeError):
        return datetime.min.replace(tzinfo=UTC)


def _metadata(cache: Path) -> dict[str, str]:
    document = json.loads((cache / "db" / "metadata.json").read_bytes())
    if not isinstance(document, dict):
        raise TypeError("metadata.json is not an object")
    return document


def _time(text: str) -> datetime:
    """Read RFC 3339 with Go's nine digits of a second, of which Python takes six."""
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def home_of(repositories: Sequence[str], cache: Path) -> Path:
    """Return where the database of these sources is kept between runs; other sources have another place."""
    name = hashlib.sha256("\n".join(repositories).encode()).hexdigest()[:12]
    return cache / "cicd-actions-trivy-db" / name
