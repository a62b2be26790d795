"""Pull requests of our own and the rules of branches, with a GitHub that says what the test wants."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from cicd_actions.errors import ActionError, ConfigError
from cicd_actions.github.pulls import Pull
from cicd_actions.github.retry import RetryPolicy
from cicd_actions.github.rules import in_the_way
from cicd_actions.github.session import Session
from cicd_actions.github.trees import file_modes
from cicd_actions.github.upkeep import add_labels, merge_when_ready, open_on
from cicd_actions.gitops.by_api import ApiBranch

PULL = Pull(number=7, url="https://h/7", head_sha="1" * 40, node_id="PR_7")


class Requester:
    """Answers by verb and end of path; remembers what was sent."""

    hostname_and_port = "h:443"

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.sent: list[tuple[str, str, Any]] = []

    def requestJson(self, verb: str, path: str, **words: Any) -> tuple[int, dict[str, str], str]:  # noqa: N802
        self.sent.append((verb, path, words["input"]))
        status, body = self.answers[path.rstrip("/").rsplit("/", 1)[-1].replace("-", "_")]
        return status, {}, json.dumps(body)


def session(requester: Requester) -> Session:
    return Session(
        cast("Any", requester),
        repository="acme/gitops",
        graphql_url="https://h/graphql",
        server_url="https://h",
        policy=RetryPolicy(attempts=1),
    )


def test_labels() -> None:
    requester = Requester(labels=(200, []))
    assert add_labels(session(requester), PULL, ["deploy", "auto"]) == ""
    assert requester.sent == [("POST", "/repos/acme/gitops/issues/7/labels", {"labels": ["deploy", "auto"]})]
    refusing = Requester(labels=(403, {"message": "Resource not accessible by integration"}))
    assert "not accessible" in add_labels(session(refusing), PULL, ["deploy"])


@pytest.mark.parametrize(
    ("errors", "merge", "expected"),
    [
        ([], None, ""),
        ([{"message": "Auto merge is not allowed for this repository"}], None, "not allowed"),
        ([{"message": "Pull request Pull request is in clean status"}], (200, {"sha": "2" * 40}), ""),
    ],
)
def test_auto_merge(errors: list[dict[str, str]], merge: Any, expected: str) -> None:
    requester = Requester(graphql=(200, {"errors": errors, "data": {}}), merge=merge)
    said = merge_when_ready(session(requester), PULL, head="1" * 40, title="Deploy")
    assert expected in said
    assert bool(said) is bool(expected)
    wish = requester.sent[0][2]["variables"]["input"]
    assert wish == {"pullRequestId": "PR_7", "mergeMethod": "MERGE", "expectedHeadOid": "1" * 40}
    if merge:
        assert requester.sent[1][2]["sha"] == "1" * 40


def row(number: int, ref: str, home: str | None = "acme/gitops", base: str = "main") -> dict[str, Any]:
    repo = {"full_name": home} if home else None
    head = {"ref": ref, "sha": "1" * 40, "repo": repo}
    return {"number": number, "html_url": f"https://h/{number}", "node_id": "x", "head": head, "base": {"ref": base}}


def test_only_our_own_branches_count() -> None:
    rows = [
        row(1, "cicd-actions/shop"),
        row(2, "cicd-actions/shop-0123456789ab"),
        row(3, "cicd-actions/shop-worker"),
        row(4, "cicd-actions/shop", home="mallory/gitops"),
        row(5, "cicd-actions/shop", home=None),
        row(6, "cicd-actions/shop", base="prod"),
    ]
    found = open_on(session(Requester(pulls=(200, rows))), branch="cicd-actions/shop", base="main")
    assert {head: pull.number for head, pull in found.items()} == {
        "cicd-actions/shop": 1,
        "cicd-actions/shop-0123456789ab": 2,
    }


RULES = [{"type": "deletion", "ruleset_id": 1}, {"type": "pull_request", "ruleset_id": 5}]


@pytest.mark.parametrize(
    ("bypass", "certain"), [("never", True), ("pull_requests_only", True), ("always", False), (None, False)]
)
def test_rules(bypass: str | None, certain: bool) -> None:
    answers: dict[str, Any] = {"main": (200, RULES), "5": (200, {"current_user_can_bypass": bypass})}
    found = in_the_way(session(Requester(**answers)), "main")
    assert (found.kinds, found.certain) == (("pull_request",), certain)
    branch = ApiBranch(session(Requester(**answers)), "main")
    if certain:
        with pytest.raises(ActionError, match="pull_request") as error:
            branch.preflight(dry_run=False)
        assert "mode pull-request" in error.value.hint
    else:
        assert branch.preflight(dry_run=False) == ()
        assert "pull_request" in branch.preflight(dry_run=True)[0]


def test_rules_that_may_not_be_read() -> None:
    assert in_the_way(session(Requester(main=(404, {"message": "Not Found"}))), "main").kinds == ()
    assert ApiBranch(session(Requester(main=(200, []))), "main").preflight(dry_run=True) == ()


def test_modes() -> None:
    data = {"repository": {"object": {"f0": {"mode": 0o100755}, "f1": None}}}
    requester = Requester(graphql=(200, {"data": data}))
    assert file_modes(session(requester), "1" * 40, ["a", "b"]) == {"a": "100755"}
    with pytest.raises(ActionError):
        file_modes(session(Requester(graphql=(200, {"data": {"repository": None}}))), "1" * 40, ["a"])
    link = {"repository": {"object": {"f0": {"mode": 0o120000}}}}
    branch = ApiBranch(session(Requester(graphql=(200, {"data": link}))), "main")
    with pytest.raises(ConfigError, match="symbolic link"):
        branch._read_modes("1" * 40, ("a",))
