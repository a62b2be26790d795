"""The stand-in GitHub as PyGithub sees it: the calls that the actions make, and the failures they must expect."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from github import Github, GithubException
from tests.support.github import client, stand_in

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.github import Protection, Run, RunOutcome, StandInGitHub
from cicd_actions.sandbox.github.state import CommitComment

CI = """
name: CI
on: {push: {branches: [dev]}}
permissions: {contents: write, actions: write, statuses: write}
jobs:
  gate: {runs-on: x, steps: []}
  merge: {name: Merge it, needs: gate, runs-on: x, steps: []}
"""
BUILD = """
name: Build
on:
  workflow_dispatch:
    inputs:
      sha: {required: true}
      fast: {type: boolean, default: false}
      level: {type: choice, options: [low, high], default: low}
jobs: {build: {runs-on: x, steps: []}}
"""
COMMIT = """
mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url message } ref { name target { oid } } }
}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandInGitHub]:
    with stand_in(tmp_path) as hub:
        files: dict[str, str | bytes] = {
            ".github/workflows/ci.yml": CI,
            ".github/workflows/build.yml": BUILD,
            "a.txt": "one\n",
            "bin": b"\0\1",
        }
        hub.create_repository("acme/shop", files, private=True)
        yield hub


@pytest.fixture
def token(hub: StandInGitHub) -> Secret:
    return hub.token("alice", {"acme/shop": "write"})


@pytest.fixture
def alice(hub: StandInGitHub, token: Secret) -> Github:
    return client(hub, token)


def push(hub: StandInGitHub, text: str = "two\n", branch: str = "dev", path: str = "a.txt") -> str:
    return hub.repositories["acme/shop"].commit_files({path: text}, message="Change", login="bob", branch=branch)


def commit(github: Github, expected: str, **changes: Any) -> dict[str, Any]:
    given = {
        "branch": {"repositoryNameWithOwner": "acme/shop", "branchName": "main"},
        "message": {"headline": "By API", "body": "Run-URL: x"},
        "expectedHeadOid": expected,
        "fileChanges": changes,
    }
    _, data = github.requester.graphql_query(COMMIT, {"input": given})
    found: dict[str, Any] = data["data"]["createCommitOnBranch"]
    return found


def addition(path: str, data: bytes) -> dict[str, str]:
    return {"path": path, "contents": base64.b64encode(data).decode()}


class TestRefs:
    def test_fast_forward(self, hub: StandInGitHub, alice: Github) -> None:
        dev = push(hub)
        repo = alice.get_repo("acme/shop")
        assert repo.compare("main", dev).status == "ahead"
        repo.get_git_ref("heads/main").edit(dev, force=False)
        assert hub.repositories["acme/shop"].head() == dev
        assert repo.compare("main", dev).status == "identical"

    def test_not_a_fast_forward(self, hub: StandInGitHub, alice: Github) -> None:
        dev = push(hub)
        main = push(hub, branch="main", path="b.txt")
        repo = alice.get_repo("acme/shop")
        with pytest.raises(GithubException) as caught:
            repo.get_git_ref("heads/main").edit(dev, force=False)
        assert (caught.value.status, caught.value.data["message"]) == (422, "Update is not a fast forward")
        assert hub.repositories["acme/shop"].head() == main
        assert repo.compare("main", "dev").status == "diverged"

    def test_rules(self, hub: StandInGitHub, alice: Github) -> None:
        dev = push(hub)
        hub.protect("acme/shop", "main", Protection(required_checks=("gate", "scan")))
        repo = alice.get_repo("acme/shop")
        reference = repo.get_git_ref("heads/main")
        with pytest.raises(GithubException, match="2 of 2 required status checks are expected") as caught:
            reference.edit(dev)
        assert caught.value.status == 422
        for context in ("gate", "scan"):
            repo.get_commit(dev).create_status("success", context=context)
        reference.edit(dev)
        assert hub.repositories["acme/shop"].head() == dev

    def test_an_empty_repository(self, hub: StandInGitHub) -> None:
        hub.create_repository("acme/empty")
        repo = client(hub, hub.token("alice", {"acme/empty": "write"})).get_repo("acme/empty")
        with pytest.raises(GithubException, match="Git Repository is empty"):
            _ = repo.get_git_ref("heads/main").object
        repo.create_file("a/b.txt", "First", "text")
        assert hub.repositories["acme/empty"].show("a/b.txt") == "text"


