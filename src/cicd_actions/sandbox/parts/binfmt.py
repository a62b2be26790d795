"""Registering the arm64 emulator with the kernel, so that containers of that platform run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cicd_actions.process import run
from cicd_actions.sandbox.parts.model import Unavailable

_FOLDER = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"
# The ELF header of a 64-bit little-endian executable for machine 0xb7, and which of its bits count.
_MAGIC = r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# O and C: open the program and keep its credentials; F: the kernel opens the emulator now, so that it is there inside
# containers as well and stays there when the file is replaced.
_FLAGS = "OCF"


def can_run_arm64() -> bool:
    """True when the kernel runs arm64 programs, natively or by an emulator that works inside containers."""
    if os.uname().machine == "aarch64":
        return True
    for entry in _FOLDER.glob("*"):
        if entry.name in {"register", "status"}:
            continue
        text = entry.read_text(encoding="utf-8", errors="replace")
        flags = next((line for line in text.splitlines() if line.startswith("flags:")), "")
        if text.startswith("enabled") and "7f454c46020101" in text and "0200b7" in text and "F" in flags[6:]:
            return True
    return False


def ensure_arm64(emulator: Callable[[], Path]) -> None:
    """Register the emulator unless arm64 programs run already.

    Raises:
        Unavailable: The kernel does not let us.
    """
    if not (_FOLDER / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", _FOLDER])
    if can_run_arm64():
        return
    interpreter = emulator()
    try:
        (_FOLDER / "register").write_text(f":{_NAME}:M::{_MAGIC}:{_MASK}:{interpreter}:{_FLAGS}", encoding="ascii")
    except OSError as error:
        raise Unavailable(
            f"The arm64 emulator cannot be registered with the kernel: {error.strerror}.",
            hint="Run as root with a kernel that has binfmt_misc, or register QEMU for arm64 beforehand.",
        ) from error
