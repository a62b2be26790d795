"""image-tags: the rules applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.image.commit import commit_date
from cicd_actions.image.image_tags.settings import Settings
from cicd_actions.image.tags import Tag, find_facts, make_tags
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Report


@dataclass(frozen=True, kw_only=True)
class Result:
    """The tags, in the order of the rules."""

    tags: tuple[Tag, ...]


def run(settings: Settings, context: RunContext) -> Result:
    """Apply the rules.

    Raises:
        ConfigError: No rule gives a tag, two give the same, or one gives no legal tag.
    """
    folder: Path = context.workspace
    facts = find_facts(ref=settings.ref, sha=settings.sha, event=settings.event)
    committed = commit_date(folder, facts.sha, context.env) if facts.sha else None
    tags = make_tags(
        settings.rules, find_facts(ref=settings.ref, sha=settings.sha, event=settings.event, committed=committed)
    )
    if not tags:
        raise ConfigError(Problem(input="rules", what=f"no rule gives a tag for the ref {settings.ref!r}"))
    return Result(tags=tags)


def report(result: Result) -> Report:
    """Return the tags as outputs and, one per line, as text."""
    names = [tag.name for tag in result.tags]
    return Report(outputs={"tag": names[0], "tags": "\n".join(names)}, text="\n".join(names))
