"""Foreign text inside GitHub's Markdown: shown as it is, never acting.

A branch name, a commit subject or a tool's message may hold mentions, links, HTML, headings or control characters.
"""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")
_MENTION = re.compile(r"@(?=[A-Za-z0-9])")
_REFERENCE = re.compile(r"\b(GH-)(?=\d)", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(https?|ftp)://|\bwww\.(?=\S)", re.IGNORECASE)
_BREAK = "\u200b"  # zero width space: GitHub then sees no mention, reference or address


def one_line(text: str, limit: int = 200) -> str:
    """Return text on one line without control and direction characters, cut to ``limit`` characters."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or _visible(c))
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def escape(text: str, limit: int = 200) -> str:
    """Return foreign text for a place inside a line of Markdown; it reads the same and does nothing."""
    words = _SPECIAL.sub(r"\\\1", one_line(text, limit))
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    words = _ADDRESS.sub(lambda found: found[0].replace(":", f"{_BREAK}:").replace(".", f"{_BREAK}."), words)
    words = _REFERENCE.sub(rf"\1{_BREAK}", words)
    return _MENTION.sub(f"@{_BREAK}", words)


def code(text: str, limit: int = 200) -> str:
    """Return foreign text as a code span, whose fence is longer than any run of backticks in it."""
    words = one_line(text, limit)
    if not words:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    fence, pad = "`" * (longest + 1), " " if words[0] == "`" or words[-1] == "`" else ""
    words = words.replace("|", "\\|")  # a bar would end the cell of a table
    return f"{fence}{pad}{words}{pad}{fence}"


def defuse(markdown: str) -> str:
    """Return Markdown around foreign text so that it mentions nobody, holds no HTML and loads no image.

    For blocks composed from tools' output: the structure stays. An invisible space breaks what would act, in code
    blocks too: where a block really ends is for GitHub to say, so nothing is left out because it seems to be code.
    """
    text = "".join(c for c in markdown.replace("\r\n", "\n").replace("\r", "\n") if c in "\n\t" or _visible(c))
    text = re.sub(r"<(?=[A-Za-z/!?])", f"<{_BREAK}", text).replace("![", f"!{_BREAK}[")
    return _MENTION.sub(f"@{_BREAK}", text)


def cut(text: str, limit: int, note: str = "\n\n… (cut)") -> str:
    """Return text of at most ``limit`` characters, cut at a line's end where there is one, with a note."""
    if len(text) <= limit:
        return text
    head = text[: limit - len(note)]
    return head[: head.rfind("\n")] + note if "\n" in head else head + note


def _visible(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn")
