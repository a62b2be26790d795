"""Small applications made for one test, and the gate run on them through the public command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOREIGN = ("GITHUB_", "RUNNER_", "INPUT_", "PIP_AUDIT_", "ACTIONS_")

GREEN = {
    "shop/__init__.py": "",
    "shop/prices.py": 'def total(prices):\n    """Sum of prices."""\n    return sum(prices)\n',
    "tests/test_prices.py": "from shop.prices import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What one run left."""

    code: int
    outputs: Mapping[str, str]
    report: Mapping[str, Any]
    stdout: str
    stderr: str
    summary: str

    def check(self, name: str) -> dict[str, Any]:
        """Return the report's entry of one check."""
        (found,) = [check for check in self.report["checks"] if check["check"] == name]
        return dict(found)

    def state(self, name: str) -> str:
        """Return the state of one check."""
        return str(self.check(name)["state"])


@dataclass(frozen=True, kw_only=True)
class Application:
    """A git checkout with one commit."""

    root: Path
    temp: Path

    @property
    def sha(self) -> str:
        """The commit."""
        return git(self.root, "rev-parse", "HEAD")

    def gate(self, *words: str, env: Mapping[str, str] | None = None, actions: bool = False) -> Gate:
        """Run ``cicd-actions quality-gate`` in the checkout."""
        files = {"GITHUB_OUTPUT": self.temp / "output", "GITHUB_STEP_SUMMARY": self.temp / "summary"}
        runner = {"RUNNER_TEMP": str(self.temp)}
        if actions:
            runner |= {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.root)}
        runner |= {key: str(path) for key, path in files.items()}
        clean = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        command = [sys.executable, "-m", "cicd_actions", "quality-gate", *([] if actions else ["--json"]), *words]
        done = subprocess.run(
            command, cwd=self.root, env={**clean, **runner, **(env or {})}, capture_output=True, text=True, check=False
        )
        outputs = _outputs(files["GITHUB_OUTPUT"]) if actions else json.loads(done.stdout or "{}")
        path = outputs.get("report", "")
        summary = files["GITHUB_STEP_SUMMARY"]
        return Gate(
            code=done.returncode,
            outputs=outputs,
            report=json.loads(Path(path).read_text()) if path else {},
            stdout=done.stdout,
            stderr=done.stderr,
            summary=summary.read_text() if summary.exists() else "",
        )


def make_application(folder: Path, files: Mapping[str, str]) -> Application:
    """Write the files and commit them."""
    root, temp = folder / "checkout", folder / "temp"
    root.mkdir(parents=True)
    temp.mkdir()
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(root, "init", "--quiet", "--initial-branch=dev")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message=First")
    return Application(root=root, temp=temp)


def git(folder: Path, *words: str) -> str:
    """Run git with an identity of its own."""
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _outputs(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value = []
        for text in lines:
            if text == delimiter:
                break
            value.append(text)
        found[name] = "\n".join(value)
    return found
