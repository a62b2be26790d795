"""A tour over all operations of the stand-in GitHub, every answer held against GitHub's own description."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.github import GRAPHQL_SUBSET, SUBSET, OpenApi, closed, graphql, openapi, stand_in, succeed

from cicd_actions.sandbox.github import Exchange, Protection, StandInGitHub
from cicd_actions.sandbox.github.answers import Answer
from cicd_actions.sandbox.github.gql_nodes import git_object, ref_node, repository_node
from cicd_actions.sandbox.github.rest import ROUTES

BUILD = """
name: Build
on:
  workflow_dispatch:
    inputs:
      sha: {required: true, type: string}
      mode: {type: choice, options: [fast, full], default: fast}
jobs:
  build: {runs-on: ubuntu-24.04, steps: [{run: "true"}]}
"""
CI = """
name: CI
on: {push: {branches: [dev]}}
jobs:
  test: {name: Tests, runs-on: ubuntu-24.04, steps: [{run: "true"}]}
"""


@dataclass
class Caller:
    """Speaks HTTP to the hub and keeps what came back."""

    hub: StandInGitHub
    token: str
    seen: set[str] = field(default_factory=set)

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        accept: str = "application/vnd.github+json",
        token: str = "",
    ) -> tuple[int, Any]:
        parts = urlsplit(self.hub.api_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        headers = {"Authorization": f"Bearer {token or self.token}", "Accept": accept}
        connection.request(method, parts.path + path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(data) if data and is_json else data


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandInGitHub]:
    with stand_in(tmp_path, start_run=succeed) as hub:
        files: dict[str, str | bytes] = {
            ".github/workflows/build.yml": BUILD,
            ".github/workflows/ci.yml": CI,
            "src/a.txt": "one\n",
            "b.bin": b"\0\1",
        }
        hub.create_repository("acme/shop", files, actions_may_create_pulls=True)
        yield hub


@pytest.fixture
def call(hub: StandInGitHub) -> Caller:
    return Caller(hub, hub.token("alice", {"acme/shop": "admin"}).reveal())


@pytest.fixture
def visited(hub: StandInGitHub, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The operations that answered with success."""
    seen: set[str] = set()
    check = openapi()

    def note(exchange: Exchange) -> list[str]:
        if exchange.answer.status < 400:
            seen.add(f"{exchange.method} {exchange.template}")
        return check(exchange)

    monkeypatch.setattr(hub._dispatch, "_validate", note)
    return seen


REPO = "/repos/acme/shop"


def test_every_operation_answers_as_described(hub: StandInGitHub, call: Caller, visited: set[str]) -> None:
    main = hub.repositories["acme/shop"].head()
    _meta(call)
    dev = _refs_and_commits(hub, call, main)
    _git_data(call, main)
    _contents(call)
    _talk(call, dev)
    _actions(hub, call, dev)
    _pulls(hub, call)
    assert visited == {f"{route.method} {route.template}" for route in ROUTES}
    assert hub.violations == []


def _meta(call: Caller) -> None:
    assert call("GET", "/rate_limit")[0] == 200
    assert call("GET", "/user")[1]["login"] == "alice"
    status, repo = call("GET", REPO)
    assert status == 200
    assert repo["default_branch"] == "main"
    assert repo["permissions"]["push"] is True


