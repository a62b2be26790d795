"""Foreign text does nothing in Markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cicd_actions.github.markdown import code, cut, defuse, escape, one_line


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("@alice", "@alice"),
        ("a@b/c", "@b"),
        ("<img src=x>", "<img"),
        ("[x](http://evil)", "[x]("),
        ("https://evil", "https://"),
        ("www.evil.example", "www.evil"),
        ("GH-12", "GH-12"),
        ("#12", " #12"),
        ("a\r\nb\x1b[31m\u202ec", "\x1b"),
    ],
)
def test_escape(text: str, gone: str) -> None:
    assert gone not in f" {escape(text)}"


@given(st.text())
def test_escape_is_one_line_and_keeps_no_mention(text: str) -> None:
    made = escape(text)
    assert len(made.splitlines()) <= 1
    assert "<" not in made.replace("&lt;", "")
    assert not any(
        made[i] == "@" and made[i + 1 : i + 2].isascii() and made[i + 1 : i + 2].isalnum() for i in range(len(made))
    )


@given(st.text(alphabet="`a |\\"))
def test_code_spans_hold_their_text(text: str) -> None:
    made = code(text)
    if not made:
        assert not text.strip()
        return
    fence = made[: len(made) - len(made.lstrip("`"))]
    assert fence not in made[len(fence) : -len(fence)].replace(fence + "`", "")


def test_defuse_keeps_the_structure() -> None:
    text = defuse("## Head\r\n- `a.py:3` @bob <b> ![i](u)\n```\n<x> @y\n```\n")
    assert text.startswith("## Head\n- `a.py:3` ")
    assert "@bob" not in text
    assert "@y" not in text
    assert "<b" not in text
    assert "![" not in text


def test_cut() -> None:
    assert cut("short", 10) == "short"
    assert len(cut("line\n" * 100, 50)) <= 50
    assert len(cut("x" * 100, 50)) == 50


def test_one_line() -> None:
    assert one_line(" a\n\tb\u2028c\x00d ") == "a b cd"
    assert one_line("x" * 300) == "x" * 199 + "…"
