"""The notice in the form of each channel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cicd_actions.notify.delivery import is_due
from cicd_actions.notify.message import compose, for_github, for_slack, slack_link, slack_text
from cicd_actions.runner.context import RunContext


def context(**extra: str) -> RunContext:
    env = {"GITHUB_REPOSITORY": "o/r", "GITHUB_REF": "refs/heads/dev", "GITHUB_SHA": "a" * 40, **extra}
    return RunContext.from_env(env, cwd=Path(), temp=Path())


def test_a_title_is_composed() -> None:
    assert compose(context(GITHUB_WORKFLOW="CI"), event="failure").title == "CI failed on dev"
    assert compose(context(), event="success").title == "The pipeline passed on dev"


@pytest.mark.parametrize("login", ["github-actions[bot]", "web-flow", "a b", "@x", "", "org/team", "x" * 101])
def test_only_a_person_is_mentioned(login: str) -> None:
    text = for_github(compose(context(), event="failure", author=login))
    assert "@" not in text


def test_enterprise_logins_may_hold_an_underscore() -> None:
    assert "@alice_corp" in for_github(compose(context(), event="failure", author="alice_corp"))


@given(st.text(max_size=400), st.text(max_size=400))
def test_github_text_mentions_nobody_else(title: str, body: str) -> None:
    text = for_github(compose(context(), event="failure", title=title, body=body))
    assert len(text) <= 65_536
    assert "\r" not in text
    for index, char in enumerate(text):
        if char == "@":
            after = text[index + 1 : index + 2]
            assert not (after.isascii() and after.isalnum())


@given(st.text(max_size=6000), st.text(max_size=6000))
def test_slack_text_keeps_slacks_limits_and_rules(title: str, body: str) -> None:
    payload = for_slack(compose(context(), event="failure", title=title, body=body))
    json.dumps(payload)
    for block in payload["blocks"]:
        texts = [block["text"]["text"]] if "text" in block else [element["text"] for element in block["elements"]]
        for text in texts:
            assert 0 < len(text) <= 3000
            assert "<!" not in text
            assert "<@" not in text


@given(st.text(alphabet="&<>ab", max_size=60), st.integers(min_value=10, max_value=40))
def test_a_cut_never_splits_an_entity(text: str, limit: int) -> None:
    made = slack_text(text, limit)
    assert len(made) <= limit
    for entity in ("&amp;", "&lt;", "&gt;"):
        made = made.replace(entity, "")
    assert "&" not in made


def test_links_for_slack() -> None:
    assert slack_link("https://x/y?a=1&b=<|>") == "https://x/y?a=1&amp;b=%3C%7C%3E"


@pytest.mark.parametrize(
    ("only_on", "event", "before", "due"),
    [
        ("always", "success", "success", True),
        ("always", "failure", "", True),
        ("failure", "success", "failure", False),
        ("failure", "failure", "failure", True),
        ("change", "failure", "", True),
        ("change", "failure", "success", True),
        ("change", "failure", "failure", False),
        ("change", "success", "failure", True),
        ("change", "success", "success", False),
        ("change", "success", "", False),
    ],
)
def test_when_people_are_told(only_on: str, event: str, before: str, *, due: bool) -> None:
    assert is_due(only_on, event, before) is due
