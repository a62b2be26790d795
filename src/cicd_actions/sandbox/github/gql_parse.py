"""A reader for GraphQL documents: operations, fields, arguments, variables, inline and named fragments.

It covers the language's executable part except directives, which nothing here sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""[\s,\ufeff]+ | \#[^\n]* |
    (?P<block>\"\"\"(?:\\\"\"\"|.)*?\"\"\") | (?P<string>"(?:\\.|[^"\\\n])*") |
    (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) | (?P<name>[_A-Za-z]\w*) |
    (?P<mark>\.\.\.|[!$():=@\[\]{}|&])""",
    re.VERBOSE | re.DOTALL,
)


class DocumentError(Exception):
    """The document is not GraphQL (or uses a part that is not read here)."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A reference to a variable among the arguments."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Field:
    """One asked-for field; ``key`` is its alias or name."""

    key: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    selections: tuple[Field | Fragment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """Fields for objects of one type; without a type, for any."""

    on: str
    selections: tuple[Field | Fragment, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What is to be done. ``defaults`` holds the variables' default values."""

    kind: str
    selections: tuple[Field | Fragment, ...]
    defaults: Mapping[str, Any]


def parse(document: str) -> Operation:
    """Read a document with exactly one operation.

    Raises:
        DocumentError: It cannot be read.
    """
    return _Parser(document).document()


class _Parser:
    def __init__(self, document: str) -> None:
        self._tokens = list(self._scan(document))
        self._at = 0
        self._fragments: dict[str, Fragment] = {}

    @staticmethod
    def _scan(document: str) -> list[tuple[str, str]]:
        found, at = [], 0
        while at < len(document):
            match = _TOKEN.match(document, at)
            if match is None:
                raise DocumentError(f"Unexpected character {document[at]!r} at {at}")
            if match.lastgroup:
                found.append((match.lastgroup, match.group()))
            at = match.end()
        return found

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self, text: str = "") -> str:
        kind, value = self._peek()
        if kind == "end" or (text and value != text):
            wanted = f", expected {text!r}" if text else ""
            raise DocumentError(f"Unexpected {value or 'end of the document'!r}{wanted}")
        self._at += 1
        return value

    def _take(self, text: str) -> bool:
        if self._peek()[1] == text and self._peek()[0] != "string":
            self._at += 1
            return True
        return False

    def document(self) -> Operation:
        operations: list[Operation] = []
        # Fragments may come after their use, so they are read in a first pass.
        for _ in range(2):
            self._at, operations = 0, []
            while self._peek()[0] != "end":
                if self._peek()[1] == "fragment":
                    self._definition()
                else:
                    operations.append(self._operation())
        if len(operations) != 1:
            raise DocumentError(f"{len(operations)} operations in the document, expected one")
        return operations[0]

    def _definition(self) -> None:
        self._next("fragment")
        name = self._next()
        self._next("on")
        self._fragments[name] = Fragment(on=self._next(), selections=self._selections())

    def _operation(self) -> Operation:
        kind, defaults = "query", {}
        if self._peek()[1] != "{":
            kind = self._next()
            if kind not in ("query", "mutation"):
                raise DocumentError(f"Unexpected {kind!r}")
            if self._peek()[0] == "name":
                self._next()
            if self._take("("):
                defaults = self._variables()
        return Operation(kind=kind, selections=self._selections(), defaults=defaults)

    def _variables(self) -> dict[str, Any]:
        defaults: dict[str, Any] = {}
        while not self._take(")"):
            self._next("$")
            name = self._next()
            self._next(":")
            while self._peek()[1] in ("[", "]", "!") or self._peek()[0] == "name":
                self._next()
            if self._take("="):
                defaults[name] = self._value()
        return defaults

    def _selections(self) -> tuple[Field | Fragment, ...]:
        self._next("{")
        found: list[Field | Fragment] = []
        while not self._take("}"):
            found.append(self._fragment() if self._take("...") else self._field())
        return tuple(found)

    def _fragment(self) -> Fragment:
        if self._take("on"):
            return Fragment(on=self._next(), selections=self._selections())
        if self._peek()[1] == "{":
            return Fragment(on="", selections=self._selections())
        return self._fragments.get(self._next(), Fragment(on="", selections=()))

    def _field(self) -> Field:
        kind, name = self._peek()
        if kind != "name":
            raise DocumentError(f"Unexpected {name!r}, expected a field")
        key = self._next()
        name = self._next() if self._take(":") else key
        arguments: dict[str, Any] = {}
        if self._take("("):
            while not self._take(")"):
                argument = self._next()
                self._next(":")
                arguments[argument] = self._value()
        nested = self._selections() if self._peek()[1] == "{" else ()
        return Field(key=key, name=name, arguments=arguments, selections=nested)

    def _value(self) -> Any:
        if self._take("$"):
            return Variable(name=self._next())
        if self._take("["):
            items = []
            while not self._take("]"):
                items.append(self._value())
            return items
        if self._take("{"):
            found = {}
            while not self._take("}"):
                name = self._next()
                self._next(":")
                found[name] = self._value()
            return found
        kind, text = self._peek()
        self._next()
        if kind == "string":
            return json.loads(text)
        if kind == "block":
            return text[3:-3]
        if kind == "number":
            return json.loads(text)
        return {"true": True, "false": False, "null": None}.get(text, text)


def bind(value: Any, variables: Mapping[str, Any]) -> Any:
    """Put the variables' values into an argument."""
    if isinstance(value, Variable):
        return variables.get(value.name)
    if isinstance(value, list):
        return [bind(item, variables) for item in value]
    if isinstance(value, Mapping):
        return {name: bind(item, variables) for name, item in value.items()}
    return value
