"""One answer of the API, and whether it only asks us to come back later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LATER = (429, 500, 502, 503, 504)
_LIMITS = ("rate limit", "abuse detection", "please retry your request again later")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers with lower-case names, and the decoded JSON body ({} when it is no JSON)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True for a 2xx answer."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """GitHub's own words for a refusal, with the details of its ``errors`` list, on one line."""
        if not isinstance(self.data, Mapping):
            return ""
        parts = [str(self.data.get("message") or "")]
        errors = self.data.get("errors")
        for error in errors if isinstance(errors, list) else []:
            text = error.get("message") if isinstance(error, Mapping) else error
            parts.append(str(text or ""))
        return " ".join(" ".join(parts).split())

    @property
    def limited(self) -> bool:
        """True for a primary or secondary rate limit, which GitHub also signals with 403."""
        if self.status not in (403, 429):
            return False
        text = self.message.lower()
        return self.status == 429 or "retry-after" in self.headers or any(w in text for w in _LIMITS)

    @property
    def transient(self) -> bool:
        """True when the same request may succeed later."""
        return self.limited or self.status in _LATER

    @property
    def carried_out(self) -> bool:
        """False when GitHub surely did nothing: a limit refuses before anything is done, a 5xx may come after."""
        return not self.limited

    def wait(self, now: float) -> float:
        """Return the seconds GitHub asks us to wait, 0 when it does not say.

        Args:
            now: Seconds since the epoch, for ``x-ratelimit-reset``.
        """
        after = self.headers.get("retry-after", "")
        if after.isdigit():
            return float(after)
        reset = self.headers.get("x-ratelimit-reset", "")
        if self.limited and self.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            return max(0.0, float(reset) - now) + 1
        return 60.0 if self.limited else 0.0
