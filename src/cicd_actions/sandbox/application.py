"""The application that goes through the sandbox: which files are pushed, and what each scenario changes in them."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.process import run

_LEFT_OUT = {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".eggs"}
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")


@dataclass(frozen=True, kw_only=True)
class Application:
    """A folder with a Dockerfile and tests: ``paths`` are the files to push, relative to ``root``."""

    name: str
    root: Path
    paths: tuple[str, ...]

    @property
    def test_folder(self) -> str:
        """The folder of the first test file, relative to the root ("" for the root itself)."""
        tests = sorted((path for path in self.paths if _TEST_FILE.search(path)), key=lambda p: (p.count("/"), p))
        return tests[0].rpartition("/")[0]


def read_application(folder: Path) -> Application:
    """Find out what would be pushed from ``folder``.

    In a Git checkout these are the tracked files and the untracked ones that Git does not ignore; elsewhere all files
    but those of virtual environments and caches.

    Raises:
        ConfigError: No such folder, nothing in it, no Dockerfile or no tests.
    """
    if not folder.is_dir():
        raise _refuse(folder, "is not a folder", "Name the folder of an application.")
    paths = tuple(sorted(_tracked(folder) or _walk(folder)))
    if not paths:
        raise _refuse(folder, "holds no files", "Name the folder of an application.")
    if "Dockerfile" not in paths:
        raise _refuse(folder, "has no Dockerfile", "Add a Dockerfile at the root of the application.")
    if not any(_TEST_FILE.search(path) for path in paths):
        raise _refuse(folder, "has no tests", "Add at least one test_*.py file.")
    return Application(name=repository_name(folder.resolve().name), root=folder.resolve(), paths=paths)


def repository_name(text: str) -> str:
    """Return ``text`` as a name that GitHub and a registry both take; "app" when nothing of it is left."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name[:60].strip("-") or "app"


def copy_application(app: Application, target: Path) -> None:
    """Copy the files to push into ``target``, with their modes; symbolic links stay links."""
    for path in app.paths:
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(app.root / path, destination, follow_symlinks=False)


def add_failing_test(app: Application, checkout: Path) -> None:
    """Add a test that fails, beside the application's own tests."""
    path = checkout / app.test_folder / "test_scenario_tests_fail.py"
    path.write_text(
        '"""Added by the scenario tests-fail."""\n\n\n'
        "def test_that_fails_on_purpose():\n"
        '    stock = {"apples": 3}\n'
        '    assert stock["apples"] == 4, "the scenario tests-fail wants a red test"\n',
        encoding="utf-8",
    )


def add_vulnerable_package(checkout: Path) -> None:
    """Let the image hold the metadata of PyYAML 5.3, which has a critical vulnerability (CVE-2020-14343)."""
    dockerfile = checkout / "Dockerfile"
    text = dockerfile.read_bytes().rstrip(b"\n")
    dockerfile.write_bytes(
        text + b"\n# Added by the scenario vulnerable-image.\n"
        b"COPY <<EOF /opt/scenario/PyYAML-5.3.dist-info/METADATA\n"
        b"Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nEOF\n"
    )


def _tracked(folder: Path) -> list[str]:
    inside = run(["git", "-C", folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z"])
    names = [name for name in inside.stdout.split("\0") if name] if inside.ok else []
    return [name for name in names if (folder / name).is_symlink() or (folder / name).is_file()]


def _walk(folder: Path) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        found += [str((Path(place) / name).relative_to(folder)) for name in names]
    return found


def _refuse(folder: Path, what: str, fix: str) -> ConfigError:
    return ConfigError(Problem(input="app", value=str(folder), what=what, fix=fix))
