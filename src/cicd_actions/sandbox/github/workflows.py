"""Workflow files of a commit: what starts them, and the inputs of a manual start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cicd_actions.sandbox.github.repositories import Repository

FOLDER = ".github/workflows/"
MAX_INPUTS = 25

_SKIP = re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)
_SKIP_TRAILER = re.compile(r"^skip-checks:\s*true\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """One workflow file. ``error`` says why it cannot be used; then it has no triggers."""

    path: str
    name: str
    triggers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def file(self) -> str:
        """The file name alone."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def jobs(self) -> dict[str, str]:
        """Job ids with their display names."""
        jobs = self.document.get("jobs")
        found = jobs.items() if isinstance(jobs, Mapping) else ()
        return {str(key): str(job.get("name", key)) if isinstance(job, Mapping) else str(key) for key, job in found}


class InputsError(Exception):
    """The inputs of a manual start do not fit the workflow; the text is the API's message."""


def load(repo: Repository, sha: str) -> list[Workflow]:
    """The workflow files of a commit, in order of path."""
    rows = [row for row in repo.tree(sha, under=FOLDER) if row.type == "blob" and row.path.endswith((".yml", ".yaml"))]
    return [parse(row.path, repo.git("cat-file", "blob", row.sha)) for row in rows]


def parse(path: str, data: bytes) -> Workflow:
    """Read one workflow file; a broken one comes back with ``error`` set."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(data.decode())
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        return Workflow(path=path, name=path, error=f"not valid YAML: {error}")
    if not isinstance(document, Mapping):
        return Workflow(path=path, name=path, error="not a mapping")
    # YAML 1.1 readers take the bare word `on` for a truth value.
    on = document.get("on", document.get(True))
    if on is None or not isinstance(document.get("jobs"), Mapping):
        return Workflow(path=path, name=path, error="`on` or `jobs` is missing", document=document)
    name = str(document.get("name") or path)
    return Workflow(path=path, name=name, triggers=_triggers(on), document=document)


def _triggers(on: object) -> dict[str, Mapping[str, Any]]:
    if isinstance(on, str):
        return {on: {}}
    if isinstance(on, Mapping):
        return {str(k): v if isinstance(v, Mapping) else {} for k, v in on.items()}
    if isinstance(on, Sequence):
        return {str(event): {} for event in on}
    return {}


def skips(message: str) -> bool:
    """Whether a commit message asks that a push start nothing."""
    return bool(_SKIP.search(message) or _SKIP_TRAILER.search(message))


def wants_paths(workflow: Workflow) -> bool:
    """Whether the changed paths must be known to decide about a push."""
    push = workflow.triggers.get("push", {})
    return "paths" in push or "paths-ignore" in push


def matches_push(workflow: Workflow, ref: str, paths: Sequence[str]) -> bool:
    """Whether a push to ``ref`` that changed ``paths`` starts the workflow."""
    push = workflow.triggers.get("push")
    if push is None or not _matches_ref(push, ref):
        return False
    # Path filters are not looked at for tags.
    if ref.startswith("refs/tags/"):
        return True
    if "paths" in push:
        return any(passes(_words(push["paths"]), path) for path in paths)
    if "paths-ignore" in push:
        ignored = _words(push["paths-ignore"])
        return not paths or any(not passes(ignored, path) for path in paths)
    return True


def _matches_ref(push: Mapping[str, Any], ref: str) -> bool:
    kind, other = ("tags", "branches") if ref.startswith("refs/tags/") else ("branches", "tags")
    name = ref.split("/", 2)[2]
    if kind in push:
        return passes(_words(push[kind]), name)
    if f"{kind}-ignore" in push:
        return not passes(_words(push[f"{kind}-ignore"]), name)
    # With a filter for the one kind only, a push of the other kind starts nothing.
    return other not in push and f"{other}-ignore" not in push


def passes(patterns: Sequence[str], name: str) -> bool:
    """Whether a name passes a filter list; later patterns win and ``!`` takes away."""
    result = False
    for pattern in patterns:
        negative = pattern.startswith("!")
        if glob(pattern.removeprefix("!")).fullmatch(name):
            result = not negative
    return result


def glob(pattern: str) -> re.Pattern[str]:
    """GitHub's filter pattern as a regular expression: * ** ? + [] with ? and + about the character before."""
    out: list[str] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if pattern.startswith("**/", i):
            out.append("(?:.*/)?")
            i += 3
            continue
        if pattern.startswith("**", i):
            out.append(".*")
            i += 2
            continue
        end = pattern.find("]", i + 1) if char == "[" else -1
        if end > 0:
            out.append("[" + pattern[i + 1 : end].replace("\\", "\\\\") + "]")
            i = end + 1
            continue
        if char == "\\" and i + 1 < len(pattern):
            i, char = i + 1, pattern[i + 1]
            out.append(re.escape(char))
        else:
            out.append("[^/]*" if char == "*" else char if char in "?+" and out else re.escape(char))
        i += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def dispatch_inputs(workflow: Workflow, given: Mapping[str, object]) -> dict[str, str]:
    """The inputs of a manual start: those given, checked, with defaults filled in.

    Raises:
        InputsError: An input is unknown, missing, or not of its type.
    """
    declared = workflow.triggers["workflow_dispatch"].get("inputs") or {}
    if len(given) > MAX_INPUTS:
        raise InputsError(f"you may only define up to {MAX_INPUTS} `inputs`")
    unexpected = [name for name in given if name not in declared]
    if unexpected:
        names = ", ".join(f'"{name}"' for name in unexpected)
        raise InputsError(f"Unexpected inputs provided: [{names}]")
    return {
        str(name): _input(str(name), spec if isinstance(spec, Mapping) else {}, given.get(name))
        for name, spec in declared.items()
    }


def _input(name: str, spec: Mapping[str, Any], value: object) -> str:
    if value is None or value == "":
        default = spec.get("default")
        if default is None and spec.get("required") is True:
            raise InputsError(f"Required input '{name}' not provided")
        return "" if default is None else _text(default)
    text = _text(value)
    kind = str(spec.get("type", "string"))
    if kind == "choice" and text not in [_text(option) for option in spec.get("options") or ()]:
        raise InputsError(f"Provided value '{text}' for input '{name}' not in the list of allowed values")
    if kind == "boolean" and text not in ("true", "false"):
        raise InputsError(f"Provided value '{text}' for input '{name}' is not a boolean")
    if kind == "number" and not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise InputsError(f"Provided value '{text}' for input '{name}' is not a number")
    return text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, Sequence) else []
