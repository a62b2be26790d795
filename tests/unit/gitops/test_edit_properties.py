"""For every scalar of every generated file: set it, and exactly its bytes differ; set it back, and nothing differs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.gitops.documents import Document, documents

from cicd_actions.gitops import tree
from cicd_actions.gitops.edit import set_values

_SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def _quoted(style: str, word: str) -> str:
    return f"{style}{word}{style}"


@_SETTINGS
@given(documents())
def test_set_and_set_back(document: Document) -> None:
    for scalar in document.scalars:
        edit = set_values(document.data, {scalar.path: "new-value"})
        assert edit.data == document.replaced(scalar, _quoted(scalar.style, "new-value"))
        assert edit.values[0].old == scalar.value
        assert set_values(edit.data, {scalar.path: scalar.value}).data == document.data


@_SETTINGS
@given(documents())
def test_number_like_values_are_quoted(document: Document) -> None:
    for scalar in document.scalars:
        edit = set_values(document.data, {scalar.path: "1.10"})
        assert edit.data == document.replaced(scalar, _quoted(scalar.style or '"', "1.10"))


@_SETTINGS
@given(documents())
def test_all_at_once(document: Document) -> None:
    updates = {scalar.path: f"v-{number}" for number, scalar in enumerate(document.scalars)}
    if not updates:
        return
    expected, at = "", 0
    for number, scalar in enumerate(document.scalars):
        expected += document.text[at : scalar.start] + _quoted(scalar.style, f"v-{number}")
        at = scalar.end
    bom = b"\xef\xbb\xbf" if document.bom else b""
    edit = set_values(document.data, updates)
    assert edit.data == bom + (expected + document.text[at:]).encode()
    back = {scalar.path: scalar.value for scalar in document.scalars}
    assert set_values(edit.data, back).data == document.data


@_SETTINGS
@given(documents())
def test_setting_the_same_value_changes_nothing(document: Document) -> None:
    edit = set_values(document.data, {scalar.path: scalar.value for scalar in document.scalars})
    assert edit.data == document.data
    assert edit.changes == ()


def test_both_parsers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libyaml is missing ruamel.yaml reads; results are the same."""
    if tree._libyaml() is None:
        pytest.skip("PyYAML was built without libyaml here")
    monkeypatch.setattr(tree, "_libyaml", lambda: None)

    @_SETTINGS
    @given(documents())
    def check(document: Document) -> None:
        for scalar in document.scalars:
            edit = set_values(document.data, {scalar.path: "new-value"})
            assert edit.data == document.replaced(scalar, _quoted(scalar.style, "new-value"))

    check()
