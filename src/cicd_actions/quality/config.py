"""What the project itself configures for each tool; where it does, its word counts."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from cicd_actions.errors import ConfigError, Problem

BLACK_LINE_LENGTH = 88


@dataclass(frozen=True, kw_only=True)
class ToolConfig:
    """Which tools are configured, and the few values that our defaults depend on.

    ``bandit`` holds bandit's own arguments for the configuration that was found. ``coverage_source`` is true when
    the project says what to measure, ``mypy_paths`` when it tells mypy what to
    look at. ``fail_under`` is the project's own coverage floor.
    """

    pyproject: Mapping[str, Any]
    setup_cfg: Mapping[str, Mapping[str, str]]
    black_line_length: int
    flake8: bool
    bandit: tuple[str, ...]
    coverage: bool
    coverage_source: bool
    addopts: tuple[str, ...]
    fail_under: Fraction | None
    mypy: bool
    mypy_paths: bool
    ruff: bool

    @property
    def measures_itself(self) -> bool:
        """True when the project's own pytest options switch coverage on."""
        return any(word == "--cov" or word.startswith("--cov=") for word in self.addopts)


def read_config(directory: Path, root: Path) -> ToolConfig:
    """Read the configuration files in ``directory`` and, where a tool looks upwards, its parents up to ``root``.

    Raises:
        ConfigError: A configuration file cannot be parsed.
    """
    pyproject = _toml(directory / "pyproject.toml")
    inis = {name: _ini(directory / name) for name in ("setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini")}
    coveragerc = _ini(directory / ".coveragerc")
    addopts = _addopts(pyproject, inis)
    mypy = _mypy(directory, pyproject, inis)
    coverage_run, coverage_report = _coverage(pyproject, inis, coveragerc)
    return ToolConfig(
        pyproject=pyproject,
        setup_cfg=inis["setup.cfg"],
        black_line_length=_black_line_length(directory, root),
        flake8=any("flake8" in _ini(folder / name) for folder in _upwards(directory, root)
                   for name in ("setup.cfg", "tox.ini", ".flake8")),
        bandit=_bandit(directory, root),
        coverage=bool(coverage_run or coverage_report),
        coverage_source=bool({"source", "source_pkgs", "include", "source_dirs"} & set(coverage_run)),
        addopts=addopts,
        fail_under=_fail_under(addopts, coverage_report),
        mypy=bool(mypy),
        mypy_paths=bool({"files", "packages", "modules"} & set(mypy)),
        ruff=_ruff(directory, root),
    )  # fmt: skip


def _upwards(directory: Path, root: Path) -> Iterator[Path]:
    for folder in (directory, *directory.parents):
        yield folder
        if folder in (root, root.resolve()):
            return


def _black_line_length(directory: Path, root: Path) -> int:
    for folder in _upwards(directory, root):
        table = _tool(_toml(folder / "pyproject.toml"), "black")
        if table:
            value = table.get("line-length", table.get("line_length", BLACK_LINE_LENGTH))
            return value if isinstance(value, int) else BLACK_LINE_LENGTH
    return BLACK_LINE_LENGTH


def _bandit(directory: Path, root: Path) -> tuple[str, ...]:
    for folder in _upwards(directory, root):
        if (folder / ".bandit").is_file():
            return ("--ini", str(folder / ".bandit"))
        for name in ("bandit.yaml", "bandit.yml", ".bandit.yaml", ".bandit.yml", "bandit.toml"):
            if (folder / name).is_file():
                return ("-c", str(folder / name))
        if _tool(_toml(folder / "pyproject.toml"), "bandit"):
            return ("-c", str(folder / "pyproject.toml"))
    return ()


def _ruff(directory: Path, root: Path) -> bool:
    return any(
        (folder / "ruff.toml").is_file()
        or (folder / ".ruff.toml").is_file()
        or bool(_tool(_toml(folder / "pyproject.toml"), "ruff"))
        for folder in _upwards(directory, root)
    )


def _mypy(
    directory: Path, pyproject: Mapping[str, Any], inis: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> Mapping[str, Any]:
    """mypy's own section, in the order in which it looks; a section of one module only does not configure it."""
    for name in ("mypy.ini", ".mypy.ini"):
        if "mypy" in (found := _ini(directory / name)):
            return found["mypy"] or {"configured": ""}
    return _tool(pyproject, "mypy") or inis["setup.cfg"].get("mypy", {})


def _addopts(pyproject: Mapping[str, Any], inis: Mapping[str, Mapping[str, Mapping[str, str]]]) -> tuple[str, ...]:
    # pytest takes the first of these files that configures it
    candidates: list[Any] = [inis[name]["pytest"].get("addopts", "") for name in ("pytest.ini", ".pytest.ini")
                             if "pytest" in inis[name]]  # fmt: skip
    table = _tool(pyproject, "pytest")
    if table:
        candidates.append(table.get("ini_options", table).get("addopts", ""))
    if "pytest" in inis["tox.ini"]:
        candidates.append(inis["tox.ini"]["pytest"].get("addopts", ""))
    if "tool:pytest" in inis["setup.cfg"]:
        candidates.append(inis["setup.cfg"]["tool:pytest"].get("addopts", ""))
    if not candidates:
        return ()
    if isinstance(candidates[0], list):
        return tuple(str(word) for word in candidates[0])
    try:
        return tuple(shlex.split(str(candidates[0])))
    except ValueError:  # pytest itself will say what is wrong with it
        return ()


def _coverage(
    pyproject: Mapping[str, Any],
    inis: Mapping[str, Mapping[str, Mapping[str, str]]],
    coveragerc: Mapping[str, Mapping[str, str]],
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The sections ``run`` and ``report``, in the order in which coverage.py looks."""
    if coveragerc:
        return coveragerc.get("run", {}), coveragerc.get("report", {})
    for name in ("setup.cfg", "tox.ini"):
        run, report = inis[name].get("coverage:run", {}), inis[name].get("coverage:report", {})
        if run or report:
            return run, report
    table = _tool(pyproject, "coverage")
    return table.get("run", {}), table.get("report", {})


def _fail_under(addopts: tuple[str, ...], coverage_report: Mapping[str, Any]) -> Fraction | None:
    given = re.search(r"--cov-fail-under[= ](\S+)", " ".join(addopts))
    text = given[1] if given else str(coverage_report.get("fail_under", ""))
    return Fraction(text) if re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 0 else None


def _tool(pyproject: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    tool = pyproject.get("tool", {})
    table = tool.get(name, {}) if isinstance(tool, dict) else {}
    return table if isinstance(table, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _ini(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error) as error:
        raise _unreadable(path, error) from error
    return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}


def _unreadable(path: Path, error: Exception) -> ConfigError:
    what = f"{path.name} in it cannot be read: {str(error).splitlines()[0]}"
    return ConfigError(Problem(input="working-directory", value=str(path.parent), what=what, fix=f"Mend {path.name}."))
