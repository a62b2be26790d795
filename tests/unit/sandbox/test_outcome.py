"""Stages against scenarios, the JSON contract, and a page that hostile text cannot break."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from cicd_actions.sandbox import page
from cicd_actions.sandbox.actlog import ActLog
from cicd_actions.sandbox.evidence import Facts, Played, Published, State, stages
from cicd_actions.sandbox.outcome import Outcome, Stage, WorkflowRun, compare, table
from cicd_actions.sandbox.scenarios import SCENARIOS, STAGES

SHA = "a" * 40
DIGEST = "sha256:" + "b" * 64


def entry(step: str, **fields: Any) -> str:
    return json.dumps({"job": "J", "stage": "Main", "step": step, "stepID": [step], "msg": "x", **fields})


def played(workflow: str, outputs: dict[str, str], *, error: str = "") -> Played:
    log = ActLog()
    log.feed(entry("s"), 100.0)
    for name, value in outputs.items():
        log.feed(entry("s", command="set-output", name=name, arg=value), 110.0)
    if error:
        log.feed(entry("s", command="error", arg=error), 111.0)
    return Played(workflow=workflow, event="push", conclusion="success", started=100, ended=112, log=log)


TESTED = {
    "verdict": "passed", "tested-sha": SHA, "coverage": "97.10", "merged": "true", "merge-sha": SHA,
    "stage-timings": '{"quality": 6.0, "merge": 2.0}',
}  # fmt: skip
BUILT = {
    "digest": DIGEST, "verdict": "passed", "scan-report": "r", "timings": '{"build": 3, "scan": 2, "publish": 1}',
    "changed": "true", "commit-sha": SHA,
}  # fmt: skip
NOTHING: dict[str, Any] = {"published": None, "gitops_commits": []}
PUBLISHED = Published(reference="r/acme/app", digest=DIGEST, platforms={"linux/amd64": "d"}, tags=["sha-1"])


def facts(**changes: Any) -> Facts:
    state: dict[str, Any] = {
        "main_before": "0", "main_after": SHA, "tested_in_main": True, "published": PUBLISHED,
        "gitops_commits": ["c"], "gitops_files": ["helm-chart/values.yaml"], "gitops_diff": "+x",
    } | changes.pop("state", {})  # fmt: skip
    given: dict[str, Any] = {
        "pushed": 90.0, "test": played("test-and-merge.yml", TESTED), "build": played("build-and-deploy.yml", BUILT),
        "next_started": changes.get("build", True) is not None, "state": State(**state),
    } | changes  # fmt: skip
    return Facts(**given)


def statuses(given: Facts) -> list[str]:
    return [stage.status for stage in stages(given)]


def test_a_whole_run_passes_every_stage_with_its_times() -> None:
    found = {stage.name: stage for stage in stages(facts())}
    assert list(found) == list(STAGES)
    assert {stage.status for stage in found.values()} == {"passed"}
    assert (found["quality"].offset, found["quality"].seconds) == (12.0, 6.0)
    assert (found["merge"].offset, found["merge"].seconds) == (18.0, 2.0)
    assert found["scan"].seconds == 2.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"test": None, "build": None, "state": NOTHING}, ["failed", *["blocked"] * 5]),
        (
            {"test": played("t", {"verdict": "failed", "tested-sha": SHA}), "build": None, "state": NOTHING},
            ["failed", *["blocked"] * 5],
        ),
        ({"build": None, "state": NOTHING}, ["passed", "failed", *["blocked"] * 4]),
        ({"state": {"tested_in_main": False}}, ["passed", "failed", *["blocked"] * 3, "failed"]),
        (
            {"build": played("b", BUILT | {"verdict": "findings"}), "state": {"published": None, "gitops_commits": []}},
            ["passed", "passed", "passed", "failed", "blocked", "blocked"],
        ),
        (
            {"build": played("b", BUILT | {"verdict": "findings"}), "state": {"gitops_commits": []}},
            ["passed", "passed", "passed", "failed", "failed", "blocked"],
        ),
        (
            {"build": played("b", BUILT | {"digest": "sha256:other"})},
            ["passed", "passed", "passed", "passed", "failed", "failed"],
        ),
        ({"state": {"gitops_commits": ["c", "d"]}}, ["passed"] * 5 + ["failed"]),
        (
            {"build": None, "next_started": True, "no_engine": "not root", "state": {"published": None}},
            ["passed", "passed", *["skipped"] * 3, "passed"],
        ),
    ],
)  # fmt: skip
def test_outputs_and_state_have_to_agree(changes: dict[str, Any], expected: list[str]) -> None:
    assert statuses(facts(**changes)) == expected


def test_the_reason_is_the_first_error() -> None:
    test = played("t", {"verdict": "failed", "tested-sha": SHA}, error="2 tests failed\nmore")
    assert stages(facts(test=test, build=None))[0].reason == "2 tests failed"


def test_the_scenarios_expect_what_they_say() -> None:
    found = stages(facts())
    assert compare(SCENARIOS["ok"], found) == []
    assert compare(SCENARIOS["tests-fail"], found) != []
    blocked = [Stage(name=n, status="failed" if n == "scan" else "blocked") for n in STAGES[3:]]
    assert compare(SCENARIOS["vulnerable-image"], [*found[:3], *blocked]) == []


HOSTILE = '</pre><script>alert(1)</script>\n::error::x & "quotes"'


def outcome() -> Outcome:
    run = WorkflowRun(
        name=HOSTILE, event="push", conclusion="success", offset=0, seconds=2, log=[HOSTILE], summaries=[HOSTILE]
    )
    stage = Stage(name="quality", status="passed", seconds=1.5, evidence={HOSTILE: [HOSTILE, {"a": HOSTILE}]})
    return Outcome(
        scenario=SCENARIOS["ok"], application=HOSTILE, stages=[stage], runs=[run], image=None, merge=None,
        gitops={"diff": HOSTILE + "\n+added\n-gone"}, notices=[HOSTILE], notes=[HOSTILE], problems=[], seconds=3,
    )  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    tags = Tags()
    tags.feed(page.render(outcome()))
    assert "script" not in tags.seen
    assert "details" in tags.seen
    assert tags.attributes == []


def test_the_json_has_the_agreed_keys() -> None:
    data = outcome().as_json()
    assert {"scenario", "verdict", "stages", "image", "merge", "gitops", "deploy", "page"} <= set(data)
    assert set(data["stages"][0]) == {"name", "status", "reason", "seconds", "evidence"}
    assert json.loads(json.dumps(data)) == data


def test_the_table_has_a_row_for_each_stage() -> None:
    lines = table(outcome()).splitlines()
    assert lines[0].split() == ["stage", "status", "seconds", "evidence"]
    assert lines[2].split()[:3] == ["quality", "passed", "1.5"]
