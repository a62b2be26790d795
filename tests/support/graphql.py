"""GraphQL documents and answers, held against GitHub's published schema (cut down to what the stand-in serves)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cicd_actions.sandbox.github.gql_parse import DocumentError, Field, Fragment, bind, parse

_SCALARS: dict[str, type] = {"Int": int, "Boolean": bool}


class Schema:
    """The types; call it with a request's and an answer's body to get what is wrong, one line each."""

    def __init__(self, subset: Mapping[str, Any]) -> None:
        self._types: Mapping[str, Any] = subset["types"]

    def __call__(self, request: Any, answer: Mapping[str, Any]) -> list[str]:
        errors = answer.get("errors", ())
        if any("type" not in row for row in errors):
            # Refused for its form: that it is wrong is known already.
            return []
        try:
            operation = parse(request["query"])
        except DocumentError as error:
            return [f"GraphQL: {error}"]
        variables = {**operation.defaults, **(request.get("variables") or {})}
        root = operation.kind.capitalize()
        found = list(self._document(root, operation.selections, variables))
        if not errors:
            found += self._answer(root, operation.selections, answer["data"])
        return [f"GraphQL {line}" for line in found]

    def _document(
        self, kind: str, selections: Sequence[Field | Fragment], variables: Mapping[str, Any]
    ) -> Iterator[str]:
        for row in selections:
            if isinstance(row, Fragment):
                yield from self._document(row.on or kind, row.selections, variables)
                continue
            if row.name == "__typename":
                continue
            field = self._types.get(kind, {}).get("fields", {}).get(row.name)
            if field is None:
                yield f"{kind}.{row.name} is not in the schema"
                continue
            yield from self._arguments(f"{kind}.{row.name}", field.get("args", {}), bind(row.arguments, variables))
            inner = base(field["type"])
            if (inner in self._types) != bool(row.selections):
                yield f"{kind}.{row.name}: fields are asked of a scalar, or none of an object"
            yield from self._document(inner, row.selections, variables)

    def _arguments(self, where: str, wanted: Mapping[str, str], given: Mapping[str, Any]) -> Iterator[str]:
        for name in given.keys() - wanted.keys():
            yield f"{where}: no such argument {name}"
        for name, kind in wanted.items():
            value = given.get(name)
            if value is None:
                if kind.endswith("!"):
                    yield f"{where}: {name} is required"
                continue
            inner = self._types.get(base(kind))
            if inner:
                fields = {key: row["type"] for key, row in inner["fields"].items()}
                for item in value if isinstance(value, list) else [value]:
                    yield from self._arguments(f"{where}.{name}", fields, item)

    def _answer(self, kind: str, selections: Sequence[Field | Fragment], data: Mapping[str, Any]) -> Iterator[str]:
        for row in selections:
            if isinstance(row, Fragment):
                # Which fragments fit depends on the object; what they gave is there under its key.
                present = [field for field in row.selections if not isinstance(field, Field) or field.key in data]
                yield from self._answer(row.on or kind, present, data)
                continue
            field = self._types.get(kind, {}).get("fields", {}).get(row.name)
            if field is not None:
                yield from self._value(f"{kind}.{row.name}", field["type"], row, data.get(row.key))

    def _value(self, where: str, kind: str, row: Field, value: Any) -> Iterator[str]:
        if value is None:
            if kind.endswith("!"):
                yield f"{where} must not be null"
            return
        plain = kind.removesuffix("!")
        if plain.startswith("["):
            for item in value:
                yield from self._value(where, plain[1:-1], row, item)
        elif plain in self._types:
            yield from self._answer(plain, row.selections, value)
        elif type(value) is not _SCALARS.get(plain, str):
            yield f"{where}: {value!r} is no {plain}"


def base(kind: str) -> str:
    """The name inside a type's notation."""
    return kind.strip("[]!")
