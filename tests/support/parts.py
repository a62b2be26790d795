"""Parts that a machine may lack: a test that needs one is skipped with the reason, or fails where all are required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(part: str, reason: str) -> NoReturn:
    """Skip the test for want of ``part``; with CICD_ACTIONS_REQUIRE_ALL=1 fail instead."""
    text = f"{part} is missing: {reason}"
    if os.environ.get("CICD_ACTIONS_REQUIRE_ALL") == "1":
        pytest.fail(text)
    pytest.skip(text)
