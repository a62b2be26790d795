"""The ledger of exceptions: findings that somebody has decided to live with, until a day.

A strict file, because a loose one rots: Trivy ignores unknown keys, so a misspelt date there means "for ever".

    exceptions:
      - id: CVE-2024-22195
        package: jinja2
        reason: xmlattr is not used
        owner: web-team
        expires: 2025-01-31
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cicd_actions.errors import ConfigError, Problem

_KEYS = ("id", "package", "reason", "owner", "expires")


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One exception; it counts up to and including the day ``expires``."""

    id: str
    package: str
    reason: str
    owner: str
    expires: date

    def is_expired(self, today: date) -> bool:
        """True from the day after ``expires`` on."""
        return today > self.expires


def read_ledger(text: str, *, name: str) -> tuple[Waiver, ...]:
    """Read a ledger.

    Args:
        text: The file's content (YAML).
        name: What to call the file in messages.

    Raises:
        ConfigError: With everything that is wrong: unknown or missing keys, no date, an entry given twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document: Any = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise ConfigError(Problem(input="exceptions", value=name, what=f"is not YAML: {error}")) from error
    entries = document.get("exceptions") if isinstance(document, dict) else None
    if not isinstance(entries, list) or set(document) != {"exceptions"}:
        raise _problem(name, "must hold one key, `exceptions`, with a list")
    problems: list[Problem] = []
    waivers: list[Waiver] = []
    for number, entry in enumerate(entries, 1):
        wrong = _wrong_with(entry)
        if wrong:
            problems.append(Problem(input="exceptions", value=f"{name}, entry {number}", what=wrong))
        else:
            waivers.append(Waiver(**entry))
    keys = [(waiver.id, waiver.package) for waiver in waivers]
    problems += [
        Problem(input="exceptions", value=name, what=f"has {id_} for {package} more than once")
        for id_, package in sorted(set(keys))
        if keys.count((id_, package)) > 1
    ]
    if problems:
        raise ConfigError(*problems, hint=f"Each entry needs exactly: {', '.join(_KEYS)}.")
    return tuple(waivers)


def _wrong_with(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return "is not a mapping"
    unknown = sorted(str(key) for key in entry if key not in _KEYS)
    if unknown:
        return f"has the unknown key {', '.join(unknown)}"
    for key in _KEYS[:-1]:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            return f"has no {key}" if key not in entry else f"has a {key} that is not text"
    expires = entry.get("expires")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        return "has no date in `expires` (write 2025-01-31, without quotes)"
    return ""


def _problem(name: str, what: str) -> ConfigError:
    return ConfigError(Problem(input="exceptions", value=name, what=what))
