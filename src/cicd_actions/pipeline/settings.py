"""Test the pushed commit, land exactly that commit, start the next workflow, and tell the author what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cicd_actions.errors import ConfigError, Problem
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
    problems: list[Problem | str] = []
    own = {name: inputs.text(name) for name in _OWN}
    announced = {"event": own["event"] or "failure", "title": own["title"] or "composed"}
    gate = _collect(problems, lambda: quality.load(inputs.narrow(quality.INPUTS), context))
    landing = _collect(problems, lambda: merge.load(inputs.narrow(merge.INPUTS), context))
    notice = _collect(problems, lambda: notify.load(inputs.narrow(notify.INPUTS, announced), context))
    if gate is None or landing is None or notice is None:
        raise ConfigError(*dict.fromkeys(problems))
    return Settings(quality=gate, merge=landing, notify=notice, **own)


def _collect(problems: list[Problem | str], load_stage: Callable[[], T]) -> T | None:
    try:
        return load_stage()
    except ConfigError as error:
        problems.extend(error.problems)
        return None
