from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cicd_actions.errors import ConfigError
from cicd_actions.image.tags import Facts, Rule, branch_tag, find_facts, make_tags, read_rules
from cicd_actions.oci.reference import TAG
from cicd_actions.runner.inputs import Input, Inputs

SHA = "0123456789abcdef0123456789abcdef01234567"
MAIN = Facts(ref="refs/heads/main", sha=SHA, default_branch="main", committed=datetime(2025, 1, 31, 23, 59, tzinfo=UTC))


def rules(text: str) -> tuple[Rule, ...]:
    inputs = Inputs((Input("tag-rules", "h"),), {"tag-rules": text})
    found = read_rules(inputs, "tag-rules")
    inputs.finish()
    return found


def tags(text: str, facts: Facts = MAIN) -> list[str]:
    return [tag.name for tag in make_tags(rules(text), facts)]


def at(ref: str, **changes: Any) -> Facts:
    return Facts(**{"ref": ref, "sha": SHA, "default_branch": "main", **changes})


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("sha", MAIN, ["sha-0123456789ab"]),
        ("sha\nbranch\nlatest", MAIN, ["sha-0123456789ab", "main", "latest"]),
        ("latest", at("refs/heads/dev"), []),
        ("latest", at("refs/heads/main", default_branch=""), []),
        ("branch", at("refs/tags/v1.2.3"), []),
        ("semver", at("refs/tags/v1.2.3"), ["1.2.3"]),
        ("semver", at("refs/tags/1.2.3-rc.1"), ["1.2.3-rc.1"]),
        ("semver", at("refs/tags/v1.2.3+build.5"), ["1.2.3"]),
        ("semver", at("refs/tags/v01.2.3"), []),
        ("semver", at("refs/tags/release-1"), []),
        ("semver", at("refs/heads/v1.2.3"), []),
        ("date", MAIN, ["20250131"]),
        ("raw=stable", MAIN, ["stable"]),
        ("pr", at("refs/pull/7/merge", pull_request="7"), ["pr-7"]),
        ("pr", MAIN, []),
        ("# a comment\n\n  sha  ", MAIN, ["sha-0123456789ab"]),
    ],
)
def test_rules(text: str, facts: Facts, expected: list[str]) -> None:
    assert tags(text, facts) == expected


def test_only_a_version_is_immutable() -> None:
    made = make_tags(rules("semver\nsha\nraw=x"), at("refs/tags/v1.0.0"))
    assert [tag.immutable for tag in made] == [True, False, False]


@pytest.mark.parametrize(
    "text", ["shaa", "raw", "raw=", "sha=long", "raw=a b", "raw=-x", "raw=" + "a" * 129, "raw=a/b", "raw=$(id)"]
)
def test_wrong_rules(text: str) -> None:
    with pytest.raises(ConfigError, match="tag-rules"):
        rules(text)


@pytest.mark.parametrize(
    ("text", "facts", "words"),
    [
        ("raw=main\nbranch", MAIN, "'main', and so does raw=main"),
        ("latest\nraw=latest", MAIN, "so does latest"),
        ("sha", at("refs/heads/main", sha=""), "full SHA"),
        ("sha", at("refs/heads/main", sha="abc"), "full SHA"),
        ("date", at("refs/heads/main"), "date of the commit"),
        ("semver", at("refs/tags/v1.2.3-" + "a" * 130), "cannot be a tag"),
    ],
)
def test_what_ends_before_the_build(text: str, facts: Facts, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tags(text, facts)


def test_every_problem_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        tags("sha\ndate", at("refs/heads/main", sha=""))
    assert len(error.value.problems) == 2


def test_branches_do_not_collide() -> None:
    names = {branch_tag(name) for name in ("feature/x", "feature-x", "feature x", "Feature/x")}
    assert len(names) == 4
    assert "feature-x" in names
    assert branch_tag("main") == "main"


@given(st.text(min_size=1))
def test_any_branch_gives_a_legal_tag(branch: str) -> None:
    assert TAG.fullmatch(branch_tag(branch))


def test_a_pull_request_is_its_head() -> None:
    event = {
        "number": 7,
        "pull_request": {"number": 7, "head": {"sha": "f" * 40}},
        "repository": {"default_branch": "main"},
    }
    facts = find_facts(ref="refs/pull/7/merge", sha=SHA, event=event)
    assert (facts.sha, facts.pull_request, facts.default_branch) == ("f" * 40, "7", "main")


@pytest.mark.parametrize("event", [{}, {"repository": "x", "pull_request": "y"}, {"pull_request": {"head": None}}])
def test_odd_events(event: dict[str, Any]) -> None:
    assert find_facts(ref="refs/heads/main", sha=SHA, event=event).sha == SHA