def _refs_and_commits(hub: StandInGitHub, call: Caller, main: str) -> str:
    assert call("POST", f"{REPO}/git/refs", {"ref": "refs/heads/dev", "sha": main})[0] == 201
    dev = hub.repositories["acme/shop"].commit_files({"src/a.txt": "two\n"}, message="Two", login="bob", branch="dev")
    assert call("GET", f"{REPO}/git/ref/heads/dev")[1]["object"]["sha"] == dev
    assert [row["ref"] for row in call("GET", f"{REPO}/git/matching-refs/heads/d")[1]] == ["refs/heads/dev"]
    assert {row["name"] for row in call("GET", f"{REPO}/branches")[1]} == {"main", "dev"}
    assert call("GET", f"{REPO}/branches/dev")[1]["commit"]["sha"] == dev
    compared = call("GET", f"{REPO}/compare/main...dev")[1]
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("ahead", 1, 0)
    assert [row["filename"] for row in compared["files"]] == ["src/a.txt"]
    assert call("GET", f"{REPO}/commits/dev")[1]["stats"] == {"total": 2, "additions": 1, "deletions": 1}
    assert call("GET", f"{REPO}/commits/dev", accept="application/vnd.github.sha")[1] == dev.encode()
    assert [row["sha"] for row in call("GET", f"{REPO}/commits?sha=dev")[1]] == [dev, main]
    assert call("PATCH", f"{REPO}/git/refs/heads/main", {"sha": dev, "force": False})[0] == 200
    hub.repositories["acme/shop"].commit_files({"c.txt": "c\n"}, message="Three", login="bob", branch="dev")
    status, merged = call("POST", f"{REPO}/merges", {"base": "main", "head": "dev"})
    assert status == 201
    assert len(merged["parents"]) == 2
    assert call("POST", f"{REPO}/merges", {"base": "main", "head": "dev"})[0] == 204
    hub.protect("acme/shop", "dev", Protection(required_checks=("ci",), require_pull_request=True))
    assert call("GET", f"{REPO}/branches/dev/protection")[1]["required_status_checks"]["contexts"] == ["ci"]
    assert call("GET", f"{REPO}/rules/branches/dev")[1] == []
    hub.protect("acme/shop", "dev", Protection(required_checks=("ci",), require_pull_request=True, ruleset=True))
    kinds = {row["type"] for row in call("GET", f"{REPO}/rules/branches/dev")[1]}
    assert kinds == {"deletion", "non_fast_forward", "required_status_checks", "pull_request"}
    hub.protect("acme/shop", "dev", None)
    assert call("POST", f"{REPO}/git/refs", {"ref": "refs/heads/gone", "sha": main})[0] == 201
    assert call("DELETE", f"{REPO}/git/refs/heads/gone")[0] == 204
    return dev


def _git_data(call: Caller, main: str) -> None:
    blob = call("POST", f"{REPO}/git/blobs", {"content": "new", "encoding": "utf-8"})[1]["sha"]
    assert base64.b64decode(call("GET", f"{REPO}/git/blobs/{blob}")[1]["content"]) == b"new"
    rows = [{"path": "n.txt", "mode": "100644", "type": "blob", "sha": blob}]
    tree = call("POST", f"{REPO}/git/trees", {"base_tree": main, "tree": rows})[1]["sha"]
    listed = call("GET", f"{REPO}/git/trees/{tree}?recursive=1")[1]["tree"]
    assert "n.txt" in [row["path"] for row in listed]
    body = {"message": "By hand", "tree": tree, "parents": [main]}
    commit = call("POST", f"{REPO}/git/commits", body)[1]["sha"]
    assert call("GET", f"{REPO}/git/commits/{commit}")[1]["message"] == "By hand"


def _contents(call: Caller) -> None:
    status, file = call("GET", f"{REPO}/contents/src/a.txt?ref=main")
    assert (status, base64.b64decode(file["content"])) == (200, b"two\n")
    assert call("GET", f"{REPO}/contents/src/a.txt", accept="application/vnd.github.raw")[1] == b"two\n"
    assert [row["name"] for row in call("GET", f"{REPO}/contents/src")[1]] == ["a.txt"]
    text = base64.b64encode(b"hello\n").decode()
    assert call("PUT", f"{REPO}/contents/docs/x.md", {"message": "Add", "content": text})[0] == 201
    sha = call("GET", f"{REPO}/contents/docs/x.md")[1]["sha"]
    change = {"message": "Change", "content": text + "", "sha": sha}
    assert call("PUT", f"{REPO}/contents/docs/x.md", change)[0] == 200


