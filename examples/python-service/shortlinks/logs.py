"""Structured logs: one JSON object a line, on standard output."""

from __future__ import annotations

import json
import logging
import os
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


class LineHandler(logging.Handler):
    """Write every entry with one system call.

    A signal handler may log while the main thread is logging; a buffered stream would
    refuse the second write, this one does not.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        os.write(self.descriptor, (self.format(record) + "\n").encode())


def set_up(level: str, stream: TextIO) -> None:
    """Send the log records of the whole process to ``stream``."""
    handler = LineHandler(stream.fileno())
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
