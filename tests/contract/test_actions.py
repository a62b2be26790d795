"""action.yml is the contract: code and command line are held to it, and every file to our own rules."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cicd_actions.cli import STAGES

ROOT = Path(__file__).resolve().parents[2]
SLUGS = [slug for slug in STAGES if slug != "image-tags"]  # image-tags is for the command line only
DOCKER = {"notify", "trivy-gate", "gitops-tag-update"}


def load(slug: str) -> dict[str, Any]:
    data: dict[str, Any] = YAML(typ="safe").load(ROOT / "actions" / slug / "action.yml")
    return data


def settings(slug: str) -> Any:
    return importlib.import_module(f"{STAGES[slug][0]}.settings")


def one_line(text: str) -> str:
    return " ".join(str(text).split())


@pytest.mark.parametrize("slug", SLUGS)
def test_inputs_are_those_of_the_code(slug: str) -> None:
    declared = load(slug)["inputs"]
    specs = {spec.name: spec for spec in settings(slug).INPUTS}
    assert set(declared) == set(specs)
    for name, spec in specs.items():
        default = str(declared[name].get("default", ""))
        if spec.name == "token":
            assert default in ("${{ github.token }}", "")
        else:
            assert default.strip() == spec.default.strip(), name
        assert bool(declared[name].get("required", False)) is spec.required, name
        assert one_line(declared[name]["description"]) == one_line(spec.help), name


@pytest.mark.parametrize("slug", SLUGS)
def test_outputs_are_those_of_the_code(slug: str) -> None:
    declared = load(slug)["outputs"]
    outputs = {output.name: output for output in settings(slug).OUTPUTS}
    assert set(declared) == set(outputs)
    for name, output in outputs.items():
        assert one_line(declared[name]["description"]) == one_line(output.help), name


@pytest.mark.parametrize("slug", SLUGS)
def test_every_input_reaches_the_command(slug: str) -> None:
    action = load(slug)
    runs = action["runs"]
    if slug in DOCKER:
        assert runs["using"] == "docker"
        assert runs["args"] == [slug]
        return
    assert runs["using"] == "composite"
    (step,) = runs["steps"]
    wanted = {f"INPUT_{name.upper().replace('-', '_')}": f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert step["env"] == wanted
    assert step["shell"] == "bash"
    assert step["run"].strip() == f'exec bash "$GITHUB_ACTION_PATH/../../scripts/run.sh" {slug}'
    for name, output in action["outputs"].items():
        assert output["value"] == f"${{{{ steps.{step['id']}.outputs.{name} }}}}"


@pytest.mark.parametrize(
    "path", [ROOT / "action.yml", *sorted(ROOT.glob("actions/*/action.yml"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_expression_in_a_script_and_every_use_is_pinned(path: Path) -> None:
    text = path.read_text()
    for step in YAML(typ="safe").load(text)["runs"].get("steps", []):
        assert "${{" not in step.get("run", "")
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step["uses"]


def test_every_action_has_its_folder_and_readme() -> None:
    for slug in SLUGS:
        assert (ROOT / "actions" / slug / "README.md").is_file(), slug
