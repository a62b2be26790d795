"""The runner's protocol: nothing that we print can be taken for a command that we did not mean."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cicd_actions.runner import workflow
from cicd_actions.runner.report import Annotation

HOSTILE = "::error::x\r\n%0A::set-output name=a::b\n  ::stop-commands::t\n##[set-output name=a;]b"


def test_an_annotation_is_one_line_whatever_it_says() -> None:
    line = workflow.format_annotation(
        Annotation(level="error", message=HOSTILE, title="a,b:c\nd", file="x:y,z.py", line=3)
    )
    assert "\n" not in line
    assert "\r" not in line
    assert line.startswith("::error file=x%3Ay%2Cz.py,line=3,title=a%2Cb%3Ac%0Ad::")


def test_foreign_text_holds_no_command() -> None:
    for line in workflow.defuse(HOSTILE).splitlines():
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


def test_ten_annotations_of_a_level_are_shown_and_the_rest_is_counted() -> None:
    many = tuple(Annotation(level="error", message=str(n)) for n in range(25))
    shown = workflow.select_annotations((*many, Annotation(level="warning", message="w")))
    assert [a.message for a in shown[:10]] == [str(n) for n in range(10)]
    assert shown[-1].level == "notice"
    assert "Showing 11 of 26" in shown[-1].message
    few = many[:10]
    assert workflow.select_annotations(few) == few


def test_outputs_survive_any_text(tmp_path: Path) -> None:
    file = tmp_path / "out"
    workflow.write_outputs(file, {"a": "one\ntwo\nEOF\n", "b": ""})
    lines = file.read_text().split("\n")
    delimiter = lines[0].removeprefix("a<<")
    assert lines == [f"a<<{delimiter}", "one", "two", "EOF", "", delimiter, f"b<<{delimiter}", "", delimiter, ""]


def test_a_value_with_the_delimiter_or_too_much_text_is_refused() -> None:
    with pytest.raises(ValueError, match="delimiter"):
        workflow.format_outputs({"a": "x END y"}, "END")
    with pytest.raises(ValueError, match="1 MB"):
        workflow.format_outputs({"a": "x" * 1_000_001}, "END")


def test_the_summary_is_cut_at_a_line_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    workflow.write_summary(file, "é" * 10 + "\n" + "row\n" * 400_000)
    text = file.read_text()
    assert len(text.encode()) <= workflow.SUMMARY_BYTES
    assert "The rest was cut" in text
    assert text.startswith("é" * 10)


def test_every_line_of_a_secret_is_masked() -> None:
    stream = io.StringIO()
    workflow.mask(stream, "one\n\ntwo%")
    assert stream.getvalue() == "::add-mask::one\n::add-mask::two%25\n"
