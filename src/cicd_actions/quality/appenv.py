"""The application's own environment: a virtual environment outside the workspace, made for one run."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ActionError, UpstreamError
from cicd_actions.process import Completed, run
from cicd_actions.quality.bench import Bench, tail
from cicd_actions.quality.indexes import uv_env
from cicd_actions.quality.install import Plan
from cicd_actions.quality.interpreter import Interpreter, find_uv

log = logging.getLogger("cicd_actions.quality")

# What runs the tests where the application brings none; its own versions are never changed.
_PYTEST = ("pytest==9.2.0; python_version >= '3.10'", "pytest>=7,<9; python_version < '3.10'")
_PYTEST_COV = ("pytest-cov==7.1.0; python_version >= '3.9'", "pytest-cov>=4; python_version < '3.9'")
# and what checks its types and style, where the project configures that and does not say which version
_CHECKERS = {
    "mypy": ("mypy==2.4.1; python_version >= '3.10'", "mypy>=1.4,<2; python_version < '3.10'"),
    "ruff": ("ruff==0.17.6",),
}
_NETWORK = (
    "error sending request", "failed to fetch", "dns error", "connection refused", "connection reset",
    "operation timed out", "newconnectionerror", "max retries exceeded", "readtimeout", "connecttimeout",
    "temporary failure in name resolution", "network is unreachable", "http error 5", "503 service", "502 bad",
    "could not connect", "client error (connect)", "remote end closed",
)  # fmt: skip
_LIST = (
    "import importlib.metadata as m, json\n"
    "print(json.dumps([[d.metadata['Name'], d.version, 'file:' in (d.read_text('direct_url.json') or '')]"
    " for d in m.distributions()]))"
)


@dataclass(frozen=True, kw_only=True)
class Package:
    """An installed package; ``local`` means that it came from a folder, as the application itself does."""

    name: str
    version: str
    local: bool


@dataclass(frozen=True, kw_only=True)
class AppEnvironment:
    """A ready environment: its interpreter, the application's packages (without what we added), what was done."""

    python: Path
    packages: tuple[Package, ...]
    env: Mapping[str, str]
    installed: str
    version: str


def make_environment(bench: Bench, interpreter: Interpreter, plan: Plan) -> AppEnvironment:
    """Create the environment, install the application, add pytest and pytest-cov where they lack.

    Raises:
        UpstreamError: The package index did not answer.
        ActionError: Something could not be installed.
    """
    maker = _Maker(bench, interpreter)
    install = bench.settings.install
    maker.create(system=install == ("none",), seed=install not in (("auto",), ("none",)))
    before = set(maker.packages()) if install != ("none",) else set()
    if install == ("auto",):
        _install_plan(maker, plan)
        done = f"installed {plan}"
    elif install == ("none",):
        done = "installed nothing, as asked"
    else:
        for line in install:
            maker.command(shlex.split(line))
        done = f"ran {len(install)} commands of the input install"
    everything = maker.packages()
    maker.add_runner(everything)
    maker.add_checkers(everything)
    packages = tuple(p for p in everything if p not in before and p.name.lower() not in ("pip", "setuptools", "wheel"))
    return AppEnvironment(python=maker.python, packages=packages, env=maker.env, installed=done,
                          version=interpreter.version)  # fmt: skip


def _install_plan(maker: _Maker, plan: Plan) -> None:
    for name in plan.locked:
        maker.install(["--require-hashes", "-r", name], name)
    words = [word for name in plan.files for word in ("-r", name)]
    if plan.lines:
        path = maker.bench.scratch / "requirements.txt"
        path.write_text("\n".join(plan.lines) + "\n", encoding="utf-8")
        words += ["-r", str(path)]
    if plan.editable:
        words += ["-e", plan.editable]
    if words:
        maker.install(words, str(Plan(files=plan.files, editable=plan.editable, lines=plan.lines)))


