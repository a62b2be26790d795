"""Failures on demand, and the log of what was asked; both for tests and scenarios."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["answer", "reset", "lost", "delay"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens instead of (or around) an answer.

    ``answer`` sends ``status``, ``headers`` and ``body`` and does nothing else; ``reset`` drops the connection
    unanswered; ``lost`` carries the request out and then drops the connection; ``delay`` waits ``seconds`` first.
    """

    kind: Kind
    status: int = 500
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(kw_only=True)
class _Armed:
    method: str
    path: re.Pattern[str]
    fault: Fault
    times: int | None
    after: int


class Faults:
    """The faults that are armed. The first that fits a request and still has turns left is taken."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def add(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        kind: Kind | None = None,
        seconds: float = 0.0,
        times: int | None = 1,
        after: int = 0,
    ) -> None:
        """Arm a fault.

        Args:
            method: The HTTP method, or ``*``.
            path: A regular expression that is searched for in path and query (as sent, below the server's root).
            status: Status to answer with; without ``kind`` this makes it an ``answer``.
            body: JSON value, or text, of the answer.
            headers: Headers of the answer, such as ``retry-after``.
            kind: ``answer``, ``reset``, ``lost`` or ``delay``; see `Fault`.
            seconds: How long a ``delay`` lasts.
            times: How many requests it hits; None for every one.
            after: How many fitting requests go through unharmed first.
        """
        chosen: Kind = kind or ("delay" if status is None and seconds else "answer")
        fault = Fault(kind=chosen, status=status or 500, body=body, headers=dict(headers or {}), seconds=seconds)
        armed = _Armed(method=method.upper(), path=re.compile(path), fault=fault, times=times, after=after)
        with self._lock:
            self._armed.append(armed)

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that hits a request, if any; counts the request."""
        with self._lock:
            for armed in self._armed:
                if armed.method not in ("*", method) or not armed.path.search(path):
                    continue
                if armed.after > 0:
                    armed.after -= 1
                    continue
                if armed.times is None or armed.times > 0:
                    armed.times = None if armed.times is None else armed.times - 1
                    return armed.fault
        return None


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it was answered. ``status`` 0 means that the connection was dropped. Never holds a token."""

    method: str
    path: str
    status: int
    identity: str
    seconds: float


class RequestLog:
    """What was asked, in order of answering."""

    def __init__(self) -> None:
        self._rows: list[Request] = []
        self._lock = threading.Lock()

    def add(self, request: Request) -> None:
        """Note one request."""
        with self._lock:
            self._rows.append(request)

    def find(self, method: str = "*", path: str = "", *, status: int | None = None) -> list[Request]:
        """The requests of a method whose path holds a match of the regular expression ``path``."""
        pattern = re.compile(path)
        with self._lock:
            rows = list(self._rows)
        return [
            row
            for row in rows
            if method in ("*", row.method) and pattern.search(row.path) and status in (None, row.status)
        ]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._rows.clear()
