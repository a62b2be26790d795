"""Writing to the runner: commands, output file, job summary; plain functions first, then the few writers.

Contract: GitHub's page "Workflow commands for GitHub Actions". Limits: 10 errors and 10 warnings shown per step,
1 MiB of summary per step, 1 MB of outputs per job.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from cicd_actions.runner.report import Annotation

ANNOTATIONS_PER_LEVEL = 10
SUMMARY_BYTES = 1024 * 1024
OUTPUT_BYTES = 1_000_000
_CUT = "\n\n_The rest was cut: a job summary holds 1 MiB at most._\n"


def escape_data(text: str) -> str:
    """Escape the message part of a command, so that text cannot end it or start another one."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property of a command (file, line, title)."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def defuse(text: str) -> str:
    """Return foreign text in a form that the runner takes for plain log lines, never for commands.

    The runner takes a line that starts with ``::`` for a command, and ``##[`` anywhere in a line.
    """
    text = text.replace("\r", "\n").replace("##[", "# #[")
    return re.sub(r"^(\s*)::", r"\1| ::", text, flags=re.MULTILINE)


def format_annotation(annotation: Annotation) -> str:
    """Return the workflow command of one annotation."""
    properties = {
        "file": annotation.file,
        "line": str(annotation.line) if annotation.line and annotation.file else "",
        "title": annotation.title,
    }
    given = ",".join(f"{key}={escape_property(value)}" for key, value in properties.items() if value)
    return f"::{annotation.level}{' ' if given else ''}{given}::{escape_data(annotation.message)}"


def select_annotations(annotations: tuple[Annotation, ...]) -> tuple[Annotation, ...]:
    """Return what GitHub will show: the first ten of each level; a last notice says how many there were."""
    shown: list[Annotation] = []
    counts: dict[str, int] = {}
    for annotation in annotations:
        counts[annotation.level] = counts.get(annotation.level, 0) + 1
        if counts[annotation.level] <= ANNOTATIONS_PER_LEVEL:
            shown.append(annotation)
    if len(shown) == len(annotations):
        return annotations
    note = f"Showing {len(shown)} of {len(annotations)}; the job summary and the report have them all."
    return (*shown[: _room_for_note(shown)], Annotation(level="notice", message=note))


def _room_for_note(shown: list[Annotation]) -> int:
    notices = sum(a.level == "notice" for a in shown)
    return len(shown) - 1 if notices == ANNOTATIONS_PER_LEVEL else len(shown)


def format_outputs(outputs: Mapping[str, str], delimiter: str) -> str:
    """Return the text for the output file; ``delimiter`` must not occur in a value.

    Raises:
        ValueError: A value holds the delimiter, or all together are larger than the runner takes.
    """
    parts = []
    for name, value in outputs.items():
        if delimiter in value or delimiter in name:
            raise ValueError(f"the output {name} holds the delimiter")
        parts.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    text = "".join(parts)
    if len(text.encode()) > OUTPUT_BYTES:
        raise ValueError("the outputs are larger than 1 MB together")
    return text


def cut_summary(markdown: str, limit: int = SUMMARY_BYTES) -> str:
    """Return the summary cut to ``limit`` bytes at a line's end, saying so."""
    data = markdown.encode()
    if len(data) <= limit:
        return markdown
    head = data[: limit - len(_CUT.encode())].decode(errors="ignore")
    return head[: head.rfind("\n") + 1] + _CUT


def write_outputs(path: Path, outputs: Mapping[str, str]) -> None:
    """Append the outputs to the file GITHUB_OUTPUT names, under a random delimiter."""
    text = format_outputs(outputs, f"cicd-actions-{secrets.token_hex(16)}")
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)


def write_summary(path: Path, markdown: str) -> None:
    """Append to the job summary of this step."""
    size = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(cut_summary(markdown.rstrip("\n") + "\n", max(SUMMARY_BYTES - size, len(_CUT))))


def mask(stream: TextIO, value: str) -> None:
    """Ask the runner to hide ``value`` from the log; each line of a longer secret by itself."""
    for line in value.splitlines():
        if line.strip():
            stream.write(f"::add-mask::{escape_data(line)}\n")
    stream.flush()
