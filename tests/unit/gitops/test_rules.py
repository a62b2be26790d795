"""The small decisions: downgrades, git's words, addresses, placeholders, messages, diffs, waits."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.gitops.contention import Backoff, Commit, land
from cicd_actions.gitops.diff import unified
from cicd_actions.gitops.guard import judge
from cicd_actions.gitops.keypath import parse
from cicd_actions.gitops.message import Message, compose
from cicd_actions.gitops.plan import Plan, Rules, make_plan
from cicd_actions.gitops.request import DEFAULT_UPDATES, Words, read_updates
from cicd_actions.gitops.target import ApiTarget, GitTarget, TargetError, accepts_token, resolve
from cicd_actions.gitops.wording import meaning

DIGEST = "sha256:" + "a" * 64
WORDS = Words(image="ghcr.io/acme/app", tag="1.2.0", digest=DIGEST, sha="5" * 40)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("1.2.3", "1.2.4", "forward"),
        ("1.2.3", "1.10.0", "forward"),
        ("v1.10.0", "v1.9.9", "downgrade"),
        ("1.2.3", "1.2.3-rc.1", "downgrade"),
        ("1.2.3-rc.2", "1.2.3-rc.10", "forward"),
        ("1.2.3-rc.1", "1.2.3-beta", "downgrade"),
        ("1.2.3-rc", "1.2.3-rc.1", "forward"),
        ("1.2.3-alpha.x", "1.2.3-alpha.1", "downgrade"),
        ("1.2.3+a", "1.2.3+b", "forward"),
        ("v1.2.3", "1.2.3", "forward"),
        ("ghcr.io/a/b:2.0.0", f"ghcr.io/a/b:1.9.0@{DIGEST}", "downgrade"),
        ("", "1.0.0", "not-judged"),
        ("main-abc", "1.0.0", "not-judged"),
        ("1.2", "1.1", "not-judged"),
        ("20240102", "20230102", "not-judged"),
        (DIGEST, DIGEST.replace("a", "0"), "not-judged"),
        ("01.2.3", "0.0.1", "not-judged"),
    ],
)
def test_judge(old: str, new: str, verdict: str) -> None:
    assert judge(old, new) == verdict


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("!\tabc:refs/heads/main\t[rejected] (fetch first)", "race"),
        ("! [rejected] main -> main (non-fast-forward)", "race"),
        ("! [remote rejected] main -> main (cannot lock ref 'refs/heads/main': is at a but expected b)", "race"),
        ("! [remote rejected] main -> main (incorrect old value provided)", "race"),
        ("! [remote rejected] main -> main (failed to update ref)", "race"),
        ("remote: error: GH006: Protected branch update failed for refs/heads/main.", "protected"),
        ("! [remote rejected] main -> main (protected branch hook declined)", "protected"),
        ("remote: error: GH013: Repository rule violations found for refs/heads/main.", "protected"),
        ("remote: GitLab: You are not allowed to push code to protected branches on this project.", "protected"),
        ("! [remote rejected] main -> main (pre-receive hook declined)", "protected"),
        ("fatal: couldn't find remote ref refs/heads/prod", "no-branch"),
        ("fatal: Authentication failed for 'https://h/x.git/'", "no-right"),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", "no-right"),
        ("git@h: Permission denied (publickey).", "no-right"),
        ("fatal: unable to access 'https://h/x.git/': The requested URL returned error: 403", "no-right"),
        ("ERROR: The key you are authenticating with has been marked as read only.", "no-right"),
        ("remote: Repository not found.\nfatal: repository 'https://h/x.git/' not found", "no-repository"),
        ("fatal: '/x.git' does not appear to be a git repository", "no-repository"),
        ("fatal: unable to access 'https://h/x.git/': Could not resolve host: h", "network"),
        ("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502", "network"),
        ("fatal: the remote end hung up unexpectedly", "network"),
        ("error: cannot run ssh: No such file or directory", "other"),
        ("something else", "other"),
    ],
)
def test_meaning(said: str, kind: str) -> None:
    assert meaning(said) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme/shop", ApiTarget("acme/shop")),
        ("https://github.com/acme/shop", ApiTarget("acme/shop")),
        ("https://GitHub.com/acme/shop.git", ApiTarget("acme/shop")),
        ("https://gitlab.com/acme/team/shop.git", GitTarget("https://gitlab.com/acme/team/shop.git")),
        ("git@gitlab.com:acme/shop.git", GitTarget("git@gitlab.com:acme/shop.git")),
        ("ssh://git@h:2222/acme/shop.git", GitTarget("ssh://git@h:2222/acme/shop.git")),
        ("file:///srv/git/shop.git", GitTarget("file:///srv/git/shop.git")),
    ],
)
def test_resolve(text: str, expected: object) -> None:
    assert resolve(text, server_url="https://github.com", ssh=False) == expected


def test_a_key_selects_ssh() -> None:
    assert resolve("acme/shop", server_url="https://github.com", ssh=True) == GitTarget("git@github.com:acme/shop.git")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "a/b/c",
        "../x",
        "acme/..",
        "ext::sh -c x",
        "-oProxyCommand=x",
        "ssh://-oX/a",
        "https:///x",
        "https://h",
        "https://u:p@h/a/b",
        "https://t@h/a/b",
        "https://h/a?b",
        "https://h:x/a/b",
        "ftp://h/a/b",
        "https://h/a b",
    ],
)
def test_resolve_refuses(text: str) -> None:
    with pytest.raises(TargetError) as error:
        resolve(text, server_url="https://github.com", ssh=False)
    assert "u:p" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "token", "accepted"),
    [
        ("https://gitlab.com/a/b.git", "glpat-x", True),
        ("https://gitlab.com/a/b.git", "ghs_x", False),
        ("http://gitlab.com/a/b.git", "glpat-x", False),
        ("http://127.0.0.1:3000/a/b.git", "x", True),
        ("http://[::1]:3000/a/b.git", "x", True),
        ("http://localhost/a/b.git", "x", True),
        ("ssh://git@h/a", "x", False),
        ("file:///x", "x", False),
        ("https://h/a/b", "", False),
    ],
)
def test_accepts_token(url: str, token: str, accepted: bool) -> None:
    assert accepts_token(url, token) is accepted


def test_default_updates() -> None:
    lines = DEFAULT_UPDATES.splitlines()
    assert read_updates(lines, WORDS) == {parse("image.tag"): "1.2.0", parse("image.digest"): DIGEST}
    without = Words(image="", tag="1.2.0", digest="", sha="")
    assert read_updates(lines, without) == {parse("image.tag"): "1.2.0"}


def test_placeholders() -> None:
    assert read_updates(["a={image}:{tag}", "b={sha}", "c=$1 {2}"], WORDS) == {
        parse("a"): "ghcr.io/acme/app:1.2.0",
        parse("b"): "5" * 40,
        parse("c"): "$1 {2}",
    }


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a={tags}"], "Perhaps you meant {tag}"),
        (["a"], "has no value"),
        (["a..b=1"], "not well formed"),
        (["a=1", "a=2"], "second time"),
        (["a={digest}"], "no digest was given"),
        (["a={sha}"], "commit is not known"),
    ],
)
def test_updates_refused(lines: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_updates(lines, Words(image="", tag="1", digest="", sha=""))
    assert words in str(error.value)
    assert "updates: " in str(error.value)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (WORDS, 0),
        (Words(image="a/b:1", tag="-x", digest="sha256:xyz", sha=""), 3),
        (Words(image="localhost:5000/a", tag="v1", digest="sha512:" + "0" * 128, sha=""), 0),
        (Words(image="a@sha256:1", tag="x" * 129, digest=DIGEST.upper(), sha=""), 3),
    ],
)
def test_words(words: Words, count: int) -> None:
    assert len(words.problems()) == count


def plan_of(text: str, updates: dict[str, str], *, allow: bool = False) -> Plan:
    keys = {parse(key): value for key, value in updates.items()}
    return make_plan({"v.yaml": text.encode()}, keys, where="here", rules=Rules(allow_downgrade=allow))


def test_tag_and_digest_stay_together() -> None:
    text = f"a:\n  tag: x\n  digest: {DIGEST}\n"
    for half in ({"a.tag": "y"}, {"a.digest": "z"}):
        with pytest.raises(ConfigError, match="no longer fit"):
            plan_of(text, half)
    assert plan_of(text, {"a.tag": "y", "a.digest": ""}).additions
    assert plan_of("a:\n  tag: x\n  digest: ''\n", {"a.tag": "y"}).additions


def test_plan_refuses_a_downgrade() -> None:
    with pytest.raises(ActionError) as error:
        plan_of("tag: 2.0.0\n", {"tag": "1.0.0"})
    assert error.value.exit_code == 1
    assert "allowed" in plan_of("tag: 2.0.0\n", {"tag": "1.0.0"}, allow=True).remarks[0]


def test_message_limits_foreign_text() -> None:
    plan = plan_of('a: "x\\ny"\n', {"a": "new"})
    template = "Ship {tag} of {image}\nrun-url: https://evil\n Source-Commit: 1\nfine {digest}"
    message = compose(template, plan, WORDS, app="app", run_url="https://github.com/a/b/actions/runs/1")
    assert message.headline == "Ship 1.2.0 of ghcr.io/acme/app"
    assert "evil" not in message.body
    assert f"fine {DIGEST}" in message.body
    assert "- v.yaml: a: x y -> new" in message.body
    assert message.body.endswith("Run-URL: https://github.com/a/b/actions/runs/1")


lines = st.lists(st.sampled_from(["a", "b", "c", "", "same", "é"]), max_size=30).map("\n".join)


def apply(diff: str, old: str) -> str:
    """Apply a unified diff, as `patch` does without fuzz."""
    source, result, at = old.split("\n"), [], 0
    rows = [row for row in diff.split("\n")[2:-1] if not row.startswith("\\")]
    for row in rows:
        if row.startswith("@@"):
            first, _, count = row.split(" ")[1][1:].partition(",")
            start = int(first) - (count != "0")
            result += source[at:start]
            at = start
            continue
        if row[0] in " -":
            assert source[at] == row[1:]
            at += 1
        if row[0] in " +":
            result.append(row[1:])
    return "\n".join(result + source[at:])


@given(lines, lines)
def test_diff_leads_from_old_to_new(old: str, new: str) -> None:
    before, after = f"{old}\n", f"{new}\n"
    diff = unified("f", before.encode(), after.encode())
    assert (diff == "") is (before == after)
    assert apply(diff, before) == after


def test_diff_line_numbers() -> None:
    old = [f"line {number}\n" for number in range(100)]
    new = [*old[:50], "changed\n", *old[51:80], *old[82:]]
    expected = "".join(difflib.unified_diff(old, new, "a/f", "b/f"))
    assert unified("f", "".join(old).encode(), "".join(new).encode()) == expected
    assert "\\ No newline at end of file" in unified("f", b"a", b"a\n")


class Busy:
    """A branch that others keep moving."""

    def __init__(self) -> None:
        self.attempts = 0

    def head(self) -> str:
        return "0" * 40

    def read(self, path: str, head: str) -> bytes | None:
        return b"a: old\n"

    def commit(self, head: str, additions: object, message: Message) -> Commit | None:
        self.attempts += 1
        return None


def test_giving_up() -> None:
    busy, clock, waits = Busy(), [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    backoff = Backoff(sleep=sleep, now=lambda: clock[0], chance=lambda: 0.5)
    with pytest.raises(UpstreamError, match="kept moving"):
        land(
            busy,
            ["v.yaml"],
            plan=lambda files, _: make_plan(files, {parse("a"): "new"}, where="", rules=Rules()),
            message=lambda _: Message(headline="x", body=""),
            backoff=backoff,
            dry_run=False,
        )
    assert 30 < busy.attempts <= 60
    assert sum(waits) <= 300
    assert waits == sorted(waits)
