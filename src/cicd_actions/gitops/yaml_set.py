"""``cicd-actions yaml-set FILE KEY=VALUE...``: the byte-exact editor for scripts."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import click

from cicd_actions.errors import EXIT_FAILED, EXIT_OK, ActionError, ConfigError, Problem
from cicd_actions.gitops.edit import Edit, set_values
from cicd_actions.gitops.keypath import KeyPath, parse_update


@click.command(name="yaml-set")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("updates", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--diff", is_flag=True, help="Print what changes as a unified diff.")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the file would change.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the diff.")
@click.option("--create-missing", is_flag=True, help="Add keys that are not there, in the file's own style.")
@click.option("--document", type=click.IntRange(min=0), help="Which document of the file, from 0 [default: any].")
def command(
    file: Path,
    updates: tuple[str, ...],
    *,
    diff: bool,
    check: bool,
    dry_run: bool,
    create_missing: bool,
    document: int | None,
) -> int:
    """Set values in a YAML or JSON file; only the bytes of those values change.

    Keys: image.tag, list[0].tag, containers[name=web].image, "a.b".c. Values are strings for every reader: the old
    quoting is kept, and a value that could be read as something else (1.10, 12e5, no) is put in double quotes.

    Exit codes: 0 ok, 1 --check found a difference, 2 a key is missing, ambiguous or reached through an alias, or the
    file cannot be read or written. After an error the file is as it was.
    """
    try:
        data = read(file)
        edit = set_values(data, updates_of(updates), document=document, create_missing=create_missing)
        if not (check or dry_run) and edit.data != data:
            write(file, edit.data)
    except ActionError as error:
        sys.stderr.write(f"error: {file}: {error}\n")
        return error.exit_code
    if diff or dry_run:
        from cicd_actions.gitops.diff import unified

        click.echo(unified(str(file), data, edit.data), nl=False)
    _warn_shared(edit)
    return EXIT_FAILED if check and edit.data != data else EXIT_OK


def updates_of(texts: Iterable[str], name: str = "key") -> Mapping[KeyPath, str]:
    """Read several ``KEY=VALUE``.

    Args:
        texts: One update each.
        name: The input or argument that problems are reported for.

    Raises:
        ConfigError: Every text that is not of this form, and every key that comes twice with different values.
    """
    found: dict[KeyPath, str] = {}
    problems: list[Problem | str] = []
    for text in texts:
        try:
            path, value = parse_update(text)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if found.setdefault(path, value) != value:
            problems.append(Problem(input=name, value=text, what=f"sets {path} a second time to another value"))
    if problems:
        raise ConfigError(*problems)
    return found


def read(file: Path) -> bytes:
    """Return the content of the file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(input="file", value=str(file), what=f"cannot be read: {error.strerror}")) from error


def write(file: Path, data: bytes) -> None:
    """Replace the content in one step: readers see the old file or the new one, and its mode stays.

    A symbolic link stays one; what it points at is replaced.

    Raises:
        ConfigError: The folder or the file may not be written.
    """
    target = file.resolve()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        _write_draft(draft, data, target)
        draft.replace(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        what = f"cannot be written: {error.strerror}"
        raise ConfigError(Problem(input="file", value=str(file), what=what)) from error
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def _write_draft(draft: Path, data: bytes, target: Path) -> None:
    status = target.stat()
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    draft.chmod(status.st_mode & 0o7777)
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root may give files away; the content is what matters
            os.chown(draft, status.st_uid, status.st_gid)


def _warn_shared(edit: Edit) -> None:
    for change in edit.changes:
        if change.shared_lines:
            lines = ", ".join(map(str, change.shared_lines))
            sys.stderr.write(f"warning: {change.path}: aliases in line {lines} repeat this value and change with it\n")
