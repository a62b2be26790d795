"""Thirty-two writers on one branch, in processes of their own, killed and lied to: every value lands, exactly once."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cicd_actions.sandbox.github import RepositoryView, StandInGitHub

REPO = "acme/shop-gitops"
SHARED = "helm-chart/values.yaml"
WRITERS = 32
# A client that gives up after two seconds, so that a slow answer is a timeout within the time of a test.
PROGRAM = (
    "import cicd_actions.github.session as s, sys; s.TIMEOUT_SECONDS = 2;"
    "from cicd_actions.__main__ import main; sys.exit(main())"
)


@dataclass
class Writer:
    """One update: its key in its file, the way it is written, and when its processes are killed (seconds)."""

    number: int
    way: str
    kills: Sequence[float]
    codes: list[int] = field(default_factory=list)
    said: str = ""

    @property
    def file(self) -> str:
        return SHARED if self.number % 4 < 2 else f"apps/app{self.number}/values.yaml"

    @property
    def key(self) -> str:
        return f"app{self.number}"

    @property
    def value(self) -> str:
        return f"2.{self.number}.0"

    def work(self, env: dict[str, str]) -> None:
        """Run; when killed, run again, as a person would."""
        for attempt in range(len(self.kills) + 1):
            argv = [sys.executable, "-c", PROGRAM, "gitops-tag-update"]
            process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            limit = self.kills[attempt] if attempt < len(self.kills) else 120.0
            try:
                self.said, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                self.said, _ = process.communicate()
            self.codes.append(process.returncode)
            if process.returncode == 0:
                return


def writers(chance: random.Random) -> list[Writer]:
    """Half by API and half by git, in either kind of file; half of each are killed once or twice."""
    rows = []
    for number in range(WRITERS):
        kills = [chance.uniform(0.3, 6.0) for _ in range(chance.choice((1, 2)))] if number % 8 >= 4 else []
        rows.append(Writer(number=number, way="api" if number % 2 else "git", kills=kills))
    return rows


def arm(hub: StandInGitHub, chance: random.Random) -> None:
    """Faults all over the place: refusals, limits, dropped connections, lost answers, answers that come too late."""
    for path in ("graphql", "git-receive-pack", "contents", "git-upload-pack", "git/ref/"):
        method = "GET" if path in ("contents", "git/ref/") else "POST"
        for kind in ("lost", "reset"):
            hub.faults.add(method, path, kind=kind, times=1, after=chance.randrange(12))
        hub.faults.add(method, path, status=502, times=1, after=chance.randrange(12))
        hub.faults.add(method, path, seconds=2.5, times=1, after=chance.randrange(12))
    limit = {"retry-after": "1"}
    hub.faults.add("POST", "graphql", status=429, headers=limit, body={"message": "secondary rate limit"}, after=5)
    hub.faults.add("GET", "info/refs", status=429, headers=limit, times=2, after=9)


def environment(hub: StandInGitHub, repo: RepositoryView, writer: Writer, temp: Path) -> dict[str, str]:
    token = hub.token(f"bot-{writer.number}", {REPO: {"contents": "write"}})
    given = {
        "repository": REPO if writer.way == "api" else repo.clone_url,
        "file": writer.file,
        "updates": f"{writer.key}.tag={{tag}}",
        "tag": writer.value,
        "message": f"update-{writer.number}",
        "token": token.reveal(),
    }
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": hub.api_url,
        "GITHUB_GRAPHQL_URL": hub.graphql_url,
        "GITHUB_SERVER_URL": hub.url if writer.way == "api" else "https://github.example",
        "GITHUB_REPOSITORY": "acme/shop",
        "RUNNER_TEMP": str(temp),
        "PATH": "/usr/bin:/bin",
        "HOME": str(temp),
    } | {f"INPUT_{name.upper()}": value for name, value in given.items()}


@pytest.mark.parametrize("seed", [7])
def test_storm(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a reproducible plan of accidents, no secret
    rows = writers(chance)
    contents = {SHARED: "".join(f"app{n}: {{tag: 1.0.0}}  # {n}\n" for n in range(WRITERS))}
    contents |= {row.file: f"# own\n{row.key}:\n  tag: '1.0.0'\n" for row in rows if row.file != SHARED}
    with StandInGitHub(tmp_path / "hub") as hub:
        repo = hub.create_repository(REPO, contents, private=True)
        arm(hub, chance)
        started = time.monotonic()
        threads = [
            threading.Thread(target=row.work, args=(environment(hub, repo, row, tmp_path / "temp"),)) for row in rows
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = time.monotonic() - started
        log = repo.log("main", limit=200)
        dropped = len(hub.requests.find(status=0))
        told = {row.number: (row.way, row.codes, row.said[-600:]) for row in rows if row.codes[-1] != 0}
        assert not told, told
        shared = repo.show_bytes(SHARED, "main").decode()
        for row in rows:
            text = shared if row.file == SHARED else repo.show_bytes(row.file, "main").decode()
            assert re.search(rf"^{row.key}:\s*\{{?\s*tag: '?{re.escape(row.value)}'?\b", text, re.MULTILINE), row
        assert text_of_comments(shared) == list(range(WRITERS))
        landed = Counter(commit.message.splitlines()[0] for commit in log[:-1])
        assert landed == {f"update-{row.number}": 1 for row in rows}
    killed = sum(code == -9 for row in rows for code in row.codes)
    assert killed >= 8
    assert dropped >= 4
    assert spent < 60


def text_of_comments(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"# (\d+)$", text, re.MULTILINE)]