class _Maker:
    """One environment under construction; uv where it is there, venv and pip otherwise."""

    def __init__(self, bench: Bench, interpreter: Interpreter) -> None:
        self.bench = bench
        self._interpreter = interpreter
        self._home = bench.scratch / "app"
        self._uv = find_uv(bench.env)
        self.python = self._home / "bin" / "python"
        path = f"{self._home / 'bin'}:{bench.env.get('PATH', '')}"
        self.env = {**bench.env, "VIRTUAL_ENV": str(self._home), "PATH": path}

    def create(self, *, system: bool, seed: bool) -> None:
        """Make the empty environment; ``system`` shows it what the interpreter has, ``seed`` puts pip into it."""
        site = ["--system-site-packages"] if system else []
        if self._uv:
            more = ["--seed"] if seed else []
            words: list[str | Path] = [
                self._uv,
                "venv",
                "-q",
                "--no-project",
                "--python",
                self._interpreter.path,
                *site,
                *more,
            ]
        else:
            words = [self._interpreter.path, "-I", "-m", "venv", *site]
        self._run([*words, self._home], "the virtual environment could not be made")

    def install(self, words: Sequence[str], what: str) -> None:
        """Install requirements into it."""
        if self._uv:
            command: list[str | Path] = [self._uv, "pip", "install", "--python", self.python, *words]
        else:
            command = [self.python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *words]
        log.info("installing %s", what)
        self._run(command, f"{what} could not be installed")

    def command(self, words: Sequence[str]) -> None:
        """Run one command of the input ``install`` inside the environment."""
        log.info("running %s", shlex.join(words))
        self._run(["/usr/bin/env", *words], f"the command {shlex.join(words)!r} of the input install failed")

    def packages(self) -> tuple[Package, ...]:
        """Return what is installed."""
        listed = run([self.python, "-I", "-c", _LIST], env=self.env, timeout=60)
        if not listed.ok:
            raise ActionError(f"The environment's packages could not be listed: {tail(listed.stderr, 3)}")
        rows = sorted((str(name), str(version), bool(local)) for name, version, local in json.loads(listed.stdout))
        return tuple(Package(name=name, version=version, local=local) for name, version, local in rows)

    def add_runner(self, packages: Sequence[Package]) -> None:
        """Add pytest and pytest-cov where they lack, leaving an application's own pytest as it is."""
        versions = {package.name.lower().replace("_", "-"): package.version for package in packages}
        if "pytest" in versions and "pytest-cov" in versions:
            return
        if "pytest" in versions:
            self.install(["pytest-cov", f"pytest=={versions['pytest']}"], "pytest-cov")
        else:
            self.install([*_PYTEST, *_PYTEST_COV], "pytest and pytest-cov")

    def add_checkers(self, packages: Sequence[Package]) -> None:
        """Add mypy and ruff where they are asked for and the application does not bring them."""
        names = {package.name.lower() for package in packages}
        for check, requirements in _CHECKERS.items():
            if check in self.bench.settings.checks and check not in names:
                self.install(requirements, check)

    def _run(self, argv: Sequence[str | Path], failure: str) -> None:
        env = uv_env(self.env) if self._uv else self.env
        done = run(argv, cwd=self.bench.project.directory, env=env, timeout=self.bench.settings.timeout,
                   merge_stderr=True)  # fmt: skip
        with (self.bench.reports / "install.log").open("a", encoding="utf-8") as file:
            file.write(done.stdout)
        if not done.ok:
            raise _failure(done, failure)


def _failure(done: Completed, failure: str) -> ActionError:
    said = tail(done.stdout)
    message = f"{failure}:\n{said}" if said else f"{failure} (exit code {done.returncode})."
    lowered = done.stdout.lower()
    if done.timed_out:
        return ActionError(f"{failure}: ended after {done.seconds:.0f} s.", hint="Raise the input timeout.")
    if any(sign in lowered for sign in _NETWORK):
        return UpstreamError(message, hint="Run the job again; is the package index reachable from the runner?")
    if "requires-python" in lowered or "requires a different python" in lowered or "requires python" in lowered:
        return ActionError(message, hint="Set python-version to one that the project supports.")
    return ActionError(message, hint="Mend the requirements, or say with the input install how it is installed.")
