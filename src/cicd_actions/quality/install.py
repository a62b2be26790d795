"""What has to be installed before an application's tests can run; read from its files. Pure but for reading them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cicd_actions.quality.project import Project

_TEST_NAMES = ("test", "tests", "testing")
_DEV_NAMES = ("dev", "development")
_BASE_FILES = ("requirements.txt", "requirements/base.txt", "requirements/main.txt", "requirements/requirements.txt")
_EXTRA_FILES = ("requirements-{}.txt", "requirements_{}.txt", "{}-requirements.txt", "{}_requirements.txt",
                "requirements/{}.txt")  # fmt: skip
_BUILD_FILES = ("setup.py", "setup.cfg")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to install, in two moves: each locked file by itself with hashes enforced, then all the rest at once.

    ``editable`` is ``""``, ``"."`` or ``".[tests]"``; ``lines`` are single requirements (dependency groups, or the
    dependencies of a project that cannot be built).
    """

    locked: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    editable: str = ""
    lines: tuple[str, ...] = ()

    @property
    def is_locked(self) -> bool:
        """True when every third-party package comes from a file with hashes."""
        return bool(self.locked) and not (self.files or self.editable or self.lines)

    def __str__(self) -> str:
        parts = [*self.locked, *self.files, *([self.editable] if self.editable else []), *self.lines]
        return ", ".join(parts) or "nothing"


def plan_install(project: Project) -> Plan:
    """Return the plan for a project: its requirements files, then itself with what its tests need."""
    names = _requirement_files(project.files)
    locked = tuple(name for name in names if _has_hashes(project, name))
    files = tuple(name for name in names if name not in locked)
    pyproject = project.config.pyproject
    table = pyproject.get("project", {})
    lines = _group_lines(pyproject.get("dependency-groups", {}))
    if "build-system" in pyproject or any(name in project.files for name in _BUILD_FILES):
        extras = _wanted([*table.get("optional-dependencies", {}), *_setup_cfg_extras(project)], lines)
        if _is_buildable(project):
            editable = f".[{','.join(extras)}]" if extras else "."
            return Plan(locked=locked, files=files, editable=editable, lines=lines)
    if table:
        extras = _wanted(table.get("optional-dependencies", {}), lines)
        more = [line for name in extras for line in table["optional-dependencies"][name]]
        lines = (*table.get("dependencies", ()), *more, *lines)
    return Plan(locked=locked, files=files, lines=lines)


def _requirement_files(files: frozenset[str]) -> tuple[str, ...]:
    """The application's own, then those for tests; those for development where none says tests."""
    base = [name for name in _BASE_FILES if name in files][:1]
    for words in (_TEST_NAMES, _DEV_NAMES):
        extra = [name for word in words for pattern in _EXTRA_FILES if (name := pattern.format(word)) in files]
        if extra:
            return (*base, *extra)
    return tuple(base)


def _has_hashes(project: Project, name: str) -> bool:
    text = (project.directory / name).read_text(encoding="utf-8", errors="replace")
    return "--hash=" in text


def _is_buildable(project: Project) -> bool:
    """A setup.cfg that only configures tools, or a pyproject.toml without a name, describes no package."""
    pyproject, files = project.config.pyproject, project.files
    named = "project" in pyproject or "poetry" in pyproject.get("tool", {}) or "flit" in pyproject.get("tool", {})
    return named or "setup.py" in files or "metadata" in project.config.setup_cfg


def _setup_cfg_extras(project: Project) -> list[str]:
    return list(project.config.setup_cfg.get("options.extras_require", {}))


def _wanted(extras: Iterable[str], group_lines: Sequence[str]) -> tuple[str, ...]:
    """The extras for tests; those for development where nothing says tests."""
    names = list(extras)
    tests = tuple(name for name in names if name.lower() in _TEST_NAMES)
    if tests or group_lines:
        return tests
    return tuple(name for name in names if name.lower() in _DEV_NAMES)


def _group_lines(groups: Any) -> tuple[str, ...]:
    """Requirements of the dependency groups for tests (PEP 735), else of those for development."""
    if not isinstance(groups, Mapping):
        return ()
    for wanted in (_TEST_NAMES, _DEV_NAMES):
        lines = [line for name in groups if str(name).lower() in wanted for line in _expand(groups, name, ())]
        if lines:
            return tuple(dict.fromkeys(lines))
    return ()


def _expand(groups: Mapping[str, Any], name: str, above: tuple[str, ...]) -> list[str]:
    names = {_normal(key): key for key in groups}
    key = names.get(_normal(name))
    if key is None or key in above:  # unknown, or a circle: the installer's own tools report that
        return []
    lines: list[str] = []
    for entry in groups[key]:
        if isinstance(entry, str):
            lines.append(entry)
        elif isinstance(entry, Mapping) and "include-group" in entry:
            lines += _expand(groups, str(entry["include-group"]), (*above, key))
    return lines


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