class TestMerge:
    def test_a_merge_commit_even_where_a_fast_forward_would_do(self, hub: StandInGitHub, alice: Github) -> None:
        main, dev = hub.repositories["acme/shop"].head(), push(hub)
        merged = alice.get_repo("acme/shop").merge("main", dev, "Land it")
        assert merged is not None
        found = hub.repositories["acme/shop"].commit(merged.sha)
        assert (found.parents, found.message) == ((main, dev), "Land it")
        assert found.committer.name == "GitHub"
        assert merged.author.login == "alice"

    def test_both_sides_meet(self, hub: StandInGitHub, alice: Github) -> None:
        dev = push(hub)
        push(hub, branch="main", path="b.txt")
        assert alice.get_repo("acme/shop").merge("main", dev) is not None
        assert hub.repositories["acme/shop"].show("a.txt") == "two\n"
        assert hub.repositories["acme/shop"].show("b.txt") == "two\n"

    def test_nothing_to_merge(self, hub: StandInGitHub, alice: Github) -> None:
        assert alice.get_repo("acme/shop").merge("main", "main") is None

    def test_conflict(self, hub: StandInGitHub, alice: Github) -> None:
        push(hub, "two\n")
        before = push(hub, "three\n", branch="main")
        with pytest.raises(GithubException, match="Merge conflict") as caught:
            alice.get_repo("acme/shop").merge("main", "dev")
        assert caught.value.status == 409
        assert hub.repositories["acme/shop"].head() == before


class TestTriggers:
    def test_the_chain_of_a_pipeline(self, tmp_path: Path) -> None:
        """A push starts a run; its token lands the commit in silence and starts the next workflow by hand."""
        comments: list[CommitComment] = []

        def start(run: Run) -> RunOutcome:
            if run.event == "push":
                repo = client(github, run.token).get_repo("acme/shop")
                repo.get_git_ref("heads/main").edit(run.sha)
                started = repo.get_workflow("build.yml").create_dispatch(
                    "main", {"sha": run.sha}, throw=True, return_run_details=True
                )
                repo.get_commit(run.sha).create_comment(f"@{run.actor} started {started.html_url}")
            return RunOutcome(conclusion="success", jobs={"merge": "skipped"} if run.event == "push" else {})

        with stand_in(tmp_path, start_run=start) as github:
            github.create_repository(
                "acme/shop", {".github/workflows/ci.yml": CI, ".github/workflows/build.yml": BUILD}
            )
            github.on("comment", comments.append)
            sha = push(github)
            assert github.wait_idle(30)
            first, second = github.runs()
            assert [run.error for run in (first, second)] == ["", ""]
            assert (second.event, second.payload["inputs"]["sha"], second.sha) == ("workflow_dispatch", sha, sha)
            assert second.payload["inputs"] == {"sha": sha, "fast": "false", "level": "low"}
            assert (second.payload["ref"], second.payload["workflow"]) == (
                "refs/heads/main",
                ".github/workflows/build.yml",
            )
            assert second.actor == "github-actions[bot]"
            assert [comment.body for comment in comments] == [f"@bob started {second.url}"]
            assert len(github.requests.find("POST", "/dispatches$", status=200)) == 1
            repo = client(github, github.token("alice", {"acme/shop": "read"})).get_repo("acme/shop")
            jobs = {job.name: job.conclusion for job in repo.get_workflow_run(first.id).jobs()}
            assert jobs == {"gate": "success", "Merge it": "skipped"}

    def test_the_token_dies_with_its_run(self, tmp_path: Path) -> None:
        tokens = []

        def start(run: Run) -> RunOutcome:
            tokens.append(run.token)
            return RunOutcome(conclusion="success")

        with stand_in(tmp_path, start_run=start) as hub:
            hub.create_repository("acme/shop", {".github/workflows/ci.yml": CI})
            push(hub)
            assert hub.wait_idle(30)
            with pytest.raises(GithubException) as caught:
                client(hub, tokens[0]).get_repo("acme/shop")
            assert (caught.value.status, caught.value.data["message"]) == (401, "Bad credentials")

    def test_a_person_starts_what_a_job_does_not(self, hub: StandInGitHub, alice: Github) -> None:
        main = hub.repositories["acme/shop"].head()
        alice.get_repo("acme/shop").create_git_ref("refs/heads/dev", main)
        assert [run.actor for run in hub.runs()] == ["alice"]
        job = client(hub, hub.runs()[0].token).get_repo("acme/shop")
        job.create_file("x.txt", "By the job", "x", branch="dev")
        assert len(hub.runs()) == 1

    def test_a_runner_that_breaks(self, tmp_path: Path) -> None:
        def start(run: Run) -> RunOutcome:
            raise OSError("no engine")

        with stand_in(tmp_path, start_run=start) as hub:
            hub.create_repository("acme/shop", {".github/workflows/ci.yml": CI})
            push(hub)
            assert hub.wait_idle(30)
            run = hub.runs()[0]
            assert (run.status, run.conclusion, run.error) == ("completed", "failure", "OSError: no engine")

    def test_hooks_see_a_run_before_it_starts(self, tmp_path: Path) -> None:
        """A scenario moves main while the tests of a run are under way."""
        heads = []

        def start(run: Run) -> RunOutcome:
            heads.append(github.repositories["acme/shop"].head())
            return RunOutcome(conclusion="success")

        with stand_in(tmp_path, start_run=start) as github:
            github.create_repository("acme/shop", {".github/workflows/ci.yml": CI})
            before = github.repositories["acme/shop"].head()
            moved: list[str] = []
            github.on("run_started", lambda _: moved.append(push(github, branch="main", path="other.txt")))
            push(github)
            assert github.wait_idle(30)
            assert heads == moved != [before]

    def test_waiting_ends_in_time(self, tmp_path: Path) -> None:
        release = threading.Event()

        def start(run: Run) -> RunOutcome:
            release.wait(30)
            return RunOutcome(conclusion="success")

        with stand_in(tmp_path, start_run=start) as hub:
            hub.create_repository("acme/shop", {".github/workflows/ci.yml": CI})
            push(hub)
            assert not hub.wait_idle(0.05)
            release.set()
            assert hub.wait_idle(30)


