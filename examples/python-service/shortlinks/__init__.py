"""A small URL shortener: links in memory, health and metrics endpoints."""

__version__ = "1.0.0"
