"""Deliver Python applications: from a push on ``dev`` to a healthy deployment."""

from __future__ import annotations

__version__ = "0.1.0"
