"""Inputs: text from the runner or the command line turned into typed values, every problem in one error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.runner.secrets import Secret

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_DURATION = re.compile(r"(?P<amount>\d+)(?P<unit>s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Input:
    """One input of a command: its kebab-case name, help in one or two sentences, default as text."""

    name: str
    help: str
    default: str = ""
    required: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Output:
    """One output of a command: its kebab-case name and what it holds."""

    name: str
    help: str


class Inputs:
    """Typed readers over text values that collect problems instead of stopping at the first one.

    Args:
        specs: The inputs of the command.
        problems: What was found wrong before, such as a secret that could not be read.
        values: kebab-case name -> text; an absent or blank value means "not given", so the default counts.

    Every reader returns a value of its type even after a problem, so that loading goes on; ``finish`` then raises.
    """

    def __init__(self, specs: Sequence[Input], values: Mapping[str, str], problems: Sequence[Problem] = ()) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._values = values
        self._problems = [problem for problem in problems if problem.input in self._specs]
        # what was found before reading makes other remarks about the same input pointless
        self._spoilt = {problem.input for problem in self._problems}

    def narrow(self, specs: Sequence[Input], values: Mapping[str, str] | None = None) -> Inputs:
        """Return a reader of other specs over the same values, some of them replaced, with problems of its own."""
        return Inputs(specs, {**self._values, **(values or {})}, self._problems)

    def text(self, name: str) -> str:
        """Return the value, or the default; a missing required input is a problem."""
        spec = self._specs[name]
        value = self._values.get(name, "").strip()
        if value:
            return value
        if spec.required:
            self.problem(name, "is required and was not given", "Give it a value.")
        return spec.default

    def given(self, name: str) -> bool:
        """True when the caller gave a value of his own."""
        return bool(self._values.get(name, "").strip())

    def secret(self, name: str) -> Secret:
        """Return the value as a Secret; it appears in no problem text."""
        return Secret(self.text(name))

    def flag(self, name: str) -> bool:
        """Return a strict boolean: true/yes/on/1 or false/no/off/0, any case; anything else is a problem."""
        word = self.text(name).lower()
        if word in _TRUE:
            return True
        if word not in _FALSE and word:
            self._not_one_of(name, word, ("true", "false"))
        return False

    def integer(self, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return a whole number within the bounds."""
        value = self.text(name)
        try:
            number = int(value)
        except ValueError:
            if value or self._specs[name].required:
                self.problem(name, "is not a whole number")
            return minimum or 0
        self._check_bounds(name, number, minimum, maximum)
        return number

    def number(self, name: str, *, minimum: float | None = None, maximum: float | None = None) -> float:
        """Return a number within the bounds; ``nan`` and ``inf`` are refused."""
        value = self.text(name).removesuffix("%")
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            if value:
                self.problem(name, "is not a number")
            return minimum or 0.0
        number = float(value)
        self._check_bounds(name, number, minimum, maximum)
        return number

    def duration(self, name: str) -> float:
        """Return seconds from ``90``, ``90s``, ``10m``, ``2h`` or ``7d``."""
        value = self.text(name)
        match = _DURATION.fullmatch(value)
        if not match:
            if value:
                self.problem(name, "is not a duration", "Write for example 90s, 10m, 2h or 7d.")
            return 0.0
        return float(int(match["amount"]) * _SECONDS[match["unit"] or "s"])

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed words (compared without case)."""
        word = self.text(name).lower()
        if word in allowed:
            return word
        if word or self.given(name):
            self._not_one_of(name, word, allowed)
        return allowed[0]

    def choices(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return a list of allowed words, separated by commas, spaces or newlines, in the order given."""
        words = tuple(dict.fromkeys(w.lower() for w in re.split(r"[\s,]+", self.text(name)) if w))
        for word in words:
            if word not in allowed:
                self._not_one_of(name, word, allowed)
        return tuple(word for word in words if word in allowed)

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of words separated by commas, spaces or newlines."""
        return tuple(dict.fromkeys(w for w in re.split(r"[\s,]+", self.text(name)) if w))

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the non-blank lines, stripped; a line that starts with ``#`` is a comment."""
        stripped = (line.strip() for line in self.text(name).splitlines())
        return tuple(line for line in stripped if line and not line.startswith("#"))

    def path(self, name: str, *, root: Path) -> Path:
        """Return a path that stays below ``root`` (symbolic links resolved); relative ones start there."""
        value = self.text(name)
        path = (root / value).resolve()
        if not path.is_relative_to(root.resolve()):
            self.problem(name, "leaves the workspace", f"Name a path below {root}.")
            return root
        return path

    def problem(self, name: str, what: str, fix: str = "") -> None:
        """Record a problem with this input; the value is shown unless it is a secret."""
        spec = self._specs[name]
        if name in self._spoilt:
            return
        value = "" if spec.secret else self._values.get(name, "").strip() or spec.default
        self._problems.append(Problem(input=name, what=what, value=value, fix=fix))

    def finish(self) -> None:
        """Raise ConfigError with every problem recorded, or return when there is none."""
        if self._problems:
            raise ConfigError(*self._problems)

    def _check_bounds(self, name: str, number: float, minimum: float | None, maximum: float | None) -> None:
        if minimum is not None and number < minimum:
            self.problem(name, f"is below {minimum:g}", f"Give {minimum:g} or more.")
        if maximum is not None and number > maximum:
            self.problem(name, f"is above {maximum:g}", f"Give {maximum:g} or less.")

    def _not_one_of(self, name: str, word: str, allowed: Sequence[str]) -> None:
        near = difflib.get_close_matches(word, allowed, n=1)
        guess = f" Perhaps you meant {near[0]!r}." if near else ""
        self.problem(name, f"{word!r} is not allowed", f"Allowed: {', '.join(allowed)}.{guess}")
