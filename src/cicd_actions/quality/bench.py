"""What every check gets: the project, the settings, folders to write to and a clean environment."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.process import Completed, run
from cicd_actions.quality.model import CheckResult, State
from cicd_actions.quality.project import Project
from cicd_actions.quality.settings import Settings

# the runner's files and services, and interpreters of other people
_DROPPED = frozenset(
    {"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "PYTHONHOME",
     "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_SYSTEM_PYTHON",
     "UV_PROJECT_ENVIRONMENT", "SAFETY_API_KEY"}
)  # fmt: skip
_DROPPED_PREFIXES = ("INPUT_", "ACTIONS_")
_OUR_SOURCE = Path(__file__).resolve().parents[2]
_TAIL_LINES = 12
_LINE_LENGTH = 400


@dataclass(frozen=True, kw_only=True)
class Bench:
    """``scratch`` is removed at the end of the run, ``reports`` stays; ``env`` holds no secret and nothing of ours.

    ``only`` are the Python files that linters look at, relative to the folder; None means all of them.
    """

    project: Project
    settings: Settings
    scratch: Path
    reports: Path
    env: Mapping[str, str]
    only: frozenset[str] | None = None

    def run_tool(
        self, module: str, *words: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> Completed:
        """Run one of our own tools (``python -I -m MODULE``): nothing is imported from the checkout."""
        argv = [*self._politely(), sys.executable, "-I", "-B", "-m", module, *words]
        env = {**self.env, **(extra or {})}
        return run(argv, cwd=cwd or self.project.directory, env=env, timeout=self.settings.timeout,
                   own_session=False)  # fmt: skip

    def _politely(self) -> tuple[str, ...]:
        """Words before a linter's command: where cores are short, the tests, which take longest, come first.

        Within one session (or one container) a higher nice value does that; between sessions their equal shares do.
        """
        nice = shutil.which("nice", path=self.env.get("PATH", ""))
        return (nice, "-n", "10") if nice else ()

    def all_paths(self) -> tuple[str, ...]:
        """The paths that were asked for; the prefix keeps a file from being taken for an option."""
        return tuple(f"./{name}" for name in self.settings.paths or self.project.top_level)

    def lint_paths(self) -> tuple[str, ...]:
        """What linters are given: the paths, or the changed files below them, perhaps none."""
        if self.only is None:
            return self.all_paths()
        return tuple(f"./{name}" for name in self.below(self.project.python_files))

    def below(self, files: Sequence[str]) -> tuple[str, ...]:
        """Those of the files that linters look at: below the paths asked for, and changed where only that counts."""
        roots = [path.removeprefix("./").rstrip("/") for path in self.settings.paths]
        everything = not roots or "." in roots
        return tuple(
            name
            for name in files
            if (everything or any(name == root or name.startswith(f"{root}/") for root in roots))
            and (self.only is None or name in self.only)
        )

    def unchanged(self, check: str, *, why: str = "no Python file changed") -> CheckResult:
        """The result of a linter that was to look at changed files only, and had none to look at."""
        return CheckResult(check=check, state=State.PASSED, detail=f"{why} (only-changed)")


def clean_env(env: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Return the environment for tools and tests: no secrets, no way into our outputs, no caches in the checkout.

    Variables whose name ends in ``TOKEN`` go, and the runner's inputs and services; what else a workflow sets for
    its tests stays. PYTHONPATH keeps the entries that do not lead to our own sources.
    """
    kept = {
        key: value for key, value in env.items()
        if key not in _DROPPED and not key.startswith(_DROPPED_PREFIXES) and not key.upper().endswith("TOKEN")
    }  # fmt: skip
    entries = [e for e in env.get("PYTHONPATH", "").split(":") if e and Path(e).resolve() != _OUR_SOURCE]
    kept.pop("PYTHONPATH", None)
    if entries:
        kept["PYTHONPATH"] = ":".join(entries)
    return kept | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "BLACK_CACHE_DIR": str(scratch / "black"),
        "COVERAGE_FILE": str(scratch / "coverage.data"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
        "NO_COLOR": "1",
    }


def tail(text: str, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a program's output, long ones cut."""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(clip(line, _LINE_LENGTH) for line in kept[-lines:])


def first_line(text: str) -> str:
    """Return the first line, without the colon that announces the others."""
    return text.splitlines()[0].rstrip(":") if text else ""


def clip(text: str, length: int) -> str:
    """Return the text cut to a length, saying so with three dots."""
    return text if len(text) <= length else text[: length - 3] + "..."


def tool_error(check: str, completed: Completed, why: str, remedy: str = "") -> CheckResult:
    """Return the result of a check whose tool could not do its work, with the last of what it said."""
    if completed.timed_out:
        why = f"was ended after {completed.seconds:.0f} s"
        remedy = "Raise the input timeout, or find out what hangs."
    said = tail(completed.stderr or completed.stdout)
    return CheckResult(
        check=check,
        state=State.TOOL_ERROR,
        detail=f"{check} {why}" + (f":\n{said}" if said else ""),
        remedy=remedy,
        seconds=completed.seconds,
    )


def count(number: int, noun: str) -> str:
    """Return for example ``1 file`` or ``3 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def words_of(values: Sequence[str], limit: int = 5) -> str:
    """Return a list for a sentence, cut after a few."""
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(values[:limit]) + more
