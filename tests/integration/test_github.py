"""The GitHub client against the stand-in: retries, lost answers, commits, dispatch; signing in as an App."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.github import stand_in, succeed

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.github.app import mint_token, sign_in
from cicd_actions.github.comments import comment_once
from cicd_actions.github.commits import Commit, create_commit_on_branch, read_file
from cicd_actions.github.compare import compare
from cicd_actions.github.dispatch import dispatch_once
from cicd_actions.github.problems import OutcomeUnknown
from cicd_actions.github.refs import RefUpdate, branch_head, create_branch, fast_forward
from cicd_actions.github.retry import RetryPolicy
from cicd_actions.github.session import Session, connect
from cicd_actions.github.statuses import get_status, set_status
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.github import Protection, RepositoryView, StandInGitHub

REPO = "acme/shop"
BUILD = "name: build\non:\n  workflow_dispatch:\njobs:\n  build:\n    runs-on: ubuntu-24.04\n    steps: []\n"
EVERY_BYTE = b"\xef\xbb\xbf" + bytes(range(256)) + b"\r\nend"


@dataclass
class Hub:
    hub: StandInGitHub
    repo: RepositoryView
    session: Session
    head: str
    waits: list[float] = field(default_factory=list)


def context_for(api_url: str, folder: Path, **extra: str) -> RunContext:
    env = {"GITHUB_API_URL": api_url, "GITHUB_REPOSITORY": REPO, **extra}
    return RunContext.from_env(env, cwd=folder, temp=folder)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with stand_in(tmp_path, start_run=succeed) as server:
        files: dict[str, str | bytes] = {
            "app.py": "x = 1\n",
            "bin/data": EVERY_BYTE,
            ".github/workflows/build.yml": BUILD,
        }
        repo = server.create_repository(REPO, files, login="alice")
        waits: list[float] = []
        policy = RetryPolicy(sleep=waits.append, chance=lambda: 0.5)
        token = server.token("alice", {REPO: "write"})
        session = connect(context_for(server.api_url, tmp_path), token, policy=policy)
        yield Hub(server, repo, session, repo.head() or "", waits)


# -- retries and refusals ------------------------------------------------------------------------------------------


def test_waits_grow(hub: Hub) -> None:
    hub.hub.faults.add("GET", "/git/ref", status=502, times=3)
    assert branch_head(hub.session, "main") == hub.head
    assert hub.waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait"),
    [
        (429, {"retry-after": "7"}, "", 7.0),
        (403, {"retry-after": "9"}, "You have exceeded a secondary rate limit", 9.0),
        (403, {}, "You have exceeded a secondary rate limit", 60.0),
        (503, {"retry-after": "2"}, "", 2.0),
    ],
)
def test_waits_as_long_as_github_asks(
    hub: Hub, status: int, headers: dict[str, str], message: str, wait: float
) -> None:
    hub.hub.faults.add("GET", "/git/ref", status=status, headers=headers, body={"message": message})
    assert branch_head(hub.session, "main") == hub.head
    assert hub.waits == [wait]


def test_does_not_wait_longer_than_the_budget(hub: Hub) -> None:
    hub.hub.faults.add("GET", "/git/ref", status=429, headers={"retry-after": "3600"}, times=None)
    with pytest.raises(UpstreamError, match="rate limit"):
        branch_head(hub.session, "main")
    assert hub.waits == []


def test_a_primary_limit_waits_for_its_reset(hub: Hub) -> None:
    reset = str(int(hub.session.policy.now()) + 10)
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    hub.hub.faults.add("GET", "/git/ref", status=403, headers=headers, body={"message": "API rate limit exceeded"})
    assert branch_head(hub.session, "main") == hub.head
    assert 8 < hub.waits[0] < 12


def test_a_reset_connection_is_tried_again(hub: Hub) -> None:
    hub.hub.faults.add("GET", "/git/ref", kind="reset", times=2)
    assert branch_head(hub.session, "main") == hub.head


def test_a_post_that_may_have_happened_is_not_repeated(hub: Hub) -> None:
    hub.hub.faults.add("POST", "/commits/", kind="lost", times=None)
    with pytest.raises(OutcomeUnknown):
        hub.session.call("POST", f"/commits/{hub.head}/comments", doing="x", body={"body": "x"}, repeatable=False)
    assert len(hub.hub.requests.find("POST", "/commits/")) == 1


def test_a_limited_post_was_not_carried_out_and_is_repeated(hub: Hub) -> None:
    hub.hub.faults.add("POST", "/commits/", status=429, headers={"retry-after": "1"})
    assert comment_once(hub.session, hub.head, "hi", marker="m").created
    assert len(hub.repo.comments()) == 1


def test_an_answer_that_is_no_json_is_upstream(hub: Hub) -> None:
    hub.hub.faults.add("GET", "/git/ref", status=502, body="<html>Bad gateway</html>", times=None)
    with pytest.raises(UpstreamError, match="502"):
        branch_head(hub.session, "main")


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (401, "Bad credentials", ConfigError, "does not accept the token"),
        (403, "Resource not accessible by integration", ConfigError, "contents: write"),
        (403, "Resource protected by organization SAML enforcement", ConfigError, "single sign-on"),
        (404, "Not Found", ConfigError, "acme/shop"),
        (422, "Reference does not exist", ActionError, "Reference does not exist"),
    ],
)
def test_refusals_say_what_to_do(hub: Hub, status: int, message: str, kind: type[ActionError], words: str) -> None:
    hub.hub.faults.add("PATCH", "/git/refs", status=status, body={"message": message})
    with pytest.raises(kind) as caught:
        fast_forward(hub.session, "main", hub.head)
    assert words in str(caught.value)
    assert type(caught.value) is kind


def test_nothing_listens(tmp_path: Path) -> None:
    waits: list[float] = []
    session = connect(
        context_for("http://127.0.0.1:9/api/v3", tmp_path), Secret("x"), policy=RetryPolicy(sleep=waits.append)
    )
    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1:9"):
        branch_head(session, "main")
    assert len(waits) == 5


@pytest.mark.parametrize("name", ["", "acme", "acme/shop/x", "acme/..", "a b/c", "/x", "acme/sh?op"])
def test_repository_names(tmp_path: Path, name: str) -> None:
    context = context_for("http://127.0.0.1:9", tmp_path, GITHUB_REPOSITORY="")
    with pytest.raises(ConfigError, match="owner/name"):
        connect(context, Secret("x"), repository=name)


# -- refs, comparisons, statuses, comments -------------------------------------------------------------------------


def test_branches(hub: Hub) -> None:
    assert branch_head(hub.session, "gone") is None
    assert create_branch(hub.session, "feat/a b&c#d".replace(" ", "-"), hub.head)
    assert not create_branch(hub.session, "feat/a-b&c#d", hub.head)
    assert branch_head(hub.session, "feat/a-b&c#d") == hub.head


def test_a_missing_repository_is_not_a_missing_branch(hub: Hub, tmp_path: Path) -> None:
    context = context_for(hub.hub.api_url, tmp_path)
    session = connect(context, hub.hub.token("alice", {REPO: "write"}), repository="acme/other")
    with pytest.raises(ConfigError, match="acme/other"):
        branch_head(session, "main")


def test_update_without_force(hub: Hub) -> None:
    ahead = hub.repo.commit_files({"a": "1"}, message="a", login="alice", branch="dev")
    other = hub.repo.commit_files({"b": "1"}, message="b", login="alice", branch="main")
    assert fast_forward(hub.session, "main", ahead).kind is RefUpdate.NOT_FAST_FORWARD
    hub.hub.protect(REPO, "main", Protection(required_checks=("ci",)))
    merged = hub.repo.commit_files({"c": "1"}, message="c", login="alice", branch="next")
    outcome = fast_forward(hub.session, "main", merged)
    assert outcome.kind is RefUpdate.PROTECTED
    assert "ci" in outcome.message
    assert hub.repo.branch("main") == other


def test_compare(hub: Hub) -> None:
    dev = hub.repo.commit_files({"a": "1"}, message="a", login="alice", branch="dev/x")
    ahead = compare(hub.session, "main", dev)
    assert ahead is not None
    assert (ahead.status, ahead.ahead_by, ahead.files, ahead.contained) == ("ahead", 1, ("a",), False)
    behind = compare(hub.session, "dev/x", hub.head)
    assert behind is not None
    assert behind.contained
    assert compare(hub.session, "main", "0" * 40) is None


def test_statuses(hub: Hub) -> None:
    assert get_status(hub.session, hub.head, context="ours") == ""
    set_status(hub.session, hub.head, context="ours", state="failure", description="x" * 500)
    set_status(hub.session, hub.head, context="other", state="success")
    assert get_status(hub.session, hub.head, context="ours") == "failure"
    set_status(hub.session, hub.head, context="ours", state="success")
    assert get_status(hub.session, hub.head, context="ours") == "success"


def test_a_comment_among_many_is_found(hub: Hub) -> None:
    first = comment_once(hub.session, hub.head, "one", marker="a--b>")
    for number in range(3):
        comment_once(hub.session, hub.head, "other", marker=f"other-{number}")
    again = comment_once(hub.session, hub.head, "two", marker="a--b>")
    assert (first.created, again.created, again.id) == (True, False, first.id)
    assert len(hub.repo.comments()) == 4
    assert hub.repo.comments()[0].body.endswith("two")


# -- commits and files ---------------------------------------------------------------------------------------------


def test_a_commit_keeps_every_byte(hub: Hub) -> None:
    outcome = create_commit_on_branch(
        hub.session,
        branch="main",
        expected_head=hub.head,
        headline="Set it",
        body="Run-URL: x",
        additions={"deep/er/file": EVERY_BYTE},
        deletions=["app.py"],
    )
    assert outcome.kind is Commit.COMMITTED
    assert outcome.sha == hub.repo.head()
    assert hub.repo.show_bytes("deep/er/file", outcome.sha) == EVERY_BYTE
    assert read_file(hub.session, "deep/er/file", ref=outcome.sha) == EVERY_BYTE
    assert read_file(hub.session, "app.py", ref=outcome.sha) is None
    assert read_file(hub.session, "app.py", ref=hub.head) == b"x = 1\n"


def test_a_stale_head_commits_nothing(hub: Hub) -> None:
    now = hub.repo.commit_files({"b": "1"}, message="b", login="alice")
    outcome = create_commit_on_branch(
        hub.session, branch="main", expected_head=hub.head, headline="x", additions={"a": b"1"}
    )
    assert outcome.kind is Commit.STALE_HEAD
    assert hub.repo.head() == now


@pytest.mark.parametrize("kind", ["lost", "reset"])
@pytest.mark.parametrize("faster", [False, True], ids=["alone", "and another writer right after"])
def test_a_commit_whose_answer_is_lost_is_made_once(hub: Hub, kind: Any, *, faster: bool) -> None:
    def after(push: Any) -> None:
        if push.actor.login == "alice" and faster:
            hub.repo.commit_files({"late": "1"}, message="late", login="bob")

    hub.hub.on("push", after)
    hub.hub.faults.add("POST", "graphql", kind=kind)
    outcome = create_commit_on_branch(
        hub.session, branch="main", expected_head=hub.head, headline="Ours", body="b", additions={"a": b"1"}
    )
    assert outcome.kind is Commit.COMMITTED
    head = hub.repo.head()
    assert head is not None
    ours = hub.repo.commit(head).parents[0] if faster else head
    assert outcome.sha == ours
    assert list(hub.repo.commit(ours).parents) == [hub.head]


@pytest.mark.parametrize("ruleset", [False, True])
def test_a_protected_branch_takes_no_commit(hub: Hub, *, ruleset: bool) -> None:
    hub.hub.protect(REPO, "main", Protection(require_pull_request=True, ruleset=ruleset))
    outcome = create_commit_on_branch(
        hub.session, branch="main", expected_head=hub.head, headline="x", additions={"a": b"1"}
    )
    assert outcome.kind is Commit.PROTECTED, outcome
    assert "pull request" in outcome.message


def test_a_missing_branch_takes_no_commit(hub: Hub) -> None:
    outcome = create_commit_on_branch(
        hub.session, branch="gone", expected_head=hub.head, headline="x", additions={"a": b"1"}
    )
    assert outcome.kind is Commit.NO_BRANCH, outcome


def test_a_read_only_token_cannot_commit(hub: Hub, tmp_path: Path) -> None:
    token = hub.hub.token("carol", {REPO: "read"})
    session = connect(context_for(hub.hub.api_url, tmp_path), token)
    with pytest.raises(ConfigError, match="contents: write"):
        create_commit_on_branch(session, branch="main", expected_head=hub.head, headline="x", additions={"a": b"1"})


def test_reading_what_is_no_file(hub: Hub) -> None:
    with pytest.raises(ConfigError, match="plain file"):
        read_file(hub.session, "bin", ref="main")
    for path in ("../../other", "a//b", ""):
        with pytest.raises(ConfigError):
            read_file(hub.session, path, ref="main")


# -- dispatch ------------------------------------------------------------------------------------------------------


def test_dispatch_falls_back_to_looking_for_the_run(hub: Hub) -> None:
    refusal = {"message": 'Invalid request.\n\n"return_run_details" is not a permitted key.'}
    hub.hub.faults.add("POST", "/dispatches", status=422, body=refusal)
    run = dispatch_once(hub.session, "build.yml", ref="main", commits={hub.head})
    assert (run.created, run.id) == (True, hub.hub.runs()[0].id)
    again = dispatch_once(hub.session, "build.yml", ref="main", commits={hub.head})
    assert (again.created, again.id) == (False, run.id)


def test_a_dispatch_that_did_not_happen_is_sent_again(hub: Hub) -> None:
    hub.hub.faults.add("POST", "/dispatches", kind="reset")
    assert dispatch_once(hub.session, "build.yml", ref="main", commits={hub.head}).created
    assert len(hub.hub.runs()) == 1


def test_a_dispatch_without_a_run_is_an_error(hub: Hub) -> None:
    hub.hub.faults.add("POST", "/dispatches", status=204)
    with pytest.raises(UpstreamError, match="no run of it came"):
        dispatch_once(hub.session, "build.yml", ref="main", commits={hub.head})


def test_a_run_for_another_commit_does_not_count(hub: Hub) -> None:
    dispatch_once(hub.session, "build.yml", ref="main", commits={hub.head})
    now = hub.repo.commit_files({"b": "1"}, message="b", login="alice")
    assert dispatch_once(hub.session, "build.yml", ref="main", commits={now}).created


def test_dispatch_refusals(hub: Hub) -> None:
    with pytest.raises(ConfigError, match="no workflow that GitHub knows"):
        dispatch_once(hub.session, "gone.yml", ref="main", commits={hub.head})
    with pytest.raises(ConfigError, match="cannot be started"):
        dispatch_once(hub.session, "build.yml", ref="nowhere", commits={hub.head})


# -- signing in as an App ------------------------------------------------------------------------------------------


@dataclass
class AppServer:
    """The two calls that mint an App's token, as GitHub answers them."""

    url: str = ""
    installed: bool = True
    refuse: tuple[str, ...] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def app() -> Iterator[AppServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["authorization"].startswith("Bearer ey")
            self._answer(200, {"id": 42}) if server_state.installed else self._answer(404, {"message": "Not Found"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server_state.asked.append({"path": self.path, **asked})
            if set(asked["permissions"]) & set(server_state.refuse):
                self._answer(422, {"message": "The permissions requested are not granted to this installation."})
            else:
                self._answer(201, {"token": "ghs_minted", "expires_at": "2030-01-01T00:00:00Z"})

        def _answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server_state = AppServer(f"http://127.0.0.1:{server.server_address[1]}/api/v3")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server_state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def private_key() -> Secret:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return Secret(pem.decode())


def test_an_app_gets_a_masked_token_for_one_repository(
    app: AppServer, private_key: Secret, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = context_for(app.url, tmp_path, GITHUB_ACTIONS="true")
    sign_in(context, token=Secret(), app_id="7", private_key=private_key, permissions={"contents": "write"})
    (asked,) = app.asked
    assert asked == {
        "path": "/api/v3/app/installations/42/access_tokens",
        "repositories": ["shop"],
        "permissions": {"contents": "write"},
    }
    captured = capsys.readouterr()
    assert captured.err == "::add-mask::ghs_minted\n"
    assert captured.out == ""


def test_a_key_whose_line_ends_were_spelled_out(app: AppServer, private_key: Secret, tmp_path: Path) -> None:
    key = Secret(private_key.reveal().replace("\n", "\\n"))
    token = mint_token(context_for(app.url, tmp_path), app_id="7", private_key=key, permissions={"contents": "write"})
    assert token == Secret("ghs_minted")


def test_an_optional_right_is_left_out_when_the_app_lacks_it(
    app: AppServer, private_key: Secret, tmp_path: Path
) -> None:
    app.refuse = ("workflows",)
    mint_token(
        context_for(app.url, tmp_path),
        app_id="7",
        private_key=private_key,
        permissions={"contents": "write"},
        optional={"workflows": "write"},
    )
    assert [set(row["permissions"]) for row in app.asked] == [{"contents", "workflows"}, {"contents"}]


def test_an_app_that_lacks_a_needed_right_or_is_not_installed(
    app: AppServer, private_key: Secret, tmp_path: Path
) -> None:
    context = context_for(app.url, tmp_path)
    app.refuse = ("contents",)
    with pytest.raises(ConfigError, match="contents: write"):
        mint_token(context, app_id="7", private_key=private_key, permissions={"contents": "write"})
    app.installed = False
    with pytest.raises(ConfigError, match="not installed on acme/shop"):
        mint_token(context, app_id="7", private_key=private_key, permissions={"contents": "write"})


@pytest.mark.parametrize(("app_id", "key"), [("7", ""), ("", "k"), ("7", "nonsense")])
def test_half_an_app_or_no_key(tmp_path: Path, app_id: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sign_in(
            context_for("http://127.0.0.1:9", tmp_path),
            token=Secret("t"),
            app_id=app_id,
            private_key=Secret(key),
            permissions={},
        )
    assert "nonsense" not in str(caught.value)
