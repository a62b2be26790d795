"""The script behind every composite action: own interpreter, whole or not at all, deaf to the workspace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "scripts" / "run.sh"
_PASSED_ON = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a runner gives a step; the tool cache is shared, so that the packages are installed once."""
    folder = tmp_path_factory.mktemp("runner")
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return env | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RUNNER_TEMP": str(folder / "temp"),
        "RUNNER_TOOL_CACHE": str(folder / "tools"),
    }


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A workspace whose files would be imported by a careless interpreter."""
    for name in ("json.py", "click.py", "cicd_actions.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'owned')!r}, 'w').close()\nraise SystemExit(99)\n")
    return tmp_path


def run(env: Mapping[str, str], cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(RUN), *words], env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_workspace_and_python_variables_are_not_imported(environment: dict[str, str], hostile: Path) -> None:
    env = environment | {"PYTHONPATH": str(hostile), "PYTHONSTARTUP": str(hostile / "json.py")}
    done = run(env, hostile, "auto-merge", "--help")
    assert done.returncode == 0, done.stderr
    assert "--target-branch" in done.stdout
    assert not (hostile / "owned").exists()


def test_every_slug_starts(environment: dict[str, str], tmp_path: Path) -> None:
    for slug in ("auto-merge", "build-and-push", "trivy-gate", "gitops-tag-update", "notify", "image-tags"):
        done = run(environment, tmp_path, slug, "--help")
        assert done.returncode == 0, f"{slug}: {done.stderr}"


def test_inputs_and_outputs_go_through_the_runner_files(environment: dict[str, str], tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    env = environment | files | {"GITHUB_ACTIONS": "true", "INPUT_METHOD": "atuo", "INPUT_DRY_RUN": "maybe"}
    done = run(env, tmp_path, "auto-merge")
    assert done.returncode == 2
    assert "::error title=auto-merge%3A Wrong configuration::" in done.stdout
    assert "Perhaps you meant 'auto'" in done.stdout
    assert "'maybe' is not allowed" in done.stdout
    assert (tmp_path / "GITHUB_OUTPUT").read_text().count("<<") == 5
    assert "Wrong configuration" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_the_root_action_puts_the_command_on_path(environment: dict[str, str], tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
    env = environment | files | {"INPUT_PACKAGES": "runtime"}
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "setup.sh")],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = (tmp_path / "GITHUB_PATH").read_text().strip()
    assert f"path={folder}\n" in (tmp_path / "GITHUB_OUTPUT").read_text()
    version = subprocess.run(
        ["cicd-actions", "--version"],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.startswith("cicd-actions, version ")


def test_an_unknown_set_of_packages_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment | {"GITHUB_ACTIONS": "true"}, tmp_path, "--shim", "everything")
    assert done.returncode == 2
    assert "There is no set of packages named 'everything'." in done.stderr
    assert done.stderr.startswith("::error ")


def test_no_python_is_one_clear_error(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "dirname", "sha256sum", "find", "sort", "xargs", "cut", "mktemp", "rm", "mkdir"):
        (folder / tool).symlink_to(shutil.which(tool) or "/nowhere")
    env = environment | {"PATH": str(folder), "RUNNER_TOOL_CACHE": str(tmp_path / "empty")}
    done = run(env, tmp_path, "auto-merge", "--help")
    assert done.returncode == 2
    assert "No Python 3.11 or later" in done.stderr
    assert "actions/setup-python" in done.stderr


def test_an_unreachable_index_is_the_services_fault(environment: dict[str, str], tmp_path: Path) -> None:
    cache = {"RUNNER_TOOL_CACHE": str(tmp_path / "tools"), "PIP_NO_CACHE_DIR": "1"}
    index = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = run(environment | cache | index, tmp_path, "auto-merge", "--help")
    assert done.returncode == 3
    assert "could not be installed" in done.stderr
    assert not list((tmp_path / "tools" / "cicd-actions").iterdir())


def test_a_kill_half_way_leaves_nothing_that_is_taken_for_whole(environment: dict[str, str], tmp_path: Path) -> None:
    env = environment | {"RUNNER_TOOL_CACHE": str(tmp_path / "tools")}
    words = ["bash", str(RUN), "auto-merge", "--help"]
    process = subprocess.Popen(
        words, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("tools/cicd-actions/*/bin/python")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("tools/cicd-actions/*/shim/cicd-actions"))
    done = run(env, tmp_path, "auto-merge", "--help")
    assert done.returncode == 0, done.stderr
