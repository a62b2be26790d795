"""The commit's message: what for people, and trailers for machines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cicd_actions.github.markdown import one_line
from cicd_actions.gitops.plan import Plan
from cicd_actions.gitops.request import Words

_OURS = re.compile(r"^\s*(image-digest|source-commit|run-url)\s*:", re.IGNORECASE)
_LIMIT = 4_000


@dataclass(frozen=True, kw_only=True)
class Message:
    """First line and the rest."""

    headline: str
    body: str

    @property
    def text(self) -> str:
        """The whole message."""
        return f"{self.headline}\n\n{self.body}".strip() + "\n"


def compose(template: str, plan: Plan, words: Words, *, app: str, run_url: str) -> Message:
    """Write the message of one commit.

    Args:
        template: The user's message with placeholders; its first line is the headline. Empty takes our own.
        plan: What the commit changes.
        words: The values of the placeholders.
        app: The application's name, for our own headline.
        run_url: The page of the run, or empty.
    """
    known = {"image": words.image, "tag": words.tag, "digest": words.digest, "sha": words.sha}
    text = re.sub(r"\{(image|tag|digest|sha)\}", lambda found: known[found[1]], template).strip()
    default = f"Deploy {app} {words.tag}".rstrip() if words.tag else f"Update {app}"
    first, *rest = text.splitlines() or [default]
    # nobody else's text may look like our trailers: later stages read them as evidence
    free = "\n".join(one_line(line, 500) for line in rest if not _OURS.match(line)).strip()[:_LIMIT]
    parts = [free, _changes(plan), _trailers(words, run_url)]
    return Message(headline=one_line(first, 120), body="\n\n".join(part for part in parts if part))


def _changes(plan: Plan) -> str:
    lines = [
        f"- {path}: {change.path}: {one_line(change.old, 100) or '(empty)'} -> {one_line(change.new, 100) or '(empty)'}"
        for path, change in plan.changes()
    ]
    more = [f"- and {len(lines) - 20} more"] if len(lines) > 20 else []
    return "\n".join(lines[:20] + more)


def _trailers(words: Words, run_url: str) -> str:
    rows = (("Image-Digest", words.digest), ("Source-Commit", words.sha), ("Run-URL", run_url))
    return "\n".join(f"{name}: {value}" for name, value in rows if value)
