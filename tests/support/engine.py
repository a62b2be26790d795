"""The real parts for a test session: started once, shared by all tests that ask for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.support.parts import missing

from cicd_actions.sandbox.parts import Parts, Unavailable, running


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """Engine, registries, base images, runner image and scanner; a process started by a test attaches to them."""
    context = running(env=os.environ)
    try:
        found = context.__enter__()
    except Unavailable as reason:
        missing("the container engine", reason.message)
    try:
        yield found
    finally:
        context.__exit__(None, None, None)
