"""Which commit and branch a run is about, by event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.merge.settings import INPUTS, Settings, load
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Inputs

SHA, OTHER = "a" * 40, "b" * 40


def load_for(event_name: str, event: dict[str, Any], ref: str, **values: str) -> Settings:
    env = {"GITHUB_EVENT_NAME": event_name, "GITHUB_REF": ref, "GITHUB_SHA": SHA, "GITHUB_REPOSITORY": "o/r"}
    context = RunContext.from_env(env, cwd=Path(), temp=Path())
    context = RunContext(**{**vars(context), "event": event})
    given = {name.replace("_", "-"): value for name, value in values.items()}
    return load(Inputs(INPUTS, {"token": "t", **given}), context)


def test_push() -> None:
    settings = load_for("push", {}, "refs/heads/feat/x")
    assert (settings.source_sha, settings.tested_sha, settings.source_branch) == (SHA, SHA, "feat/x")
    assert settings.target_branch == "main"


def test_workflow_run_is_about_the_run_before() -> None:
    event = {"workflow_run": {"head_sha": OTHER, "head_branch": "dev"}}
    settings = load_for("workflow_run", event, "refs/heads/main")
    assert (settings.source_sha, settings.tested_sha, settings.source_branch) == (OTHER, OTHER, "dev")


@pytest.mark.parametrize("event", [{}, {"workflow_run": None}, {"workflow_run": {"head_sha": 5, "head_branch": []}}])
def test_a_strange_event_is_no_crash(event: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="source-branch"):
        load_for("workflow_run", event, "refs/heads/main")


def test_pull_request_needs_the_branch() -> None:
    event = {"pull_request": {"head": {"sha": OTHER, "ref": "dev"}}}
    with pytest.raises(ConfigError, match="source-branch"):
        load_for("pull_request", event, "refs/pull/7/merge")
    assert load_for("pull_request", event, "refs/pull/7/merge", source_branch="dev").source_sha == OTHER


def test_dispatch_tells_nothing_about_tests() -> None:
    settings = load_for("workflow_dispatch", {}, "refs/heads/dev", source_sha=OTHER)
    assert (settings.source_sha, settings.tested_sha) == (OTHER, None)


@pytest.mark.parametrize("name", ["-x", "a b", "a..b", "a~1", "a^", "a:b", "x.lock", "a//b", "/a", "a/", "a@{1}", "."])
def test_names_that_are_no_branch(name: str) -> None:
    with pytest.raises(ConfigError, match="target-branch"):
        load_for("push", {}, "refs/heads/dev", target_branch=name)


@pytest.mark.parametrize("name", ["release/1.x", "refs/heads/prod", "it's", "é", "a;b", "$x"])
def test_names_that_are_a_branch(name: str) -> None:
    assert load_for("push", {}, "refs/heads/dev", target_branch=name).target_branch == name.removeprefix("refs/heads/")
