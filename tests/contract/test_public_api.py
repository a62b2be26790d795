"""The Python API is a promise: what is there stays there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cicd_actions
from cicd_actions import ConfigError, RunContext, load_settings
from cicd_actions.cli import STAGES

FROZEN = {
    "ActionError", "ConfigError", "RunContext", "Secret", "UpstreamError", "__version__", "load_settings",
    "run_auto_merge", "run_build_and_push", "run_gitops_tag_update", "run_notify", "run_quality_gate",
    "run_test_and_merge", "run_trivy_gate", "set_yaml_values",
}  # fmt: skip


def test_the_names_are_these_and_all_of_them_are_there() -> None:
    assert set(cicd_actions.__all__) == FROZEN == set(dir(cicd_actions))
    for name in FROZEN:
        assert getattr(cicd_actions, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'run_everything'"):
        _ = cicd_actions.run_everything


def test_every_command_has_its_operation() -> None:
    names = {f"run_{slug.replace('-', '_')}" for slug in STAGES if slug != "image-tags"}
    assert names <= FROZEN


def test_settings_come_from_the_inputs_of_a_workflow(tmp_path: Path) -> None:
    context = RunContext.from_env({}, cwd=tmp_path, temp=tmp_path)
    assert load_settings("quality-gate", {"checks": "black"}, context).checks == ("black",)
    with pytest.raises(ConfigError, match="Perhaps you meant 'black'"):
        load_settings("quality-gate", {"checks": "blak"}, context)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, cicd_actions, cicd_actions.cli\n"
        "heavy = {'github', 'httpx', 'ruamel', 'yaml', 'docker', 'rich'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
