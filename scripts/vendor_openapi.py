"""Cut GitHub's descriptions of its APIs down to what the stand-in GitHub serves.

They come from the npm packages @octokit/openapi and @octokit/graphql-schema, fetched with the npm client and its own
configuration, each unpacked into a folder:

    npm pack @octokit/openapi@23.0.2 @octokit/graphql-schema@15.26.1
    python scripts/vendor_openapi.py openapi/package/generated/api.github.com.json graphql/package

tests/contract/data/github-openapi-subset.json holds, for every operation that is served, the schemas
of its request and answers, and the shared schemas they refer to, as JSON Schema: OpenAPI's `nullable` is turned into
a type, prose and examples are left out. github-graphql-subset.json holds the types that are served, with the types of
their fields and arguments in GraphQL's notation. Run it again when something is added or a new version is wanted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "tests/contract/data"

# The GraphQL types that the stand-in serves or takes; fields of other types are left out of the subset.
GRAPHQL_TYPES = (
    "Blob",
    "Commit",
    "CommitHistoryConnection",
    "CommitMessage",
    "CommittableBranch",
    "CreateCommitOnBranchInput",
    "CreateCommitOnBranchPayload",
    "FileAddition",
    "FileChanges",
    "FileDeletion",
    "GitActor",
    "GitObject",
    "Mutation",
    "Query",
    "RateLimit",
    "Ref",
    "Repository",
    "Tree",
    "TreeEntry",
    "User",
)

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


def cut_graphql(schema: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The GraphQL types that are served, with the fields that stay among them or end in a scalar or enum."""
    types = {row["name"]: row for row in schema["__schema"]["types"]}
    leaves = {name for name, row in types.items() if row["kind"] in ("SCALAR", "ENUM")}
    found = {}
    for name in GRAPHQL_TYPES:
        row = types[name]
        fields = row["fields"] or row["inputFields"]
        kept = [field for field in fields if _base(field["type"]) in {*leaves, *GRAPHQL_TYPES}]
        found[name] = {
            "kind": row["kind"],
            "possible": [other["name"] for other in row["possibleTypes"] or [] if other["name"] in GRAPHQL_TYPES],
            "fields": {field["name"]: _field(field) for field in kept},
        }
    return {"source": "npm @octokit/graphql-schema (MIT)", "version": version, "types": found}


def _field(field: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _notation(field["type"])}
    if field.get("args"):
        found["args"] = {row["name"]: _notation(row["type"]) for row in field["args"]}
    return found


def _notation(kind: Mapping[str, Any]) -> str:
    if kind["kind"] == "NON_NULL":
        return _notation(kind["ofType"]) + "!"
    return f"[{_notation(kind['ofType'])}]" if kind["kind"] == "LIST" else str(kind["name"])


def _base(kind: Mapping[str, Any]) -> str:
    return _notation(kind).strip("[]!")


def _write(name: str, subset: Mapping[str, Any]) -> None:
    target = DATA / name
    target.write_text(json.dumps(subset, indent=1, sort_keys=True) + "\n")
    print(f"{name}: {target.stat().st_size // 1024} KiB")


def main(argv: list[str]) -> int:
    """Read the descriptions named on the command line, write the subsets."""
    from cicd_actions.sandbox.github.rest import ROUTES

    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    description = json.loads(Path(argv[0]).read_text())
    _write("github-openapi-subset.json", cut(description, {(route.method, route.template) for route in ROUTES}))
    package = Path(argv[1])
    version = json.loads((package / "package.json").read_text())["version"]
    _write("github-graphql-subset.json", cut_graphql(json.loads((package / "schema.json").read_text()), version))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
