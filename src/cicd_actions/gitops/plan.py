"""From the files at one head to the new files, the old values and the diff; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.gitops.diff import unified
from cicd_actions.gitops.edit import Change, Edit, get_value, set_values
from cicd_actions.gitops.guard import Guard, Opinion
from cicd_actions.gitops.hold import read_hold
from cicd_actions.gitops.keypath import KeyPath
from cicd_actions.gitops.request import partner

_NEVER = datetime.min.replace(tzinfo=UTC)  # before the end of every hold


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one commit would do: per file the edit, the values before, the diff and remarks for people."""

    edits: Mapping[str, Edit]
    diff: str
    remarks: tuple[str, ...]

    @property
    def additions(self) -> Mapping[str, bytes]:
        """The new content of the files that change."""
        return {path: edit.data for path, edit in self.edits.items() if edit.changes}

    @property
    def previous(self) -> Mapping[str, Mapping[str, str]]:
        """File -> key -> the value that was there."""
        return {path: {str(v.path): v.old for v in edit.values} for path, edit in self.edits.items()}

    def changes(self) -> Iterator[tuple[str, Change]]:
        """Every value that changes, with its file."""
        for path, edit in self.edits.items():
            for change in edit.changes:
                yield path, change


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What may change: ``guard`` knows what is older, ``now`` decides which holds are over."""

    create_missing: bool = False
    allow_downgrade: bool = False
    ignore_hold: bool = False
    guard: Guard = field(default_factory=Guard)
    now: datetime = _NEVER


def make_plan(files: Mapping[str, bytes | None], updates: Mapping[KeyPath, str], *, where: str, rules: Rules) -> Plan:
    """Apply every update to every file.

    Args:
        files: Path -> content, None for a file that is not there.
        updates: Key -> new value.
        where: Repository, branch and commit, for messages.
        rules: What may change.

    Raises:
        ConfigError: A file is missing or no YAML, a key is missing, ambiguous or aliased, or one of tag and digest
            would change without the other. All such problems at once.
        ActionError: A value is held, or a version would go back.
    """
    edits: dict[str, Edit] = {}
    problems: list[Problem | str] = []
    for path, data in files.items():
        if data is None:
            fix = "Correct file, branch or repository; the path starts at the root of the repository."
            problems.append(Problem(input="file", value=path, what=f"does not exist in {where}", fix=fix))
            continue
        try:
            edits[path] = set_values(data, updates, create_missing=rules.create_missing)
        except ConfigError as error:
            problems += [_in_file(problem, path, where) for problem in error.problems]
            continue
        problems += _halves(path, data, updates)
    if problems:
        hint = (
            "Correct the keys in `updates` (without a digest in the file: image.tag={tag} alone), or let missing "
            "ones be added with create-missing. Nothing was written."
        )
        raise ConfigError(*problems, hint=hint)
    held = (remark for path, edit in edits.items() for remark in _held(path, files[path] or b"", edit, rules))
    remarks = (*held, *_judged(edits, rules), *_shared(edits))
    diff = "".join(unified(path, files[path] or b"", edit.data) for path, edit in edits.items())
    return Plan(edits=edits, diff=diff, remarks=remarks)


def _in_file(problem: Problem | str, path: str, where: str) -> Problem:
    if isinstance(problem, str):
        return Problem(input="file", value=path, what=f"in {where}: {problem}")
    what = f"in {path} of {where}: {problem.what}"
    return Problem(input="updates", value=problem.input, what=what, fix=problem.fix)


def _halves(path: str, data: bytes, updates: Mapping[KeyPath, str]) -> Iterator[Problem]:
    """Tag and digest name one image: a new tag beside the old digest would deploy the old image."""
    for key in updates:
        other = partner(key)
        if other is None or other in updates or not get_value(data, other):
            continue
        name = str(other.segments[-1])
        yield Problem(
            input="updates",
            value=str(key),
            what=f"{path} also has {other}, which would stay as it is and no longer fit",
            fix=f"Give {name}, with the line {other}={{{name}}} in updates; {other}= empties it.",
        )


def _held(path: str, data: bytes, edit: Edit, rules: Rules) -> Iterator[str]:
    """A hold on one value holds the whole commit: half of an update is none."""
    if b"cicd-actions" not in data:
        return
    for change in edit.changes:
        hold = read_hold(data, change.path) or read_hold(edit.data, change.path)  # a key may be new
        if hold is None:
            continue
        if not hold.active(rules.now):
            yield f"{change.path} in {path} has a hold marker that is over: {hold}."
        elif rules.ignore_hold:
            yield f"{change.path} in {path} is {hold}; set all the same, by ignore-hold. The marker is still there."
        else:
            raise ActionError(
                f"Refused: {change.path} in {path} is {hold}. Nothing was written.",
                hint="Remove the marker (# cicd-actions: hold) when its reason is gone, or set ignore-hold to true.",
                title="The value is on hold",
            )


def _judged(edits: Mapping[str, Edit], rules: Rules) -> Iterator[str]:
    for path, edit in edits.items():
        for change in edit.changes:
            step = f"{change.path} in {path} goes from {change.old!r} to {change.new!r}"
            opinion = _opinion(change, edit, rules.guard)
            if opinion is None:
                continue
            if opinion.verdict == "downgrade" and not rules.allow_downgrade:
                raise ActionError(
                    f"Refused: {step}, which is an older version ({opinion.basis}). Nothing was written.",
                    hint="Set allow-downgrade to true if that is what you want, for example to roll back.",
                    title="This would be a downgrade",
                )
            if opinion.verdict == "downgrade":
                yield f"{step}: an older version ({opinion.basis}), allowed by allow-downgrade."
            if opinion.verdict == "not-judged" and str(change.path.segments[-1]) == "tag":
                yield f"{step}: the downgrade guard did not judge, {opinion.basis}."


def _opinion(change: Change, edit: Edit, guard: Guard) -> Opinion | None:
    """The guard's opinion; None for what has no age: a first value, and a digest whose tag is judged."""
    tag = partner(change.path) if str(change.path.segments[-1]) == "digest" else None
    if not change.old or not change.new or any(other.path == tag for other in edit.changes):
        return None
    return guard.judge(change.old, change.new)


def _shared(edits: Mapping[str, Edit]) -> Iterator[str]:
    for path, edit in edits.items():
        for change in edit.changes:
            if change.shared_lines:
                lines = ", ".join(map(str, change.shared_lines))
                yield f"{change.path} in {path} has an anchor: its aliases in line {lines} change with it."
