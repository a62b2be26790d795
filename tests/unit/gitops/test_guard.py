"""The downgrade guard beyond versions: commits, build dates, and saying so when nothing is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cicd_actions.errors import ActionError
from cicd_actions.gitops.guard import Guard, Verdict, commit_of
from cicd_actions.gitops.keypath import parse
from cicd_actions.gitops.plan import Rules, make_plan

A, B = "1a2b3c4", "5d6e7f8"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BUILT = {"x": datetime(2026, 2, 1, tzinfo=UTC), "y": datetime(2026, 1, 1, tzinfo=UTC), OLD: None}


def ancestry(old: str, new: str) -> Verdict | None:
    return {(A, B): "forward", (B, A): "downgrade"}.get((old, new))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("value", "commit"),
    [
        (f"main-{A}", A),
        (f"sha-{A}", A),
        (A, A),
        (f"ghcr.io/a/b:dev-{A}@{OLD}", A),
        ("5" * 40, "5" * 40),
        ("20260102", ""),
        ("20260102123456", ""),
        ("1.2.3", ""),
        ("main", ""),
        (OLD, ""),
        ("release-abc", ""),
    ],
)
def test_commit_of(value: str, commit: str) -> None:
    assert commit_of(value) == commit


@pytest.mark.parametrize(
    ("old", "new", "verdict", "basis"),
    [
        ("1.0.0", "2.0.0", "forward", "version"),
        (f"main-{A}", f"main-{B}", "forward", "ancestry"),
        (f"main-{B}", f"r/i:main-{A}", "downgrade", "ancestry"),
        (f"main-{A}", "main-0000000", "not-judged", "neither"),
        ("x", "y", "downgrade", "build date, 2026-02-01"),
        ("y", "x", "forward", "build date"),
        ("x", "x", "not-judged", "neither"),
        ("x", OLD, "not-judged", "neither"),
    ],
)
def test_judge(old: str, new: str, verdict: str, basis: str) -> None:
    opinion = Guard(ancestry=ancestry, built=BUILT.get).judge(old, new)
    assert opinion.verdict == verdict
    assert basis in opinion.basis
    if basis != "version":
        assert Guard().judge(old, new).verdict == "not-judged"


def test_plan_judges_the_pair_once() -> None:
    """Tag and digest name one image: the tag speaks for both; a digest alone speaks for itself."""
    dates = {OLD: datetime(2026, 2, 1, tzinfo=UTC), NEW: datetime(2026, 1, 1, tzinfo=UTC)}
    rules = Rules(guard=Guard(built=dates.get))
    text = f"tag: main\ndigest: {OLD}\n".encode()
    both = make_plan({"v": text}, {parse("tag"): "next", parse("digest"): NEW}, where="here", rules=rules)
    assert len(both.remarks) == 1
    assert "did not judge" in both.remarks[0]
    with pytest.raises(ActionError, match="build date"):
        make_plan({"v": text}, {parse("tag"): "main", parse("digest"): NEW}, where="here", rules=rules)
    first = make_plan({"v": b"tag: ''\n"}, {parse("tag"): "x"}, where="here", rules=rules)
    assert not first.remarks
