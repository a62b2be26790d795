"""Short links: what a link is, which targets are allowed, where links are kept."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
_ALIAS = re.compile(r"[A-Za-z0-9_-]{3,32}")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\U0010ffff<>\"\\^`{|}]")
# Paths of the service itself, which an alias must not hide.
RESERVED = frozenset({"api", "healthz", "readyz", "metrics"})


class InvalidLinkError(ValueError):
    """The target or the alias is not acceptable."""


class AliasTakenError(Exception):
    """The alias already leads somewhere else."""


class StoreFullError(Exception):
    """No more links fit in."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One short link and how often it was followed."""

    code: str
    url: str
    hits: int = 0


def check_url(url: object) -> str:
    """Return ``url`` when a redirect may lead there, or raise InvalidLinkError."""
    if not isinstance(url, str) or not url:
        raise InvalidLinkError("'url' must be a non-empty string")
    if len(url) > MAX_URL_LENGTH:
        raise InvalidLinkError(f"'url' must not be longer than {MAX_URL_LENGTH}")
    # It ends up in a Location header: plain ASCII without blanks or controls.
    if _NOT_IN_A_URL.search(url):
        raise InvalidLinkError("'url' holds characters that must be percent-encoded")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise InvalidLinkError("'url' must start with http:// or https:// and a host")
    return url


def check_alias(alias: object) -> str:
    """Return ``alias`` when it can be a code, or raise InvalidLinkError."""
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        raise InvalidLinkError("'alias' must be 3 to 32 letters, digits, - or _")
    if alias.lower() in RESERVED:
        raise InvalidLinkError(f"'alias' must not be {alias!r}")
    return alias


class LinkStore:
    """Links in memory, safe to use from several threads, bounded."""

    def __init__(
        self,
        capacity: int,
        new_code: Callable[[], str] = lambda: secrets.token_urlsafe(6),
    ) -> None:
        self._capacity = capacity
        self._new_code = new_code
        self._links: dict[str, Link] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._links)

    def add(self, url: str, alias: str | None = None) -> tuple[Link, bool]:
        """Keep a link; return it and whether it is new.

        The same alias for the same target again is no error, so a client may retry.
        """
        with self._lock:
            if alias and alias in self._links:
                if self._links[alias].url != url:
                    raise AliasTakenError(alias)
                return self._links[alias], False
            if len(self._links) >= self._capacity:
                raise StoreFullError
            code = alias or self._free_code()
            self._links[code] = Link(code=code, url=url)
            return self._links[code], True

    def get(self, code: str) -> Link | None:
        """Return a link without counting a visit."""
        return self._links.get(code)

    def follow(self, code: str) -> Link | None:
        """Return a link and count the visit."""
        with self._lock:
            link = self._links.get(code)
            if link:
                link = self._links[code] = replace(link, hits=link.hits + 1)
            return link

    def remove(self, code: str) -> bool:
        """Forget a link; return whether it was there."""
        with self._lock:
            return self._links.pop(code, None) is not None

    def _free_code(self) -> str:
        code = self._new_code()
        while code in self._links or code.lower() in RESERVED:
            code = self._new_code()
        return code
