"""Fixtures for all layers of the tests."""

from __future__ import annotations

pytest_plugins = ["tests.support.engine"]
