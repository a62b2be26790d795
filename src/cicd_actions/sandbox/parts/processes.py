"""Programs that keep running: started apart from us, recognised by pid and start time, stopped by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cicd_actions.sandbox.parts.model import Unavailable

_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A running program: its pid, and when it started (clock ticks since boot), so that a reused pid is noticed."""

    name: str
    pid: int
    started: int

    def is_alive(self) -> bool:
        """True while that very process runs."""
        return _start_time(self.pid) == self.started

    def stop(self, seconds: float = 20.0) -> None:
        """End the process, first politely; nothing happens when it has ended already."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_alive():
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            wait_until(lambda: not self.is_running(), seconds)

    def is_running(self) -> bool:
        """As ``is_alive``, for a process that may be our own child."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # our own child would stay as a zombie
        return self.is_alive()

    def to_json(self) -> dict[str, str | int]:
        """The fields, to be kept in a file."""
        return asdict(self)


def running_program(pidfile: Path, *, below: Path) -> Daemon | None:
    """The process that a pid file names, if it runs and its program lies below the folder; else None."""
    try:
        pid = int(pidfile.read_text(encoding="ascii"))
        program = Path(f"/proc/{pid}/exe").readlink()
    except (OSError, ValueError):
        return None
    daemon = Daemon(name=program.name, pid=pid, started=_start_time(pid))
    return daemon if below in program.parents and daemon.is_alive() else None


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    ready: Callable[[], bool],
    seconds: float,
) -> Daemon:
    """Start the program in a session of its own, with its output in ``log``, and wait until it is ready.

    Raises:
        Unavailable: It ended or was not ready in time; the message has the end of its log.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
        )
    daemon = Daemon(name=name, pid=process.pid, started=_start_time(process.pid))
    process.returncode = 0  # it outlives this object; Daemon.stop looks after it
    try:
        wait_until(lambda: ready() or not daemon.is_running(), seconds)
        if daemon.is_alive() and ready():
            return daemon
    except BaseException:
        daemon.stop()
        raise
    ended = "was not ready in time" if daemon.is_alive() else "ended at once"
    daemon.stop()
    tail = " | ".join(log.read_text("utf-8", "replace").splitlines()[-3:])[-800:]
    raise Unavailable(f"{name} {ended}: {tail}", hint=f"Its log is {log}.")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds, at most so long; the last answer."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return holds


def _start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, or -1 when the process is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] == "Z" else int(fields[19])
