"""The environment of tools, package indexes, interpreters, settings and what people read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.quality.action import report
from cicd_actions.quality.bench import clean_env
from cicd_actions.quality.document import as_json
from cicd_actions.quality.indexes import uv_env
from cicd_actions.quality.interpreter import cached_pythons
from cicd_actions.quality.markdown import cell
from cicd_actions.quality.model import CheckResult, Finding, State, Verdict
from cicd_actions.quality.result import Result
from cicd_actions.quality.revision import Revision
from cicd_actions.quality.settings import INPUTS, OUTPUTS, Settings, load
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Inputs

SOURCES = Path(clean_env.__code__.co_filename).resolve().parents[2]


def test_no_secret_and_nothing_of_ours_reaches_a_tool(tmp_path: Path) -> None:
    env = {
        "GITHUB_TOKEN": "s", "NPM_TOKEN": "s", "my_token": "s", "INPUT_SAFETY_KEY": "s", "SAFETY_API_KEY": "s",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "s", "GITHUB_ENV": "f", "GITHUB_PATH": "f", "PYTHONHOME": "/x",
        "PYTHONPATH": f"{SOURCES}:lib", "VIRTUAL_ENV": "/v", "PATH": "/bin", "SECRET_KEY": "theirs",
    }  # fmt: skip
    clean = clean_env(env, tmp_path)
    assert "s" not in clean.values()
    assert "f" not in clean.values()
    assert {key for key in clean if key.startswith("PYTHON")} == {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
    assert (clean["PYTHONPATH"], clean["SECRET_KEY"], clean["PATH"]) == ("lib", "theirs", "/bin")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"PIP_INDEX_URL": "https://i/simple"}, {"UV_DEFAULT_INDEX": "https://i/simple"}),
        ({"PIP_EXTRA_INDEX_URL": "https://a https://b"}, {"UV_INDEX": "https://a https://b"}),
        ({"PIP_FIND_LINKS": "/w /x"}, {"UV_FIND_LINKS": "/w,/x"}),
        ({"PIP_INDEX_URL": "https://i", "UV_DEFAULT_INDEX": "https://u"}, {"UV_DEFAULT_INDEX": "https://u"}),
        ({"PIP_CERT": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}),
        ({"REQUESTS_CA_BUNDLE": "/r.pem", "SSL_CERT_FILE": "/s.pem"}, {"SSL_CERT_FILE": "/s.pem"}),
    ],
)
def test_pips_settings_are_said_again_for_uv(env: dict[str, str], expected: dict[str, str]) -> None:
    assert expected.items() <= uv_env({"HOME": "/nonexistent", **env}).items()


def test_pips_files_count_and_the_environment_is_stronger(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://file/simple\nextra-index-url =\n  https://a\n  https://b\n"
    )
    env = {"HOME": str(tmp_path)}
    assert uv_env(env)["UV_DEFAULT_INDEX"] == "https://file/simple"
    assert uv_env(env)["UV_INDEX"] == "https://a https://b"
    assert uv_env({**env, "PIP_INDEX_URL": "https://env"})["UV_DEFAULT_INDEX"] == "https://env"
    assert "UV_DEFAULT_INDEX" not in uv_env({**env, "PIP_CONFIG_FILE": "/dev/null"})


def test_the_newest_matching_python_of_the_tool_cache(tmp_path: Path) -> None:
    for version in ("3.11.2", "3.11.10", "3.1.1", "3.12.0"):
        program = tmp_path / "Python" / version / "x64" / "bin" / "python3"
        program.parent.mkdir(parents=True)
        program.touch()
    (tmp_path / "Python" / "3.11.99" / "arm64").mkdir(parents=True)

    def found(wanted: str) -> list[str]:
        return [path.parents[2].name for path in cached_pythons(wanted, tmp_path, "x86_64")]

    assert found("3.11") == ["3.11.10", "3.11.2"]
    assert found("3.11.2") == ["3.11.2"]
    assert found("3.13") == []
    assert cached_pythons("3.11", None, "x86_64") == []


def settings(tmp_path: Path, values: Mapping[str, str]) -> Settings:
    context = RunContext.from_env({}, cwd=tmp_path, temp=tmp_path / "temp")
    return load(Inputs(INPUTS, values), context)


def test_safety_runs_by_itself_only_with_a_key(tmp_path: Path) -> None:
    assert "safety" not in settings(tmp_path, {}).checks
    keyed = settings(tmp_path, {"safety-key": "very secret"})
    assert "safety" in keyed.checks
    assert "very secret" not in repr(keyed)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"report-directory": "/etc/x"}, "report-directory: leaves the workspace"),
        ({"install": "pip install 'a"}, "cannot be read"),
        ({"install": "a | b"}, "shell syntax"),
        ({"coverage-floor": "many"}, "coverage-floor: is not a number"),
        ({"coverage-floor": "-1"}, "coverage-floor"),
        ({"baseline": "missing.json"}, "baseline: cannot be read"),
        ({"paths": "--help"}, "looks like an option"),
        ({"python-version": "2.7"}, "python-version"),
        ({"safety-database": "nowhere"}, "is no Safety database"),
        ({"timeout": "soon"}, "timeout"),
    ],
)
def test_wrong_settings(tmp_path: Path, values: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, values)
    assert said in str(caught.value)


def test_install_commands_are_kept_as_lines(tmp_path: Path) -> None:
    assert settings(tmp_path, {"install": "Auto"}).install == ("auto",)
    lines = "# tools\npip install -r 'my file.txt'\nmake deps\n"
    assert settings(tmp_path, {"install": lines}).install == ("pip install -r 'my file.txt'", "make deps")


HOSTILE = "<img src=x>|`@everyone`\n::error::[click](http://x) \x1b[31m"


def hostile_result(*, in_actions: bool) -> Result:
    finding = Finding(check="flake8", rule="F401", message=HOSTILE, file="a|b.py", line=3)
    check = CheckResult(check="flake8", state=State.FINDINGS, detail=HOSTILE, remedy=HOSTILE, findings=(finding,))
    return Result(
        verdict=Verdict.FAILED, exit_code=1, revision=Revision(root=Path("/r"), sha="0" * 40), checks=(check,),
        coverage=None, tests=None, notes=(HOSTILE,), tools={}, report=Path("/r/report.json"), seconds=1.0,
        in_actions=in_actions,
    )  # fmt: skip


def test_foreign_text_cannot_become_markup() -> None:
    summary = report(hostile_result(in_actions=True)).summary
    for text in ("<img", "@everyone", "[click]", "a|b", "\x1b"):
        assert text not in summary, text


def test_every_declared_output_is_there_and_annotations_are_for_actions() -> None:
    inside, outside = report(hostile_result(in_actions=True)), report(hostile_result(in_actions=False))
    assert set(inside.outputs) == {output.name for output in OUTPUTS}
    assert [annotation.level for annotation in inside.annotations] == ["error", "error"]
    assert outside.annotations == ()
    assert "a|b.py:3: flake8 F401" in outside.text
    assert "a|b.py:3: flake8 F401" not in inside.text


def test_the_json_report_says_its_version() -> None:
    data = json.loads(as_json(hostile_result(in_actions=True)))
    assert (data["schema_version"], data["verdict"], data["exit_code"]) == (1, "failed", 1)
    assert data["checks"][0]["findings"][0]["message"] == HOSTILE


def test_a_cell_reads_as_itself() -> None:
    assert cell("plain words, 3 of 4") == "plain words, 3 of 4"
    assert cell("a\nb") == "a b"
    assert cell("a|b") == "a&#124;b"
