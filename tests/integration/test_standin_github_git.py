"""The stand-in GitHub as git clients see it: real clones, pushes, races and refusals over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.github import clone_url, commit_all, each_run, git, stand_in

from cicd_actions.sandbox.github import Protection, Push, StandInGitHub

CI = "name: CI\non: {push: {branches: [dev, 'release/**']}}\njobs: {t: {runs-on: x, steps: []}}\n"
DOCS = "name: Docs\non: {push: {paths: ['docs/**', '!docs/*.tmp']}}\njobs: {t: {runs-on: x, steps: []}}\n"
TAGS = "name: Release\non: {push: {tags: ['v*']}}\njobs: {t: {runs-on: x, steps: []}}\n"
SEED: dict[str, str | bytes] = {
    ".github/workflows/ci.yml": CI,
    ".github/workflows/docs.yml": DOCS,
    ".github/workflows/tags.yml": TAGS,
    "a.txt": "one\n",
}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandInGitHub]:
    with stand_in(tmp_path) as hub:
        hub.create_repository("acme/shop", SEED, private=True)
        yield hub


@pytest.fixture
def work(hub: StandInGitHub, tmp_path: Path) -> Path:
    """Alice's clone."""
    return clone(hub, tmp_path / "work", "write")


def clone(hub: StandInGitHub, folder: Path, permissions: str | dict[str, str], login: str = "alice") -> Path:
    token = hub.token(login, {"acme/shop": permissions})
    git("clone", "-q", clone_url(hub, "acme/shop", token), folder, cwd=folder.parent)
    return folder


def test_a_push_arrives_and_starts_what_listens_to_its_branch(hub: StandInGitHub, work: Path) -> None:
    pushes: list[Push] = []
    hub.on("push", pushes.append)
    git("checkout", "-q", "-b", "dev", cwd=work)
    sha = commit_all(work, "Change", {"a.txt": "two\n"})
    git("push", "-q", "origin", "dev", cwd=work)
    repo = hub.repositories["acme/shop"]
    assert repo.head("dev") == sha
    assert [(push.ref, push.after, push.actor.login) for push in pushes] == [("refs/heads/dev", sha, "alice")]
    assert list(each_run(hub)) == [("push", "CI")]
    run = hub.runs("acme/shop")[0]
    assert (run.sha, run.ref, run.ref_name, run.actor) == (sha, "refs/heads/dev", "dev", "alice")


def test_the_push_event_is_githubs(hub: StandInGitHub, work: Path) -> None:
    hub.account("alice", emails=("alice@example.com",))
    git("checkout", "-q", "-b", "dev", cwd=work)
    first = commit_all(work, "First\n\nBody", {"a.txt": "two\n"})
    git("push", "-q", "origin", "dev", cwd=work)
    second = commit_all(work, "Second", {"b.txt": "b\n"})
    git("rm", "-q", "a.txt", cwd=work)
    third = commit_all(work, "Third", {})
    git("push", "-q", "origin", "dev", cwd=work)
    created, moved = (run.payload for run in hub.runs())
    assert (created["before"], created["created"]) == ("0" * 40, True)
    assert [commit["id"] for commit in created["commits"]] == [first]
    assert (moved["before"], moved["after"], moved["forced"]) == (first, third, False)
    assert [commit["id"] for commit in moved["commits"]] == [second, third]
    assert moved["head_commit"]["message"] == "Third"
    assert moved["head_commit"]["removed"] == ["a.txt"]
    assert moved["commits"][0]["added"] == ["b.txt"]
    assert moved["head_commit"]["author"] == {"name": "Alice", "email": "alice@example.com", "username": "alice"}
    assert moved["repository"]["full_name"] == "acme/shop"
    assert moved["repository"]["default_branch"] == "main"
    assert moved["sender"]["login"] == moved["pusher"]["name"] == "alice"


@pytest.mark.parametrize(
    ("branch", "files", "message", "wanted"),
    [
        ("release/1/x", {"a.txt": "2"}, "m", ["CI"]),
        ("feature", {"a.txt": "2"}, "m", []),
        ("feature", {"docs/a.md": "2"}, "m", ["Docs"]),
        ("feature", {"docs/a.tmp": "2"}, "m", []),
        ("dev", {"docs/a.md": "2"}, "Change [skip ci]", []),
        ("dev", {"docs/a.md": "2"}, "Change\n\nskip-checks: true", []),
    ],
)
def test_filters(
    hub: StandInGitHub, work: Path, branch: str, files: dict[str, str], message: str, wanted: list[str]
) -> None:
    git("push", "-q", "origin", f"main:refs/heads/{branch}", cwd=work)
    before = len(hub.runs())
    commit_all(work, message, files)
    git("push", "-q", "origin", f"HEAD:refs/heads/{branch}", cwd=work)
    assert [name for _, name in each_run(hub)][before:] == wanted