class TestDispatch:
    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({}, "Required input 'sha' not provided"),
            ({"sha": "x", "level": "odd"}, "Provided value 'odd' for input 'level' not in the list of allowed values"),
            ({"sha": "x", "fast": "maybe"}, "is not a boolean"),
            ({"sha": "x", "other": "1"}, 'Unexpected inputs provided: ["other"]'),
        ],
    )
    def test_refused_inputs(self, hub: StandInGitHub, alice: Github, inputs: dict[str, str], message: str) -> None:
        workflow = alice.get_repo("acme/shop").get_workflow("build.yml")
        with pytest.raises(GithubException) as caught:
            workflow.create_dispatch("main", inputs, throw=True)
        assert caught.value.status == 422
        assert message in caught.value.data["message"]
        assert hub.runs() == []

    def test_the_file_must_be_on_the_default_branch(self, hub: StandInGitHub, alice: Github) -> None:
        push(hub, BUILD, path=".github/workflows/new.yml")
        with pytest.raises(GithubException) as caught:
            alice.get_repo("acme/shop").get_workflow("new.yml").create_dispatch("dev", {"sha": "x"}, throw=True)
        assert caught.value.status == 404

    def test_without_details(self, hub: StandInGitHub, alice: Github) -> None:
        assert alice.get_repo("acme/shop").get_workflow("build.yml").create_dispatch("main", {"sha": "x"}, throw=True)
        assert hub.requests.find("POST", "dispatches")[0].status == 204

    def test_the_permission(self, hub: StandInGitHub) -> None:
        token = hub.token("app[bot]", {"acme/shop": {"contents": "write", "actions": "read"}}, kind="app")
        workflow = client(hub, token).get_repo("acme/shop").get_workflow("build.yml")
        with pytest.raises(GithubException, match="Resource not accessible by integration") as caught:
            workflow.create_dispatch("main", {"sha": "x"}, throw=True)
        assert caught.value.status == 403


