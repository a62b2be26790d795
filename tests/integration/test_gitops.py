"""gitops-tag-update through the command line, by API and by git, against a GitHub on real repositories."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_registry import fake_registry
from tests.support.github import git, stand_in

from cicd_actions.cli import main
from cicd_actions.github import commits
from cicd_actions.github.trees import commit_tree
from cicd_actions.gitops.repository import GitRepository
from cicd_actions.process import Completed
from cicd_actions.sandbox.github import Protection, RepositoryView, StandInGitHub
from cicd_actions.sandbox.github.state import Pull

REPO = "acme/shop-gitops"
FILE = "helm-chart/values.yaml"
OLD = "sha256:" + "0" * 64
NEW = "sha256:" + "1" * 64
SHA = "5" * 40
VALUES = f"""# Values of the deployment (größtenteils) edited by hand and by the pipeline.
image:
    repository: ghcr.io/acme/shop

    tag: "1.3.9"     # set by the pipeline
    digest: '{OLD}'
worker: {{image: {{tag: 1.3.9, pullPolicy: IfNotPresent}}}}   # flow
service: {{port: 8080}}
"""
EXPECTED = VALUES.replace('"1.3.9"', '"1.4.0"').replace(OLD, NEW)
BOTH = pytest.mark.parametrize("way", ["api", "git"])


@dataclass
class Outcome:
    code: int
    outputs: dict[str, str]
    text: str
    summary: str


@dataclass
class World:
    """A GitOps repository on the hub, and the environment of a job that deploys."""

    hub: StandInGitHub
    repo: RepositoryView
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def env(self, way: str, rights: Any = None, **inputs: str) -> dict[str, str]:
        token = self.hub.token("deploy-bot", {REPO: rights or {"contents": "write", "pull-requests": "write"}})
        there = self.hub.url if way == "api" else "https://github.example"
        given = {"repository": REPO if way == "api" else self.repo.clone_url, "tag": "1.4.0", "digest": NEW}
        given |= {"image": "ghcr.io/acme/shop", "verify-digest": "false", "token": token.reveal()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.hub.api_url,
            "GITHUB_GRAPHQL_URL": self.hub.graphql_url,
            "GITHUB_SERVER_URL": there,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SHA": SHA,
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "CICD_ACTIONS_RETRY_SECONDS": "4",
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
        } | {f"INPUT_{name.upper()}": value for name, value in given.items()}

    def run(self, way: str, rights: Any = None, **inputs: str) -> Outcome:
        return self.run_env(self.env(way, rights, **inputs))

    def run_env(self, env: Mapping[str, str]) -> Outcome:
        for name in ("output", "summary"):
            (self.folder / name).write_text("")
        code = main(["gitops-tag-update"], env)
        captured = self.capsys.readouterr()
        text = captured.out + captured.err
        token = env["INPUT_TOKEN"]
        assert token not in text.replace(f"::add-mask::{token}", "")
        temp = self.folder / "temp"
        assert not temp.exists() or not any(temp.iterdir())
        summary = (self.folder / "summary").read_text()
        assert token not in summary
        return Outcome(code, read_outputs(self.folder / "output"), text, summary)

    def values(self, branch: str = "main") -> str:
        return self.repo.show_bytes(FILE, branch).decode()

    def commits(self) -> list[str]:
        return [commit.sha for commit in self.repo.log("main")]

    def other_writer(self, name: str = "other.txt") -> None:
        self.repo.commit_files({name: "by another writer"}, message=f"Add {name}", login="alice", branch="main")


def read_outputs(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        rows = []
        for row in lines:
            if row == delimiter:
                break
            rows.append(row)
        found[name] = "\n".join(rows)
    return found


def changed(diff: str) -> list[str]:
    """The lines that a diff takes out and puts in."""
    return [line for line in diff.splitlines() if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with stand_in(tmp_path) as hub:
        files = {FILE: VALUES, "README.md": "GitOps\n"}
        yield World(hub, hub.create_repository(REPO, files, private=True), tmp_path, capsys)


@BOTH
def test_change(world: World, way: str) -> None:
    before = world.repo.head("main")
    done = world.run(way)
    assert done.code == 0, done.text
    assert world.values() == EXPECTED
    after = world.repo.head("main")
    assert done.outputs["changed"] == "true"
    assert done.outputs["commit-sha"] == after
    assert json.loads(done.outputs["previous"]) == {FILE: {"image.tag": "1.3.9", "image.digest": OLD}}
    assert changed(world.repo.diff(before, after)) == changed(done.outputs["diff"])
    assert changed(done.outputs["diff"]) == [
        '-    tag: "1.3.9"     # set by the pipeline',
        f"-    digest: '{OLD}'",
        '+    tag: "1.4.0"     # set by the pipeline',
        f"+    digest: '{NEW}'",
    ]
    newest, *_ = world.repo.log("main")
    assert newest.message.startswith("Deploy shop 1.4.0\n")
    trailers = newest.message.strip().rsplit("\n\n", 1)[1].splitlines()
    run_url = world.env(way)["GITHUB_SERVER_URL"] + "/acme/shop/actions/runs/77"
    assert trailers == [f"Image-Digest: {NEW}", f"Source-Commit: {SHA}", f"Run-URL: {run_url}"]


@BOTH
def test_nothing_to_do(world: World, way: str) -> None:
    first = world.run(way)
    again = world.run(way)
    assert (again.code, again.outputs["changed"]) == (0, "false")
    assert again.outputs["commit-sha"] == first.outputs["commit-sha"]
    assert len(world.commits()) == 2


@BOTH
def test_several_keys_and_files_in_one_commit(world: World, way: str) -> None:
    world.repo.commit_files({"two.json": '{\n\t"image": {"tag": 1},\n\t"worker": {"image": {"tag": "x"}}\n}\n'},
                            message="Add", login="alice", branch="main")  # fmt: skip
    world.repo.commit_files({FILE: VALUES.replace("    digest", "    other")}, message="x", login="alice")
    updates = "image.tag={tag}\nworker.image.tag={tag}-{sha}"
    done = world.run(way, file=f"{FILE}\n./two.json", updates=updates)
    assert done.code == 0, done.text
    assert world.repo.show_bytes("two.json", "main").decode() == (
        f'{{\n\t"image": {{"tag": "1.4.0"}},\n\t"worker": {{"image": {{"tag": "1.4.0-{SHA}"}}}}\n}}\n'
    )
    assert f"{{image: {{tag: 1.4.0-{SHA}, pullPolicy: IfNotPresent}}}}   # flow" in world.values()
    assert len(world.commits()) == 4


@BOTH
def test_missing_key(world: World, way: str) -> None:
    refused = world.run(way, updates="worker.image.digest={digest}\nworker.image.tag={tag}")
    assert refused.code == 2, refused.text
    done = world.run(way, updates="worker.image.digest={digest}\nworker.image.tag={tag}", create_missing="true")
    assert done.code == 0, done.text
    assert json.loads(done.outputs["previous"])[FILE]["worker.image.digest"] == ""
    assert NEW in world.values()
    again = world.run(way, updates="worker.image.digest={digest}\nworker.image.tag={tag}", create_missing="true")
    assert again.outputs["changed"] == "false"


@BOTH
def test_dry_run(world: World, way: str) -> None:
    done = world.run(way, dry_run="true")
    assert (done.code, done.outputs["changed"], done.outputs["commit-sha"]) == (0, "true", "")
    assert '+    tag: "1.4.0"     # set by the pipeline' in done.text
    assert len(world.commits()) == 1


def test_lost_race_by_api(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two other writers come between reading and writing; one of them changes the same file."""
    original, left = commits.create_commit_on_branch, ["x.txt", FILE]

    def late(*args: Any, **words: Any) -> commits.CommitOutcome:
        if left:
            name = left.pop()
            text = VALUES.replace("8080", "9090") if name == FILE else "x"
            world.repo.commit_files({name: text}, message="Other", login="alice", branch="main")
        return original(*args, **words)

    monkeypatch.setattr(commits, "create_commit_on_branch", late)
    done = world.run("api")
    assert done.code == 0, done.text
    assert "after 3 attempts" in done.text
    assert world.values() == EXPECTED.replace("8080", "9090")
    assert len(world.commits()) == 4


