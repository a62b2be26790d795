"""``cicd-actions sandbox``: the whole pipeline on one machine."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from cicd_actions.errors import EXIT_BUG, EXIT_FAILED, EXIT_OK, ActionError


@click.group()
def command() -> None:
    """Run the whole pipeline on this machine, with the real parts; only GitHub is stood in for."""


@command.command()
@click.option(
    "--app", type=click.Path(path_type=Path), help="Folder with a Dockerfile and tests [default: the example]."
)
@click.option("--scenario", default="ok", show_default=True, help="ok, tests-fail, vulnerable-image or main-moved.")
@click.option("--page", type=click.Path(path_type=Path), help="Where to write the HTML page [default: in the cache].")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress, only the outcome.")
@click.option("--keep", is_flag=True, help="Keep the folder with the repositories, the registry and the checkouts.")
@click.option("--engine/--no-engine", default=True, help="Whether to build images; without, those stages are skipped.")
@click.pass_obj
def run(
    env: dict[str, str],
    app: Path | None,
    scenario: str,
    page: Path | None,
    *,
    as_json: bool,
    quiet: bool,
    keep: bool,
    engine: bool,
) -> int:
    """Push an application to dev and follow it: tested, merged, built, scanned, published, GitOps updated.

    Exit code 0 means that the scenario ended as it should: a vulnerable image that was blocked is a success.
    """
    out = sys.stderr if as_json else sys.stdout
    say = progress(out, quiet=quiet)
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("cicd_actions")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.addHandler(handler)
    try:
        return _run(env, app, scenario, page, say=say, as_json=as_json, keep=keep, engine=engine)
    except ActionError as error:
        sys.stderr.write(f"error: {error.title}: {error}\n")
        if as_json:
            _print_json({"scenario": scenario, "verdict": "error", "problems": [str(error)], "stages": []})
        return error.exit_code
    except Exception:
        logging.getLogger("cicd_actions").exception("The sandbox has a defect; please report it with this traceback.")
        return EXIT_BUG
    finally:
        logger.removeHandler(handler)


def _run(
    env: dict[str, str],
    app: Path | None,
    scenario: str,
    page: Path | None,
    *,
    say: Callable[[str], None],
    as_json: bool,
    keep: bool,
    engine: bool,
) -> int:
    from cicd_actions.sandbox import machine, outcome
    from cicd_actions.sandbox.act import find_tree, snapshot_actions
    from cicd_actions.sandbox.application import read_application
    from cicd_actions.sandbox.course import Course
    from cicd_actions.sandbox.page import render
    from cicd_actions.sandbox.parts import default_cache
    from cicd_actions.sandbox.scenarios import find_scenario

    chosen = find_scenario(scenario)
    application = read_application(app or find_tree() / "examples" / "python-service")
    cache = default_cache(env)
    target = page or cache / "pages" / f"{application.name}-{chosen.name}.html"
    work = Path(tempfile.mkdtemp(prefix="cicd-actions-sandbox-"))
    try:
        actions = snapshot_actions(find_tree(), work / "actions")
        with machine.lend(application, actions, cache, env, engine=engine) as lent:
            course = Course(app=application, scenario=chosen, machine=lent, actions=actions, work=work, say=say)
            result = course.play()
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    result = result.with_page(str(target.resolve()))
    target.write_text(render(result), encoding="utf-8")
    _print(result.as_json(), outcome.table(result), as_json=as_json, kept=str(work) if keep else "")
    return EXIT_OK if result.verdict == "passed" else EXIT_FAILED


def _print(data: dict[str, object], table: str, *, as_json: bool, kept: str) -> None:
    people = sys.stderr if as_json else sys.stdout
    people.write(f"\n{table}\n\n")
    for key in ("notes", "problems"):
        for text in data[key] or ():  # type: ignore[attr-defined]
            people.write(f"{'not as expected: ' if key == 'problems' else ''}{text}\n")
    people.write(f"scenario {data['scenario']}: {data['verdict']} in {data['seconds']} s\npage: {data['page']}\n")
    if kept:
        people.write(f"kept: {kept}\n")
    people.flush()
    if as_json:
        _print_json(data)


def _print_json(data: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
    sys.stdout.flush()


def progress(out: TextIO, *, quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a line with the seconds since the start in front."""
    began = time.monotonic()

    def say(text: str) -> None:
        if not quiet:
            out.writelines(f"{time.monotonic() - began:6.1f} {line}\n" for line in text.splitlines())
            out.flush()

    return say
