"""Whole pipelines: the real runner executes the unmodified templates with the actions of this checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cicd_actions.sandbox.parts import Parts

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "python-service"
STAGES = ["quality", "merge", "build", "scan", "publish", "gitops"]

pytestmark = [pytest.mark.e2e, pytest.mark.engine]


@dataclass(frozen=True)
class Played:
    """How a scenario ended."""

    code: int
    data: dict[str, Any]
    said: str

    @property
    def statuses(self) -> dict[str, str]:
        return {stage["name"]: stage["status"] for stage in self.data["stages"]}

    def reason(self, stage: str) -> str:
        return next(str(row["reason"]) for row in self.data["stages"] if row["name"] == stage)


def play(app: Path, scenario: str = "ok", *words: str) -> Played:
    argv = [sys.executable, "-m", "cicd_actions", "sandbox", "run", "--app", str(app), "--scenario", scenario, "--json"]
    done = subprocess.run([*argv, *words], capture_output=True, text=True, timeout=900, check=False)
    print(done.stderr[-20_000:])
    return Played(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of the example that a test may break."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__")))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.usefixtures("parts")
def test_ok_goes_from_the_push_to_the_gitops_commit(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    played = play(EXAMPLE, "ok", "--page", str(page))
    assert (played.code, played.data["verdict"], played.data["problems"]) == (0, "passed", [])
    assert played.statuses == dict.fromkeys(STAGES, "passed")
    image, gitops = played.data["image"], played.data["gitops"]
    assert set(image["platforms"]) == {"linux/amd64", "linux/arm64"}
    assert played.data["merge"]["tested_sha"] == played.data["merge"]["merge_sha"]
    changed = [line for line in gitops["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert gitops["files"] == ["helm-chart/values.yaml"]
    tag = next(tag for tag in image["tags"] if tag.startswith("sha-"))
    assert changed == [
        '-  tag: "none"     # set by the pipeline',
        "-  digest: ''      # set by the pipeline, together with the tag",
        f'+  tag: "{tag}"     # set by the pipeline',
        f"+  digest: '{image['digest']}'      # set by the pipeline, together with the tag",
    ]
    assert played.data["notices"] == []
    assert "Timeline" in page.read_text()
    assert played.data["page"] == str(page)


@pytest.mark.usefixtures("parts")
def test_a_failing_test_merges_nothing_and_tells_the_author() -> None:
    played = play(EXAMPLE, "tests-fail")
    assert (played.code, played.data["verdict"]) == (0, "passed")
    assert played.statuses == {"quality": "failed", **dict.fromkeys(STAGES[1:], "blocked")}
    assert played.data["image"] is played.data["merge"] is played.data["gitops"] is None
    (notice,) = played.data["notices"]
    assert "@developer" in notice
    assert "scenario_tests_fail" in notice.replace("&#95;", "_").replace("\\", "")


@pytest.mark.usefixtures("parts")
def test_a_vulnerable_image_is_published_nowhere() -> None:
    played = play(EXAMPLE, "vulnerable-image")
    assert (played.code, played.data["verdict"]) == (0, "passed")
    expected = ["passed", "passed", "passed", "failed", "blocked", "blocked"]
    assert played.statuses == dict(zip(STAGES, expected, strict=True))
    assert "CVE-2020-14343" in played.reason("scan")
    assert played.data["image"] is played.data["gitops"] is None


@pytest.mark.usefixtures("parts")
def test_a_moved_main_is_merged_and_not_overwritten() -> None:
    played = play(EXAMPLE, "main-moved")
    assert (played.code, played.data["verdict"]) == (0, "passed")
    merge = played.data["merge"]
    assert merge["method"] == "merge"
    assert merge["merge_sha"] != merge["tested_sha"]


@pytest.mark.usefixtures("parts")
def test_a_broken_dockerfile_is_named_and_leaves_everything_as_it_was(app: Path) -> None:
    edit(app / "Dockerfile", "FROM python:3.11-slim\n", "FROM python:3.11-slim\nRUN false\n")
    played = play(app)
    assert (played.code, played.data["verdict"]) == (1, "failed")
    assert played.statuses["build"] == "failed"
    assert [played.statuses[name] for name in STAGES[3:]] == ["blocked"] * 3
    assert played.data["image"] is played.data["gitops"] is None
    assert any("@developer" in notice for notice in played.data["notices"])


@pytest.mark.usefixtures("parts")
def test_a_base_image_that_cannot_be_had_is_told_before_anything_runs(app: Path, parts: Parts) -> None:
    if not parts.stand_ins:
        pytest.skip("public images can be pulled here")
    edit(app / "Dockerfile", "FROM python:3.11-slim\n", "FROM registry.example.com/team/base:1\n")
    played = play(app)
    assert played.code == 3
    assert "registry.example.com/team/base:1" in played.said
    assert (played.data["verdict"], played.data["stages"]) == ("error", [])


def test_without_an_engine_the_rest_still_runs() -> None:
    played = play(EXAMPLE, "ok", "--no-engine")
    assert (played.code, played.data["verdict"]) == (0, "passed")
    expected = ["passed", "passed", "skipped", "skipped", "skipped", "passed"]
    assert played.statuses == dict(zip(STAGES, expected, strict=True))
    assert "--no-engine" in played.reason("build")
    assert played.data["gitops"]["files"] == ["helm-chart/values.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--app", "nowhere"], "is not a folder"),
        (["--app", "docs"], "has no Dockerfile"),
        (["--scenario", "okay"], "Allowed: ok, tests-fail"),
    ],
)
def test_wrong_words_are_told_at_once(words: list[str], said: str) -> None:
    argv = [sys.executable, "-m", "cicd_actions", "sandbox", "run", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("parts")
def test_two_sandboxes_at_once_take_turns() -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda name: play(EXAMPLE, name), ("tests-fail", "tests-fail")))
    assert [(played.code, played.data["verdict"]) for played in both] == [(0, "passed")] * 2
    assert any("waiting for it" in played.said for played in both)
