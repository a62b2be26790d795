"""The example application is green by itself, with the tools' own defaults, as a user's would be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "python-service"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example outside our checkout, so that nothing of our configuration counts."""
    target = tmp_path_factory.mktemp("example") / "python-service"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", ".coverage", ".venv"))
    return target


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "words",
    [
        ("black", "--check", "--quiet", "."),
        ("flake8", "--max-line-length=88", "--extend-ignore=E203,E701,W503"),
        ("bandit", "--quiet", "--recursive", "-ll", "."),
        ("bandit", "--quiet", "--recursive", "shortlinks"),
    ],
    ids=lambda words: " ".join(words),
)
def test_the_linters_find_nothing(copy: Path, words: tuple[str, ...]) -> None:
    done = run(copy, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_tests_pass_and_cover_it(copy: Path) -> None:
    done = run(copy, "pytest", "-q", "-p", "no:cacheprovider", "--cov", "--cov-fail-under=95")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_requirement_is_locked_by_hash_and_names_no_index() -> None:
    locked = (EXAMPLE / "requirements.txt").read_text()
    names = re.findall(r"^([a-z0-9-]+)==[\w.]+ \\$", locked, re.MULTILINE)
    wanted = re.findall(r"^[a-z][a-z0-9-]*", (EXAMPLE / "requirements.in").read_text(), re.MULTILINE)
    assert set(wanted) <= set(names)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", locked)) >= len(names)
    assert "://" not in locked


def test_the_image_is_built_without_emulation_and_runs_without_root() -> None:
    dockerfile = (EXAMPLE / "Dockerfile").read_text()
    build, final = dockerfile.split("\nFROM python:3.11-slim\n")
    assert "FROM --platform=$BUILDPLATFORM python:3.11-slim AS build" in build
    assert "--require-hashes --only-binary=:all:" in build
    assert not re.search(r"^RUN ", final, re.MULTILINE), "RUN in the final stage needs emulation"
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", final, re.MULTILINE)