def _talk(call: Caller, dev: str) -> None:
    status_code, comment = call("POST", f"{REPO}/commits/{dev}/comments", {"body": "Done"})
    assert status_code == 201
    assert call("PATCH", f"{REPO}/comments/{comment['id']}", {"body": "Well done"})[0] == 200
    comment = call("GET", f"{REPO}/commits/{dev}/comments")[1][0]
    assert comment["body"] == "Well done"
    changed = f"{REPO}/comments/{comment['id']}"
    assert call("PATCH", changed, {"body": "Better"})[1]["body"] == "Better"
    assert call("PATCH", f"{REPO}/comments/0", {"body": "Better"})[0] == 404
    other = call.hub.token("bob", {"acme/shop": "write"}).reveal()
    assert call("PATCH", changed, {"body": "Worse"}, token=other)[0] == 403
    assert call("GET", f"{REPO}/commits/{dev}/status")[1]["state"] == "pending"
    status = {"state": "success", "context": "ci", "description": "ok", "target_url": "https://example.com"}
    assert call("POST", f"{REPO}/statuses/{dev}", status)[0] == 201
    assert call("GET", f"{REPO}/commits/{dev}/status")[1]["state"] == "success"
    assert [row["context"] for row in call("GET", f"{REPO}/commits/{dev}/statuses")[1]] == ["ci"]
    status_code, issue = call("POST", f"{REPO}/issues", {"title": "Broken", "body": "Look", "labels": ["ci"]})
    assert status_code == 201
    number = issue["number"]
    assert call("POST", f"{REPO}/issues/{number}/comments", {"body": "Seen"})[0] == 201
    assert len(call("GET", f"{REPO}/issues/{number}/comments")[1]) == 1
    assert call("GET", f"{REPO}/issues/{number}")[1]["comments"] == 1


def _actions(hub: StandInGitHub, call: Caller, dev: str) -> None:
    assert {row["name"] for row in call("GET", f"{REPO}/actions/workflows")[1]["workflows"]} == {"Build", "CI"}
    assert call("GET", f"{REPO}/actions/workflows/build.yml")[1]["path"] == ".github/workflows/build.yml"
    body: dict[str, object] = {"ref": "main", "inputs": {"sha": dev}}
    start = f"{REPO}/actions/workflows/build.yml/dispatches"
    assert call("POST", start, body)[0] == 204
    status, details = call("POST", start, {**body, "return_run_details": True})
    assert status == 200
    assert hub.wait_idle(20)
    run = call("GET", f"{REPO}/actions/runs/{details['workflow_run_id']}")[1]
    assert (run["status"], run["conclusion"], run["event"]) == ("completed", "success", "workflow_dispatch")
    assert [row["name"] for row in call("GET", f"{REPO}/actions/runs/{run['id']}/jobs")[1]["jobs"]] == ["build"]
    assert call("GET", f"{REPO}/actions/workflows/build.yml/runs")[1]["total_count"] == 2
    assert call("GET", f"{REPO}/actions/runs?event=push&branch=dev")[1]["total_count"] == 3


