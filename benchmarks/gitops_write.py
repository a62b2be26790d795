"""How fast updates of a GitOps repository land, by API and by git, against what a shell script would do.

    python benchmarks/gitops_write.py [--writers 16] [--files 20000] [--megabytes 300]

Everything runs on this machine against the stand-in GitHub, so the network costs nothing and the numbers are only good
for comparison: a clone over a real network loses by much more.

1. Many writers at once, each its own key of one file: how many landed, and the time as a multiple of the serial lower
   bound (one writer after the other, nobody else around). The opponent clones, edits, commits, and on a rejected push
   pulls with rebase and pushes again, five times.
2. One update of a small repository and of a large one (many files, much history), against clone, edit, push.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cicd_actions.sandbox.github import RepositoryView, StandInGitHub

FILE = "helm-chart/values.yaml"
LOOP = r"""
git clone -q "$URL" work && cd work || exit 1
sed -i "s/^$KEY: .*/$KEY: {tag: $VALUE}/" "$FILE"
git commit -q -am "Update $KEY" || exit 1
for try in 1 2 3 4 5; do
  git push -q origin HEAD:main && exit 0
  git pull -q --rebase origin main || git rebase --abort
done
exit 1
"""

Write = Callable[[RepositoryView, str, str], bool]


class Bench:
    """The ways to write, against one stand-in."""

    def __init__(self, hub: StandInGitHub, folder: Path) -> None:
        self._hub = hub
        self._folder = folder

    def by_api(self, repo: RepositoryView, key: str, value: str) -> bool:
        return self._command(repo, repo.full_name, self._hub.url, key, value)

    def by_git(self, repo: RepositoryView, key: str, value: str) -> bool:
        return self._command(repo, repo.clone_url, "https://github.example", key, value)

    def by_script(self, repo: RepositoryView, key: str, value: str) -> bool:
        token = self._token(repo)
        address = repo.clone_url.replace("http://", f"http://x-access-token:{token}@")
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            env = self._env(Path(name)) | {"URL": address, "KEY": key, "VALUE": value, "FILE": FILE}
            done = subprocess.run(["bash", "-c", LOOP], cwd=name, env=env, capture_output=True, check=False)
        return done.returncode == 0

    def _command(self, repo: RepositoryView, address: str, server: str, key: str, value: str) -> bool:
        env = self._env(self._folder) | {
            "GITHUB_API_URL": self._hub.api_url,
            "GITHUB_GRAPHQL_URL": self._hub.graphql_url,
            "GITHUB_SERVER_URL": server,
            "GITHUB_REPOSITORY": "acme/shop",
            "RUNNER_TEMP": str(self._folder),
            "GITHUB_TOKEN": self._token(repo),
        }
        words = ["gitops-tag-update", "--repository", address, "--file", FILE, "--updates", f"{key}.tag={value}"]
        done = subprocess.run([sys.executable, "-m", "cicd_actions", *words], env=env, capture_output=True, check=False)
        return done.returncode == 0

    def _token(self, repo: RepositoryView) -> str:
        return self._hub.token("bot", {repo.full_name: {"contents": "write"}}).reveal()

    def _env(self, home: Path) -> dict[str, str]:
        names = {
            f"GIT_{who}_{what}": "bot@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return {"PATH": os.environ["PATH"], "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", **names}


def storm(hub: StandInGitHub, ways: Mapping[str, Write], writers: int) -> list[dict[str, object]]:
    """All at once against one after the other."""
    rows: list[dict[str, object]] = []
    keys = [f"app{number}" for number in range(writers)]
    for name, write in ways.items():
        values = "".join(f"{key}: {{tag: old}}\n" for key in keys)
        spent = {}
        for kind in ("serial", "at-once"):
            repo = hub.create_repository(f"acme/{name}-{kind}", {FILE: values}, private=True)
            started = time.monotonic()
            with ThreadPoolExecutor(writers if kind == "at-once" else 1) as pool:
                list(pool.map(lambda key, repo=repo, write=write: write(repo, key, f"new-{key}"), keys))
            spent[kind] = time.monotonic() - started
        text = repo.show_bytes(FILE, "main").decode()
        rows.append(
            {
                "way": name,
                "writers": writers,
                "landed": sum(f"new-{key}}}" in text for key in keys),
                "commits": len(repo.log("main")) - 1,
                "seconds": round(spent["at-once"], 2),
                "of serial": round(spent["at-once"] / spent["serial"], 2),
            }
        )
    return rows


def fill(repo: RepositoryView, *, files: int, megabytes: int) -> None:
    """Give a repository many files and a history of bytes that do not compress, by `git fast-import`."""
    chance = random.Random(1)  # noqa: S311 # nosec B311 - bytes to carry, no secret
    command = ["git", "-C", str(repo.path), "fast-import", "--quiet", "--force"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    write, parent = process.stdin.write, f"from {repo.head('main')}\n".encode()
    for number in range(megabytes):
        data = chance.randbytes(1_000_000)
        write(b"commit refs/heads/main\ncommitter b <b@example.com> 0 +0000\ndata 1\nx\n" + parent)
        write(b"M 100644 inline history.bin\ndata %d\n" % len(data) + data + b"\n")
        parent = b""
        if number == 0:
            for name in range(files):
                text = f"name: app{name}\n".encode()
                write(b"M 100644 inline apps/%d/%d.yaml\ndata %d\n" % (name % 200, name, len(text)) + text + b"\n")
    process.stdin.close()
    assert process.wait() == 0


def sizes(hub: StandInGitHub, ways: Mapping[str, Write], files: int, megabytes: int) -> list[dict[str, object]]:
    """One update of a small and of a large repository, the middle of three."""
    rows: list[dict[str, object]] = []
    values = {FILE: "app0: {tag: old}\n"}
    small = hub.create_repository("acme/small", values, private=True)
    large = hub.create_repository("acme/large", values, private=True)
    fill(large, files=files, megabytes=megabytes)
    for name, write in ways.items():
        spent = [middle(write, repo, name) for repo in (small, large)]
        ratio = round(spent[1] / spent[0], 2)
        rows.append({"way": name, "small s": round(spent[0], 2), "large s": round(spent[1], 2), "large/small": ratio})
    return rows


def middle(write: Write, repo: RepositoryView, name: str) -> float:
    found = []
    for number in range(3):
        started = time.monotonic()
        assert write(repo, "app0", f"{name}-{number}")
        found.append(time.monotonic() - started)
    return sorted(found)[1]


def main(argv: Sequence[str]) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description="Updates of a GitOps repository, landed and timed.")
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--megabytes", type=int, default=300)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, StandInGitHub(Path(name) / "hub") as hub:
        bench = Bench(hub, Path(name))
        ways = {"api": bench.by_api, "git": bench.by_git, "script": bench.by_script}
        found = {
            "writers": storm(hub, ways, chosen.writers),
            "sizes": sizes(hub, ways, chosen.files, chosen.megabytes),
        }
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
