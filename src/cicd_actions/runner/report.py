"""What a command has to say at its end; pure data, written by the command line only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A message for the run page; ``file`` is relative to the repository, ``line`` counts from 1 (0: none)."""

    level: Level
    message: str
    title: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """Outputs (every declared one), Markdown for the job summary, annotations worst first, text for a terminal."""

    outputs: Mapping[str, str]
    exit_code: int = 0
    summary: str = ""
    text: str = ""
    annotations: tuple[Annotation, ...] = field(default=())