def test_a_tag_starts_what_listens_to_tags_whatever_the_paths(hub: StandInGitHub, work: Path) -> None:
    git("tag", "-a", "-m", "One", "v1", cwd=work)
    git("push", "-q", "origin", "v1", "main:refs/heads/other", cwd=work)
    runs = [run for run in hub.runs() if run.ref == "refs/tags/v1"]
    assert [run.workflow_name for run in runs] == ["Docs", "Release"]
    assert runs[1].sha == hub.repositories["acme/shop"].head()


def test_a_broken_workflow_file_gives_a_failed_run(hub: StandInGitHub, work: Path) -> None:
    commit_all(work, "Break it", {".github/workflows/ci.yml": "on: [push\n"})
    git("push", "-q", "origin", "main:refs/heads/dev", cwd=work)
    broken = [run for run in hub.runs() if run.conclusion == "startup_failure"]
    assert [run.workflow_path for run in broken] == [".github/workflows/ci.yml"]
    assert "not valid YAML" in broken[0].error


def test_deleting_a_branch_starts_nothing(hub: StandInGitHub, work: Path) -> None:
    git("push", "-q", "origin", "main:refs/heads/dev", cwd=work)
    before = len(hub.runs())
    git("push", "-q", "origin", ":refs/heads/dev", cwd=work)
    assert hub.repositories["acme/shop"].branch("dev") is None
    assert len(hub.runs()) == before


def test_one_of_two_racing_pushes_is_rejected(hub: StandInGitHub, tmp_path: Path) -> None:
    clones = [clone(hub, tmp_path / name, "write", login=name) for name in ("bob", "eve")]
    for index, folder in enumerate(clones):
        commit_all(folder, f"By {index}", {f"{index}.txt": "x"})
    results = []
    barrier = threading.Barrier(2)

    def push(folder: Path) -> None:
        barrier.wait()
        results.append(git("push", "origin", "main", cwd=folder, check=False))

    threads = [threading.Thread(target=push, args=(folder,)) for folder in clones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.returncode for result in results) == [0, 1]
    loser = next(result for result in results if result.returncode)
    assert "rejected" in loser.stderr
    assert len(hub.repositories["acme/shop"].log()) == 2


def test_a_large_push_in_chunks(hub: StandInGitHub, work: Path) -> None:
    import random

    noise = random.Random(1).randbytes(3_000_000)  # noqa: S311 - only has to be incompressible
    (work / "big.bin").write_bytes(noise)
    commit_all(work, "Big", {})
    git("push", "-q", "origin", "main", cwd=work)
    assert hub.repositories["acme/shop"].show_bytes("big.bin") == noise


