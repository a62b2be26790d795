"""What the application looks like: its Python files, what of it is tests, what coverage should measure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.quality.config import ToolConfig, read_config
from cicd_actions.quality.revision import Revision, tracked_files

# never an application's own source; the tools' own defaults agree
IGNORED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".tox", ".nox", ".eggs", ".venv", "venv", "env", "build", "dist", "node_modules",
     "__pycache__", "__pypackages__", "site-packages"}
)  # fmt: skip
_TEST_FOLDERS = frozenset({"tests", "test"})
_NOT_MEASURED = frozenset({"setup.py", "noxfile.py", "fabfile.py", "tasks.py", "conftest.py"})
_NOT_MEASURED_FOLDERS = frozenset({"docs", "doc", "examples", "scripts", "benchmarks", "tools"})


@dataclass(frozen=True, kw_only=True)
class Project:
    """An application's folder and its Python files (relative to the folder, sorted)."""

    root: Path
    directory: Path
    python_files: tuple[str, ...]
    files: frozenset[str]
    config: ToolConfig

    @property
    def source_files(self) -> tuple[str, ...]:
        """Python files that are no tests; all of them when there is nothing but tests."""
        source = tuple(name for name in self.python_files if not is_test(name))
        return source or self.python_files

    @property
    def top_level(self) -> tuple[str, ...]:
        """The first part of every Python file's path: what a tool is told to walk."""
        return tuple(dict.fromkeys(PurePosixPath(name).parts[0] for name in self.python_files))

    def in_repository(self, name: str) -> str:
        """Return a tool's path (relative to the folder, or absolute) as a path in the repository, or ``""``.

        Nothing is resolved through symbolic links, so the place is the one that the tool named.
        """
        path = Path(os.path.normpath(self.directory / name))
        for root in (self.root, self.root.resolve()):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return ""


def read_project(directory: Path, revision: Revision, env: Mapping[str, str]) -> Project:
    """Return the project in ``directory``.

    Raises:
        ConfigError: There is no Python file, or a configuration file cannot be read.
    """
    files = tracked_files(directory, env)
    if not files:  # no git, or nothing added yet
        files = tuple(_walk(directory))
    python = tuple(n for n in files if n.endswith((".py", ".pyi")) and not _ignored(n))
    if not python:
        what = "holds no Python file that git tracks" if revision.sha else "holds no Python file"
        fix = "Name the application's folder; files must be committed to be seen."
        raise ConfigError(Problem(input="working-directory", value=str(directory), what=what, fix=fix))
    return Project(
        root=revision.root,
        directory=directory,
        python_files=python,
        files=frozenset(files),
        config=read_config(directory, revision.root),
    )


def is_test(name: str) -> bool:
    """True for a file that tests the application."""
    path = PurePosixPath(name)
    by_name = path.name.startswith("test_") or path.stem.endswith("_test")
    return by_name or path.name == "conftest.py" or bool(_TEST_FOLDERS & set(path.parts[:-1]))


def coverage_sources(python_files: Iterable[str]) -> tuple[str, ...]:
    """Return the folders to measure where a project configures nothing: the top package of every source file.

    Coverage looks for unexecuted files only in packages, so a package below ``src`` is named by itself.
    """
    files = [name for name in python_files if name.endswith(".py") and not is_test(name)]
    packages = {str(PurePosixPath(name).parent) for name in files if name.endswith("/__init__.py")}
    sources: list[str] = []
    for name in files:
        path = PurePosixPath(name)
        if path.name in _NOT_MEASURED or path.parts[0] in _NOT_MEASURED_FOLDERS:
            continue
        folder = path.parent
        while str(folder.parent) in packages:
            folder = folder.parent
        sources.append(str(folder))
    return tuple(dict.fromkeys(sources))


def coverage_omissions(python_files: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of files that ``coverage_sources`` would take in though they are none."""
    listed = [name for name in python_files if is_test(name) or PurePosixPath(name).name in _NOT_MEASURED]
    folders = {f"{PurePosixPath(name).parts[0]}/*" for name in python_files
               if PurePosixPath(name).parts[0] in _NOT_MEASURED_FOLDERS}  # fmt: skip
    return (*sorted(folders), *listed)


def _ignored(name: str) -> bool:
    return bool(IGNORED_FOLDERS & set(PurePosixPath(name).parts[:-1]))


def _walk(directory: Path) -> Iterable[str]:
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = sorted(
            name for name in subfolders
            if name not in IGNORED_FOLDERS and not (Path(folder) / name / "pyvenv.cfg").exists()
        )  # fmt: skip
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(directory).as_posix()
