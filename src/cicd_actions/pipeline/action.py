"""The action test-and-merge: gate, then landing, then notice; what failed first is the verdict."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cicd_actions.errors import EXIT_OK, ActionError
from cicd_actions.merge import action as merge
from cicd_actions.merge import settings as merge_settings
from cicd_actions.notify import action as notify
from cicd_actions.notify import settings as notify_settings
from cicd_actions.pipeline.settings import Settings
from cicd_actions.quality import action as quality
from cicd_actions.quality import settings as quality_settings
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Output
from cicd_actions.runner.report import Annotation, Report

log = logging.getLogger("cicd_actions.pipeline")
_BODY_CHARACTERS = 30_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one stage reported, or the error that ended it; ``seconds`` is its wall time."""

    name: str
    report: Report
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """The stages that ran, in order; ``merge`` is missing when the gate did not pass."""

    quality: Part
    merge: Part | None
    notice: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """The stages that ran, in order."""
        return tuple(part for part in (self.quality, self.merge, self.notice) if part is not None)


def run(settings: Settings, context: RunContext) -> Result:
    """Test, land exactly what was tested, tell the author; a stage's error is kept as its report, never lost."""
    gate = _play("quality", quality_settings.OUTPUTS, lambda: quality.report(quality.run(settings.quality, context)))
    landing = None
    if gate.report.exit_code == EXIT_OK:
        wanted = replace(settings.merge, tested_sha=gate.report.outputs["tested-sha"])
        landing = _play("merge", merge_settings.OUTPUTS, lambda: merge.report(merge.run(wanted, context)))
    notice = _notice(settings, context, gate, landing)
    return Result(quality=gate, merge=landing, notice=notice)


def report(result: Result) -> Report:
    """Return the reports of the stages as one: the first failure's exit code, every output of gate and landing."""
    parts = result.parts
    outputs: dict[str, str] = {}
    for part in parts[:-1]:
        outputs |= part.report.outputs
    if result.merge is None:
        outputs |= _nothing(merge_settings.OUTPUTS) | {"merged": "false", "reason": "not-tested"}
    timings = {part.name: round(part.seconds, 2) for part in parts}
    return Report(
        outputs=outputs | {"stage-timings": json.dumps(timings)},
        exit_code=next((part.report.exit_code for part in parts if part.report.exit_code != EXIT_OK), EXIT_OK),
        summary="\n".join(part.report.summary for part in parts if part.report.summary),
        text="\n\n".join(part.report.text for part in parts if part.report.text),
        annotations=tuple(annotation for part in parts for annotation in part.report.annotations),
    )


def _notice(settings: Settings, context: RunContext, gate: Part, landing: Part | None) -> Part:
    failed = next((part for part in (gate, landing) if part and part.report.exit_code != EXIT_OK), None)
    title = settings.title or _title(settings, failed)
    body = settings.body or "\n".join(part.report.summary for part in (gate, landing) if part)[:_BODY_CHARACTERS]
    announced = replace(
        settings.notify, event=settings.event or ("failure" if failed else "success"), title=title, body=body
    )
    part = _play("notice", notify_settings.OUTPUTS, lambda: notify.report(notify.run(announced, context)))
    # a notice that could not be delivered is told, and never changes the verdict
    return replace(part, report=replace(part.report, exit_code=EXIT_OK))


def _title(settings: Settings, failed: Part | None) -> str:
    branches = f"{settings.merge.source_branch} → {settings.merge.target_branch}"
    if failed is None:
        return f"Tested and merged: {branches}"
    return f"Not merged: {branches}, " + ("the quality gate failed" if failed.name == "quality" else "merging failed")


def _play(name: str, outputs: tuple[Output, ...], stage: Callable[[], Report]) -> Part:
    log.info("== %s", name)
    started = time.monotonic()
    try:
        told = stage()
    except ActionError as error:
        told = _error_report(name, error, _nothing(outputs))
    return Part(name=name, report=told, seconds=time.monotonic() - started)


def _error_report(name: str, error: ActionError, outputs: Mapping[str, str]) -> Report:
    outputs = {key: "error" if key == "verdict" else value for key, value in outputs.items()}
    return Report(
        outputs=outputs,
        exit_code=error.exit_code,
        summary=f"## ❌ {name}: {error.title}\n\n{_indent(str(error))}\n",
        text=str(error),
        annotations=(Annotation(level="error", title=f"{name}: {error.title}", message=str(error)),),
    )


def _indent(text: str) -> str:
    """An indented block shows text as it is, whatever Markdown or HTML it holds."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _nothing(outputs: tuple[Output, ...]) -> dict[str, str]:
    return {output.name: "" for output in outputs}
