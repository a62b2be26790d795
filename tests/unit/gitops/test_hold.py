"""The hold marker: where it counts, until when, and that it holds the whole commit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cicd_actions.errors import ActionError
from cicd_actions.gitops.hold import read_hold
from cicd_actions.gitops.keypath import parse
from cicd_actions.gitops.plan import Rules, make_plan

NOW = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
ABOVE = "image:\n  # why\n  # cicd-actions: hold until=2026-12-31 reason=1.4.0 loses orders\n  # more\n  tag: 1.3.9\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ABOVE, "1.4.0 loses orders"),
        (ABOVE.replace("\n", "\r\n"), "1.4.0 loses orders"),
        ("image: {tag: 1.3.9}   # cicd-actions: hold\n", ""),
        ("image:\n  tag: x # cicd-actions:hold reason='a b' \n", "a b"),
        ("# cicd-actions: hold reason=all\nimage:\n  other: 1\n\n  tag: x\n", "all"),
        ("other: 1\nimage: # cicd-actions: hold reason=all\n  # c\n  tag: x\n", "all"),
        ("image:\n  tag: x\n  # cicd-actions: hold reason=until=2020-01-01\n  digest: y\n", "until=2020-01-01"),
    ],
)
def test_found(text: str, reason: str) -> None:
    hold = read_hold(text.encode(), parse("image.tag"))
    assert hold is not None
    assert hold.reason == reason
    assert hold.active(NOW)


@pytest.mark.parametrize(
    "text",
    [
        "image:\n  tag: x\n",
        "image:\n  # cicd-actions: hold\n\n  tag: x\n",
        "image:\n  # cicd-actions: holder\n  tag: x\n",
        "image:\n  # cicd-actions: hold\n  other: y\n  tag: x\n",
        "other: x\n",
    ],
)
def test_not_found(text: str) -> None:
    assert read_hold(text.encode(), parse("image.tag")) is None


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("# cicd-actions: hold\nlist:\n- name: a\n  tag: x\n- name: b\n  tag: y\n", (True, True)),
        ("list:\n- name: a\n  tag: x\n# cicd-actions: hold\n- name: b\n  tag: y\n", (False, True)),
        ("list:\n  # cicd-actions: hold\n  - name: a\n    tag: x\n  - name: b\n    tag: y\n", (True, False)),
    ],
)
def test_lists(text: str, held: tuple[bool, bool]) -> None:
    assert tuple(read_hold(text.encode(), parse(f"list[{number}].tag")) is not None for number in (0, 1)) == held


@pytest.mark.parametrize(
    ("until", "now", "active"),
    [
        ("2026-12-31", NOW, True),
        ("2026-12-31", LATER, False),
        ("2026-12-31T23:00:00Z", NOW, False),
        ("2027-01-01T01:00:00+02:00", NOW, False),
        ("2027-01-01T00:30", NOW, True),
        ("tomorrow", LATER, True),
        ("9999-12-31", LATER, True),
    ],
)
def test_until(until: str, now: datetime, active: bool) -> None:
    hold = read_hold(f"tag: x # cicd-actions: hold until={until} reason=r\n".encode(), parse("tag"))
    assert hold is not None
    assert hold.active(now) is active
    assert "r" in str(hold)


def test_a_new_key_below_a_held_one() -> None:
    rules = Rules(now=NOW, create_missing=True)
    with pytest.raises(ActionError, match="why"):
        make_plan(
            {"v": b"# cicd-actions: hold reason=why\nimage:\n  tag: x\n"},
            {parse("image.name"): "y"},
            where="here",
            rules=rules,
        )


def test_plan_honours_it() -> None:
    updates = {parse("image.tag"): "1.4.0"}
    files: dict[str, bytes | None] = {"free.yaml": b"image: {tag: 1.3.9}\n", "v.yaml": ABOVE.encode()}
    with pytest.raises(ActionError, match="loses orders") as error:
        make_plan(files, updates, where="here", rules=Rules(now=NOW))
    assert error.value.exit_code == 1
    assert "ignore-hold" in error.value.hint
    free = make_plan(files, updates, where="here", rules=Rules(now=NOW, ignore_hold=True))
    assert set(free.additions) == {"free.yaml", "v.yaml"}
    assert "by ignore-hold" in free.remarks[0]
    assert b"cicd-actions: hold" in free.additions["v.yaml"]
    over = make_plan(files, updates, where="here", rules=Rules(now=LATER))
    assert "is over" in over.remarks[0]
    same = make_plan({"v.yaml": ABOVE.encode()}, {parse("image.tag"): "1.3.9"}, where="here", rules=Rules(now=NOW))
    assert not same.additions
