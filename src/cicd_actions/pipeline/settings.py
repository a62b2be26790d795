"""Test the pushed commit, land exactly that commit, start the next workflow, and tell the author what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from cicd_actions.errors import ConfigError
from cicd_actions.merge import settings as merge
from cicd_actions.notify import settings as notify
from cicd_actions.quality import settings as quality
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output

T = TypeVar("T")

# What the pipeline itself knows better than its caller; given, they replace what it would say.
_OWN = {
    "event": Input("event", "What to announce: success or failure; empty announces what happened."),
    "title": Input("title", "Title of the notice; empty composes one from the result."),
    "body": Input("body", "Text of the notice (Markdown); empty lists what was found."),
}


def _unique() -> tuple[Input, ...]:
    found: dict[str, Input] = {}
    for spec in (*quality.INPUTS, *merge.INPUTS, *notify.INPUTS):
        found.setdefault(spec.name, _OWN.get(spec.name, spec))
    found.pop("tested-sha")  # the gate says what was tested
    return tuple(found.values())


INPUTS = _unique()
OUTPUTS = (
    *quality.OUTPUTS,
    *merge.OUTPUTS,
    Output("stage-timings", "JSON object: seconds spent in quality, merge and notice."),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the three stages; ``title`` and ``body`` are the caller's own words, or empty."""

    quality: quality.Settings
    merge: merge.Settings
    notify: notify.Settings
    event: str
    title: str
    body: str


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Return the settings of all three stages.

    Raises:
        ConfigError: With every wrong input of all of them.
    """
    problems: list[object] = []
    own = {name: inputs.text(name) for name in _OWN}
    announced = {"event": own["event"] or "failure", "title": own["title"] or "composed"}
    stages = (
        _collect(problems, lambda: quality.load(inputs.narrow(quality.INPUTS), context)),
        _collect(problems, lambda: merge.load(inputs.narrow(merge.INPUTS), context)),
        _collect(problems, lambda: notify.load(inputs.narrow(notify.INPUTS, announced), context)),
    )
    if problems:
        raise ConfigError(*dict.fromkeys(problems))  # type: ignore[arg-type]
    gate, landing, notice = stages
    assert gate is not None and landing is not None and notice is not None  # noqa: S101, PT018 - else: problems
    return Settings(quality=gate, merge=landing, notify=replace(notice), **own)


def _collect(problems: list[object], load_stage: Callable[[], T]) -> T | None:
    try:
        return load_stage()
    except ConfigError as error:
        problems.extend(error.problems)
        return None
