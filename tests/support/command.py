"""Runs one command in this process, as a script would: arguments and environment in, JSON and exit code out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from cicd_actions.cli import main


@dataclass(frozen=True)
class Ran:
    """How it ended: the exit code, the outputs, everything that was said besides."""

    code: int
    outputs: Mapping[str, str]
    said: str


def run_command(slug: str, env: Mapping[str, str], **inputs: str) -> Ran:
    """Run a command with ``--json``; inputs go in as INPUT_* variables, as a workflow gives them."""
    given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([slug, "--json"], {**env, **given})
    sys.stderr.write(err.getvalue())
    return Ran(code, json.loads(out.getvalue()), err.getvalue())
