"""The decisions inside the stand-in GitHub, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cicd_actions.sandbox.github import Protection
from cicd_actions.sandbox.github.accounts import Accounts
from cicd_actions.sandbox.github.faults import Faults
from cicd_actions.sandbox.github.gitcgi import commands, packets, with_reasons
from cicd_actions.sandbox.github.gql_parse import DocumentError, Field, Fragment, Variable, bind, parse
from cicd_actions.sandbox.github.plumbing import ZERO, Git, environment, is_ref_name
from cicd_actions.sandbox.github.policy import rule_problem
from cicd_actions.sandbox.github.repositories import parse_log
from cicd_actions.sandbox.github.server import token_of
from cicd_actions.sandbox.github.tokens import RESTRICTED, SCOPES, Actor, Tokens, job_permissions
from cicd_actions.sandbox.github.trees import files_of
from cicd_actions.sandbox.github.workflows import (
    InputsError,
    Workflow,
    dispatch_inputs,
    glob,
    matches_push,
    passes,
    skips,
)
from cicd_actions.sandbox.github.workflows import (
    parse as parse_workflow,
)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("main", ["main"], ["main2", "a/main"]),
        ("feature/*", ["feature/a", "feature/"], ["feature/a/b", "feature"]),
        ("feature/**", ["feature/a/b"], ["features/a"]),
        ("*", ["dev"], ["a/b"]),
        ("**", ["a/b/c"], []),
        ("v[12].[0-9]+", ["v1.10", "v2.9"], ["v3.1", "v1."]),
        ("*.jsx?", ["page.js", "page.jsx"], ["page.jsxx"]),
        ("**/README.md", ["README.md", "a/b/README.md"], ["xREADME.md"]),
        ("docs/**/*.md", ["docs/a.md", "docs/x/y/a.md"], ["a.md"]),
        (r"a\*", ["a*"], ["ab"]),
        ("a.b", ["a.b"], ["axb"]),
        ("[", ["["], ["x"]),
        ("(x|y)", ["(x|y)"], ["x"]),
        ("?a", ["?a"], ["a"]),
        ("[z-a]", ["[z-a]"], ["b"]),
    ],
)
def test_filter_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = glob(pattern)
    assert [name for name in yes if not compiled.fullmatch(name)] == []
    assert [name for name in no if compiled.fullmatch(name)] == []


def test_later_patterns_win() -> None:
    assert passes(["releases/**", "!releases/**-alpha"], "releases/1")
    assert not passes(["releases/**", "!releases/**-alpha"], "releases/1-alpha")
    assert passes(["releases/**", "!releases/**-alpha", "releases/1-alpha"], "releases/1-alpha")


def workflow(on: str) -> Workflow:
    return parse_workflow("w.yml", f"on: {on}\njobs: {{}}\n".encode())


@pytest.mark.parametrize(
    ("on", "ref", "paths", "starts"),
    [
        ("push", "refs/heads/any", [], True),
        ("[push, pull_request]", "refs/tags/v1", [], True),
        ("{push: }", "refs/heads/any", [], True),
        ("pull_request", "refs/heads/any", [], False),
        ("{push: {branches: main}}", "refs/heads/main", [], True),
        ("{push: {branches: [main]}}", "refs/tags/main", [], False),
        ("{push: {branches-ignore: [main]}}", "refs/heads/dev", [], True),
        ("{push: {branches-ignore: [main]}}", "refs/heads/main", [], False),
        ("{push: {branches-ignore: [main]}}", "refs/tags/v1", [], False),
        ("{push: {tags: [v*]}}", "refs/tags/v1", [], True),
        ("{push: {tags: [v*]}}", "refs/heads/v1", [], False),
        ("{push: {tags-ignore: [v*]}}", "refs/tags/v1", [], False),
        ("{push: {paths: [src/**]}}", "refs/heads/main", ["src/a/b"], True),
        ("{push: {paths: [src/**]}}", "refs/heads/main", ["docs/a"], False),
        ("{push: {paths-ignore: [docs/**]}}", "refs/heads/main", ["docs/a"], False),
        ("{push: {paths-ignore: [docs/**]}}", "refs/heads/main", ["docs/a", "x"], True),
        ("7", "refs/heads/main", [], False),
    ],
)
def test_what_a_push_starts(on: str, ref: str, paths: list[str], starts: bool) -> None:
    assert matches_push(workflow(on), ref, paths) is starts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("on: [push", "not valid YAML"),
        ("- a", "not a mapping"),
        ("", "not a mapping"),
        ("jobs: {}", "missing"),
        ("on: push", "missing"),
        ("on: push\njobs: 7", "missing"),
        ("\x80", "not valid YAML"),
    ],
)
def test_broken_workflow_files(text: str, error: str) -> None:
    found = parse_workflow("w.yml", text.encode("latin-1"))
    assert error in found.error
    assert found.triggers == {}


def test_names_of_workflow_and_jobs() -> None:
    found = parse_workflow(".github/workflows/w.yml", b"on: push\njobs: {a: {name: First}, b: {}, c: }\n")
    assert (found.name, found.file) == (".github/workflows/w.yml", "w.yml")
    assert found.jobs == {"a": "First", "b": "b", "c": "c"}


@pytest.mark.parametrize("text", ["x [skip ci]", "[CI SKIP] x", "x\n\n[no ci]", "x\n\nskip-checks:true\n"])
def test_commits_that_ask_for_silence(text: str) -> None:
    assert skips(text)
    assert not skips(text.replace("skip", "run").replace("SKIP", "RUN").replace("no ci", "yes"))


INPUTS = """{workflow_dispatch: {inputs: {
  who: {required: true}, kind: {type: choice, options: [a, 1]}, dry: {type: boolean, default: true},
  count: {type: number, default: 3}, note: }}}"""


def test_inputs_are_checked_and_completed() -> None:
    assert dispatch_inputs(workflow(INPUTS), {"who": "me", "kind": 1, "dry": False, "count": "-1.5"}) == {
        "who": "me",
        "kind": "1",
        "dry": "false",
        "count": "-1.5",
        "note": "",
    }
    assert dispatch_inputs(workflow("workflow_dispatch"), {}) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Required input 'who' not provided"),
        ({"who": ""}, "Required input 'who' not provided"),
        ({"who": "x", "b": 1, "a": 2}, 'Unexpected inputs provided: ["b", "a"]'),
        ({"who": "x", "kind": "z"}, "not in the list of allowed values"),
        ({"who": "x", "dry": "yes"}, "is not a boolean"),
        ({"who": "x", "count": "many"}, "is not a number"),
        ({str(i): "x" for i in range(26)}, "up to 25"),
    ],
)
def test_inputs_that_do_not_fit(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputsError) as caught:
        dispatch_inputs(workflow(INPUTS), given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, {}),
        ({"jobs": {"a": {}}}, RESTRICTED),
        ({"jobs": {"a": None}}, RESTRICTED),
        ({"permissions": {}, "jobs": {"a": {}}}, {}),
        ({"permissions": {"contents": "read"}, "jobs": {"a": {}}}, {"contents": "read"}),
        ({"permissions": {"contents": "read"}, "jobs": {"a": {"permissions": {}}}}, {}),
        (
            {"permissions": {"contents": "read"}, "jobs": {"a": {}, "b": {"permissions": {"contents": "write"}}}},
            {"contents": "write"},
        ),
        ({"permissions": "write-all", "jobs": {"a": {}}}, dict.fromkeys(SCOPES, "write")),
        ({"permissions": {"workflows": "write"}, "jobs": {"a": {}}}, {}),
        ({"permissions": "nonsense", "jobs": {"a": {}}}, {}),
        ({"permissions": {"contents": "none"}, "jobs": {"a": {}}}, {}),
    ],
)
def test_permissions_of_a_run(document: dict[str, Any], expected: dict[str, str]) -> None:
    assert job_permissions(document) == expected


def test_levels() -> None:
    actor = Actor(login="a", kind="app", permissions={"Acme/Shop": {"pull_requests": "write"}, "acme/x": "admin"})
    assert [actor.level("acme/shop", scope) for scope in ("pull-requests", "metadata", "contents")] == [2, 1, 0]
    assert actor.level("acme/x", "workflows") == 3
    assert actor.level("acme/none", "metadata") == 0
    assert [actor.sees(name) for name in ("acme/shop", "acme/none")] == [True, False]
    assert actor.triggers
    assert not Actor(login="b", kind="job").triggers


def test_tokens_are_not_kept() -> None:
    tokens = Tokens(lambda size: b"\x01" * size)
    actor = Actor(login="a", kind="job")
    token = tokens.issue(actor)
    assert token.reveal() == "ghs_" + "01" * 20
    assert token.reveal() not in repr(vars(tokens))
    assert tokens.find(token.reveal()) is actor
    tokens.revoke(token)
    assert tokens.find(token.reveal()) is None


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("token abc", "abc"),
        ("Basic eDphYmM=", "abc"),
        ("Basic YWJjOg==", "abc"),
        ("Basic YWJjOngtb2F1dGgtYmFzaWM=", "abc"),
        ("Basic %", ""),
        ("Digest x", None),
        ("", None),
    ],
)
def test_where_a_token_may_stand(header: str, token: str | None) -> None:
    assert token_of(header) == token


RULES = Protection(required_checks=("a", "b"), require_pull_request=True)


@pytest.mark.parametrize(
    ("rules", "facts", "expected"),
    [
        (Protection(), {}, ""),
        (Protection(), {"new": ZERO}, "Cannot delete this protected branch"),
        (Protection(allow_deletion=True), {"new": ZERO}, ""),
        (Protection(), {"fast_forward": False}, "Cannot force-push to this branch"),
        (Protection(allow_force=True), {"fast_forward": False}, ""),
        (RULES, {}, "Changes must be made through a pull request."),
        (RULES, {"via_pull": True}, "2 of 2 required status checks are expected."),
        (RULES, {"via_pull": True, "states": {"a": "success"}}, 'Required status check "b" is expected.'),
        (
            RULES,
            {"via_pull": True, "states": {"a": "success", "b": "pending"}},
            'Required status check "b" is expected.',
        ),
        (RULES, {"via_pull": True, "states": {"a": "success", "b": "success"}}, ""),
        (Protection(require_pull_request=True, bypass=frozenset({"me"})), {}, ""),
    ],
)
def test_rules_of_a_branch(rules: Protection, facts: dict[str, Any], expected: str) -> None:
    given = {"new": "1" * 40, "states": {}, "fast_forward": True, **facts}
    assert rule_problem(rules, Actor(login="me", kind="user"), **given) == expected


def test_wording_of_rulesets() -> None:
    assert Protection(ruleset=True).wording("No.") == "Repository rule violations found\n\nNo.\n\n"


def test_documents() -> None:
    found = parse("""
        # a comment
        query Q($a: [String!]! = ["x"], $b: Int = -1.5e3, $c: Boolean = true) {
          one: thing(list: [1, "two\\n\\u00e9", $a], object: {deep: {x: null}}, enum: MAIN
                     text: \"\"\"block "q" \"\"\") {
            ... on Blob { text }
            ... { oid }
            ...rest
          }
        }
        fragment rest on Commit { url }
        """)
    assert (found.kind, dict(found.defaults)) == ("query", {"a": ["x"], "b": -1500.0, "c": True})
    field = found.selections[0]
    assert isinstance(field, Field)
    assert (field.key, field.name) == ("one", "thing")
    assert field.arguments["list"] == [1, "two\né", Variable(name="a")]
    assert field.arguments["object"] == {"deep": {"x": None}}
    assert (field.arguments["enum"], field.arguments["text"]) == ("MAIN", 'block "q" ')
    assert [row.on for row in field.selections if isinstance(row, Fragment)] == ["Blob", "", "Commit"]
    assert bind(field.arguments["list"], {"a": ["y"]}) == [1, "two\né", ["y"]]


@pytest.mark.parametrize(
    "text", ["", "{", "{}}", "{ a(b: }", "subscription { a }", "{ a } { b }", "é", '{ "a" }', "{ a(b 1) }"]
)
def test_what_is_no_document(text: str) -> None:
    with pytest.raises(DocumentError):
        parse(text)


def packet(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def test_packets() -> None:
    body = packet(f"{'0' * 40} {'1' * 40} refs/heads/a\0 report-status") + packet(f"{'1' * 40} {'0' * 40} refs/heads/b")
    assert [row[2] for row in commands(body + b"0000PACK")] == ["refs/heads/a", "refs/heads/b"]
    assert commands(b"PACK....") == []
    assert list(packets(b"0005x0000")) == [b"x", b""]


def test_reasons_get_into_the_report() -> None:
    report = packet("unpack ok\n") + packet("ng refs/heads/a hook declined\n") + packet("ok refs/heads/b\n") + b"0000"
    body = packet("\2said\n") + packet("\1" + report.decode()) + b"0000"
    changed = with_reasons(body, {"refs/heads/a": "because"})
    outer = list(packets(changed))
    assert outer[0] == b"\2said\n"
    assert list(packets(outer[1][1:])) == [b"unpack ok\n", b"ng refs/heads/a because\n", b"ok refs/heads/b\n", b""]
    assert with_reasons(body, {}) == body
    assert with_reasons(b"0000", {"x": "y"}) == b"0000"


def test_faults_in_turn() -> None:
    faults = Faults()
    faults.add("GET", "/a", status=500, times=1, after=1)
    faults.add("*", "/a", kind="reset", times=None)
    kinds = [fault.kind for fault in (faults.take("GET", "/a") for _ in range(3)) if fault]
    assert kinds == ["reset", "answer", "reset"]
    assert faults.take("GET", "/b") is None
    faults.clear()
    assert faults.take("GET", "/a") is None


def test_accounts() -> None:
    accounts = Accounts()
    alice = accounts.add("Alice", name="Alice A.", emails=("Alice@Example.com",))
    assert accounts.by_email("alice@example.com") == alice == accounts.get("alice")
    assert accounts.by_email(alice.email) == alice
    assert accounts.by_email("nobody@example.com") is None
    bot = accounts.get("github-actions[bot]")
    assert (bot.type, bot.email) == ("Bot", "41898282+github-actions[bot]@users.noreply.github.com")
    assert accounts.get("my-app[bot]").type == "Bot"


@pytest.mark.parametrize("name", ["main", "feature/a.b", "v1.0", "ä"])
def test_good_ref_names(name: str) -> None:
    assert is_ref_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a b", "a\nb", "a~1", "a^", "a:b", "a?", "a*", "a.lock", "/a", "a/", "@", "a@{1", "a//b"]
)
def test_bad_ref_names(name: str) -> None:
    assert not is_ref_name(name)


def test_seeding_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("x")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert [(file.path, file.mode) for file in files_of(tmp_path)] == [("run.sh", "100755")]


def test_hostile_messages_do_not_break_the_log() -> None:
    row = [
        "a" * 40,
        "b" * 40,
        "",
        "N\x1f",
        "e",
        "2026-01-01T00:00:00+00:00",
        "N",
        "e",
        "2026-01-01T00:00:00+00:00",
        "m\n\n\x1e",
    ]
    assert parse_log(("\0".join(row) + "\0").encode())[0].message == "m\n\n\x1e"


def test_git_must_be_there(tmp_path: Path) -> None:
    from cicd_actions.errors import ActionError

    with pytest.raises(ActionError, match="Could not start git"):
        Git(directory=tmp_path, environment=environment(str(tmp_path), tmp_path))("status")
