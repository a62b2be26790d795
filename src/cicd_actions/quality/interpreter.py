"""The Python that the application is tested with: found on the machine, or had through uv."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.process import run

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64", "i686": "x86"}
_ASK = "import platform; print(platform.python_version())"
_PROBE_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python: its program, full version and where it was found."""

    path: Path
    version: str
    source: str


def find_python(wanted: str, *, tool_cache: Path | None, env: Mapping[str, str]) -> Interpreter:
    """Return an interpreter of the wanted version (``3.12``, or ``3.12.4`` for exactly that).

    Looks in the runner's tool cache (where actions/setup-python puts them), on PATH, at the interpreter that runs
    this, at pyenv's, and asks uv, which may install one.

    Raises:
        ConfigError: None was found; names what was.
    """
    seen: list[str] = []
    for path, source in _candidates(wanted, tool_cache, env):
        version = _version_of(path, env)
        if version and _matches(version, wanted):
            return Interpreter(path=path, version=version, source=source)
        if version and version not in seen:
            seen.append(version)
    if found := _ask_uv(wanted, env):
        return found
    what = f"no Python {wanted} was found in the tool cache or on PATH (found: {', '.join(seen) or 'none'})"
    fix = f"Add actions/setup-python with python-version: '{wanted}' before this step, or ask for one that is there."
    raise ConfigError(Problem(input="python-version", value=wanted, what=what, fix=fix))


def find_uv(env: Mapping[str, str]) -> str:
    """Return the uv that was installed beside us, else the one on PATH, else an empty string."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv", path=env.get("PATH")) or ""


def cached_pythons(wanted: str, tool_cache: Path | None, machine: str) -> list[Path]:
    """Return the matching interpreters of a runner's tool cache, newest first."""
    architecture = _ARCHITECTURES.get(machine.lower(), machine.lower())
    return _newest(tool_cache / "Python", wanted, f"{architecture}/bin/python3") if tool_cache else []


def _newest(root: Path, wanted: str, program: str) -> list[Path]:
    """Programs in folders that are named after the versions they hold."""
    folders = [entry for entry in root.iterdir() if _matches(entry.name, wanted)] if root.is_dir() else []
    folders.sort(key=lambda entry: [int(part) for part in re.findall(r"\d+", entry.name)], reverse=True)
    return [folder / program for folder in folders if (folder / program).exists()]


def _candidates(wanted: str, tool_cache: Path | None, env: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for path in cached_pythons(wanted, tool_cache, platform.machine()):
        yield path, "tool cache"
    minor = ".".join(wanted.split(".")[:2])
    for name in (f"python{minor}", "python3", "python"):
        if found := shutil.which(name, path=env.get("PATH")):
            yield Path(found), "PATH"
    yield Path(sys.executable), "the gate's own"
    if home := env.get("PYENV_ROOT") or env.get("HOME"):
        versions = Path(home) / ("versions" if env.get("PYENV_ROOT") else ".pyenv/versions")
        for path in _newest(versions, wanted, "bin/python3"):
            yield path, "pyenv"


def _ask_uv(wanted: str, env: Mapping[str, str]) -> Interpreter | None:
    uv = find_uv(env)
    if not uv:
        return None
    found = run([uv, "python", "find", "--no-project", wanted], env=env, timeout=_PROBE_SECONDS)
    if not found.ok:
        run([uv, "python", "install", wanted], env=env, timeout=300)
        found = run([uv, "python", "find", "--no-project", wanted], env=env, timeout=_PROBE_SECONDS)
    path = Path(found.stdout.strip())
    version = _version_of(path, env) if found.ok else ""
    return Interpreter(path=path, version=version, source="uv") if _matches(version, wanted) else None


def _version_of(path: Path, env: Mapping[str, str]) -> str:
    """Run it: a program of the right name may be a shim for nothing."""
    try:
        answer = run([path, "-I", "-c", _ASK], env=env, timeout=_PROBE_SECONDS)
    except ActionError:
        return ""
    return answer.stdout.strip() if answer.ok else ""


def _matches(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(f"{wanted}.")
