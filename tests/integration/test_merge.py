"""auto-merge through the command line, against a GitHub on real git repositories."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.github import stand_in, succeed

from cicd_actions.cli import main
from cicd_actions.sandbox.github import Protection, RepositoryView, StandInGitHub

REPO = "acme/shop"
BUILD = "name: build\non:\n  workflow_dispatch:\njobs:\n  build:\n    runs-on: ubuntu-24.04\n    steps: []\n"
PUSH_ONLY = "name: other\non: [push]\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: []\n"
WRITES = "POST|PATCH|PUT|DELETE"
RIGHTS = {"contents": "write", "actions": "write", "pull-requests": "write"}


@dataclass
class Outcome:
    code: int
    outputs: dict[str, str]
    text: str
    summary: str


@dataclass
class World:
    """A repository with main and dev, and the environment of a job on dev."""

    hub: StandInGitHub
    repo: RepositoryView
    folder: Path
    capsys: pytest.CaptureFixture[str]
    rights: dict[str, str] = field(default_factory=lambda: dict(RIGHTS))

    def push(self, branch: str, files: Mapping[str, str | None], message: str = "Change") -> str:
        return self.repo.commit_files(dict(files), message=message, login="alice", branch=branch)

    def env(self, sha: str, **inputs: str) -> dict[str, str]:
        token = self.hub.token("github-actions[bot]", {REPO: self.rights}, kind="job")
        given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.hub.api_url,
            "GITHUB_GRAPHQL_URL": self.hub.graphql_url,
            "GITHUB_SERVER_URL": self.hub.url,
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REF": "refs/heads/dev",
            "GITHUB_REF_NAME": "dev",
            "GITHUB_SHA": sha,
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "INPUT_TOKEN": token.reveal(),
            "CICD_ACTIONS_RETRY_SECONDS": "4",
            "PATH": "/usr/bin:/bin",
        } | given

    def run(self, sha: str, env: Mapping[str, str] | None = None, /, **inputs: str) -> Outcome:
        for name in ("output", "summary"):
            (self.folder / name).write_text("")
        code = main(["auto-merge"], env or self.env(sha, **inputs))
        captured = self.capsys.readouterr()
        summary = (self.folder / "summary").read_text()
        return Outcome(code, read_outputs(self.folder / "output"), captured.out + captured.err, summary)

    def head(self, branch: str = "main") -> str | None:
        return self.repo.branch(branch)

    def writes(self) -> list[str]:
        rows = [row for row in self.hub.requests.find() if row.method in WRITES.split("|")]
        return [f"{row.method} {row.path}" for row in rows if "graphql" not in row.path]

    def set_branch(self, branch: str, sha: str) -> None:
        subprocess.run(["git", "update-ref", f"refs/heads/{branch}", sha], cwd=self.repo.path, check=True)


def read_outputs(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value: list[str] = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with stand_in(tmp_path, start_run=succeed) as hub:
        files = {"app.py": "x = 1\n", ".github/workflows/build.yml": BUILD, ".github/workflows/push.yml": PUSH_ONLY}
        repo = hub.create_repository(REPO, files, login="alice", actions_may_create_pulls=True)
        yield World(hub, repo, tmp_path, capsys)


def test_fast_forward_lands_the_very_commit_and_starts_the_next_workflow(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, next_workflow="build.yml")
    assert outcome.code == 0, outcome.text
    (run,) = [run for run in world.hub.runs() if run.event == "workflow_dispatch"]
    assert outcome.outputs == {
        "merged": "true",
        "merge-sha": sha,
        "method-used": "fast-forward",
        "reason": "fast-forwarded",
        "dispatched-run-url": run.url,
    }
    assert world.head() == sha == run.sha
    assert sha in outcome.summary
    assert run.url in outcome.summary


def test_newer_commits_on_dev_do_not_land(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.push("dev", {"app.py": "untested\n"})
    assert world.run(sha).code == 0
    assert world.head() == sha


def test_diverged_branches_get_a_merge_commit_of_exactly_the_tested_commit(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    other = world.push("main", {"README.md": "hello\n"})
    outcome = world.run(sha, next_workflow=".github/workflows/build.yml")
    assert outcome.code == 0, outcome.text
    head = world.head()
    assert head is not None
    assert list(world.repo.commit(head).parents) == [other, sha]
    assert outcome.outputs["merge-sha"] == head
    assert outcome.outputs["method-used"] == "merge"
    assert outcome.outputs["reason"] == "merged"
    assert f"Tested-Commit: {sha}" in world.repo.commit(head).message
    assert "was not tested before it landed" in outcome.text


def test_method_merge_makes_a_merge_commit_even_where_a_fast_forward_would_do(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, method="merge")
    assert outcome.outputs["method-used"] == "merge"
    assert "was not tested" not in outcome.text
    assert world.head() != sha


def test_method_fast_forward_refuses_diverged_branches(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    other = world.push("main", {"README.md": "hello\n"})
    world.hub.requests.clear()
    outcome = world.run(sha, method="fast-forward")
    assert outcome.code == 1
    assert outcome.outputs["merged"] == "false"
    assert outcome.outputs["reason"] == "diverged"
    assert world.head() == other
    assert world.writes() == []


def test_method_pull_request_opens_one_and_merges_it_at_the_tested_commit(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, method="pull-request")
    assert outcome.code == 0, outcome.text
    assert outcome.outputs["method-used"] == "pull-request"
    head = world.head()
    assert head == outcome.outputs["merge-sha"]
    assert head is not None
    assert world.repo.commit(head).parents[1] == sha
    assert len(world.repo.issues()) == 1


def test_pull_request_is_not_merged_when_dev_moved_on(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.push("dev", {"app.py": "untested\n"})
    before = world.head()
    outcome = world.run(sha, method="pull-request")
    assert (outcome.code, outcome.outputs["reason"]) == (1, "pull-request-blocked")
    assert world.head() == before
    again = world.run(sha, method="pull-request")
    assert again.code == 1
    assert len(world.repo.issues()) == 1


def test_a_pull_request_that_actions_may_not_open_is_explained(world: World) -> None:
    world.hub.create_repository("acme/strict", {"app.py": "x = 1\n"}, login="alice")
    strict = world.hub.repositories["acme/strict"]
    sha = strict.commit_files({"app.py": "x = 2\n"}, message="Change", login="alice", branch="dev")
    token = world.hub.token("github-actions[bot]", {"acme/strict": RIGHTS}, kind="job")
    env = world.env(sha, method="pull-request")
    outcome = world.run(sha, env | {"GITHUB_REPOSITORY": "acme/strict", "INPUT_TOKEN": token.reveal()})
    assert outcome.code == 1
    assert "Allow GitHub Actions to create and approve pull requests" in outcome.text


@pytest.mark.parametrize("place", ["/pulls$", "/pulls/[0-9]+/merge"], ids=["opening", "merging"])
def test_a_lost_answer_about_a_pull_request_is_looked_up(world: World, place: str) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add("*", place, kind="lost", after=1 if place == "/pulls$" else 0)
    outcome = world.run(sha, method="pull-request")
    assert outcome.code == 0, outcome.text
    assert outcome.outputs["merge-sha"] == world.head()
    assert len(world.repo.issues()) == 1


def test_already_merged_is_success_and_the_workflow_is_started_exactly_once(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    first = world.run(sha, next_workflow="build.yml")
    second = world.run(sha, next_workflow="build.yml")
    assert second.code == 0
    assert second.outputs["reason"] == "already-merged"
    assert second.outputs["merged"] == "true"
    assert second.outputs["merge-sha"] == sha
    assert second.outputs["dispatched-run-url"] == first.outputs["dispatched-run-url"] != ""
    assert len([run for run in world.hub.runs() if run.event == "workflow_dispatch"]) == 1


@pytest.mark.parametrize("diverged", [False, True], ids=["fast-forward", "merge commit"])
def test_a_kill_between_merge_and_dispatch_ends_in_the_same_state_after_a_second_run(
    world: World, *, diverged: bool
) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    if diverged:
        world.push("main", {"README.md": "hello\n"})
    landed = world.run(sha)  # without a next workflow: the state in which a kill after the merge leaves things
    outcome = world.run(sha, next_workflow="build.yml")
    assert outcome.code == 0
    assert outcome.outputs["merge-sha"] == landed.outputs["merge-sha"] == world.head()
    assert outcome.outputs["dispatched-run-url"]
    world.run(sha, next_workflow="build.yml")
    assert len([run for run in world.hub.runs() if run.event == "workflow_dispatch"]) == 1


def test_conflict_names_the_files_and_the_commands(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n", "only-dev.py": ""})
    other = world.push("main", {"app.py": "x = 3\n", "only-main.py": ""})
    outcome = world.run(sha, next_workflow="build.yml")
    assert (outcome.code, outcome.outputs["reason"]) == (1, "conflict")
    assert world.head() == other
    assert "- `app.py`" in outcome.summary
    assert "only-dev.py" not in outcome.summary
    assert "git merge origin/main" in outcome.summary
    assert [run for run in world.hub.runs() if run.event == "workflow_dispatch"] == []


def test_main_moving_between_look_and_update_is_seen_and_merged(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add("PATCH", "/git/refs/heads/main", status=422, body={"message": "Update is not a fast forward"})
    outcome = world.run(sha)
    assert outcome.code == 0
    assert len(world.hub.requests.find("PATCH", "/git/refs")) == 2
    assert world.head() == sha


def test_a_target_that_always_moves_ends_after_a_bounded_number_of_rounds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cicd_actions.merge.landing.ROUNDS", 2)
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add("PATCH", "/git/refs", status=422, body={"message": "Update is not a fast forward"}, times=None)
    outcome = world.run(sha)
    assert (outcome.code, outcome.outputs["reason"]) == (1, "target-keeps-moving")


def test_a_real_race_with_another_writer(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    moved: list[str] = []

    def compare_seen(self: Any, request: Any) -> None:
        original(request)
        if not moved and "/compare/" in request.path:
            moved.append(world.push("main", {"README.md": "faster\n"}))

    log = world.hub.requests
    original = log.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "add", lambda request: compare_seen(log, request))
        outcome = world.run(sha)
    assert outcome.code == 0, outcome.text
    assert outcome.outputs["method-used"] == "merge"
    head = world.head()
    assert head is not None
    assert list(world.repo.commit(head).parents) == [*moved, sha]


def test_a_rewritten_dev_branch_is_refused(world: World) -> None:
    base = world.head()
    assert base is not None
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.set_branch("dev", base)
    world.push("dev", {"app.py": "x = 9\n"})
    outcome = world.run(sha)
    assert (outcome.code, outcome.outputs["reason"]) == (1, "not-in-source")
    assert world.head() == base


def test_an_unknown_commit_is_refused(world: World) -> None:
    world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run("0123456789abcdef0123456789abcdef01234567")
    assert (outcome.code, outcome.outputs["reason"]) == (1, "not-in-source")


@pytest.mark.parametrize("name", ["source_sha", "tested_sha"])
def test_another_commit_than_the_tested_one_is_refused(world: World, name: str) -> None:
    first = world.push("dev", {"app.py": "x = 2\n"})
    second = world.push("dev", {"app.py": "x = 3\n"})
    before = world.head()
    outcome = world.run(second, **{name: first})
    assert (outcome.code, outcome.outputs["reason"]) == (1, "not-the-tested-commit")
    assert world.head() == before


def test_a_gate_that_tested_no_commit_lands_nothing(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    before = world.head()
    outcome = world.run(sha, tested_sha="none")
    assert (outcome.code, outcome.outputs["reason"]) == (1, "not-the-tested-commit")
    assert "differed from their commit" in outcome.text
    assert world.head() == before


@pytest.mark.parametrize("ruleset", [False, True])
def test_protection_is_explained(world: World, *, ruleset: bool) -> None:
    world.hub.protect(REPO, "main", Protection(required_checks=("gate",), ruleset=ruleset))
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha)
    assert (outcome.code, outcome.outputs["reason"]) == (1, "protected")
    assert "gate" in outcome.text
    assert "bypass list" in outcome.text
    assert world.head() != sha


def test_protection_is_explained_for_a_merge_commit_too(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    other = world.push("main", {"README.md": "hello\n"})
    world.hub.protect(REPO, "main", Protection(require_pull_request=True))
    outcome = world.run(sha)
    assert (outcome.code, outcome.outputs["reason"]) == (1, "protected")
    assert world.head() == other


def test_a_change_of_a_workflow_file_is_explained(world: World) -> None:
    sha = world.push("dev", {".github/workflows/new.yml": BUILD})
    outcome = world.run(sha)
    assert outcome.code == 1, outcome.text
    assert "Workflows: write" in outcome.text
    assert world.head() != sha


def test_missing_right_names_the_permission(world: World) -> None:
    world.rights = {"contents": "read"}
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha)
    assert outcome.code == 2
    assert "`contents: write` under `permissions:`" in outcome.text
    assert set(outcome.outputs.values()) == {""}


def test_a_wrong_token_is_a_configuration_error(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, world.env(sha) | {"INPUT_TOKEN": "ghs_wrong"})
    assert outcome.code == 2
    assert "token" in outcome.text
    without_masking = outcome.text.replace("::add-mask::ghs_wrong", "")
    assert "ghs_wrong" not in without_masking + outcome.summary


@pytest.mark.parametrize("verb", ["GET", "PATCH"])
def test_an_outage_that_ends_is_survived(world: World, verb: str) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add(verb, "/git/ref", status=502, times=2)
    outcome = world.run(sha)
    assert outcome.code == 0, outcome.text
    assert world.head() == sha


def test_an_outage_that_stays_is_upstream(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add("PATCH", "/git/ref", status=503, times=None)
    outcome = world.run(sha, world.env(sha) | {"CICD_ACTIONS_RETRY_SECONDS": "1"})
    assert outcome.code == 3
    assert "503" in outcome.text


def test_a_lost_answer_to_a_merge_is_looked_up(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    other = world.push("main", {"README.md": "hello\n"})
    world.hub.faults.add("POST", "/merges", kind="lost")
    outcome = world.run(sha)
    assert outcome.code == 0
    head = world.head()
    assert head is not None
    assert list(world.repo.commit(head).parents) == [other, sha]
    assert outcome.outputs["merge-sha"] == head
    assert outcome.outputs["reason"] == "merged"


def test_an_unreachable_github_is_upstream(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    env = world.env(sha) | {"GITHUB_API_URL": "http://127.0.0.1:9/api/v3", "CICD_ACTIONS_RETRY_SECONDS": "0"}
    outcome = world.run(sha, env)
    assert outcome.code == 3
    assert "127.0.0.1" in outcome.text


@pytest.mark.parametrize("name", ["missing.yml", "push.yml"])
def test_a_next_workflow_that_cannot_be_started(world: World, name: str) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    before = world.head()
    outcome = world.run(sha, next_workflow=name)
    if name == "missing.yml":  # seen before anything is merged
        assert outcome.code == 2
        assert "missing.yml" in outcome.text
        assert world.head() == before
        return
    assert outcome.code == 3  # the file is there, its missing trigger shows only at the dispatch
    assert outcome.outputs["merged"] == "true"
    assert outcome.outputs["merge-sha"] == sha == world.head()
    assert "workflow_dispatch" in outcome.text
    assert "was not started" in outcome.summary


def test_a_dispatch_whose_answer_is_lost_starts_one_run(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    world.hub.faults.add("POST", "/dispatches", kind="lost")
    outcome = world.run(sha, next_workflow="build.yml")
    assert outcome.code == 0, outcome.text
    (run,) = [run for run in world.hub.runs() if run.event == "workflow_dispatch"]
    assert outcome.outputs["dispatched-run-url"] == run.url


def test_dry_run_writes_nothing_and_says_what_it_would_do(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    before = world.head()
    world.hub.requests.clear()
    outcome = world.run(sha, next_workflow="build.yml", dry_run="true")
    assert outcome.code == 0
    assert outcome.outputs["merged"] == "false"
    assert outcome.outputs["reason"] == "dry-run"
    assert "fast-forward" in outcome.text
    assert world.writes() == []
    assert world.head() == before


def test_a_branch_with_a_hostile_name(world: World) -> None:
    name = "feat/$(id);`id`@alice<b>"
    sha = world.push(name, {"app.py": "x = 2\n"})
    outcome = world.run(sha, source_branch=name)
    assert outcome.code == 0, outcome.text
    assert world.head() == sha


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({"source_branch": "a..b"}, "source-branch"),
        ({"target_branch": "gone"}, "target-branch"),
        ({"source_branch": "main"}, "same as target-branch"),
        ({"source_sha": "abc"}, "full commit SHA"),
        ({"next_workflow": "../x"}, "file name of a workflow"),
        ({"method": "squash"}, "fast-forward"),
        ({"dry_run": "maybe"}, "dry-run"),
        ({"app_id": "5"}, "app-private-key"),
        ({"app_id": "5", "app_private_key": "no key"}, "PEM"),
    ],
)
def test_wrong_inputs(world: World, inputs: dict[str, str], word: str) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, **inputs)
    assert outcome.code == 2
    assert word in outcome.text
    assert world.head() != sha


def test_all_problems_are_told_at_once(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    outcome = world.run(sha, world.env(sha, method="squash", dry_run="maybe") | {"INPUT_TOKEN": ""})
    assert outcome.code == 2
    for word in ("method", "dry-run", "token"):
        assert f"{word}: " in outcome.text


def test_an_empty_repository(world: World) -> None:
    world.hub.create_repository("acme/empty")
    env = world.env("0123456789abcdef0123456789abcdef01234567") | {"GITHUB_REPOSITORY": "acme/empty"}
    env["INPUT_TOKEN"] = world.hub.token("alice", {"acme/empty": "write"}).reveal()
    outcome = world.run("", env)
    assert outcome.code == 2
    assert "target-branch" in outcome.text


def test_the_public_command_in_a_process_of_its_own(world: World) -> None:
    sha = world.push("dev", {"app.py": "x = 2\n"})
    argv = [sys.executable, "-P", "-m", "cicd_actions", "auto-merge", "--json", "--next-workflow", "build.yml"]
    env = world.env(sha)
    env["GITHUB_TOKEN"] = env.pop("INPUT_TOKEN")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, cwd=world.folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["merge-sha"] == sha == world.head()
