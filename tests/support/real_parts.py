"""The engine, registry and scanner for a test module, started once and shared with whoever uses them already."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.parts import missing

from cicd_actions.sandbox.parts import Parts, Unavailable, running


@contextmanager
def real_parts() -> Iterator[Parts]:
    """Yield the running parts; where they cannot be had, the test is skipped (or fails) with the reason."""
    try:
        with running(env=os.environ) as parts:
            with warnings.catch_warnings():
                # connections of the start that nobody closed would be blamed on whichever test runs next
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()
            yield parts
    except Unavailable as reason:
        missing("the container engine", str(reason))