def test_lost_race_by_git(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    original, left = GitRepository.push, ["x.txt", FILE]

    def late(self: GitRepository, commit: str, branch: str) -> Completed:
        if left:
            name = left.pop()
            text = VALUES.replace("8080", "9090") if name == FILE else "x"
            world.repo.commit_files({name: text}, message="Other", login="alice", branch="main")
        return original(self, commit, branch)

    monkeypatch.setattr(GitRepository, "push", late)
    done = world.run("git")
    assert done.code == 0, done.text
    assert "after 3 attempts" in done.text
    assert world.values() == EXPECTED.replace("8080", "9090")
    assert len(world.commits()) == 4


@BOTH
def test_the_other_writer_did_the_same(world: World, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create, push = commits.create_commit_on_branch, GitRepository.push

    def meanwhile() -> None:
        world.repo.commit_files({FILE: EXPECTED}, message="Same", login="alice", branch="main")

    def late_create(*args: Any, **words: Any) -> commits.CommitOutcome:
        meanwhile()
        return create(*args, **words)

    def late_push(self: GitRepository, commit: str, branch: str) -> Completed:
        meanwhile()
        return push(self, commit, branch)

    monkeypatch.setattr(commits, "create_commit_on_branch", late_create)
    monkeypatch.setattr(GitRepository, "push", late_push)
    done = world.run(way)
    assert (done.code, done.outputs["changed"]) == (0, "false")
    assert done.outputs["commit-sha"] == world.repo.head("main")


@BOTH
def test_bad_gateway_once(world: World, way: str) -> None:
    path = "graphql" if way == "api" else "git-receive-pack"
    world.hub.faults.add("POST", path, status=502, body={"message": "Bad gateway"})
    world.hub.faults.add("GET", "contents|info/refs", status=503)
    done = world.run(way)
    assert done.code == 0, done.text
    assert world.values() == EXPECTED
    assert len(world.commits()) == 2


@BOTH
def test_connection_lost_after_the_commit_was_made(world: World, way: str) -> None:
    world.hub.faults.add("POST", "graphql" if way == "api" else "git-receive-pack", kind="lost")
    done = world.run(way)
    assert done.code == 0, done.text
    assert done.outputs["changed"] == "true"
    assert done.outputs["commit-sha"] == world.repo.head("main")
    assert world.values() == EXPECTED
    assert len(world.commits()) == 2


@BOTH
def test_network_that_stays_away(world: World, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.hub.faults.add("*", ".", status=503, times=None)
    done = world.run(way)
    world.hub.faults.clear()
    assert done.code == 3, done.text
    assert len(world.commits()) == 1


@BOTH
@pytest.mark.parametrize(
    ("inputs", "code", "words"),
    [
        ({"updates": "image.tga={tag}"}, 2, ["image.tga", FILE, "Perhaps you meant 'image.tag'"]),
        ({"updates": "image={tag}"}, 2, ["is a mapping"]),
        ({"file": "charts/values.yaml"}, 2, ["charts/values.yaml", "does not exist"]),
        ({"file": "helm-chart"}, 2, ["helm-chart", "not a plain file"]),
        ({"file": "README.md"}, 2, ["updates", "does not exist"]),
        ({"branch": "prod"}, 2, ["branch", "prod", "does not exist"]),
        ({"updates": "image.tag={tag}", "digest": ""}, 2, ["image.digest", "would stay as it is"]),
        ({"digest": ""}, 2, ["image.digest"]),
        ({"tag": "1.3.8"}, 1, ["older version", "allow-downgrade"]),
        ({"tag": "1.3.9-rc.1"}, 1, ["older version"]),
        ({"tag": "a b"}, 2, ["tag", "'a b'"]),
        ({"tag": ""}, 2, ["{tag}", "no tag was given"]),
        ({"digest": "sha256:12"}, 2, ["digest", "sha256:12"]),
        ({"app-id": "7"}, 2, ["app"]),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_errors_leave_the_repository_alone(
    world: World, way: str, inputs: dict[str, str], code: int, words: list[str]
) -> None:
    done = world.run(way, **inputs)
    assert done.code == code, done.text
    for word in words:
        assert word in done.text
    assert world.commits() == [world.repo.head("main")]
    assert set(done.outputs) == {"changed", "commit-sha", "pull-request-url", "previous", "diff"}


@BOTH
def test_template_file_is_no_yaml(world: World, way: str) -> None:
    world.repo.commit_files({"t.yaml": "a: {{ .Values.x }}\nb: [\n"}, message="x", login="alice", branch="main")
    done = world.run(way, file=f"t.yaml\n{FILE}")
    assert done.code == 2
    assert "t.yaml" in done.text
    assert "not valid YAML" in done.text
    assert len(world.commits()) == 2


@BOTH
def test_downgrade_allowed(world: World, way: str) -> None:
    done = world.run(way, tag="1.3.8", allow_downgrade="true")
    assert done.code == 0, done.text
    assert '"1.3.8"' in world.values()
    assert "an older version (by version), allowed" in done.text


def test_scheme_that_cannot_be_judged(world: World) -> None:
    done = world.run("api", tag="main-1a2b3c4")
    assert done.code == 0
    assert "did not judge" in done.text


@BOTH
def test_wrong_token(world: World, way: str) -> None:
    done = world.run(way, token="github_pat_wrong")
    assert done.code == 2, done.text
    assert "token" in done.text


@BOTH
def test_token_without_right_to_write(world: World, way: str) -> None:
    done = world.run(way, {"contents": "read"})
    assert done.code == 2, done.text
    assert "token" in done.text
    assert len(world.commits()) == 1


@BOTH
def test_unknown_repository(world: World, way: str) -> None:
    missing = "acme/nothing" if way == "api" else world.repo.clone_url.replace("shop-gitops", "nothing")
    done = world.run(way, repository=missing)
    assert done.code == 2, done.text
    assert "repository" in done.text


@BOTH
@pytest.mark.parametrize("ruleset", [False, True])
def test_protected_branch(world: World, way: str, ruleset: bool) -> None:
    world.hub.protect(REPO, "main", Protection(require_pull_request=True, ruleset=ruleset))
    done = world.run(way)
    assert done.code == 1, done.text
    assert "mode pull-request" in done.text
    assert len(world.commits()) == 1


def test_pull_request(world: World) -> None:
    world.hub.protect(REPO, "main", Protection(require_pull_request=True))
    first = world.run("api", mode="pull-request")
    assert first.code == 0, first.text
    assert first.outputs["pull-request-url"].startswith("http")
    assert world.values() == VALUES
    assert world.values("cicd-actions/shop") == EXPECTED
    second = world.run("api", mode="pull-request", tag="1.4.1")
    assert second.code == 0, second.text
    assert second.outputs["pull-request-url"] == first.outputs["pull-request-url"]
    assert '"1.4.1"' in world.values("cicd-actions/shop")
    assert len(world.repo.issues()) == 1
    third = world.run("api", mode="pull-request", tag="1.4.1")
    assert (third.outputs["changed"], third.code) == ("false", 0)


def test_interrupted_before_the_pull_request_was_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("cicd_actions.gitops.proposal.open_or_reuse", lambda *_, **__: 1 / 0)
        assert world.run("api", mode="pull-request").code == 70
    done = world.run("api", mode="pull-request")
    assert done.code == 0, done.text
    assert [pull.head for pull in world.repo.issues() if isinstance(pull, Pull)] == ["cicd-actions/shop"]
    assert len(world.repo.log("cicd-actions/shop")) == 2


def test_pull_request_follows_the_base(world: World) -> None:
    """Title and text are those of the newest update, and what the base got meanwhile is in the branch."""
    world.run("api", mode="pull-request", message="Ship {tag}")
    world.other_writer()
    second = world.run("api", mode="pull-request", tag="1.4.1", message="Ship {tag}")
    assert second.code == 0, second.text
    (pull,) = world.repo.issues()
    assert pull.title == "Ship 1.4.1"
    assert "1.3.9 -> 1.4.1" in (pull.body or "")
    assert world.repo.show_bytes("other.txt", "cicd-actions/shop") == b"by another writer"


def test_pull_request_in_conflict_is_superseded(world: World) -> None:
    first = world.run("api", mode="pull-request")
    by_hand = VALUES.replace('"1.3.9"', '"1.3.10"')
    world.repo.commit_files({FILE: by_hand}, message="By hand", login="alice", branch="main")
    second = world.run("api", mode="pull-request", tag="1.4.1")
    assert second.code == 0, second.text
    assert second.outputs["pull-request-url"] != first.outputs["pull-request-url"]
    assert [pull.state for pull in world.repo.issues()] == ["closed", "open"]
    assert "superseded by #2" in second.text
    third = world.run("api", mode="pull-request", tag="1.4.2")
    assert third.outputs["pull-request-url"] == second.outputs["pull-request-url"]


def test_pull_request_does_not_replace_a_newer_one(world: World) -> None:
    world.run("api", mode="pull-request", tag="1.5.0")
    older = world.run("api", mode="pull-request", tag="1.4.0")
    assert older.code == 1, older.text
    assert "older version" in older.text
    same_as_base = world.run("api", mode="pull-request", tag="1.3.9", digest=OLD)
    assert (same_as_base.code, same_as_base.outputs["changed"]) == (0, "false")
    assert [pull.state for pull in world.repo.issues()] == ["open"]


def test_pull_request_that_is_no_longer_needed_is_closed(world: World) -> None:
    world.run("api", mode="pull-request")
    world.repo.commit_files({FILE: EXPECTED}, message="By hand", login="alice", branch="main")
    done = world.run("api", mode="pull-request")
    assert (done.code, done.outputs["changed"]) == (0, "false"), done.text
    assert [pull.state for pull in world.repo.issues()] == ["closed"]
    assert "holds the values already" in done.text


def test_labels_and_auto_merge_that_are_refused_are_told(world: World) -> None:
    done = world.run("api", mode="pull-request", labels="deploy, auto", auto_merge="true")
    assert done.code == 0, done.text
    assert "labels were not set" in done.text
    assert "will not be merged by itself" in done.text
    assert done.outputs["pull-request-url"]


@BOTH
def test_held_value(world: World, way: str) -> None:
    held = VALUES.replace("    digest", "    # cicd-actions: hold until=2999-01-01 reason=rolled back\n    digest")
    world.repo.commit_files({FILE: held}, message="Hold", login="alice", branch="main")
    done = world.run(way)
    assert done.code == 1, done.text
    assert "rolled back" in done.text
    assert "on hold" in done.text
    assert len(world.commits()) == 2
    again = world.run(way, ignore_hold="true")
    assert again.code == 0, again.text
    assert "by ignore-hold" in again.text
    assert len(world.commits()) == 3


def test_older_commit_is_refused(world: World) -> None:
    """Tags that end with commits of the source repository are compared by ancestry."""
    source = world.hub.create_repository("acme/shop", {"a": "1"})
    old = source.head("main") or ""
    new = source.commit_files({"a": "2"}, message="Two", login="alice", branch="main")
    forward = world.run("api", {"contents": "write"}, updates="worker.image.tag=main-{sha}", tag="", digest="")
    assert forward.code == 0, forward.text
    for sha, code in ((new, 0), (old, 1)):
        world.repo.commit_files({"t.yaml": f"tag: main-{(old, new)[sha == old][:10]}\n"}, message="x", login="alice")
        done = world.run("api", file="t.yaml", updates="tag={tag}", tag=f"main-{sha[:10]}", digest="")
        assert done.code == code, done.text
    assert "ancestry" in done.text


def test_digest_that_is_not_in_the_registry(world: World) -> None:
    with fake_registry() as registry:
        content = b'{"schemaVersion": 2}'
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        image = f"{registry.address}/acme/app"
        for verify in ("auto", "true"):
            refused = world.run("api", image=image, verify_digest=verify)
            assert refused.code == 1, refused.text
            assert f"has no {NEW}" in refused.text
        registry.manifests |= {digest: content, "1.4.0": content}
        wrong = world.run("api", image=image, verify_digest="true", tag="1.4.1", digest=digest)
        assert (wrong.code, len(world.commits())) == (1, 1)
        done = world.run("api", image=image, verify_digest="true", digest=digest)
        assert done.code == 0, done.text
    assert digest in world.values()


def test_registry_that_does_not_answer(world: World) -> None:
    image = "127.0.0.1:1/acme/app"
    silent = world.run("api", image=image, verify_digest="true")
    assert (silent.code, len(world.commits())) == (3, 1), silent.text
    told = world.run("api", image=image, verify_digest="auto")
    assert told.code == 0, told.text
    assert "was not looked up" in told.text
    assert world.run("api", image="", verify_digest="true").code == 2


@BOTH
def test_executable_bit_stays(world: World, way: str) -> None:
    make_executable(world)
    done = world.run(way)
    assert done.code == 0, done.text
    assert done.outputs["commit-sha"] == world.repo.head("main")
    assert mode_of(world) == "100755"
    assert world.values() == EXPECTED
    if way == "api":
        world.hub.faults.add("PATCH", "git/refs", kind="lost")
        world.hub.faults.add("POST", "git/commits", status=502)
        again = world.run(way, tag="1.4.1")
        assert again.code == 0, again.text
        assert len(world.commits()) == 4


def test_race_for_an_executable_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_executable(world)
    original, left = commit_tree, ["x.txt"]

    def late(*args: Any, **words: Any) -> commits.CommitOutcome:
        if left:
            world.other_writer(left.pop())
        return original(*args, **words)

    monkeypatch.setattr("cicd_actions.gitops.by_api.commit_tree", late)
    done = world.run("api")
    assert done.code == 0, done.text
    assert "after 2 attempts" in done.text
    assert len(world.commits()) == 4


def test_symbolic_link_by_api(world: World) -> None:
    plumb(world, "120000", "link.yaml", FILE)
    done = world.run("api", file="link.yaml")
    assert done.code == 2, done.text
    assert len(world.commits()) == 2


def make_executable(world: World) -> None:
    plumb(world, "100755", FILE, VALUES)


def plumb(world: World, mode: str, path: str, text: str) -> None:
    """Commit a file of any mode, as a client of git could."""
    bare = world.repo.path
    (world.folder / "blob").write_text(text)
    blob = git("hash-object", "-w", str(world.folder / "blob"), cwd=bare).stdout.strip()
    git("read-tree", "main", cwd=bare)
    git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", cwd=bare)
    tree = git("write-tree", cwd=bare).stdout.strip()
    commit = git("commit-tree", tree, "-p", "main", "-m", "Mode", cwd=bare).stdout.strip()
    git("update-ref", "refs/heads/main", commit, cwd=bare)


def mode_of(world: World) -> str:
    return git("ls-tree", "main", FILE, cwd=world.repo.path).stdout[:6]


def test_pull_request_branch_left_over(world: World) -> None:
    """A branch of an earlier pull request that went its own way is not reused."""
    world.repo.commit_files({"x": "y"}, message="Left over", login="alice", branch="cicd-actions/shop")
    world.other_writer()
    done = world.run("api", mode="pull-request")
    assert done.code == 0, done.text
    assert done.outputs["pull-request-url"]
    name = f"cicd-actions/shop-{(world.repo.head('main') or '')[:12]}"
    assert world.values(name) == EXPECTED


def test_pull_request_needs_the_api(world: World) -> None:
    done = world.run("git", mode="pull-request")
    assert done.code == 2
    assert "mode" in done.text


def test_job_token_is_not_sent_to_another_host(world: World) -> None:
    done = world.run("git", token="ghs_jobtoken")
    assert done.code == 2, done.text
    assert not [row for row in world.hub.requests.find() if row.identity not in ("", "anonymous")]


def test_password_in_the_address_is_refused_and_not_repeated(world: World) -> None:
    done = world.run("git", repository="https://bob:geheim@host.example/x/y.git")
    assert done.code == 2
    assert "geheim" not in done.text


def test_message(world: World) -> None:
    message = "Ship {tag}\n\nBecause.\nImage-Digest: sha256:forged\n"
    world.run("api", message=message)
    newest = world.repo.log("main")[0].message
    assert newest.startswith("Ship 1.4.0\n\nBecause.\n\n- ")
    assert "forged" not in newest


def test_eight_writers_at_once(world: World) -> None:
    """Half by API and half by git, each its own key of one file: everything lands, once."""
    keys = [f"app{number}" for number in range(8)]
    text = "".join(f"{key}: {{tag: old}}  # {key}\n" for key in keys)
    world.repo.commit_files({FILE: text}, message="Eight", login="alice", branch="main")
    before = len(world.commits())
    done: dict[str, subprocess.CompletedProcess[str]] = {}

    def write(key: str, way: str) -> None:
        env = world.env(way, updates=f"{key}.tag=new-{key}", tag="", digest="")
        env = {name: value for name, value in env.items() if not name.startswith("GITHUB_STEP")}
        env["GITHUB_OUTPUT"] = ""
        argv = [sys.executable, "-m", "cicd_actions", "gitops-tag-update"]
        done[key] = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=240, check=False)

    threads = [
        threading.Thread(target=write, args=(key, "api" if number % 2 else "git")) for number, key in enumerate(keys)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: row.returncode for key, row in done.items()} == dict.fromkeys(keys, 0), done
    assert world.values() == "".join(f"{key}: {{tag: new-{key}}}  # {key}\n" for key in keys)
    assert len(world.commits()) == before + 8
