"""Cut GitHub's OpenAPI description down to what the stand-in GitHub serves.

The description comes from the npm package @octokit/openapi, fetched with the npm client and its own configuration:

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
    python scripts/vendor_openapi.py package/generated/api.github.com.json

What comes out (tests/contract/data/github-openapi-subset.json) holds, for every operation that is served, the schemas
of its request and answers, and the shared schemas they refer to, as JSON Schema: OpenAPI's `nullable` is turned into
a type, prose and examples are left out. Run it again when an operation is added or a new version is wanted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "tests/contract/data/github-openapi-subset.json"

_PROSE = {
    "description",
    "summary",
    "title",
    "example",
    "examples",
    "default",
    "deprecated",
    "externalDocs",
    "discriminator",
    "readOnly",
    "xml",
}
_REF = "#/components/schemas/"
# Every operation may answer with these, named or not.
_ERRORS = ("basic-error", "validation-error", "validation-error-simple")


def cut(description: Mapping[str, Any], operations: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The subset for some operations, given as (method, path).

    Raises:
        KeyError: The description knows no such operation.
    """
    components = description["components"]
    found: dict[str, Any] = {}
    for method, path in sorted(operations):
        operation = description["paths"][path][method.lower()]
        responses = {
            status: _content(_follow(response, components)) for status, response in operation["responses"].items()
        }
        found[f"{method} {path}"] = {
            "request": _content(_follow(operation.get("requestBody", {}), components)).get("application/json"),
            "responses": responses,
        }
    return {
        "source": "npm @octokit/openapi (MIT)",
        "version": description["info"]["version"],
        "operations": found,
        "components": {"schemas": _closure(found, components["schemas"])},
    }


def _content(part: Mapping[str, Any]) -> dict[str, Any]:
    content = part.get("content", {})
    return {media: schema_of(row.get("schema", {})) for media, row in content.items()}


def _follow(part: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: Mapping[str, Any] = components[kind][name]
    return found


def schema_of(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema, without prose."""
    if isinstance(schema, list):
        return [schema_of(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            # Names of properties are data: one may be called "description".
            found[key] = {name: schema_of(row) for name, row in value.items()}
        elif key in ("enum", "required", "const"):
            found[key] = value
        elif key not in _PROSE and key != "nullable" and not key.startswith("x-"):
            found[key] = schema_of(value)
    if schema.get("nullable") is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found


def _closure(found: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    wanted = {*_ERRORS, *_names(found)}
    while wanted:
        name = wanted.pop()
        kept[name] = schema_of(schemas[name])
        wanted |= {other for other in _names(kept[name]) if other not in kept}
    return dict(sorted(kept.items()))


def _names(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        ref = part.get("$ref")
        if isinstance(ref, str) and ref.startswith(_REF):
            yield ref.removeprefix(_REF)
        for value in part.values():
            yield from _names(value)
    elif isinstance(part, list):
        for item in part:
            yield from _names(item)


def main(argv: list[str]) -> int:
    """Read the description named on the command line, write the subset."""
    from cicd_actions.sandbox.github.rest import ROUTES

    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    description = json.loads(Path(argv[0]).read_text())
    subset = cut(description, {(route.method, route.template) for route in ROUTES})
    TARGET.write_text(json.dumps(subset, indent=1, sort_keys=True) + "\n")
    operations = len(subset["operations"])
    print(f"{TARGET.name}: {operations} operations, {TARGET.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
