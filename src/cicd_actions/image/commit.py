"""The commit that is built: its date makes the build reproducible, its SHA and address go into the labels.

Contract: SOURCE_DATE_EPOCH (reproducible-builds.org), the annotation keys of the OCI Image Specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cicd_actions import process
from cicd_actions.errors import ActionError

_PREFIX = "org.opencontainers.image."


def commit_date(folder: Path, sha: str, env: Mapping[str, str]) -> datetime | None:
    """Return when the commit was made, or None outside a clone of Git (or without Git)."""
    # the folder belongs to another user when the job runs in a container
    argv = ["git", "-c", "safe.directory=*", "-C", str(folder), "log", "-1", "--format=%ct", sha or "HEAD", "--"]
    try:
        done = process.run(argv, env=env, timeout=60)
    except ActionError:
        return None
    text = done.stdout.strip()
    return datetime.fromtimestamp(int(text), UTC) if done.ok and text.isdigit() else None


def head_commit(folder: Path, env: Mapping[str, str]) -> str:
    """Return the SHA that is checked out, or "" outside a clone of Git: for runs on somebody's own machine."""
    argv = ["git", "-c", "safe.directory=*", "-C", str(folder), "rev-parse", "--verify", "HEAD"]
    try:
        done = process.run(argv, env=env, timeout=60)
    except ActionError:
        return ""
    return done.stdout.strip() if done.ok else ""


def make_labels(*, source: str, revision: str, created: datetime | None, version: str) -> dict[str, str]:
    """Return the labels that every image gets; unknown ones are left out."""
    labels = {
        "source": source,
        "revision": revision,
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else "",
        "version": version,
    }
    return {f"{_PREFIX}{name}": value for name, value in labels.items() if value}
