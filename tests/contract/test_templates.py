"""The template workflows fit the actions, ask for little, and say where they must be edited."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support.parts import missing

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "workflows-templates").glob("*.yml"))
WORKFLOWS = [*TEMPLATES, *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
PLACEHOLDER = re.compile(r"OWNER/cicd-actions/actions/(?P<slug>[a-z-]+)@REF")
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
PROPERTIES = {"name", "description", "iconName", "categories", "filePatterns"}

every_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def load(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = YAML(typ="safe").load(path)
    return data


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def ours(path: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every step that uses an action of ours: its slug, the step, the action.yml."""
    for step in steps(path):
        match = PLACEHOLDER.fullmatch(step.get("uses", ""))
        if match:
            file = ROOT / "actions" / match["slug"] / "action.yml"
            assert file.is_file(), f"{path.name} uses {match['slug']}, which does not exist"
            yield match["slug"], step, load(file)


def test_there_are_templates() -> None:
    assert [path.stem for path in TEMPLATES] == ["build-and-deploy", "test-and-merge"]


@every_template
def test_inputs_exist_and_required_ones_are_given(path: Path) -> None:
    found = list(ours(path))
    assert found
    for slug, step, action in found:
        given, declared = set(step.get("with", {})), action["inputs"]
        assert given <= set(declared), f"{slug} has no input {sorted(given - set(declared))}"
        required = {name for name, spec in declared.items() if spec.get("required")}
        assert required <= given, f"{slug} needs {sorted(required - given)}"


@every_template
def test_outputs_that_are_read_exist(path: Path) -> None:
    workflow = load(path)
    for job in workflow["jobs"].values():
        outputs = {
            step["id"]: load(ROOT / "actions" / match["slug"] / "action.yml")["outputs"]
            for step in job["steps"]
            if "id" in step and (match := PLACEHOLDER.fullmatch(step.get("uses", "")))
        }
        text = json.dumps(job)
        for step_id, name in re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text):
            assert name in outputs[step_id], f"{step_id} has no output {name}"
        for other, name in re.findall(r"needs\.([\w-]+)\.outputs\.([\w-]+)", text):
            assert other in job["needs"] or other == job["needs"]
            assert name in workflow["jobs"][other]["outputs"]


@every_workflow
def test_every_use_is_a_pin_with_its_version_or_the_placeholder(path: Path) -> None:
    lines = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if re.search(r"\buses:", line)]
    assert lines
    for line in lines:
        assert PINNED.fullmatch(line) or PLACEHOLDER.search(line), line


@every_workflow
def test_no_expression_reaches_a_shell(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step["name"]


@every_workflow
def test_permissions_are_given_per_job_with_their_reason(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, f"{name} takes the repository's default"
    for line in path.read_text().splitlines():
        if re.search(r": (read|write)\b", line):
            assert re.search(r": (read|write) # \w+", line), f"no reason: {line.strip()}"


@every_workflow
def test_jobs_end_and_do_not_overtake_each_other(path: Path) -> None:
    workflow = load(path)
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert job["runs-on"] == "ubuntu-24.04"


@every_workflow
def test_checkouts_leave_no_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_template
def test_what_a_person_must_edit_is_marked(path: Path) -> None:
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if PLACEHOLDER.search(line):
            assert "# EDIT" in line
            assert "# EDIT" in lines[number - 1]
        elif re.search(r"branches:|target-branch:|helm-chart/|vars\.GITOPS_REPOSITORY|secrets\.GITOPS_TOKEN", line):
            assert "# EDIT" in line, line.strip()
        elif re.search(r"\b(OWNER|REF)\b", line):
            assert line.lstrip().startswith("# EDIT"), line


@every_template
def test_expressions_are_optional_settings_results_or_the_token(path: Path) -> None:
    """Nothing of an event (a branch's name, a commit's message) is pasted anywhere."""
    allowed = re.compile(
        r"vars\.[A-Z_]+|secrets\.[A-Z_]+|needs\.\w+\.(result|outputs\.\w+)|steps\.\w+\.outputs\.[\w-]+"
        r"|github\.(token|repository|workflow|ref|actor)|'[^']*'|format|\|\||[(), ]"
    )
    for expression in EXPRESSION.findall(path.read_text()):
        assert not allowed.sub("", expression), expression


@every_template
def test_the_next_workflow_is_there_and_can_be_started(path: Path) -> None:
    for _, step, _ in ours(path):
        following = step.get("with", {}).get("next-workflow")
        if following:
            triggers = load(path.with_name(following))["on"]
            assert "workflow_dispatch" in triggers
            assert not triggers["workflow_dispatch"], "the merge sends no inputs"


@every_template
def test_the_properties_file_is_as_github_wants_it(path: Path) -> None:
    properties = json.loads(path.with_suffix(".properties.json").read_text())
    assert set(properties) == PROPERTIES
    assert properties["name"]
    assert len(properties["description"]) <= 160
    assert properties["iconName"].startswith("octicon ")
    assert properties["categories"]
    for pattern in properties["filePatterns"]:
        re.compile(pattern)


def test_no_properties_file_without_its_template() -> None:
    found = {path.name.removesuffix(".properties.json") for path in (ROOT / "workflows-templates").glob("*.json")}
    assert found == {path.stem for path in TEMPLATES}


def test_images_of_the_docker_based_actions_are_pinned() -> None:
    for path in sorted(ROOT.glob("actions/*/action.yml")):
        runs = load(path)["runs"]
        if runs["using"] != "docker":
            continue
        dockerfile = (path.parent / runs["image"]).resolve()
        assert dockerfile.parent == ROOT, "GitHub takes the Dockerfile's folder as the build context"
        text = dockerfile.read_text()
        stages = re.findall(r"^FROM .+ AS (\w+)$", text, re.MULTILINE)
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
        for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
            named = defaults.get(image.strip("${}"), image)
            assert named in stages or re.search(r"@sha256:[0-9a-f]{64}$", named), f"{dockerfile.name}: {named}"


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.is_file():
        missing("zizmor", "install the development dependencies")
    options = ["--offline", "--no-progress", "--persona", "auditor", "--config", str(ROOT / ".github" / "zizmor.yml")]
    files = [str(ROOT / name) for name in (".github", "actions", "action.yml")]
    files += map(str, TEMPLATES)
    done = subprocess.run([zizmor, *options, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "actionlint.sh")], capture_output=True, text=True, check=False, timeout=300
    )
    if done.stderr.startswith("skipped: "):
        missing("actionlint", done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
