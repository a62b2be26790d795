"""The one door through which other programs are run: argument lists, never a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ActionError

_GRACE_SECONDS = 5.0
# what `run` has started and not yet seen end; an interrupt reaches the main thread only, the programs run in others
_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a finished program left: ``seconds`` is wall time; ``timed_out`` means that we ended it."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """True when the program ended by itself with exit code 0."""
        return self.returncode == 0 and not self.timed_out


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str | None = None,  # noqa: A002 - the name that subprocess uses
    timeout: float | None = None,
    merge_stderr: bool = False,
    listen: Callable[[str], None] | None = None,
    own_session: bool = True,
) -> Completed:
    """Run a program to its end and return what it printed; a non-zero exit is not an error here.

    Output is decoded as UTF-8 with replacement, so hostile bytes cannot break the caller. The program gets its own
    process group; after ``timeout`` seconds the whole group is ended, so that no grandchild is left behind.
    ``listen`` gets every line of standard output as it comes (without its end), from another thread.
    A program gets a session of its own too, and so no terminal to ask at, unless ``own_session`` is False: the kernel
    shares processor time between sessions, so programs that may wait for others belong into one.

    Raises:
        ActionError: The program is not there or may not be executed.
    """
    words = tuple(str(word) for word in argv)
    started = time.monotonic()
    stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
    stderr = subprocess.STDOUT if merge_stderr else subprocess.PIPE
    process = _start(words, cwd=cwd, env=env, stdin=stdin, stderr=stderr, own_session=own_session)
    out, err, timed_out = _finish(process, None if input is None else input.encode(), timeout, listen)
    return Completed(
        argv=words,
        returncode=process.returncode,
        stdout=_text(out),
        stderr=_text(err),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
    )


def _start(
    words: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int,
    stderr: int,
    own_session: bool,
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=own_session,
            process_group=None if own_session else 0,
        )
    except OSError as error:
        raise ActionError(
            f"Could not start {words[0]!r}: {error.strerror or error}.",
            hint=f"Install {Path(words[0]).name} or put it on PATH.",
        ) from error
    _running.add(process)
    return process


def _finish(
    process: subprocess.Popen[bytes], data: bytes | None, timeout: float | None, listen: Callable[[str], None] | None
) -> tuple[bytes, bytes, bool]:
    """What it printed on both streams, and whether it had to be ended."""
    try:
        if listen is None:
            out, err = process.communicate(data, timeout=timeout)
        else:
            out, err = _follow(process, listen, timeout), b""
    except subprocess.TimeoutExpired:
        return *_end(process), True
    except BaseException:
        _end(process)
        raise
    finally:
        _running.discard(process)
    return out, err, False


def _follow(process: subprocess.Popen[bytes], listen: Callable[[str], None], timeout: float | None) -> bytes:
    """Read standard output line by line until the program ends."""
    read: list[bytes] = []

    def take() -> None:
        for line in process.stdout or ():
            read.append(line)
            listen(_text(line).rstrip("\r\n"))

    reader = threading.Thread(target=take, daemon=True)
    reader.start()
    process.wait(timeout)
    reader.join(_GRACE_SECONDS)
    if process.stdout:
        process.stdout.close()
    return b"".join(read)


def end_all(number: int = signal.SIGTERM) -> None:
    """Send a signal to every program that ``run`` has started and its children: for an interrupt while threads wait."""
    for process in tuple(_running):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            return process.communicate(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    return b"", b""


def _text(data: bytes | None) -> str:
    return "" if data is None else data.decode("utf-8", errors="replace")
