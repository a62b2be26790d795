"""How a string is written as a YAML scalar so that every reader gets the same string back.

Sources: the YAML 1.1 type repository (bool, int, float, null, timestamp, merge, value), the character set and the
core schema of YAML 1.2.2 (sections 5.1 and 10.3), and what libyaml and Go's reader accept beyond them (0X, 0o, _).
"""

from __future__ import annotations

import re

_WORDS = frozenset(  # compared in lower case
    ("", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "+.inf", "-.inf", ".nan", "=", "<<")
)
_NUMBER = re.compile(
    r"""[-+]?(?:
        0[xX][0-9a-fA-F_]+                                    # hexadecimal
      | 0[oO][0-7_]+ | 0[bB][01_]+                            # octal, binary
      | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?           # base 60: 1:30:00
      | (?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
    )""",
    re.VERBOSE,
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
# Control characters, line separators, the byte order mark and surrogates: written as escapes only.
_SPECIAL = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INDICATORS = frozenset(",[]{}#&*!|>'\"%@`")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def reads_as_string(text: str) -> bool:
    """True when a plain scalar with this text is a string under YAML 1.1 and under YAML 1.2."""
    if text.lower() in _WORDS:
        return False
    return not (_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def may_be_plain(value: str, *, flow: bool, typed: bool = False) -> bool:
    """True when ``value`` written without quotes is one plain scalar that reads back as this string.

    ``typed`` tells that ``!!str`` stands before it, so that a number is a string too.
    """
    if not value or not (typed or reads_as_string(value)) or _SPECIAL.search(value) or value != value.strip(" "):
        return False
    if value.endswith(":") or ": " in value or " #" in value:
        return False
    if value[:3] in ("---", "...") and value[3:4] in ("", " "):
        return False
    if flow and set(value) & set(",[]{}?"):  # YAML 1.1 ends a plain scalar there at a question mark
        return False
    if value[0] in "-?:":  # an indicator only when nothing or a space follows
        return value[1:2] not in ("", " ") and (value[0] == "-" or not flow)
    return value[0] not in _INDICATORS


def has_special(value: str) -> bool:
    """True when the value holds characters that only double quotes can carry."""
    return bool(_SPECIAL.search(value))


def double_quoted(value: str) -> str:
    """The value in double quotes, with only those escapes that YAML and JSON share."""
    return '"' + "".join(_ESCAPES.get(char) or _escape(char) for char in value) + '"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if _SPECIAL.match(char) else char


def render(value: str, *, style: str, flow: bool, json: bool = False, typed: bool = False) -> str:
    """Write ``value`` in the old quoting style, or in double quotes where that cannot give the same string back.

    Args:
        value: The string that readers shall see.
        style: The quoting to keep: empty (plain), ``'`` or ``"``.
        flow: The scalar is inside ``[]`` or ``{}``.
        json: The file is JSON, which knows double quotes only.
        typed: ``!!str`` stands before the scalar.
    """
    if style == "'" and not json and not _SPECIAL.search(value.replace("\t", " ")):
        return "'" + value.replace("'", "''") + "'"
    if style == "" and not json and may_be_plain(value, flow=flow, typed=typed):
        return value
    return double_quoted(value)
