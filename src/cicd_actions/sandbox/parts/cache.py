"""The cache: things made once, whole or not at all, by one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger("cicd_actions.sandbox")

_STAMP = ".complete.json"
_TEMPORARY = ".making-"


def default_cache(env: Mapping[str, str]) -> Path:
    """The folder that outlives runs and clones: ``$XDG_CACHE_HOME/cicd-actions`` or ``~/.cache/cicd-actions``."""
    home = env.get("XDG_CACHE_HOME", "")
    base = Path(home) if home.startswith("/") else Path(env.get("HOME") or "/root") / ".cache"
    return base / "cicd-actions"


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[int]:
    """Hold the lock file; another process (or thread) that wants it waits. The kernel frees it if we are killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def made_once(target: Path, recipe: str, make: Callable[[Path], None]) -> Path:
    """The folder ``target``, made by ``make(folder)`` unless it is there already, whole and by the same recipe.

    A folder is made under another name and renamed when it is complete, with the hash of every file in it, so a killed
    process leaves nothing that could be taken for the real thing; a damaged folder is made again.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{target.name}.lock"):
        if is_whole(target, recipe):
            return target
        for leftover in target.parent.glob(f"{_TEMPORARY}{target.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        started = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{target.name}-", dir=target.parent))
        try:
            make(folder)
            stamp = {"recipe": recipe, "files": _hashes(folder)}
            (folder / _STAMP).write_text(json.dumps(stamp), encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        logger.info("%s is ready (%.1f s)", target.name, time.monotonic() - started)
    return target


def is_whole(target: Path, recipe: str) -> bool:
    """True when the folder was made by that recipe and each of its files is as it was then."""
    try:
        stamp = json.loads((target / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(stamp, dict) or stamp.get("recipe") != recipe:
        return False
    files: dict[str, str] = stamp.get("files", {})
    with suppress(OSError):
        return all(file_sha256(target / name) == digest for name, digest in files.items())
    return False


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write the file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
        temporary = Path(file.name)
    temporary.chmod(mode)
    temporary.replace(path)


def _hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}
