"""Which tags an image gets: rules and the facts of the run in, tags out. Pure.

Contract: tags of the OCI Distribution Specification 1.1 (128 characters, ``[A-Za-z0-9_][A-Za-z0-9_.-]*``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.oci.reference import TAG
from cicd_actions.runner.inputs import Inputs

RULES = ("sha", "branch", "semver", "latest", "pr", "date", "raw")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 12
# https://semver.org, with the customary v; build metadata is left out, as "+" cannot be in a tag
_SEMVER = re.compile(
    r"v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?)"
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule; ``value`` is what stands behind ``raw=``."""

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules look at; ``default_branch`` and ``pull_request`` (its number) are empty when there is none."""

    ref: str
    sha: str
    committed: datetime | None = None
    default_branch: str = ""
    pull_request: str = ""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One tag and the rule that gave it; an immutable one is never moved to other bytes."""

    name: str
    rule: Rule
    immutable: bool = False


def read_rules(inputs: Inputs, name: str) -> tuple[Rule, ...]:
    """Read rules, one per line; problems are recorded under the input's name."""
    rules: dict[Rule, None] = {}
    for line in inputs.lines(name):
        word, equals, value = (part.strip() for part in line.partition("="))
        if word not in RULES:
            inputs.problem(name, f"{line!r} is not a rule", f"Rules: {', '.join(RULES[:-1])}, raw=TEXT.")
        elif (word == "raw") != bool(equals):
            inputs.problem(name, f"{line!r}: only `raw` takes a text, and it needs one", "Write raw=stable.")
        elif word == "raw" and not TAG.fullmatch(value):
            inputs.problem(name, f"{value!r} cannot be a tag", "Letters, digits, '_', '.', '-'; 128 at most.")
        else:
            rules[Rule(name=word, value=value)] = None
    return tuple(rules)


def find_facts(*, ref: str, sha: str, event: Mapping[str, Any], committed: datetime | None = None) -> Facts:
    """Pick the facts out of a webhook event.

    For a pull request the commit is its head: the merge commit that GitHub checks out is one that nobody has.
    """
    pull = event.get("pull_request")
    repository = event.get("repository")
    number = head = ""
    if isinstance(pull, dict):
        number = str(pull.get("number") or event.get("number") or "")
        head = str((pull.get("head") or {}).get("sha") or "")
    default = str(repository.get("default_branch") or "") if isinstance(repository, dict) else ""
    return Facts(ref=ref, sha=head or sha, committed=committed, default_branch=default, pull_request=number)


def make_tags(rules: Sequence[Rule], facts: Facts) -> tuple[Tag, ...]:
    """Return the tags, in the order of the rules.

    Raises:
        ConfigError: A rule cannot be applied, or two rules give the same tag.
    """
    tags: list[Tag] = []
    problems: list[Problem] = []
    for rule in rules:
        try:
            name = _NAMES[rule.name](rule, facts)
        except ValueError as error:
            problems.append(Problem(input="tag-rules", value=str(rule), what=str(error)))
            continue
        if name and not TAG.fullmatch(name):
            what = f"gives {name!r}, which cannot be a tag (letters, digits, '_', '.', '-'; 128 at most)"
            problems.append(Problem(input="tag-rules", value=str(rule), what=what))
        elif name:
            problems += [
                Problem(
                    input="tag-rules",
                    value=str(rule),
                    what=f"gives the tag {name!r}, and so does {other.rule}",
                    fix="Two rules must not meet: remove one.",
                )
                for other in tags
                if other.name == name
            ]
            tags.append(Tag(name=name, rule=rule, immutable=rule.name == "semver"))
    if problems:
        raise ConfigError(*problems)
    return tuple(tags)


def branch_tag(branch: str) -> str:
    """Return the tag for a branch; when characters had to be replaced, six digits keep ``a/b`` and ``a-b`` apart."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", branch).lstrip(".-")
    if name == branch and TAG.fullmatch(name):
        return name
    mark = hashlib.sha256(branch.encode()).hexdigest()[:6]
    return f"{name[: 128 - 7]}-{mark}".lstrip("-")


def _sha(_: Rule, facts: Facts) -> str:
    if not _SHA.fullmatch(facts.sha):
        raise ValueError(f"needs the full SHA of a commit, not {facts.sha!r}")
    return f"sha-{facts.sha[:_SHORT]}"


def _branch(_: Rule, facts: Facts) -> str:
    return branch_tag(facts.ref.removeprefix("refs/heads/")) if facts.ref.startswith("refs/heads/") else ""


def _semver(_: Rule, facts: Facts) -> str:
    if not facts.ref.startswith("refs/tags/"):
        return ""
    match = _SEMVER.fullmatch(facts.ref.removeprefix("refs/tags/").partition("+")[0])
    return match[1] if match else ""


def _latest(_: Rule, facts: Facts) -> str:
    return "latest" if facts.default_branch and facts.ref == f"refs/heads/{facts.default_branch}" else ""


def _pull_request(_: Rule, facts: Facts) -> str:
    return f"pr-{facts.pull_request}" if facts.pull_request else ""


def _date(_: Rule, facts: Facts) -> str:
    if facts.committed is None:
        raise ValueError("needs the date of the commit: check the repository out")
    return facts.committed.strftime("%Y%m%d")


_NAMES: Mapping[str, Callable[[Rule, Facts], str]] = {
    "sha": _sha,
    "branch": _branch,
    "semver": _semver,
    "latest": _latest,
    "pr": _pull_request,
    "date": _date,
    "raw": lambda rule, _: rule.value,
}
