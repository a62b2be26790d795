"""The notation of key paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cicd_actions.errors import ConfigError
from cicd_actions.gitops.keypath import Index, Key, KeyPath, Match, parse, parse_update


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("image", (Key("image"),)),
        ("image.tag", (Key("image"), Key("tag"))),
        ("list[0].tag", (Key("list"), Index(0), Key("tag"))),
        ("[2]", (Index(2),)),
        ("containers[name=web].image", (Key("containers"), Match("name", "web"), Key("image"))),
        ('containers["x.y"="a]b"].image', (Key("containers"), Match("x.y", "a]b"), Key("image"))),
        ('"a.b"."c"', (Key("a.b"), Key("c"))),
        ("'it''s'.x", (Key("it's"), Key("x"))),
        ('labels["app.kubernetes.io/name"]', (Key("labels"), Key("app.kubernetes.io/name"))),
        ('"say \\"hi\\"".x', (Key('say "hi"'), Key("x"))),
        ("my key.x-y_z", (Key("my key"), Key("x-y_z"))),
        ("ports.8080", (Key("ports"), Key("8080"))),
    ],
)
def test_reads(text: str, segments: tuple[Key | Index | Match, ...]) -> None:
    assert parse(text).segments == segments
    assert parse(str(parse(text))).segments == segments


@pytest.mark.parametrize(
    "text", ["", ".a", "a.", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[0", "a]", "a=b", '"a', "a[0]b", " "]
)
def test_refuses(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert error.value.exit_code == 2
    assert repr(text) in str(error.value) or not text


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("image.tag=1.2.3", "image.tag", "1.2.3"),
        ("a=", "a", ""),
        ("a=b=c", "a", "b=c"),
        ("args[name=web].x= y ", "args[name=web].x", " y "),
        ('"a=b".c=d', '"a=b".c', "d"),
    ],
)
def test_update(text: str, path: str, value: str) -> None:
    found, got = parse_update(text)
    assert (str(found), got) == (path, value)


@pytest.mark.parametrize(("text", "what"), [("image.tag", "has no value"), ("=x", "not well formed")])
def test_update_refuses(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        parse_update(text)


_names = st.text(min_size=1, max_size=12)
_segments = st.one_of(st.builds(Key, _names), st.builds(Index, st.integers(0, 99)), st.builds(Match, _names, _names))


@given(st.lists(_segments, min_size=1, max_size=5), st.text(max_size=8))
def test_text_form_leads_back(segments: list[Key | Index | Match], value: str) -> None:
    path = KeyPath(tuple(segments))
    assert parse_update(f"{path}={value}") == (path, value)
