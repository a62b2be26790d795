"""Known findings: a list of old ones that do not block, each counted, with an owner, a reason and a last day.

The file is YAML or JSON (which is YAML too)::

    version: 1
    findings:
      - {check: bandit, rule: B307, file: shop/rules.py, fingerprint: 5f0c..., count: 1,
         owner: ada, reason: replaced with the new parser, expires: 2027-01-31}
"""

from __future__ import annotations

import datetime
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.quality.model import CheckResult, Finding, Severity, State

CHECK = "known-findings"
VERSION = 1
_TEXTS = ("check", "rule", "file", "fingerprint", "owner", "reason")
_KEYS = frozenset((*_TEXTS, "count", "expires"))
_MAY_BE_EMPTY = ("file",)
# tests and coverage have ways of their own to be lenient, and what a tool could not read is no finding
_NEVER_KNOWN = ("pytest", "coverage", "patch-coverage", CHECK)
_LOOKED = (State.PASSED, State.FINDINGS)
_DAYS = 90
_FIX = "docs: the action's README, section Known findings; write-baseline makes such a file."


@dataclass(frozen=True, kw_only=True)
class Known:
    """One entry: so many findings of one rule on one piece of code of one file are accepted until a day."""

    check: str
    rule: str
    file: str
    fingerprint: str
    count: int
    owner: str
    reason: str
    expires: datetime.date

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a finding must have in common with it."""
        return self.check, self.rule, self.file, self.fingerprint


def read_known(path: Path) -> tuple[Known, ...]:
    """Return the entries of a file.

    Raises:
        ConfigError: It cannot be read, or is not exactly of this form; with every problem in it.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise _wrong(path, f"cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or set(data) != {"version", "findings"} or data["version"] != VERSION:
        raise _wrong(path, f"must hold exactly `version: {VERSION}` and the list `findings`")
    if not isinstance(data["findings"], list):
        raise _wrong(path, "has no list `findings`")
    entries: list[Known] = []
    problems: list[Problem] = []
    for number, row in enumerate(data["findings"], 1):
        found = _entry(row)
        if isinstance(found, Known) and found.key in {entry.key for entry in entries}:
            found = "is there twice; add the counts up"
        if isinstance(found, Known):
            entries.append(found)
        else:
            problems.append(_problem(path, f"entry {number} {found}"))
    if problems:
        raise ConfigError(*problems)
    return tuple(entries)


def _entry(row: Any) -> Known | str:
    """The entry, or what is wrong with it."""
    if not isinstance(row, dict):
        return "is no mapping"
    if unknown := sorted(str(key) for key in row if key not in _KEYS):
        return f"has unknown keys: {', '.join(unknown)}"
    if lacking := sorted(_KEYS - set(row)):
        return f"lacks {', '.join(lacking)}"
    for key in _TEXTS:
        if not isinstance(row[key], str) or not (row[key].strip() or key in _MAY_BE_EMPTY):
            return f"needs a text in {key}"
    if isinstance(row["count"], bool) or not isinstance(row["count"], int) or row["count"] < 1:
        return "needs a whole number above 0 in count"
    if row["check"] in _NEVER_KNOWN:
        return f"is about {row['check']}, whose results are never accepted by a list"
    try:
        day = row["expires"]
        expires = day if type(day) is datetime.date else datetime.date.fromisoformat(day)
    except (TypeError, ValueError):
        return "needs a day (YYYY-MM-DD) in expires"
    return Known(count=row["count"], expires=expires, **{key: row[key] for key in _TEXTS})


def accept(
    checks: Sequence[CheckResult], entries: Sequence[Known], today: datetime.date, *, complete: bool = True
) -> tuple[CheckResult, ...]:
    """Return the results with known findings no longer blocking, and one result about the list itself.

    Args:
        checks: The results, with fingerprints.
        entries: The list.
        today: The day to compare the last days with; an entry still counts on its last day.
        complete: False when the checks did not look at everything, so that nothing can be called unused.
    """
    valid = Counter({entry.key: entry.count for entry in entries if entry.expires >= today})
    words = {entry.key: f"{entry.owner}: {entry.reason} (until {entry.expires})" for entry in entries}
    found: Counter[tuple[str, str, str, str]] = Counter()
    judged = []
    for check in checks:
        findings = []
        for finding in check.findings:
            key = _key(finding)
            found[key] += 1
            accepted = finding.blocking and found[key] <= valid[key]
            findings.append(replace(finding, blocking=False, known=words[key]) if accepted else finding)
        judged.append(_again(check, tuple(findings)))
    looked = {check.check for check in checks if check.state in _LOOKED}
    return (*judged, _about_the_list(entries, found, looked if complete else set(), today))


def _again(check: CheckResult, findings: tuple[Finding, ...]) -> CheckResult:
    known = sum(bool(finding.known) for finding in findings)
    if not known or check.state is not State.FINDINGS:
        return check
    left = sum(finding.blocking for finding in findings)
    if left:
        return replace(check, findings=findings, detail=f"{check.detail}; {known} of them known, {left} new")
    detail = f"{known} known and none new ({check.detail})"
    return replace(check, findings=findings, state=State.PASSED, detail=detail, remedy="")


def _about_the_list(
    entries: Sequence[Known], found: Counter[tuple[str, str, str, str]], looked: set[str], today: datetime.date
) -> CheckResult:
    expired = [entry for entry in entries if entry.expires < today and found[entry.key]]
    unused = [entry for entry in entries if entry.check in looked and found[entry.key] < entry.count]
    notes = tuple(
        f"known findings: {entry.count - found[entry.key]} of {entry.count} {entry.check} {entry.rule} in "
        f"{entry.file or 'no file'} ({entry.owner}) are gone; take them off the list"
        for entry in unused
    )
    findings = tuple(
        Finding(check=CHECK, rule="expired", severity=Severity.MEDIUM, file=entry.file,
                message=f"{entry.check} {entry.rule} was accepted by {entry.owner} until {entry.expires}: "
                        f"{entry.reason}")
        for entry in expired
    )  # fmt: skip
    if expired:
        detail = f"{len(expired)} of {len(entries)} entries have expired and their findings are still there"
        remedy = "Mend what they are about, or let their owner give a new reason and day."
        return CheckResult(
            check=CHECK, state=State.FINDINGS, detail=detail, remedy=remedy, findings=findings, notes=notes
        )
    detail = f"{len(entries)} entries, none of them expired with its findings still there, {len(unused)} to take off"
    return CheckResult(check=CHECK, state=State.PASSED, detail=detail, notes=notes)


def write_known(
    path: Path, checks: Sequence[CheckResult], old: Sequence[Known], *, owner: str, today: datetime.date
) -> int:
    """Write every finding that blocks or is known as a list; return how many entries it has.

    Entries that were there keep owner, reason and last day. New ones get the owner given, 90 days, and a reason
    that asks for a better one.
    """
    counts = Counter(
        _key(finding)
        for check in checks
        for finding in check.findings
        if (finding.blocking or finding.known) and check.check not in _NEVER_KNOWN and check.state in _LOOKED
    )  # fmt: skip
    before = {entry.key: entry for entry in old}
    rows = []
    for key, count in sorted(counts.items()):
        fresh = Known(
            check=key[0], rule=key[1], file=key[2], fingerprint=key[3], count=count, owner=owner,
            reason=f"found on {today}, nobody has looked at it yet", expires=today + datetime.timedelta(days=_DAYS),
        )  # fmt: skip
        rows.append(replace(before.get(key, fresh), count=count))
    document = {"version": VERSION, "findings": [asdict(row) | {"expires": str(row.expires)} for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_as_text(path, document), encoding="utf-8")
    return len(rows)


def _as_text(path: Path, document: dict[str, Any]) -> str:
    if path.suffix == ".json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    from ruamel.yaml import YAML

    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    return stream.getvalue()


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return finding.check, finding.rule, finding.file, finding.fingerprint


def _problem(path: Path, what: str) -> Problem:
    return Problem(input="findings-baseline", value=path.name, what=what, fix=_FIX)


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(_problem(path, what))
