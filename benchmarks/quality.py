"""How long the quality gate takes, against the same tools one after the other and against the least it could take.

    python benchmarks/quality.py [--modules 120] [--runs 3]

An application is made for it (modules with functions, a test for each). Measured are black, flake8, bandit and pytest
with coverage, the last with making its environment; audits wait for somebody else's server, so they are left out.

1. ``gate``: one run of ``cicd-actions quality-gate``; ``sequence``: the same commands by hand, one after the other.
2. ``floor``: the longest of these commands, or all their processor time over the number of cores, whichever is more.
   No order of the same work on the same machine can be faster. Goal: gate / floor at most 1.1.
3. ``start``: ``cicd-actions quality-gate --help`` against an interpreter that does nothing.

Each number is the middle of the runs; gate and sequence take turns, so that a busy neighbour meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKS = "black,flake8,bandit,pytest"
_FOREIGN = ("GITHUB_", "RUNNER_", "INPUT_", "ACTIONS_")
_MODULE = '''"""Prices, part {number}."""

from __future__ import annotations

import json


def total_{number}(prices: list[int], *, discount: int = 0) -> int:
    """Sum of prices, less a discount."""
    result = sum(price for price in prices if price > 0)
    if discount > result:
        return 0
    return result - discount


def read_{number}(text: str) -> dict[str, int]:
    """Read prices from JSON; negative ones are left out."""
    data = json.loads(text)
    return {{str(key): int(value) for key, value in data.items() if int(value) >= 0}}


class Basket{number}:
    """What somebody wants to buy."""

    def __init__(self) -> None:
        self.prices: list[int] = []

    def add(self, price: int) -> None:
        """Put one thing in."""
        self.prices.append(price)

    def total(self) -> int:
        """What it costs."""
        return total_{number}(self.prices)
'''
_TEST = '''"""Tests of part {number}."""

from shop.part_{number} import Basket{number}, read_{number}, total_{number}


def test_total():
    assert total_{number}([1, 2, -3], discount=1) == 2
    assert total_{number}([], discount=1) == 0


def test_read():
    assert read_{number}('{{"a": 1, "b": -1}}') == {{"a": 1}}


def test_basket():
    basket = Basket{number}()
    for price in range(2000):
        basket.add(price)
    assert basket.total() == sum(range(2000))
'''


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Wall time and processor time of one command with all that it started."""

    seconds: float
    cpu: float


def make_application(folder: Path, modules: int) -> None:
    """Write an application with tests that pass and nothing to find, and commit it."""
    (folder / "shop").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    for number in range(modules):
        (folder / "shop" / f"part_{number}.py").write_text(_MODULE.format(number=number))
        (folder / "tests" / f"test_part_{number}.py").write_text(_TEST.format(number=number))
    identity = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-q", "-m", "First")):
        subprocess.run(["git", *words], cwd=folder, check=True)


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Cost:
    """Run a command that must succeed."""
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(argv, cwd=cwd, env=dict(env), stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(argv)} failed:\n{said.read().decode(errors='replace')[-3000:]}")
    return Cost(seconds=seconds, cpu=usage.ru_utime + usage.ru_stime)


def by_hand(app: Path, scratch: Path, env: Mapping[str, str]) -> dict[str, Cost]:
    """The same tools, one after the other; the environment of the tests is made from nothing, as the gate does."""
    python, home = sys.executable, scratch / "venv"
    shutil.rmtree(home, ignore_errors=True)
    uv = shutil.which("uv", path=f"{Path(python).parent}{os.pathsep}{env.get('PATH', '')}")
    make = [uv, "venv", "-q", "--python", python, str(home)] if uv else [python, "-m", "venv", str(home)]
    install = [uv, "pip", "install", "-q", "--python", f"{home}/bin/python"] if uv else [f"{home}/bin/pip", "install"]
    pins = [f"{name}=={_version(name)}" for name in ("pytest", "pytest-cov")]
    test = [f"{home}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--cov=shop", "--cov-branch",
            f"--cov-report=json:{scratch}/coverage.json", f"--cov-report=xml:{scratch}/coverage.xml",
            f"--junitxml={scratch}/junit.xml"]  # fmt: skip
    commands = {
        "black": [[python, "-m", "black", "--check", "--diff", "-q", "."]],
        "flake8": [[python, "-m", "flake8", "--max-line-length=88", "."]],
        "bandit": [[python, "-m", "bandit", "-q", "-r", "shop", "-f", "json", "-o", f"{scratch}/bandit.json"]],
        "pytest": [make, [*install, *pins], test],
    }
    found = {}
    for name, parts in commands.items():
        costs = [run(argv, app, env) for argv in parts]
        found[name] = Cost(seconds=sum(c.seconds for c in costs), cpu=sum(c.cpu for c in costs))
    return found


def measure(modules: int = 120, runs: int = 3) -> dict[str, object]:
    """Return the numbers as the module's text describes them."""
    gates: list[float] = []
    sequences: list[dict[str, Cost]] = []
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as name:
        app, scratch = Path(name) / "app", Path(name) / "scratch"
        scratch.mkdir()
        make_application(app, modules)
        env = _env(scratch)
        words = [sys.executable, "-m", "cicd_actions", "quality-gate", "--checks", CHECKS, "--json",
                 "--python-version", f"{sys.version_info.major}.{sys.version_info.minor}"]  # fmt: skip
        for _ in range(runs + 1):  # the first warms the caches of both and does not count
            gates.append(run(words, app, env).seconds)
            sequences.append(by_hand(app, scratch, env))
        start = _start(env, app)
    return _figures(gates[1:], sequences[1:]) | {"modules": modules, "runs": runs, "start": start}


def _figures(gates: Sequence[float], sequences: Sequence[Mapping[str, Cost]]) -> dict[str, object]:
    cores = len(os.sched_getaffinity(0))
    checks = {name: statistics.median(s[name].seconds for s in sequences) for name in sequences[0]}
    cpu = statistics.median(sum(cost.cpu for cost in s.values()) for s in sequences)
    gate = statistics.median(gates)
    sequence = statistics.median(sum(cost.seconds for cost in s.values()) for s in sequences)
    floor = max(*checks.values(), cpu / cores)
    return {
        "cores": cores,
        "gate s": round(gate, 2),
        "sequence s": round(sequence, 2),
        "floor s": round(floor, 2),
        "gate/floor": round(gate / floor, 2),
        "gate/sequence": round(gate / sequence, 2),
        "checks s": {name: round(seconds, 2) for name, seconds in checks.items()},
        "cpu s": round(cpu, 2),
    }


def _start(env: Mapping[str, str], cwd: Path) -> dict[str, float]:
    help_words = [sys.executable, "-m", "cicd_actions", "quality-gate", "--help"]
    found = {}
    for name, argv in (("help ms", help_words), ("bare interpreter ms", [sys.executable, "-c", "pass"])):
        found[name] = round(1000 * statistics.median(run(argv, cwd, env).seconds for _ in range(11)), 1)
    return found


def _env(scratch: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    kept.pop("PYTHONPATH", None)
    return kept | {"RUNNER_TEMP": str(scratch), "PYTHONDONTWRITEBYTECODE": "1", "BLACK_CACHE_DIR": os.devnull,
                   "COVERAGE_FILE": str(scratch / "coverage.data")}  # fmt: skip


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def main(argv: Sequence[str]) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description="Wall time of the quality gate.")
    parser.add_argument("--modules", type=int, default=120)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args(argv)
    print(json.dumps(measure(chosen.modules, chosen.runs), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