def _pulls(hub: StandInGitHub, call: Caller) -> None:
    repo = hub.repositories["acme/shop"]
    repo.commit_files({"d.txt": "d\n"}, message="Four", login="bob", branch="topic/four")
    body = {"title": "Four", "head": "topic/four", "base": "main", "body": "Please"}
    status, pull = call("POST", f"{REPO}/pulls", body)
    assert status == 201
    number = pull["number"]
    assert call("GET", f"{REPO}/pulls?head=acme:topic/four&base=main")[1][0]["number"] == number
    assert call("PATCH", f"{REPO}/pulls/{number}", {"title": "Four!"})[1]["title"] == "Four!"
    assert call("GET", f"{REPO}/pulls/{number}")[1]["mergeable"] is True
    assert call("PUT", f"{REPO}/pulls/{number}/merge", {"sha": "0" * 40})[0] == 409
    assert call("PUT", f"{REPO}/pulls/{number}/merge", {"sha": repo.head("topic/four")})[0] == 200
    assert call("GET", f"{REPO}/pulls/{number}")[1]["merged"] is True
    assert call("PUT", f"{REPO}/pulls/{number}/merge", {})[0] == 405


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/repos/acme/none", None, 404, "Not Found"),
        ("GET", f"{REPO}/git/ref/heads/none", None, 404, "Not Found"),
        ("GET", f"{REPO}/branches/none", None, 404, "Branch not found"),
        ("GET", f"{REPO}/branches/main/protection", None, 404, "Branch not protected"),
        ("PATCH", f"{REPO}/git/refs/heads/none", {"sha": "0" * 40}, 422, "Reference does not exist"),
        ("PATCH", f"{REPO}/git/refs/heads/main", {"sha": "0" * 40}, 422, "Object does not exist"),
        ("POST", f"{REPO}/git/refs", {"ref": "main", "sha": "0" * 40}, 422, "Reference name must"),
        ("POST", f"{REPO}/merges", {"base": "none", "head": "main"}, 404, "Base does not exist"),
        ("POST", f"{REPO}/merges", {"base": "main", "head": "none"}, 404, "Head does not exist"),
        ("POST", f"{REPO}/merges", {"base": "main"}, 422, "wasn't supplied"),
        ("POST", f"{REPO}/merges", [1], 400, "JSON object"),
        ("GET", f"{REPO}/compare/main...none", None, 404, "Not Found"),
        ("GET", f"{REPO}/commits/none", None, 422, "No commit found for SHA: none"),
        ("POST", f"{REPO}/statuses/{'0' * 40}", {"state": "success"}, 422, "No commit found"),
        ("POST", f"{REPO}/commits/{'0' * 40}/comments", {"body": "x"}, 422, "No commit found"),
        ("GET", f"{REPO}/contents/none", None, 404, "Not Found"),
        ("GET", f"{REPO}/contents/src?ref=none", None, 404, "No commit found for the ref none"),
        ("PUT", f"{REPO}/contents/src/a.txt", {"message": "m", "content": ""}, 422, '"sha" wasn\'t supplied'),
        ("PUT", f"{REPO}/contents/src/a.txt", {"message": "m", "content": "", "sha": "0" * 40}, 409, "but expected"),
        ("PUT", f"{REPO}/contents/../x", {"message": "m", "content": ""}, 422, "malformed path"),
        ("POST", f"{REPO}/actions/workflows/none.yml/dispatches", {"ref": "main"}, 404, "Not Found"),
        (
            "POST",
            f"{REPO}/actions/workflows/ci.yml/dispatches",
            {"ref": "main"},
            422,
            "does not have 'workflow_dispatch'",
        ),
        ("POST", f"{REPO}/actions/workflows/build.yml/dispatches", {"ref": "none"}, 422, "No ref found for: none"),
        (
            "POST",
            f"{REPO}/actions/workflows/build.yml/dispatches",
            {"ref": "main"},
            422,
            "Required input 'sha' not provided",
        ),
        (
            "POST",
            f"{REPO}/actions/workflows/build.yml/dispatches",
            {"ref": "main", "inputs": {"x": "1"}},
            422,
            'Unexpected inputs provided: ["x"]',
        ),
        ("POST", f"{REPO}/pulls", {"title": "t", "head": "none", "base": "main"}, 422, "Validation Failed"),
        ("POST", f"{REPO}/pulls", {"title": "t", "head": "main", "base": "main"}, 422, "Validation Failed"),
        ("GET", f"{REPO}/actions/runs/1", None, 404, "Not Found"),
        ("POST", f"{REPO}/unknown", {}, 404, "Not Found"),
    ],
)
def test_refusals_have_githubs_form_and_words(
    call: Caller, method: str, path: str, body: object, status: int, message: str
) -> None:
    answered, found = call(method, path, body)
    assert (answered, found["status"]) == (status, str(status))
    assert message in found["message"]
    assert found["documentation_url"].startswith("https://docs.github.com/")


