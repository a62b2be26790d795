"""Structured logs: one JSON object a line, on standard output."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import TextIO


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON; ``extra={"fields": {...}}`` is merged in."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # JSON escapes line breaks, so a hostile path cannot forge a second entry.
        return json.dumps(entry, default=str)


def set_up(level: str, stream: TextIO) -> None:
    """Send the log records of the whole process to ``stream``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
