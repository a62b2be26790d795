"""notify through the command line, against the stand-in GitHub and a small webhook receiver."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.github import stand_in

from cicd_actions.cli import main
from cicd_actions.sandbox.github import RepositoryView, StandInGitHub

REPO = "acme/shop"
HOSTILE = "@everyone <!channel> <script>x</script>\r\n::error::gotcha ![p](http://x/y) `a` | b"


@dataclass
class Receiver:
    """A webhook that notes what it gets and answers from a list, the last answer again and again."""

    url: str
    answers: list[tuple[int, Mapping[str, str], str]] = field(default_factory=lambda: [(200, {}, "ok")])
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, headers, text = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/sEcReT")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class World:
    hub: StandInGitHub
    repo: RepositoryView
    sha: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    text: str = ""
    outputs: str = ""

    def run(self, rights: Mapping[str, str] | None = None, /, *, sha: str = "", **inputs: str) -> int:
        token = self.hub.token("github-actions[bot]", {REPO: dict(rights or {"contents": "write"})}, kind="job")
        (self.folder / "output").write_text("")
        event = self.folder / "event.json"
        event.write_text(json.dumps({"sender": {"login": "bob"}}))
        env = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.hub.api_url,
            "GITHUB_SERVER_URL": self.hub.url,
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REF": "refs/heads/dev",
            "GITHUB_SHA": sha or self.sha,
            "GITHUB_RUN_ID": "77",
            "GITHUB_WORKFLOW": "Test and merge",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "CICD_ACTIONS_RETRY_SECONDS": "3",
            "INPUT_TOKEN": token.reveal(),
        }
        code = main(["notify"], env | {f"INPUT_{name.upper()}": value for name, value in inputs.items()})
        captured = self.capsys.readouterr()
        self.text = captured.out + captured.err
        self.outputs = (self.folder / "output").read_text()
        return code

    def output(self, name: str) -> str:
        lines = self.outputs.splitlines()
        start = next(index for index, line in enumerate(lines) if line.startswith(f"{name}<<"))
        return lines[start + 1]

    def comments(self) -> list[str]:
        return [comment.body for comment in self.repo.comments()]


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    with stand_in(tmp_path) as hub:
        hub.account("alice", name="Alice", emails=("alice@example.com",))
        repo = hub.create_repository(REPO, {"app.py": "x = 1\n"}, login="alice")
        sha = repo.commit_files({"app.py": "x = 2\n"}, message="Change", login="alice", branch="dev")
        yield World(hub, repo, sha, tmp_path, capsys)


def test_a_failure_is_a_comment_that_mentions_the_author(world: World) -> None:
    assert world.run(event="failure", title="dev was not merged", body="- `app.py:3`: E501 line too long") == 0
    (comment,) = world.repo.comments()
    assert comment.sha == world.sha
    assert "dev was not merged" in comment.body
    assert "@alice" in comment.body
    assert "- `app.py:3`: E501 line too long" in comment.body
    assert f"{world.hub.url}/{REPO}/actions/runs/77" in comment.body
    assert (world.output("delivered"), world.output("failed")) == ("github", "")


def test_the_same_notice_twice_is_one_comment_with_the_newest_text(world: World) -> None:
    world.run(event="failure", body="first")
    world.run(event="failure", body="second")
    (body,) = world.comments()
    assert "second" in body
    assert "first" not in body


def test_a_lost_answer_does_not_make_a_second_comment(world: World) -> None:
    world.hub.faults.add("POST", "/comments", kind="lost")
    assert world.run(event="failure") == 0
    assert len(world.comments()) == 1
    assert world.output("delivered") == "github"


def test_an_author_without_an_account_is_replaced_by_who_caused_the_run(world: World) -> None:
    world.hub.faults.add("GET", f"/commits/{world.sha}$", status=404, body={"message": "Not Found"})
    world.run(event="failure")
    assert "@bob" in world.comments()[0]


def test_a_commit_that_is_not_there_is_a_warning(world: World) -> None:
    assert world.run(event="failure", sha="0" * 40) == 0
    assert world.output("failed") == "github"


def test_github_down_is_a_warning(world: World, webhook: Receiver) -> None:
    world.hub.faults.add("*", "/repos", status=503, times=None)
    assert world.run(event="failure", only_on="change", slack_webhook=webhook.url) == 0
    assert (world.output("delivered"), world.output("failed")) == ("slack", "github")


def test_hostile_text_does_nothing_on_github(world: World) -> None:
    world.run(event="failure", title=HOSTILE, body=HOSTILE)
    (body,) = world.comments()
    text = body.split("\n", 1)[1]
    assert "@everyone" not in text
    assert "<script" not in text
    assert "<!" not in text
    assert "![" not in text
    assert "\r" not in text
    assert text.count("@alice") == 1
    lines = world.text.splitlines()
    assert not [line for line in lines if line.lstrip().startswith("::error::gotcha")]


def test_slack_gets_escaped_json(world: World, webhook: Receiver) -> None:
    assert world.run(event="failure", title=HOSTILE, body=HOSTILE, slack_webhook=webhook.url) == 0
    (payload,) = webhook.got
    sent = json.dumps(payload)
    assert "<!channel>" not in sent
    assert "&lt;!channel&gt;" in sent
    assert f"<{world.hub.url}/{REPO}/actions/runs/77|Open the run>" in sent
    assert payload["text"].startswith("❌ ")
    assert world.output("delivered") == "github,slack"
    assert webhook.url not in world.text.replace(f"::add-mask::{webhook.url}", "")


def test_a_long_body_is_cut(world: World, webhook: Receiver) -> None:
    body = "```\n" + "&<>@x line\n" * 20_000
    assert world.run(event="failure", body=body, slack_webhook=webhook.url) == 0
    assert len(world.comments()[0]) <= 65_536
    assert world.comments()[0].count("```") == 2
    assert all(len(block["text"]["text"]) <= 3000 for block in webhook.got[0]["blocks"] if "text" in block)


@pytest.mark.parametrize(
    ("answers", "posts", "delivered"),
    [
        ([(500, {}, "oops"), (200, {}, "ok")], 2, "slack"),
        ([(429, {"Retry-After": "1"}, ""), (200, {}, "ok")], 2, "slack"),
        ([(500, {}, "oops")], 3, ""),
        ([(404, {}, "no_service")], 1, ""),
        ([(429, {"Retry-After": "600"}, "")], 1, ""),
        ([(302, {"Location": "http://127.0.0.1:9/"}, "")], 1, ""),
    ],
    ids=["500 once", "429 once", "500 for ever", "404", "429 for long", "redirect"],
)
def test_slack_trouble(
    world: World, webhook: Receiver, answers: list[tuple[int, Mapping[str, str], str]], posts: int, delivered: str
) -> None:
    webhook.answers = answers
    assert world.run(event="failure", channels="slack", slack_webhook=webhook.url) == 0
    assert len(webhook.got) == posts
    assert world.output("delivered") == delivered
    assert world.output("failed") == ("" if delivered else "slack")
    assert ("::warning" in world.text) is not bool(delivered)
    assert webhook.url not in world.text.replace(f"::add-mask::{webhook.url}", "")
    assert world.comments() == []


def test_an_unreachable_slack_is_a_warning(world: World) -> None:
    assert world.run(event="failure", slack_webhook="http://127.0.0.1:9/x") == 0
    assert (world.output("delivered"), world.output("failed")) == ("github", "slack")
    assert "cannot be reached" in world.text


def test_a_missing_right_is_a_warning_that_names_it(world: World) -> None:
    assert world.run({"contents": "read"}, event="failure") == 0
    assert (world.output("delivered"), world.output("failed")) == ("", "github")
    assert "::warning" in world.text
    assert "contents: write" in world.text


def test_only_on_failure_is_silent_on_success(world: World) -> None:
    assert world.run(event="success") == 0
    assert world.comments() == []
    assert world.run(event="success", only_on="always") == 0
    (body,) = world.comments()
    assert "@alice" not in body


def test_only_on_change_tells_broke_and_fixed_and_nothing_between(world: World) -> None:
    rights = {"contents": "write", "statuses": "write"}
    told = []
    sha = world.sha
    for event in ("success", "failure", "failure", "success", "success"):
        before = len(world.comments())
        assert world.run(rights, sha=sha, event=event, only_on="change") == 0
        told.append((event, len(world.comments()) > before))
        sha = world.repo.commit_files({"app.py": sha}, message="Next", login="alice", branch="dev")
    assert told == [
        ("success", False),
        ("failure", True),
        ("failure", False),
        ("success", True),
        ("success", False),
    ]


def test_only_on_change_without_the_right_still_tells_the_failure(world: World) -> None:
    assert world.run(event="failure", only_on="change") == 0
    assert len(world.comments()) == 1
    assert "statuses: write" in world.text


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "event: is required"),
        ({"event": "sucess"}, "Perhaps you meant 'success'"),
        ({"event": "failure", "channels": "email"}, "not available in this version"),
        ({"event": "failure", "channels": "smoke"}, "Allowed: auto, github, slack"),
        ({"event": "failure", "pagerduty_key": "k" * 32}, "pagerduty"),
        ({"event": "failure", "channels": "slack"}, "slack-webhook: is required"),
        ({"event": "failure", "slack_webhook": "http://example.com/x"}, "not an https address"),
        ({"event": "failure", "github_comment": "perhaps"}, "github-comment"),
        ({"event": "failure", "only_on": "never"}, "only-on"),
    ],
)
def test_wrong_configuration(world: World, inputs: dict[str, str], words: str) -> None:
    assert world.run(**inputs) == 2
    assert words in world.text
    assert world.comments() == []


def test_github_comment_off(world: World) -> None:
    assert world.run(event="failure", github_comment="false") == 0
    assert world.comments() == []
    assert world.output("delivered") == ""
