from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.scan.findings import Finding
from cicd_actions.scan.ledger import Waiver, read_ledger
from cicd_actions.scan.policy import Policy, at_or_above, judge

TODAY = date(2025, 6, 15)


def finding(**changes: Any) -> Finding:
    facts = {"kind": "vulnerability", "id": "CVE-1", "severity": "HIGH", "package": "jinja2", "fixed_version": "3.1.3"}
    return Finding(**{**facts, **changes})


def waiver(**changes: Any) -> Waiver:
    facts = {"id": "CVE-1", "package": "jinja2", "reason": "r", "owner": "o", "expires": TODAY}
    return Waiver(**{**facts, **changes})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("CRITICAL",), ("CRITICAL",)),
        (("HIGH",), ("CRITICAL", "HIGH")),
        (("HIGH", "CRITICAL"), ("CRITICAL", "HIGH")),
        (("CRITICAL", "LOW"), ("CRITICAL", "HIGH", "MEDIUM", "LOW")),
        (("UNKNOWN",), ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")),
    ],
)
def test_the_threshold(words: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert at_or_above(words) == expected


@pytest.mark.parametrize(
    ("found", "ignore_unfixed", "blocks"),
    [
        (finding(), False, True),
        (finding(severity="MEDIUM"), False, False),
        (finding(fixed_version=""), False, True),
        (finding(fixed_version=""), True, False),
        (finding(), True, True),
        (finding(kind="secret", fixed_version=""), True, True),
        (finding(kind="misconfiguration", fixed_version=""), True, True),
    ],
)
def test_what_blocks(found: Finding, ignore_unfixed: bool, blocks: bool) -> None:
    policy = Policy(severities=("CRITICAL", "HIGH"), ignore_unfixed=ignore_unfixed)
    judgement = judge((found,), policy, TODAY)
    assert (found in judgement.blocking) is blocks
    assert (found in judgement.tolerated) is not blocks


def test_the_worst_comes_first() -> None:
    findings = (finding(severity="HIGH"), finding(id="CVE-2", severity="CRITICAL"), finding(id="CVE-0"))
    judgement = judge(findings, Policy(severities=("CRITICAL", "HIGH")), TODAY)
    assert [f.id for f in judgement.blocking] == ["CVE-2", "CVE-0", "CVE-1"]


@pytest.mark.parametrize(
    ("waivers", "blocks"),
    [
        ((waiver(),), False),
        ((waiver(expires=date(2025, 6, 14)),), True),
        ((waiver(package="werkzeug"),), True),
        ((waiver(id="CVE-2"),), True),
        ((waiver(expires=date(2025, 1, 1)), waiver()), False),
    ],
)
def test_waivers(waivers: tuple[Waiver, ...], blocks: bool) -> None:
    judgement = judge((finding(),), Policy(severities=("HIGH",), waivers=waivers), TODAY)
    assert bool(judgement.blocking) is blocks
    assert bool(judgement.waived) is not blocks
    assert bool(judgement.used) is not blocks
    assert judgement.expired == tuple(w for w in waivers if w.expires < TODAY)


GOOD = """
exceptions:
  - id: CVE-1
    package: jinja2
    reason: not used
    owner: web
    expires: 2025-12-31
"""


def test_a_ledger_is_read() -> None:
    (one,) = read_ledger(GOOD, name="ledger.yaml")
    assert (one.id, one.expires) == ("CVE-1", date(2025, 12, 31))
    assert read_ledger("exceptions: []", name="x") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold one key"),
        ("[]", "must hold one key"),
        ("a: [", "is not YAML"),
        ("exceptions: {}", "must hold one key"),
        (GOOD + "other: 1\n", "must hold one key"),
        (GOOD.replace("expires", "expires_at"), "unknown key expires_at"),
        (GOOD.replace("    expires: 2025-12-31\n", ""), "no date in `expires`"),
        (GOOD.replace("2025-12-31", "'2025-12-31'"), "no date in `expires`"),
        (GOOD.replace("2025-12-31", "2025-12-31T00:00:00"), "no date in `expires`"),
        (GOOD.replace("2025-12-31", "2025-13-31"), "no date|is not YAML"),
        (GOOD.replace("    owner: web\n", ""), "has no owner"),
        (GOOD.replace("not used", "''"), "reason"),
        (GOOD.replace("jinja2", "1"), "package that is not text"),
        ("exceptions: [x]", "is not a mapping"),
        (GOOD + GOOD.replace("exceptions:\n", ""), "more than once"),
        ("a: !!python/object/apply:os.system [id]", "YAML|must hold"),
    ],
)
def test_a_loose_ledger_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_ledger(text, name="ledger.yaml")


def test_every_problem_of_a_ledger_is_told() -> None:
    text = "exceptions:\n  - {id: A}\n  - {id: B, colour: red}\n"
    with pytest.raises(ConfigError) as error:
        read_ledger(text, name="ledger.yaml")
    assert len(error.value.problems) == 2