class TestRights:
    def test_wrong_token(self, hub: StandInGitHub) -> None:
        with pytest.raises(GithubException) as caught:
            client(hub, Secret("nonsense")).get_repo("acme/shop")
        assert (caught.value.status, caught.value.data["message"]) == (401, "Bad credentials")

    def test_a_private_repository_is_not_there_for_others(self, hub: StandInGitHub) -> None:
        hub.create_repository("acme/other", {"a": "1"}, private=True)
        push(hub)
        job = client(hub, hub.runs()[0].token)
        with pytest.raises(GithubException) as caught:
            job.get_repo("acme/other")
        assert (caught.value.status, caught.value.data["message"]) == (404, "Not Found")

    def test_a_job_gets_only_what_its_workflow_asks_for(self, hub: StandInGitHub) -> None:
        sha = push(hub)
        repo = client(hub, hub.runs()[0].token).get_repo("acme/shop")
        repo.get_commit(sha).create_status("success")
        with pytest.raises(GithubException, match="Resource not accessible by integration"):
            repo.create_issue("No")

    def test_workflow_files_are_not_for_jobs(self, hub: StandInGitHub) -> None:
        push(hub)
        sha = push(hub, CI + "# more\n", path=".github/workflows/ci.yml")
        repo = client(hub, hub.runs()[0].token).get_repo("acme/shop")
        wanted = "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml`"
        attempts: list[Callable[[], object]] = [
            lambda: repo.get_git_ref("heads/main").edit(sha),
            lambda: repo.merge("main", sha),
            lambda: repo.create_file(".github/workflows/x.yml", "m", "x"),
        ]
        for attempt in attempts:
            with pytest.raises(GithubException) as caught:
                attempt()
            assert caught.value.status == 403
            assert "refusing to allow a GitHub App" in caught.value.data["message"]
        assert wanted in str(_refused(lambda: repo.merge("main", sha)))
        assert len(hub.repositories["acme/shop"].log()) == 1

    def test_pull_requests_of_jobs_are_a_setting(self, hub: StandInGitHub) -> None:
        push(hub, CI.replace("statuses", "pull-requests"), path=".github/workflows/ci.yml")
        repo = client(hub, hub.runs()[0].token).get_repo("acme/shop")
        error = _refused(lambda: repo.create_pull(base="main", head="dev", title="Dev"))
        assert "GitHub Actions is not permitted to create or approve pull requests." in str(error)


def _refused(call: Callable[[], object]) -> GithubException:
    with pytest.raises(GithubException) as caught:
        call()
    return caught.value


class TestPullRequests:
    def test_from_open_to_merged(self, hub: StandInGitHub, alice: Github) -> None:
        push(hub)
        repo = alice.get_repo("acme/shop")
        pull = repo.create_pull(base="main", head="dev", title="Dev", body="Please")
        assert "already exists for acme:dev" in str(
            _refused(lambda: repo.create_pull(base="main", head="dev", title="x"))
        )
        assert pull.mergeable is True
        pull.create_issue_comment("Looks good")
        stale = pull.head.sha
        push(hub, "three\n")
        assert _refused(lambda: pull.merge(sha=stale)).status == 409
        assert pull.merge(sha=hub.repositories["acme/shop"].head("dev"), merge_method="squash").merged
        assert hub.repositories["acme/shop"].commit("main").message == "Dev (#1)"
        assert [pull.number for pull in repo.get_pulls(state="open")] == []

    def test_a_required_check_and_a_conflict(self, hub: StandInGitHub, alice: Github) -> None:
        push(hub)
        hub.protect("acme/shop", "main", Protection(required_checks=("gate",), require_pull_request=True))
        repo = alice.get_repo("acme/shop")
        pull = repo.create_pull(base="main", head="dev", title="Dev")
        error = _refused(pull.merge)
        assert (error.status, error.data["message"]) == (405, 'Required status check "gate" is expected.')
        repo.get_commit(pull.head.sha).create_status("success", context="gate")
        push(hub, "other\n", branch="main")
        assert repo.get_pull(pull.number).mergeable is False
        assert _refused(pull.merge).status == 405

    def test_landed_by_push_counts_as_merged(self, hub: StandInGitHub, alice: Github) -> None:
        dev = push(hub)
        repo = alice.get_repo("acme/shop")
        number = repo.create_pull(base="main", head="dev", title="Dev").number
        repo.get_git_ref("heads/main").edit(dev)
        assert repo.get_pull(number).merged


