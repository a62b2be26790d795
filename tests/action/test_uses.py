"""The actions that the templates do not use, through ``uses:`` in a workflow that the real runner executes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.github import stand_in

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox import machine, repositories
from cicd_actions.sandbox import parts as sandbox_parts
from cicd_actions.sandbox.act import REFERENCE, Act, Job, find_tree, snapshot_actions
from cicd_actions.sandbox.actlog import ActLog
from cicd_actions.sandbox.parts import Parts

WORKFLOW = ".github/workflows/try.yml"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
HEAD = f"""\
name: Try
on:
  push:
    branches: [dev]
permissions: {{}}
jobs:
  job:
    runs-on: ubuntu-24.04
    permissions:
      contents: write
      actions: write
    steps:
      - uses: {CHECKOUT}
"""
APPLICATION = {
    "shop.py": 'def price(count):\n    """Price of ``count`` apples."""\n    return 3 * count\n',
    "test_shop.py": "import shop\n\n\ndef test_price():\n    assert shop.price(2) == 6\n",
}


def uses(slug: str) -> str:
    owner, _, reference = REFERENCE.partition("@")
    return f"{owner}{slug and '/actions/'}{slug}@{reference}"


@pytest.fixture
def actions(tmp_path: Path) -> Path:
    return snapshot_actions(find_tree(), tmp_path / "actions")


def execute(act: Act, checkout: Path, environment: dict[str, str], token: Secret) -> tuple[bool, ActLog]:
    job = Job(
        workflow=WORKFLOW, event_name="push", event={"ref": "refs/heads/dev"}, checkout=checkout, actor="developer",
        environment=environment,
    )  # fmt: skip
    done, log = act.run(job, token, print, 300)
    return done, log


def test_setup_gate_and_merge_step_by_step(tmp_path: Path, actions: Path) -> None:
    steps = f"""\
      - id: setup
        uses: {uses("")}
      - run: cicd-actions --version
      - id: gate
        uses: {uses("quality-gate")}
        with:
          checks: black,flake8,pytest,bandit
          coverage-floor: 100
      - id: merge
        uses: {uses("auto-merge")}
        with:
          tested-sha: ${{{{ steps.gate.outputs.tested-sha || 'none' }}}}
"""
    with stand_in(tmp_path) as hub:
        repository = hub.create_repository("acme/shop", {WORKFLOW: HEAD + steps, "README.md": "# shop\n"})
        sha = repository.commit_files(APPLICATION, message="Sell apples", login="developer", branch="dev")
        (run,) = hub.runs("acme/shop")
        checkout = repositories.clone_for_job(repository, "dev", sha, tmp_path / "checkout")
        lent = machine.without_engine(tmp_path / "cache", os.environ, "not wanted")
        act = Act(
            program=lent.act, image=lent.runner_image, actions=actions, environment=lent.environment, variables={},
            secrets={},
        )  # fmt: skip
        env = {"GITHUB_API_URL": hub.api_url, "GITHUB_SERVER_URL": hub.url, "GITHUB_REPOSITORY": "acme/shop"}
        succeeded, log = execute(act, checkout, env | {"GITHUB_RUN_ID": str(run.id)}, hub.job_token(run))
        assert succeeded, log.first_error()
        gate = log.outputs("tested-sha")
        assert (gate["verdict"], gate["tested-sha"], gate["coverage"]) == ("passed", sha, "100.00")
        assert log.outputs("merged")["method-used"] == "fast-forward"
        assert repository.head("main") == sha
    status = subprocess.run(
        ["git", "-C", str(checkout), "status", "--short"], capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


@pytest.mark.engine
def test_the_gate_judges_a_report_in_its_container(tmp_path: Path, actions: Path, parts: Parts) -> None:
    steps = f"""\
      - id: scan
        uses: {uses("trivy-gate")}
        with:
          path: locked
          db-repository: {parts.trivy_db}
          db-max-age: 3650d
          scanners: vuln
"""
    sandbox_parts.build_action_image(
        parts, context=actions, dockerfile=actions / "Dockerfile.trivy", env=os.environ,
        image=sandbox_parts.action_image_name(uses("trivy-gate")), contexts={"trivy": parts.trivy.parent},
    )  # fmt: skip
    requirements = tmp_path / "checkout" / "locked" / "requirements.txt"
    requirements.parent.mkdir(parents=True)
    requirements.write_text("PyYAML==5.3\n")
    workflow = tmp_path / "checkout" / WORKFLOW
    workflow.parent.mkdir(parents=True)
    workflow.write_text(HEAD + steps)
    for words in (["init", "-q", "-b", "dev"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        env = repositories.git_environment(Secret())
        subprocess.run(["git", "-C", str(tmp_path / "checkout"), *words], env=env, check=True)
    act = Act(
        program=parts.act, image=parts.runner_image, actions=actions,
        environment={**parts.env, "HOME": str(tmp_path)}, variables={}, secrets={},
    )  # fmt: skip
    succeeded, log = execute(act, tmp_path / "checkout", {"GITHUB_REPOSITORY": "acme/shop"}, Secret("unused-job-token"))
    assert not succeeded
    outputs = log.outputs("verdict")
    assert outputs["verdict"] == "findings", log.first_error()
    assert "CVE-2020-14343" in log.first_error()
