"""The single writer: reports and errors to the runner, or to a person's terminal, or as JSON."""

from __future__ import annotations

import json
import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cicd_actions import __version__
from cicd_actions.errors import EXIT_BUG, ActionError
from cicd_actions.runner import workflow
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Output
from cicd_actions.runner.report import Annotation, Report


class Emitter:
    """Writes what one run of one command has to say.

    Args:
        slug: The command's name, for titles.
        env: The environment; ``GITHUB_ACTIONS=true`` selects the runner's dialect.
        outputs: The declared outputs; a report must hold exactly these.
        out: Standard output.
        err: Standard error.
        json_output: Print the outputs as one JSON object, and nothing else, on ``out``.
    """

    def __init__(
        self,
        *,
        slug: str,
        env: Mapping[str, str],
        outputs: Sequence[Output],
        out: TextIO,
        err: TextIO,
        json_output: bool = False,
    ) -> None:
        self._slug = slug
        self._env = env
        self._declared = tuple(output.name for output in outputs)
        self._out = out
        self._err = err
        self._json = json_output
        self._failure = ""
        self._in_actions = env.get("GITHUB_ACTIONS") == "true"
        # people read the report on stdout; with --json stdout is the object's alone
        self._text = err if json_output else out

    def context(self) -> RunContext:
        """Return the facts of the run."""
        return RunContext.from_env(self._env, cwd=Path.cwd(), temp=Path(tempfile.gettempdir()))

    def mask_secrets(self, specs: Sequence[Input], values: Mapping[str, str]) -> None:
        """Hide every secret input from the runner's log before anything can print it."""
        if self._in_actions:
            for spec in specs:
                if spec.secret:
                    workflow.mask(self._text, values.get(spec.name, ""))

    def guard(self, command: Callable[[], Report]) -> int:
        """Run the command, write its report or its error, return the exit code."""
        with self._logging():
            try:
                report = command()
                self.emit(report)
            except ActionError as error:
                self._failure = str(error)
                report = self._error_report(error)
                self.emit(report)
            except Exception:  # noqa: BLE001 - the one place where a defect becomes an exit code
                report = self._bug_report(traceback.format_exc())
                self.emit(report)
        return report.exit_code

    def emit(self, report: Report) -> None:
        """Write outputs, annotations, summary and text.

        Raises:
            ValueError: The report's outputs are not exactly the declared ones.
        """
        if set(report.outputs) != set(self._declared):
            wrong = sorted(set(report.outputs) ^ set(self._declared))
            raise ValueError(f"{self._slug}: outputs undeclared or missing: {', '.join(wrong)}")
        if report.text:
            text = workflow.defuse(report.text) if self._in_actions else report.text
            self._print(text)
        for annotation in workflow.select_annotations(report.annotations):
            self._annotate(annotation)
        self._write_files(report)
        if self._json:
            data = dict(report.outputs) | ({"error": self._failure} if self._failure else {})
            self._out.write(json.dumps(data, indent=2) + "\n")
            self._out.flush()

    def _write_files(self, report: Report) -> None:
        if output_file := self._env.get("GITHUB_OUTPUT"):
            workflow.write_outputs(Path(output_file), report.outputs)
        summary_file = self._env.get("GITHUB_STEP_SUMMARY")
        if summary_file and report.summary:
            workflow.write_summary(Path(summary_file), report.summary)

    def _annotate(self, annotation: Annotation) -> None:
        if self._in_actions:
            self._print(workflow.format_annotation(annotation))
            return
        place = f"{annotation.file}:{annotation.line}: " if annotation.file else ""
        title = f"{annotation.title}: " if annotation.title else ""
        self._print(f"{annotation.level}: {place}{title}{annotation.message}", self._err)

    def _print(self, text: str, stream: TextIO | None = None) -> None:
        target = stream or self._text
        target.write(text.rstrip("\n") + "\n")
        target.flush()

    def _error_report(self, error: ActionError) -> Report:
        outputs = self._empty_outputs() | getattr(error, "outputs", {})
        return Report(
            outputs=outputs,
            exit_code=error.exit_code,
            summary=f"## {self._slug}: {error.title}\n\n{_quote(str(error))}\n",
            annotations=(Annotation(level="error", title=f"{self._slug}: {error.title}", message=str(error)),),
        )

    def _bug_report(self, trace: str) -> Report:
        message = (
            f"cicd-actions {__version__} has a defect: {trace.strip().splitlines()[-1]}\n"
            "Please report it, with the traceback from the log, to the issue tracker of cicd-actions."
        )
        return Report(
            outputs=self._empty_outputs(),
            exit_code=EXIT_BUG,
            text=trace,
            summary=f"## {self._slug}: a defect of ours\n\n{_quote(message)}\n",
            annotations=(Annotation(level="error", title=f"{self._slug}: defect", message=message),),
        )

    def _empty_outputs(self) -> dict[str, str]:
        return {name: "error" if name == "verdict" else "" for name in self._declared}

    @contextmanager
    def _logging(self) -> Iterator[None]:
        handler = logging.StreamHandler(self._out if self._in_actions and not self._json else self._err)
        handler.setFormatter(_Formatter("%(message)s"))
        logger = logging.getLogger("cicd_actions")
        logger.addHandler(handler)
        level, logger.level = logger.level, logging.INFO
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Formatter(logging.Formatter):
    """A log line can hold foreign text; none of it may become a command."""

    def format(self, record: logging.LogRecord) -> str:
        return workflow.defuse(super().format(record))


def _quote(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
