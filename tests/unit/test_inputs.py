"""Inputs: strict values, and every problem in one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from cicd_actions.cli import collect_values
from cicd_actions.errors import ConfigError
from cicd_actions.runner.inputs import Input, Inputs
from cicd_actions.runner.secrets import Secret

SPECS = (
    Input("name", "A name.", required=True),
    Input("push", "A flag.", "true"),
    Input("floor", "A number.", "0"),
    Input("count", "A whole number.", "3"),
    Input("method", "A choice.", "auto"),
    Input("checks", "A list.", "black,flake8"),
    Input("folder", "A path.", "."),
    Input("wait", "A duration.", "90s"),
    Input("token", "A secret.", secret=True),
)


def read(**values: str) -> Inputs:
    return Inputs(SPECS, {key.replace("_", "-"): value for key, value in values.items()})


def test_defaults_count_when_nothing_or_blanks_were_given() -> None:
    inputs = read(name="shop", push="  ", floor="")
    assert inputs.flag("push") is True
    assert inputs.number("floor") == 0
    assert inputs.integer("count") == 3
    assert inputs.choice("method", ("auto", "merge")) == "auto"
    assert inputs.choices("checks", ("black", "flake8", "pytest")) == ("black", "flake8")
    assert inputs.duration("wait") == 90
    inputs.finish()


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("YES", True), ("1", True), ("off", False), ("False", False)]
)
def test_booleans_take_the_usual_words(word: str, value: bool) -> None:
    inputs = read(push=word)
    assert inputs.flag("push") is value


def test_every_problem_is_in_the_one_error(tmp_path: Path) -> None:
    inputs = read(push="ture", floor="120", count="3.5", method="atuo", checks="black,flak8", folder="../x", wait="1y")
    inputs.text("name")
    inputs.flag("push")
    inputs.number("floor", minimum=0, maximum=100)
    inputs.integer("count")
    inputs.choice("method", ("auto", "merge"))
    inputs.choices("checks", ("black", "flake8"))
    inputs.path("folder", root=tmp_path)
    inputs.duration("wait")
    with pytest.raises(ConfigError) as caught:
        inputs.finish()
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 8
    for part in ("name: is required", "Perhaps you meant 'true'", "above 100", "not a whole number",
                 "Perhaps you meant 'auto'", "Perhaps you meant 'flake8'", "leaves the", "duration"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("value", ["nan", "inf", "1e3", "0x10", "1_000"])
def test_numbers_are_plain_decimals(value: str) -> None:
    inputs = read(floor=value)
    inputs.number("floor")
    with pytest.raises(ConfigError, match="is not a number"):
        inputs.finish()


def test_a_path_through_a_link_may_not_leave_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "out").symlink_to(tmp_path)
    inputs = read(folder="out/secret")
    inputs.path("folder", root=tmp_path / "work")
    with pytest.raises(ConfigError, match="leaves the workspace"):
        inputs.finish()


def test_a_secret_is_in_no_problem_and_no_repr() -> None:
    inputs = read(token="hunter2")
    secret = inputs.secret("token")
    inputs.problem("token", "is too short")
    with pytest.raises(ConfigError) as caught:
        inputs.finish()
    assert "hunter2" not in str(caught.value) + repr(secret) + f"{secret}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")
    assert not Secret()


def test_values_come_from_the_line_then_the_environment_then_the_job_token() -> None:
    env = {"INPUT_PUSH": "false", "INPUT_METHOD": "merge", "GITHUB_TOKEN": "t0", "INPUT_NAME": "env"}
    values, _ = collect_values(SPECS, {"name": "line"}, env)
    assert values["name"] == "line"
    assert values["push"] == "false"
    assert values["method"] == "merge"
    assert values["token"] == "t0"


def test_both_spellings_of_the_environment_are_read() -> None:
    specs = (Input("dry-run", "Plan only.", "false"),)
    assert collect_values(specs, {}, {"INPUT_DRY-RUN": "true"}) == ({"dry-run": "true"}, [])
    assert collect_values(specs, {}, {"INPUT_DRY_RUN": "true"}) == ({"dry-run": "true"}, [])


def test_a_secret_as_an_argument_is_refused_without_being_shown(tmp_path: Path) -> None:
    values, problems = collect_values(SPECS, {"token": "hunter2", "push": "maybe"}, {})
    inputs = Inputs(SPECS, values, problems)
    inputs.flag("push")
    inputs.secret("token")
    inputs.problem("token", "is required")
    with pytest.raises(ConfigError) as caught:
        inputs.finish()
    assert [str(problem).split(":")[0] for problem in caught.value.problems] == ["token", "push"]
    assert "hunter2" not in str(caught.value)
    assert "env:NAME" in str(caught.value)
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert collect_values(SPECS, {"token": f"file:{file}"}, {})[0]["token"] == "from-file"
    assert collect_values(SPECS, {"token": "env:T"}, {"T": "from-env"})[0]["token"] == "from-env"
    assert "not set" in str(collect_values(SPECS, {"token": "env:NOWHERE"}, {})[1])
