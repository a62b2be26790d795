"""Configuration from the environment, checked once at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class ConfigError(Exception):
    """The environment holds values that the service cannot run with."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that can be set from outside; the defaults suit a laptop."""

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 8
    public_url: str = ""
    max_links: int = 100_000
    drain_seconds: float = 5.0
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """Read ``env``; raise ConfigError that lists every bad value at once."""
        problems: list[str] = []

        def read(name: str, parse: Callable[[str], T], default: T) -> T:
            text = env.get(name, "").strip()
            if not text:
                return default
            try:
                return parse(text)
            except ValueError as error:
                problems.append(f"{name}={text!r}: {error}")
                return default

        config = cls(
            host=read("HOST", str, cls.host),
            port=read("PORT", _whole(0, 65535), cls.port),
            threads=read("THREADS", _whole(1, 256), cls.threads),
            public_url=read("PUBLIC_URL", _base_url, cls.public_url),
            max_links=read("MAX_LINKS", _whole(1, 10_000_000), cls.max_links),
            drain_seconds=read("DRAIN_SECONDS", _seconds, cls.drain_seconds),
            log_level=read("LOG_LEVEL", _log_level, cls.log_level),
        )
        if problems:
            raise ConfigError("; ".join(problems))
        return config


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 300:
        raise ValueError("must be a number of seconds from 0 to 300")
    return value


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
        raise ValueError("must be a URL such as https://go.example")
    return text.rstrip("/")


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
    return text.upper()