def test_the_validator_finds_what_is_wrong() -> None:
    check = openapi()
    wrong = Answer(body={"ref": 1, "made_up": True})
    found = check(Exchange(method="GET", template="/repos/{owner}/{repo}/git/ref/{ref}", request=None, answer=wrong))
    text = "\n".join(found)
    assert "made_up" in text
    assert "1 is not of type 'string'" in text
    assert "'node_id' is a required property" in text
    unknown = Exchange(method="GET", template="/none", request=None, answer=Answer(body={}))
    assert check(unknown) == ["GET /none: not in GitHub's description"]


def test_a_bad_request_of_ours_is_found() -> None:
    exchange = Exchange(
        method="POST", template="/repos/{owner}/{repo}/merges", request={"head": 1}, answer=Answer(status=204)
    )
    assert len(openapi()(exchange)) == 2


def test_the_subset_holds_exactly_what_is_served() -> None:
    assert openapi().operations == {f"{route.method} {route.template}" for route in ROUTES}
    assert SUBSET.stat().st_size < 1_500_000


def test_parts_of_a_whole_stay_open() -> None:
    part = {"type": "object", "properties": {"a": {}}}
    assert "additionalProperties" in closed(part)
    assert "additionalProperties" not in closed({"allOf": [part]})["allOf"][0]
    assert isinstance(openapi(), OpenApi)


DOCUMENT = """
query($name: String!) { repository(owner: "acme", name: $name) { ref(qualifiedName: "main") { target { oid } } } }
"""


@pytest.mark.parametrize(
    ("query", "data", "problem"),
    [
        (DOCUMENT, {"repository": {"ref": {"target": {"oid": "1"}}}}, ""),
        (DOCUMENT, {"repository": None}, ""),
        (DOCUMENT, {"repository": {"ref": {"target": {"oid": 1}}}}, "GitObject.oid: 1 is no GitObjectID"),
        (DOCUMENT, {"repository": {"ref": {"target": {"oid": None}}}}, "GitObject.oid must not be null"),
        (DOCUMENT.replace("oid", "nonsense"), {"repository": None}, "GitObject.nonsense is not in the schema"),
        (DOCUMENT.replace("owner:", "owned:"), {"repository": None}, "no such argument owned"),
        (DOCUMENT.replace("owner:", "owned:"), {"repository": None}, "owner is required"),
        (DOCUMENT.replace("{ target { oid } }", ""), {"repository": None}, "none of an object"),
        ("{", {}, "Unexpected"),
        (
            """mutation {
              createCommitOnBranch(input: {branch: {}, fileChanges: {additions: [{path: "a"}]}}) { ref { name } }
            }""",
            {"createCommitOnBranch": None},
            "additions: contents is required",
        ),
    ],
)
def test_documents_and_answers_of_graphql(query: str, data: dict[str, object], problem: str) -> None:
    found = "\n".join(graphql()({"query": query, "variables": {"name": "shop"}}, {"data": data}))
    assert problem in found
    assert bool(found) is bool(problem)


def test_every_field_of_graphql_that_is_served_exists(hub: StandInGitHub) -> None:
    repo = hub.state.repository("acme", "shop")
    commit = repo.commit("main")
    shas = [commit.sha, commit.tree, repo.tree(commit.sha, under="src/a.txt")[0].sha]
    nodes = [repository_node(hub.state, repo), ref_node(hub.state, repo, "main")]
    nodes += [git_object(hub.state, repo, sha) for sha in shas]
    types = json.loads(GRAPHQL_SUBSET.read_text())["types"]
    assert [node.type for node in nodes if node] == ["Repository", "Ref", "Commit", "Tree", "Blob"]
    for node in nodes:
        assert node is not None
        assert node.fields.keys() - types[node.type]["fields"].keys() == set()
