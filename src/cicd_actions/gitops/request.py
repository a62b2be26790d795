"""What shall be set: the lines of the input ``updates`` with tag, digest, image and commit filled in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.gitops.keypath import Key, KeyPath, parse_update

DEFAULT_UPDATES = "image.tag={tag}\nimage.digest={digest}"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_-]+)\}")
# OCI distribution specification, "Pulling manifests" (tag); image specification, "Digests".
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")


@dataclass(frozen=True, kw_only=True)
class Words:
    """The values behind the placeholders; an empty one was not given."""

    image: str
    tag: str
    digest: str
    sha: str

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the values themselves."""
        rules = (
            ("tag", self.tag, _TAG, "is not a tag", "Letters, digits, '.', '_' and '-', at most 128."),
            ("digest", self.digest, _DIGEST, "is not a digest", "Write sha256: and 64 hexadecimal digits."),
            ("image", self.image, _IMAGE, "is not an image's name", "Write registry/name without tag and digest."),
        )
        return tuple(
            Problem(input=name, value=value, what=what, fix=fix)
            for name, value, pattern, what, fix in rules
            if value and not pattern.fullmatch(value)
        )


def read_updates(lines: Sequence[str], words: Words) -> Mapping[KeyPath, str]:
    """Fill in the placeholders and return key -> value.

    The default lines lose the one for the digest when no digest was given; lines written by the user stay all.

    Raises:
        ConfigError: Every line that is not KEY=VALUE, has an unknown placeholder or one without a value.
    """
    if list(lines) == DEFAULT_UPDATES.splitlines() and not words.digest:
        lines = lines[:1]
    found: dict[KeyPath, str] = {}
    problems: list[Problem | str] = []
    for line in lines:
        try:
            path, template = parse_update(line)
            value = _fill(template, words, line)
        except ConfigError as error:
            problems += [_named(problem) for problem in error.problems]
            continue
        if found.setdefault(path, value) != value:
            problems.append(Problem(input="updates", value=line, what=f"sets {path} a second time to another value"))
    if problems:
        raise ConfigError(*problems)
    return found


def _fill(template: str, words: Words, line: str) -> str:
    known = {"image": words.image, "tag": words.tag, "digest": words.digest, "sha": words.sha}
    for name in _PLACEHOLDER.findall(template):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f" Perhaps you meant {{{near[0]}}}." if near else ""
            fix = f"Known: {{image}}, {{tag}}, {{digest}}, {{sha}}.{guess}"
            raise ConfigError(Problem(input="updates", value=line, what=f"{{{name}}} is no placeholder", fix=fix))
        if not known[name]:
            what = f"uses {{{name}}}, and {'the commit is not known' if name == 'sha' else f'no {name} was given'}"
            raise ConfigError(Problem(input="updates", value=line, what=what, fix=f"Give the input {name}."))
    return _PLACEHOLDER.sub(lambda match: known[match[1]], template)


def _named(problem: Problem | str) -> Problem:
    if isinstance(problem, str):
        return Problem(input="updates", what=problem)
    return Problem(input="updates", value=problem.value, what=problem.what, fix=problem.fix)


def partner(path: KeyPath) -> KeyPath | None:
    """The key that must change together with this one: ``digest`` beside ``tag`` and the other way round."""
    last = path.segments[-1]
    other = {"tag": "digest", "digest": "tag"}.get(last.name) if isinstance(last, Key) else None
    return KeyPath((*path.segments[:-1], Key(other))) if other else None
