"""Where the database comes from: sources in order, several tries each, a young enough kept copy last."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cicd_actions.errors import UpstreamError
from cicd_actions.scan.database import Database, fetch_database, home_of, read_database
from cicd_actions.scan.trivy import Trivy

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
DAY = 86400.0

# downloads from every source but those that are down; says so to a log
_SCRIPT = """#!{python} -I
import json, pathlib, sys
words = sys.argv[1:]
source = words[words.index("--db-repository") + 1]
with open({log!r}, "a") as log:
    log.write(source + "\\n")
if source.startswith("down"):
    sys.exit("FATAL init error: DB error: 429 TOOMANYREQUESTS")
db = pathlib.Path(words[words.index("--cache-dir") + 1]) / "db"
db.mkdir(parents=True)
(db / "trivy.db").write_bytes(b"" if source.startswith("hollow") else b"content of " + source.encode())
(db / "metadata.json").write_text(json.dumps(dict(UpdatedAt={updated!r}, NextUpdate={next!r})))
"""


class Sources:
    """A scanner that downloads, and what it was asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.waits: list[float] = []

    def fetch(self, *repositories: str, updated: datetime = NOW, now: datetime = NOW, max_age: float = DAY) -> Database:
        path = self.root / "trivy"
        due = updated + timedelta(hours=12)
        path.write_text(
            _SCRIPT.format(
                python=sys.executable, log=str(self.root / "log"), updated=updated.isoformat(), next=due.isoformat()
            )
        )
        path.chmod(0o755)
        work = self.root / f"work-{len(list(self.root.iterdir()))}"
        work.mkdir()
        return fetch_database(
            Trivy(path=path, version="0.69.3"),
            repositories,
            home=self.root / "home",
            work=work,
            max_age=max_age,
            env={},
            now=lambda: now,
            sleep=self.waits.append,
        )

    @property
    def asked(self) -> list[str]:
        log = self.root / "log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def test_the_next_source_is_asked_when_one_is_down(sources: Sources) -> None:
    database = sources.fetch("down.example/db", "up.example/db")
    assert sources.asked == ["down.example/db"] * 3 + ["up.example/db"]
    assert sources.waits == [2.0, 4.0]
    assert (database.cache / "db" / "trivy.db").read_bytes() == b"content of up.example/db"
    assert database.source == "up.example/db"


def test_a_kept_database_is_used_until_the_next_is_due(sources: Sources) -> None:
    sources.fetch("up.example/db")
    again = sources.fetch("up.example/db", now=NOW + timedelta(hours=11))
    assert (len(sources.asked), again.source) == (1, "up.example/db")
    sources.fetch("up.example/db", updated=NOW + timedelta(hours=12), now=NOW + timedelta(hours=13))
    assert len(sources.asked) == 2


def test_a_kept_database_helps_over_an_outage_while_it_is_young(sources: Sources) -> None:
    sources.fetch("up.example/db")
    assert sources.fetch("down.example/db", now=NOW + timedelta(hours=20)).updated_at == NOW
    with pytest.raises(UpstreamError, match=r"could not be fetched.*TOOMANYREQUESTS"):
        sources.fetch("down.example/db", now=NOW + timedelta(hours=25))


def test_a_fresh_download_can_be_too_old(sources: Sources) -> None:
    with pytest.raises(UpstreamError, match=r"2\.0 days old"):
        sources.fetch("up.example/db", updated=NOW - timedelta(days=2))


def test_an_empty_download_is_none(sources: Sources) -> None:
    with pytest.raises(UpstreamError, match="could not be fetched"):
        sources.fetch("hollow.example/db")


def test_sources_do_not_share_a_copy(tmp_path: Path) -> None:
    assert home_of(["a"], tmp_path) != home_of(["b"], tmp_path)
    assert home_of(["a"], tmp_path) == home_of(["a"], tmp_path)


def test_times_as_go_writes_them(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "trivy.db").write_bytes(b"x")
    (tmp_path / "db" / "metadata.json").write_text(json.dumps({"UpdatedAt": "2025-06-15T12:00:00.123456789Z"}))
    database = read_database(tmp_path)
    assert database is not None
    assert database.updated_at == NOW.replace(microsecond=123456)
