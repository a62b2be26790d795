"""The runner: act executes a workflow file as GitHub's runner would, with the actions of this very checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.actlog import ActLog

# The placeholder that the templates carry; act resolves it to our snapshot, so the templates run unmodified.
REFERENCE = "OWNER/cicd-actions@REF"
_TREE = ("action.yml", "actions", "scripts", "requirements", "src/cicd_actions", "Dockerfile", "Dockerfile.trivy")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One workflow run for act: ``checkout`` is a clone at the commit, ``event`` the webhook payload."""

    workflow: str
    event_name: str
    event: Mapping[str, object]
    checkout: Path
    actor: str
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Act:
    """How act is called here; ``image`` is the runner image, or ``-self-hosted`` to run on this machine itself."""

    program: Path
    image: str
    actions: Path
    environment: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: Mapping[str, Secret]

    def command(self, job: Job, event_file: Path) -> list[str]:
        """Return the command line; secrets are named in it and come from the environment."""
        words = [str(self.program), job.event_name, "--json", "--workflows", job.workflow]
        words += ["--eventpath", str(event_file), "--actor", job.actor, "--platform", f"ubuntu-24.04={self.image}"]
        words += ["--local-repository", f"{REFERENCE}={self.actions}", "--no-cache-server"]
        words += ["--pull=false", "--rebuild=false", "--network", "host"]
        for name, value in self.variables.items():
            words += ["--var", f"{name}={value}"]
        for name, value in job.environment.items():
            words += ["--env", f"{name}={value}"]
        for name in self.secrets:
            words += ["--secret", name]
        return words

    def run(self, job: Job, token: Secret, listen: Callable[[str], None], timeout: float) -> tuple[bool, ActLog]:
        """Execute the workflow.

        Args:
            job: What to run.
            token: The token of the job (``github.token``).
            listen: Gets every line that a person should see, as it comes.
            timeout: Seconds after which the run is ended.

        Returns:
            Whether it succeeded, and its log.
        """
        secrets = {**self.secrets, "GITHUB_TOKEN": token}
        environment = {**self.environment, **{name: secret.reveal() for name, secret in secrets.items()}}
        log = ActLog()
        with tempfile.TemporaryDirectory(prefix="cicd-actions-run-") as folder:
            event_file = Path(folder) / "event.json"
            event_file.write_text(json.dumps(job.event), encoding="utf-8")
            command = [*self.command(job, event_file), "--secret", "GITHUB_TOKEN"]
            process = subprocess.Popen(
                command, cwd=job.checkout, env=environment, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                succeeded = _follow(process, log, listen, timeout)
            finally:
                _end(process)
        return succeeded, log


def _follow(process: subprocess.Popen[str], log: ActLog, listen: Callable[[str], None], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    for line in process.stdout or ():
        text = log.feed(line.rstrip("\n"), time.time())
        if text:
            listen(text)
        if time.monotonic() > deadline:
            log.lines.append(f"ended after {timeout:.0f} s")
            return False
    return process.wait() == 0


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
    process.wait()


def find_tree() -> Path:
    """Return the checkout that this code runs from.

    Raises:
        ConfigError: The package was installed without the actions and templates.
    """
    root = Path(__file__).resolve().parents[3]
    if (root / "action.yml").is_file() and (root / "workflows-templates").is_dir():
        return root
    raise ConfigError(
        Problem(input="sandbox", what="needs a checkout of cicd-actions: the actions themselves are executed"),
        hint="Clone the repository and run `make demo`, or `cicd-actions sandbox run` in its environment.",
    )


def snapshot_actions(root: Path, target: Path) -> Path:
    """Copy what the actions consist of to ``target`` (act hands the whole folder to the runner) and return it."""
    for name in _TREE:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target