class TestRights:
    def test_without_a_token(self, hub: StandInGitHub, tmp_path: Path) -> None:
        result = git("clone", f"{hub.url}/acme/shop", tmp_path / "x", cwd=tmp_path, check=False)
        assert "could not read Username" in result.stderr or "Authentication failed" in result.stderr

    def test_a_public_repository_can_be_read_by_all(self, hub: StandInGitHub, tmp_path: Path) -> None:
        hub.create_repository("acme/open", {"a": "1"})
        git("clone", "-q", f"{hub.url}/acme/open", tmp_path / "x", cwd=tmp_path)
        assert (tmp_path / "x/a").read_text() == "1"

    def test_a_wrong_token(self, hub: StandInGitHub, tmp_path: Path) -> None:
        url = hub.url.replace("//", "//x:nonsense@") + "/acme/shop.git"
        result = git("clone", url, tmp_path / "x", cwd=tmp_path, check=False)
        assert "Authentication failed" in result.stderr
        assert "Invalid username or token" in result.stderr

    def test_a_repository_that_the_token_may_not_see(self, hub: StandInGitHub, tmp_path: Path) -> None:
        url = clone_url(hub, "acme/shop", hub.token("eve", {"acme/other": "write"}))
        result = git("clone", url, tmp_path / "x", cwd=tmp_path, check=False)
        assert "Repository not found." in result.stderr

    def test_reading_is_not_writing(self, hub: StandInGitHub, tmp_path: Path) -> None:
        folder = clone(hub, tmp_path / "x", {"contents": "read"}, login="eve")
        commit_all(folder, "No", {"a.txt": "no"})
        result = git("push", "origin", "main", cwd=folder, check=False)
        assert "Permission to acme/shop.git denied to eve." in result.stderr
        assert "403" in result.stderr

    @pytest.mark.parametrize(("kind", "who"), [("user", "a Personal Access Token"), ("app", "a GitHub App")])
    def test_workflow_files_need_their_own_permission(
        self, hub: StandInGitHub, tmp_path: Path, kind: str, who: str
    ) -> None:
        token = hub.token("eve", {"acme/shop": {"contents": "write"}}, kind=kind)  # type: ignore[arg-type]
        folder = tmp_path / "x"
        git("clone", "-q", clone_url(hub, "acme/shop", token), folder, cwd=tmp_path)
        commit_all(folder, "No", {".github/workflows/ci.yml": CI + "# more\n"})
        result = git("push", "origin", "main:main", "main:refs/heads/new", cwd=folder, check=False)
        expected = f"refusing to allow {who} to create or update workflow `.github/workflows/ci.yml` without `workflow"
        assert result.returncode != 0
        assert result.stderr.count(f"({expected}") == 2
        assert hub.repositories["acme/shop"].refs().keys() == {"refs/heads/main"}

    def test_the_token_of_a_job_pushes_in_silence(self, hub: StandInGitHub, work: Path, tmp_path: Path) -> None:
        git("push", "-q", "origin", "main:refs/heads/dev", cwd=work)
        run = hub.runs()[0]
        run.workflow.document["permissions"] = {"contents": "write"}  # type: ignore[index]
        folder = tmp_path / "x"
        git("clone", "-q", clone_url(hub, "acme/shop", hub.job_token(run)), folder, cwd=tmp_path)
        sha = commit_all(folder, "By the job", {"a.txt": "job"})
        before = len(hub.runs())
        git("push", "-q", "origin", "main:dev", cwd=folder)
        assert hub.repositories["acme/shop"].head("dev") == sha
        assert len(hub.runs()) == before

    def test_a_job_that_asked_for_nothing_may_not_push(self, hub: StandInGitHub, work: Path, tmp_path: Path) -> None:
        git("push", "-q", "origin", "main:refs/heads/dev", cwd=work)
        folder = tmp_path / "x"
        git("clone", "-q", clone_url(hub, "acme/shop", hub.runs()[0].token), folder, cwd=tmp_path)
        commit_all(folder, "By the job", {"a.txt": "job"})
        result = git("push", "origin", "main:dev", cwd=folder, check=False)
        assert "denied to github-actions[bot]" in result.stderr


class TestProtection:
    def test_a_missing_check(self, hub: StandInGitHub, work: Path) -> None:
        hub.protect("acme/shop", "main", Protection(required_checks=("gate",)))
        commit_all(work, "Change", {"a.txt": "two\n"})
        result = git("push", "origin", "main", "main:refs/heads/dev", cwd=work, check=False)
        assert "remote: error: GH006: Protected branch update failed for refs/heads/main." in result.stderr
        assert 'remote: error: Required status check "gate" is expected.' in result.stderr
        assert "! [remote rejected] main -> main (protected branch hook declined)" in result.stderr
        assert hub.repositories["acme/shop"].branch("dev") is not None

    def test_a_ruleset(self, hub: StandInGitHub, work: Path) -> None:
        hub.protect("acme/shop", "main", Protection(require_pull_request=True, ruleset=True))
        commit_all(work, "Change", {"a.txt": "two\n"})
        result = git("push", "origin", "main", cwd=work, check=False)
        assert "GH013" in result.stderr
        assert "Changes must be made through a pull request." in result.stderr

    def test_no_force_and_no_deletion(self, hub: StandInGitHub, work: Path) -> None:
        git("push", "-q", "origin", "main:refs/heads/dev", cwd=work)
        hub.protect("acme/shop", "dev", Protection())
        git("commit", "-q", "--amend", "-m", "Other", cwd=work)
        forced = git("push", "-f", "origin", "main:dev", cwd=work, check=False)
        assert "Cannot force-push to this branch" in forced.stderr
        deleted = git("push", "origin", ":dev", cwd=work, check=False)
        assert "Cannot delete this protected branch" in deleted.stderr

    def test_who_may_pass(self, hub: StandInGitHub, work: Path) -> None:
        hub.protect("acme/shop", "main", Protection(require_pull_request=True, bypass=frozenset({"alice"})))
        sha = commit_all(work, "Change", {"a.txt": "two\n"})
        git("push", "-q", "origin", "main", cwd=work)
        assert hub.repositories["acme/shop"].head() == sha
