"""What a plain scalar is for readers, and how strings are written."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cicd_actions.gitops import scalars

AMBIGUOUS = [
    "1234567",
    "12e5",
    "1.10",
    "0362525",
    "0x1F",
    "0b11",
    "0o17",
    "1_000",
    "1:30",
    "190:20:30",
    "1.",
    ".5",
    "-1",
    "+1",
    "1e3",
    "1E+3",
    ".inf",
    "-.Inf",
    ".NaN",
    "~",
    "null",
    "NULL",
    "true",
    "False",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "=",
    "<<",
    "2024-01-02",
    "2024-1-2",
    "2001-12-14T21:59:43",
    "1.5e-3",
    "685_230.15",
    "0",
    "00",
    "0_0",
    "0X1f",
]
STRINGS = [
    "1.2.3",
    "v1",
    "1.2.3-rc.1",
    "72225e2f",
    "sha256:abc",
    "ghcr.io/acme/app:1.0",
    "main-1a2b3c4",
    "20240102-abc",
    "1.0-beta",
    "nope",
    "truely",
    "nullable",
    "2024-01-02-abc",
    "0xyz",
    "e5",
    "1e",
    "1.2.3.4",
    "_1",
    "a_b",
    "-x",
    "--flag",
    "x:y",
    "1-2",
    ".x",
    "08a",
]


def load(text: str, version: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = version
    return yaml.load(text)["k"]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_ambiguous_words_are_no_strings(text: str) -> None:
    assert not scalars.reads_as_string(text)
    assert scalars.render(text, style="", flow=False) == f'"{text}"'


@pytest.mark.parametrize("text", STRINGS)
def test_ordinary_words_stay_plain(text: str) -> None:
    assert scalars.render(text, style="", flow=False) == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "a ",
        " a",
        "a: b",
        "a #b",
        "a:",
        "- a",
        "-",
        "?",
        "? x",
        "#x",
        "&x",
        "*x",
        "!x",
        "|",
        ">x",
        "%x",
        "@x",
        "`x",
        "'x",
        '"x',
        "[x",
        "{x",
        "]x",
        "}x",
        ",x",
        "---",
        "--- x",
        "...",
        "a\nb",
        "a\tb",
        "\x00",
        "\x85",
        "\ufeff",
    ],
)
@pytest.mark.parametrize("flow", [False, True])
def test_what_plain_cannot_hold_is_quoted(value: str, flow: bool) -> None:
    text = scalars.render(value, style="", flow=flow)
    assert text.startswith('"')
    assert json.loads(text) == value


@pytest.mark.parametrize("value", ["a, b", "a]", "a}", "{{x", "a[0]"])
def test_in_flow_the_brackets_are_quoted(value: str) -> None:
    assert scalars.render(value, style="", flow=True).startswith('"')


def test_quotes_are_kept_and_escaped() -> None:
    assert scalars.render("it's", style="'", flow=False) == "'it''s'"
    assert scalars.render('say "x" \\', style='"', flow=False) == '"say \\"x\\" \\\\"'
    assert scalars.render("a\nb", style="'", flow=False) == '"a\\nb"'
    assert scalars.render("x", style="'", flow=False, json=True) == '"x"'


words = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="0123456789+-._:eExXoObB ", max_size=10),
    st.sampled_from(AMBIGUOUS + STRINGS),
    st.from_regex(r"\A[0-9a-f]{7}\Z"),
).filter(lambda text: not any(0xD800 <= ord(char) <= 0xDFFF for char in text))


@settings(max_examples=300, deadline=None)
@given(words, st.sampled_from(["", "'", '"']), st.booleans())
def test_every_reader_gets_the_same_string(value: str, style: str, flow: bool) -> None:
    text = scalars.render(value, style=style, flow=flow)
    document = f"{{k: {text}}}\n" if flow else f"k: {text}\n"
    yaml: Any = importlib.import_module("yaml")
    assert load(document, "1.1") == value
    assert load(document, "1.2") == value
    assert yaml.safe_load(document)["k"] == value