class TestGraphQL:
    def test_commit_on_branch(self, hub: StandInGitHub, alice: Github) -> None:
        repo = hub.repositories["acme/shop"]
        head = repo.head()
        found = commit(alice, head, additions=[addition("new/x.bin", b"\xff\0")], deletions=[{"path": "a.txt"}])
        made = repo.commit("main")
        assert found["commit"]["oid"] == made.sha == found["ref"]["target"]["oid"]
        assert made.parents == (head,)
        assert made.message == "By API\n\nRun-URL: x"
        assert made.author.name == "alice"
        assert repo.show_bytes("new/x.bin") == b"\xff\0"
        assert "a.txt" not in repo.files()
        assert found["commit"]["url"] == f"{hub.url}/acme/shop/commit/{made.sha}"

    def test_stale(self, hub: StandInGitHub, alice: Github) -> None:
        old = hub.repositories["acme/shop"].head()
        new = push(hub, branch="main")
        error = _refused(lambda: commit(alice, old, additions=[addition("x", b"x")]))
        found = error.data["errors"][0]
        assert found["type"] == "STALE_DATA"
        assert found["message"] == f'Expected branch to point to "{old}" but it did not. Pull and try again.'
        assert hub.repositories["acme/shop"].head() == new

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"additions": None}, "Something went wrong"),
            ({"additions": [{"path": "/abs", "contents": ""}]}, "path was invalid"),
            ({"additions": [{"path": "a/../b", "contents": ""}]}, "path was invalid"),
            ({"additions": [{"path": "x", "contents": "%"}]}, "Base64String"),
            ({"deletions": [{"path": "none"}]}, "does not exist: none"),
            (
                {"additions": [{"path": "x", "contents": ""}], "deletions": [{"path": "x"}]},
                "both addition and deletion",
            ),
        ],
    )
    def test_bad_changes(self, hub: StandInGitHub, alice: Github, changes: dict[str, Any], message: str) -> None:
        head = hub.repositories["acme/shop"].head()
        error = _refused(lambda: commit(alice, head, **changes))
        assert message in error.data["errors"][0]["message"]
        assert hub.repositories["acme/shop"].head() == head

    def test_rights_and_rules(self, hub: StandInGitHub, alice: Github) -> None:
        head = hub.repositories["acme/shop"].head()
        reader = client(hub, hub.token("eve", {"acme/shop": "read"}))
        change = [addition("x", b"x")]
        assert _refused(lambda: commit(reader, head, additions=change)).data["errors"][0]["type"] == "FORBIDDEN"
        stranger = client(hub, hub.token("eve", {"acme/none": "read"}))
        assert _refused(lambda: commit(stranger, head, additions=change)).status == 404
        hub.protect("acme/shop", "main", Protection(require_pull_request=True))
        error = _refused(lambda: commit(alice, head, additions=change)).data["errors"][0]
        assert error["type"] == "BRANCH_PROTECTION_RULE_VIOLATION"

    def test_reading(self, hub: StandInGitHub, alice: Github) -> None:
        query = """
        query($owner: String!, $name: String!, $ref: String = "refs/heads/main") {
          repository(owner: $owner, name: $name) {
            ref(qualifiedName: $ref) {
              name
              target { oid ... on Commit { messageHeadline history(first: 1) { totalCount } } }
            }
            text: object(expression: "main:a.txt") { ...file }
            binary: object(expression: "main:bin") { ...file }
            none: object(expression: "main:none") { ...file }
          }
          rateLimit { remaining cost }
        }
        fragment file on Blob { __typename text isBinary byteSize oid }
        """
        _, data = alice.requester.graphql_query(query, {"owner": "acme", "name": "shop"})
        found = data["data"]["repository"]
        repo = hub.repositories["acme/shop"]
        assert found["ref"]["target"]["oid"] == repo.head()
        assert found["ref"]["target"]["history"]["totalCount"] == 1
        assert (found["text"]["text"], found["text"]["byteSize"], found["text"]["isBinary"]) == ("one\n", 4, False)
        assert (found["binary"]["text"], found["binary"]["isBinary"]) == (None, True)
        assert found["none"] is None

    @pytest.mark.parametrize(
        "document", ["{ nonsense }", "{", "query { repository(owner: 1 }", "subscription { a }", "é"]
    )
    def test_what_is_not_known_is_an_error(self, hub: StandInGitHub, alice: Github, document: str) -> None:
        error = _refused(lambda: alice.requester.graphql_query(document, {}))
        assert error.data["errors"][0]["message"]
        assert {row.status for row in hub.requests.find("POST", "graphql")} == {200}

    def test_no_commit_is_lost_among_many_writers(self, hub: StandInGitHub, token: Secret) -> None:
        """Every writer repeats with the new head until it has won: all commits must be there, one after the other."""
        writers, repo = 32, hub.repositories["acme/shop"]
        won: list[int] = []

        def write(number: int) -> None:
            github = client(hub, token)
            for _ in range(20 * writers):
                try:
                    commit(github, repo.head(), additions=[addition(f"w/{number}.txt", b"x")])
                except GithubException as error:
                    if error.data["errors"][0].get("type") != "STALE_DATA":
                        raise
                else:
                    won.append(number)
                    return

        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == list(range(writers))
        assert len(repo.log()) == writers + 1
        assert sum(path.startswith("w/") for path in repo.files()) == writers


