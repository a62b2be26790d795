"""Print the tags that an event would give, by the rules of build-and-push."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cicd_actions.image.settings import INPUTS as BUILD_INPUTS
from cicd_actions.image.tags import Rule, read_rules
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output

_RULES = next(spec for spec in BUILD_INPUTS if spec.name == "tag-rules")

INPUTS = (
    Input("event", "A file with a webhook payload (JSON); empty means the event of this run."),
    Input("ref", "The ref, such as refs/heads/main or refs/tags/v1.2.3; empty means that of this run."),
    Input("sha", "The commit's SHA; empty means that of this run."),
    Input("rules", _RULES.help, default=_RULES.default),
)
OUTPUTS = (
    Output("tag", "The first tag"),
    Output("tags", "All tags, one per line"),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The facts to apply the rules to."""

    event: Mapping[str, Any]
    ref: str
    sha: str
    rules: tuple[Rule, ...]


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Read the settings of image-tags.

    Raises:
        ConfigError: With every problem.
    """
    event = _read_event(inputs) if inputs.given("event") else context.event
    settings = Settings(
        event=event,
        ref=inputs.text("ref") or context.ref,
        sha=inputs.text("sha") or context.sha,
        rules=read_rules(inputs, "rules"),
    )
    if settings.ref and not settings.ref.startswith("refs/"):
        inputs.problem("ref", "is not a full ref", "Write refs/heads/NAME, refs/tags/NAME or refs/pull/N/merge.")
    inputs.finish()
    return settings


def _read_event(inputs: Inputs) -> Mapping[str, Any]:
    try:
        event = json.loads(Path(inputs.text("event")).read_bytes())
    except (OSError, ValueError) as error:
        inputs.problem("event", f"could not be read: {error}")
        return {}
    if not isinstance(event, dict):
        inputs.problem("event", "does not hold a JSON object")
        return {}
    return event
