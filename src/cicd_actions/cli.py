"""The command line: one subcommand per slug; the only place that catches, emits and exits.

Options come from the ``INPUTS`` of a stage's ``settings`` module, so that the command, the environment
(``INPUT_FOO-BAR``, ``INPUT_FOO_BAR``) and action.yml mean the same thing.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cicd_actions import __version__
from cicd_actions.emit import Emitter
from cicd_actions.errors import EXIT_CONFIG, ActionError, ConfigError, Problem
from cicd_actions.runner.inputs import Input, Inputs
from cicd_actions.runner.report import Report

# slug -> package that holds its `settings` and `action` modules; the text is what `--help` lists
STAGES = {
    "quality-gate": ("cicd_actions.quality", "Lint, test and audit; one verdict."),
    "auto-merge": (
        "cicd_actions.merge",
        "Land exactly the tested commit and start the next workflow.",
    ),
    "test-and-merge": ("cicd_actions.pipeline", "quality-gate, auto-merge and notify in one go."),
    "notify": ("cicd_actions.notify", "Tell people what happened."),
    "build-and-push": (
        "cicd_actions.image",
        "Build every platform, scan, publish what was scanned.",
    ),
    "trivy-gate": ("cicd_actions.scan", "Judge an image, a layout, a path or a report with Trivy."),
    "gitops-tag-update": ("cicd_actions.gitops", "Set tag and digest in a GitOps repository."),
    "image-tags": ("cicd_actions.image.image_tags", "Print the tags that an event would give."),
}
# commands with arguments of their own: name -> (module that holds a click `command`, help)
COMMANDS = {
    "yaml-set": ("cicd_actions.gitops.yaml_set", "Set values in a YAML file, byte-exact."),
    "sandbox": ("cicd_actions.sandbox.command", "Run the whole pipeline on this machine."),
}


class LazyGroup(click.Group):
    """Imports a stage only when its command is asked for: start-up stays in the tens of milliseconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*STAGES, *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
            return command
        return _stage_command(cmd_name) if cmd_name in STAGES else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, text) in {**STAGES, **COMMANDS}.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cicd-actions")
def root() -> None:
    """Deliver Python applications: from a push on dev to a healthy deployment.

    Exit codes: 0 ok, 1 the check failed, 2 wrong configuration, 3 a service failed, 70 a defect of ours.
    """


def main(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name.
        env: The environment (INPUT_*, GITHUB_*, RUNNER_*).

    Returns:
        The exit code (docs/architecture.md, "Exit codes").
    """
    try:
        result = root.main(args=list(argv), prog_name="cicd-actions", standalone_mode=False, obj=dict(env))
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        sys.stderr.write("interrupted\n")
        return _usage_end(argv, "interrupted", 130)
    except click.ClickException as error:
        error.show()
        return _usage_end(argv, error.format_message(), EXIT_CONFIG)
    return result if isinstance(result, int) else 0


def _usage_end(argv: Sequence[str], message: str, exit_code: int) -> int:
    """A script that asked for JSON gets one object, even when no command came to its end."""
    if "--json" in argv:
        sys.stdout.write(json.dumps({"error": message}) + "\n")
    return exit_code


def _stage_command(slug: str) -> click.Command:
    package, help_text = STAGES[slug]
    settings = importlib.import_module(f"{package}.settings")
    specs: Sequence[Input] = settings.INPUTS

    def callback(json_output: bool, **options: str | None) -> int:
        env: Mapping[str, str] = click.get_current_context().obj
        names = {spec.name.replace("-", "_"): spec.name for spec in specs}
        given = {names[key]: value for key, value in options.items() if value is not None}
        emitter = Emitter(
            slug=slug, env=env, outputs=settings.OUTPUTS, out=sys.stdout, err=sys.stderr,
            json_output=json_output,
        )  # fmt: skip
        return emitter.guard(lambda: _run_stage(package, specs, given, env, emitter))

    params: list[click.Parameter] = [_option(spec) for spec in specs]
    json_help = "Print the outputs as one JSON object on stdout, everything else on stderr."
    params.append(click.Option(["--json", "json_output"], is_flag=True, help=json_help))
    return click.Command(
        slug, callback=callback, params=params, help=settings.__doc__, short_help=help_text,
        context_settings={"show_default": True},
    )  # fmt: skip


def _run_stage(
    package: str,
    specs: Sequence[Input],
    given: Mapping[str, str],
    env: Mapping[str, str],
    emitter: Emitter,
) -> Report:
    values, problems = collect_values(specs, given, env)
    emitter.mask_secrets(specs, values)
    context = emitter.context()
    settings = importlib.import_module(f"{package}.settings").load(Inputs(specs, values, problems), context)
    action: Any = importlib.import_module(f"{package}.action")
    report: Report = action.report(action.run(settings, context))
    return report


def _option(spec: Input) -> click.Option:
    text = spec.help
    if spec.secret:
        text += " Give env:NAME or file:PATH, never the secret itself."
    elif spec.default and "\n" not in spec.default:
        text += f" [default: {spec.default}]"
    if spec.required:
        text += " [required]"
    attributes: dict[str, Any] = {"help": text, "metavar": "TEXT"}
    if spec.default in ("true", "false"):
        attributes.update(is_flag=False, flag_value="true", metavar="BOOLEAN")
    return click.Option([f"--{spec.name}"], default=None, show_default=False, **attributes)


def collect_values(
    specs: Sequence[Input], given: Mapping[str, str], env: Mapping[str, str]
) -> tuple[dict[str, str], list[Problem]]:
    """Return the text of each input: the command line first, then the environment, a token last from GITHUB_TOKEN.

    Beside it, the secrets that were given as arguments instead of references, and references that lead nowhere.
    """
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for spec in specs:
        if spec.name in given:
            try:
                values[spec.name] = _secret(spec, given[spec.name], env) if spec.secret else given[spec.name]
            except ConfigError as error:
                problems.extend(p for p in error.problems if isinstance(p, Problem))
            continue
        upper = spec.name.upper()
        for key in (f"INPUT_{upper}", f"INPUT_{upper.replace('-', '_')}"):
            if env.get(key):
                values[spec.name] = env[key]
                break
        else:
            if spec.secret and spec.name == "token":
                values[spec.name] = env.get("GITHUB_TOKEN", "")
    return values, problems


def _secret(spec: Input, reference: str, env: Mapping[str, str]) -> str:
    kind, _, name = reference.partition(":")
    if kind == "env" and name in env:
        return env[name]
    try:
        if kind == "file":
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
            return text.strip()
    except OSError as error:
        raise _bad_secret(spec, f"could not be read: {error.strerror}") from error
    if kind == "env":
        raise _bad_secret(spec, f"names the environment variable {name}, which is not set")
    raise _bad_secret(spec, "is a secret and must not be an argument: other users could read it")


def _bad_secret(spec: Input, what: str) -> ActionError:
    fix = f"Give --{spec.name} env:NAME or --{spec.name} file:PATH (file:- reads standard input)."
    return ConfigError(Problem(input=spec.name, what=what, fix=fix))


__all__ = ["COMMANDS", "STAGES", "collect_values", "main", "root"]
