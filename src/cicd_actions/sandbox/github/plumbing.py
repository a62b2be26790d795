"""Git's plumbing commands on one repository, bytes in and bytes out.

`cicd_actions.process.run` decodes what a program prints, which would spoil blobs; so this is the second, and only
other, place that starts a program here, again with an argument list and never a shell.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cicd_actions.errors import ActionError

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"

_SHA = re.compile(r"[0-9a-f]{40}")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")


class GitError(Exception):
    """A git command ended with an exit code that its caller did not expect."""

    def __init__(self, argv: tuple[str, ...], code: int, stderr: str) -> None:
        super().__init__(f"git {' '.join(argv[:2])} ended with {code}: {stderr.strip()[:500]}")
        self.code = code
        self.stderr = stderr


def is_sha(text: str) -> bool:
    """Tell whether the text is a full object name."""
    return bool(_SHA.fullmatch(text))


def is_ref_name(name: str) -> bool:
    """Tell whether git would take the text as (part of) a ref name; the rules are those of git-check-ref-format."""
    return bool(
        name
        and not _BAD_IN_REF.search(name)
        and not name.startswith(("-", "/", "."))
        and not name.endswith(("/", "."))
        and name != "@"
    )


def environment(path: str, home: Path) -> dict[str, str]:
    """The environment git runs in: nothing of the machine's or the user's own configuration reaches it."""
    return {
        "PATH": path or DEFAULT_PATH,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


@dataclass(frozen=True, kw_only=True)
class Git:
    """Runs git on the bare repository in ``directory``."""

    directory: Path
    environment: Mapping[str, str] = field(repr=False)

    def result(
        self, *argv: str, data: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """Run one command; return its exit code, what it printed, and its error text."""
        try:
            done = subprocess.run(
                ("git", f"--git-dir={self.directory}", *argv),
                env={**self.environment, **(env or {})},
                input=b"" if data is None else data,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise ActionError(f"Could not start git: {error.strerror or error}.", hint="Install git.") from error
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def __call__(
        self,
        *argv: str,
        data: bytes | None = None,
        env: Mapping[str, str] | None = None,
        ok: Container[int] = (0,),
    ) -> bytes:
        """Run one command and return what it printed.

        Raises:
            GitError: The exit code is not among ``ok``.
        """
        code, out, err = self.result(*argv, data=data, env=env)
        if code not in ok:
            raise GitError(argv, code, err)
        return out

    def text(self, *argv: str, data: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run one command and return its output as stripped text."""
        return self(*argv, data=data, env=env).decode(errors="replace").strip()
