"""Every ending has its sentence, and foreign names in it can do nothing."""

from __future__ import annotations

import pytest

from cicd_actions.errors import UpstreamError
from cicd_actions.merge.action import Result, report
from cicd_actions.merge.decision import Reason
from cicd_actions.merge.landing import Landing
from cicd_actions.merge.settings import OUTPUTS, Settings
from cicd_actions.merge.wording import headline, remedy, resolve_commands
from cicd_actions.runner.secrets import Secret

SUCCESS = {Reason.FAST_FORWARDED, Reason.MERGED, Reason.ALREADY_MERGED}


def settings(branch: str = "dev") -> Settings:
    return Settings(
        token=Secret("t"),
        app_id="",
        app_private_key=Secret(),
        source_sha="a" * 40,
        tested_sha=None,
        source_branch=branch,
        target_branch="main",
        method="auto",
        next_workflow="",
        dry_run=False,
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_and_a_report(reason: Reason) -> None:
    landing = Landing(merged=reason in SUCCESS, reason=reason)
    made = report(Result(settings=settings(), landing=landing))
    assert headline(settings(), landing) in made.text
    assert set(made.outputs) == {output.name for output in OUTPUTS}
    refused = reason not in SUCCESS | {Reason.DRY_RUN}
    assert (made.exit_code, bool(remedy(settings(), landing))) == (int(refused), refused)
    assert [a.level for a in made.annotations] == (["error"] if refused else [])


def test_a_workflow_that_did_not_start_keeps_the_facts_of_the_merge() -> None:
    landing = Landing(merged=True, reason=Reason.MERGED, merge_sha="c" * 40, method="merge", untested=True)
    made = report(Result(settings=settings(), landing=landing, not_started=UpstreamError("no run")))
    assert made.exit_code == 3
    assert made.outputs["merged"] == "true"
    assert made.outputs["merge-sha"] == "c" * 40
    assert "no run" in made.annotations[0].message


def test_commands_quote_hostile_branches() -> None:
    commands = resolve_commands(settings("x;$(reboot)"))
    assert all("'x;$(reboot)'" in line for line in commands if "reboot" in line)


def test_a_hostile_branch_in_the_summary() -> None:
    landing = Landing(merged=False, reason=Reason.CONFLICT, files=("a`|<b>.py",))
    summary = report(Result(settings=settings("x@alice<b>|`"), landing=landing)).summary
    prose = summary.split("```sh")[0].split("Both sides")[0]
    assert "@alice" not in prose
    assert "<b>" not in prose