class TestFaults:
    def test_an_answer_and_then_none(self, hub: StandInGitHub, alice: Github) -> None:
        hub.faults.add("GET", r"/repos/acme/shop$", status=503, headers={"retry-after": "1"}, times=2)
        for _ in range(2):
            error = _refused(lambda: alice.get_repo("acme/shop"))
            assert (error.status, (error.headers or {})["retry-after"]) == (503, "1")
        assert alice.get_repo("acme/shop").name == "shop"
        assert [row.status for row in hub.requests.find("GET", "acme/shop$")] == [503, 503, 200]

    def test_a_dropped_connection(self, hub: StandInGitHub, alice: Github) -> None:
        hub.faults.add("GET", "/acme/shop", kind="reset", after=1)
        alice.get_repo("acme/shop")
        with pytest.raises(OSError, match=r"reset|aborted|closed"):
            alice.get_repo("acme/shop")

    def test_a_lost_answer(self, hub: StandInGitHub, alice: Github) -> None:
        hub.faults.add("POST", "graphql", kind="lost")
        head = hub.repositories["acme/shop"].head()
        with pytest.raises(OSError, match=r"reset|aborted|closed"):
            commit(alice, head, additions=[addition("x", b"x")])
        assert len(hub.repositories["acme/shop"].log()) == 2
        assert hub.requests.find("POST", "graphql")[0].status == 0

    def test_a_slow_answer_and_plain_text(self, hub: StandInGitHub, alice: Github) -> None:
        hub.faults.add("*", "/acme/shop", seconds=0.1)
        alice.get_repo("acme/shop")
        assert hub.requests.find("GET", "/acme/shop$")[0].seconds >= 0.1
        hub.faults.add("*", "/acme/shop", status=502, body="<h1>Bad Gateway</h1>", times=None)
        assert _refused(lambda: alice.get_repo("acme/shop")).status == 502
        hub.faults.clear()
        alice.get_repo("acme/shop")


class TestServer:
    def test_the_log_never_holds_a_token(self, hub: StandInGitHub, alice: Github, token: Secret) -> None:
        alice.get_repo("acme/shop")
        assert token.reveal() not in repr(hub.requests.find()) + repr(hub.state) + repr(token)
        assert hub.requests.find()[0].identity == "alice"

    def test_pages(self, hub: StandInGitHub, token: Secret) -> None:
        for number in range(5):
            push(hub, str(number), branch="main")
        repo = client(hub, token, per_page=2).get_repo("acme/shop")
        assert len(list(repo.get_commits())) == 6
        assert len(hub.requests.find("GET", r"/commits\?")) == 3

    def test_a_broken_handler_is_noted(self, tmp_path: Path) -> None:
        hub = stand_in(tmp_path)
        with ExitStack() as stack:
            stack.enter_context(pytest.raises(AssertionError, match="GitError"))
            stack.enter_context(hub)
            view = hub.create_repository("acme/shop", {"a": "1"})
            repo = client(hub, hub.token("alice", {"acme/shop": "read"})).get_repo("acme/shop")
            shutil.rmtree(view.path)
            assert _refused(lambda: repo.get_git_ref("heads/main")).status == 500

    def test_an_unchanged_answer_costs_nothing(self, hub: StandInGitHub, alice: Github, token: Secret) -> None:
        headers, _ = alice.requester.requestJsonAndCheck("GET", "/repos/acme/shop")
        status, _, body = alice.requester.requestJson(
            "GET", "/repos/acme/shop", headers={"If-None-Match": headers["etag"]}
        )
        assert (status, body) == (304, "")

    @pytest.mark.parametrize("name", ["acme", "acme/", "/x", "acme/shop", "ACME/Shop", "a/../b", "a/..", "a/b c"])
    def test_names_of_repositories(self, hub: StandInGitHub, name: str) -> None:
        with pytest.raises(ValueError, match="no free name"):
            hub.create_repository(name)

    def test_it_starts_quickly(self, tmp_path: Path) -> None:
        import time

        started = time.monotonic()
        with StandInGitHub(tmp_path / "hub") as hub:
            assert hub.url.startswith("http://127.0.0.1:")
        assert time.monotonic() - started < 0.3
