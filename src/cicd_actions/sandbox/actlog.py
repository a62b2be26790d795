"""What act prints with ``--json``, turned into steps with times and outputs, and into lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# commands whose content is kept in the step; people see it in the report, not in the stream
_SILENT = ("set-output", "summary", "add-path", "set-env", "add-mask")
# what act tells of its own work, kept in the log but not shown while it runs
_OWN_WORK = ("🐳", "☁", "🚀", "Using docker host", "Cleaning up container")


@dataclass
class Step:
    """One step as it ran: times are seconds on the reader's clock, ``result`` is success, failure, skipped or ""."""

    job: str
    name: str
    started: float
    ended: float
    result: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass
class ActLog:
    """Collects the lines of one act run, in order."""

    steps: list[Step] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    _by_key: dict[tuple[str, str], Step] = field(default_factory=dict)

    def feed(self, line: str, now: float) -> str:
        """Take one line of act's output that came at ``now``; return what a person should see of it."""
        entry = parse_line(line)
        text = str(entry.get("msg", "")).rstrip()
        if not text:
            return ""
        step = self._step(entry, now)
        if step is not None:
            self._update(step, entry, now)
        if text.startswith("LocalRepositoryCache"):
            return ""
        self.lines.append(text)
        own = not entry.get("raw_output") and text.lstrip().startswith(_OWN_WORK)
        return "" if own or entry.get("command") in _SILENT else text

    def outputs(self, *names: str) -> Mapping[str, str]:
        """Return the outputs of the last step that set any of ``names``; {} when none did."""
        for step in reversed(self.steps):
            if any(name in step.outputs for name in names):
                return step.outputs
        return {}

    def step_with(self, *names: str) -> Step | None:
        """Return the last step that set any of the outputs ``names``."""
        return next((s for s in reversed(self.steps) if any(n in s.outputs for n in names)), None)

    def first_error(self) -> str:
        """Return the first error annotation, or the last line that was printed."""
        errors = [error for step in self.steps for error in step.errors]
        return errors[0] if errors else (self.lines[-1] if self.lines else "")

    def _step(self, entry: Mapping[str, Any], now: float) -> Step | None:
        name, job = entry.get("step"), str(entry.get("job", ""))
        identity = entry.get("stepID")
        if not name or not identity:
            return None
        key = (job, json.dumps(identity) + str(entry.get("stage", "")))
        if key not in self._by_key:
            self._by_key[key] = Step(job=job, name=str(name), started=now, ended=now)
            self.steps.append(self._by_key[key])
        return self._by_key[key]

    @staticmethod
    def _update(step: Step, entry: Mapping[str, Any], now: float) -> None:
        step.ended = now
        if entry.get("command") == "set-output":
            step.outputs[str(entry.get("name", ""))] = str(entry.get("arg", ""))
        if entry.get("command") == "error":
            step.errors.append(str(entry.get("arg") or entry.get("msg", "")))
        if entry.get("command") == "summary":
            step.summaries.append(str(entry.get("content", "")))
        if entry.get("stepResult"):
            step.result = str(entry["stepResult"])


def parse_line(line: str) -> dict[str, Any]:
    """Return the entry of one line; a line that is not act's JSON becomes ``{"msg": line}``."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    return entry if isinstance(entry, dict) else {"msg": line}
