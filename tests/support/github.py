"""The stand-in GitHub for tests: every answer it gives is held against GitHub's own description of its API."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from tests.support.graphql import Schema

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.github import Exchange, RunOutcome, StandInGitHub
from cicd_actions.sandbox.github.plumbing import DEFAULT_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from github import Github

    from cicd_actions.sandbox.github import Run

SUBSET = Path(__file__).parent.parent / "contract/data/github-openapi-subset.json"
GRAPHQL_SUBSET = SUBSET.with_name("github-graphql-subset.json")

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or value.startswith(("http://", "https://", "git://", "ssh://"))


class OpenApi:
    """GitHub's description, cut down to what the stand-in serves. Call it with an exchange to check that."""

    def __init__(self, subset: Mapping[str, Any]) -> None:
        self._operations = subset["operations"]
        schemas = subset["components"]["schemas"]
        parts = set(_parts(schemas))
        closed_ones = {name: closed(row, within_all=name in parts) for name, row in schemas.items()}
        self._components = {"schemas": closed_ones}
        self._validators: dict[str, Draft202012Validator] = {}

    @property
    def operations(self) -> set[str]:
        """All operations as ``METHOD /path``."""
        return set(self._operations)

    def __call__(self, exchange: Exchange) -> list[str]:
        """What is wrong with a request and its answer, one line each."""
        name = f"{exchange.method} {exchange.template}"
        operation = self._operations.get(name)
        if operation is None:
            return [f"{name}: not in GitHub's description"]
        status = exchange.answer.status
        found = []
        if status < 400 and operation["request"] is not None and exchange.request is not None:
            found += self._check(f"{name} request", operation["request"], exchange.request)
        if status >= 400:
            return found + self._error(name, exchange)
        if str(status) not in operation["responses"]:
            return [*found, f"{name}: status {status} is not described"]
        if exchange.answer.raw is not None:
            return found
        content = operation["responses"][str(status)]
        schema = content.get("application/json")
        if (schema is None) != (exchange.answer.body is None):
            return [*found, f"{name} {status}: a body where none is described, or none where one is"]
        return found if schema is None else found + self._check(f"{name} {status}", schema, exchange.answer.body)

    def _error(self, name: str, exchange: Exchange) -> list[str]:
        # An error may come in two forms whatever the operation's own description names; `status` is in both by now.
        body = exchange.answer.body
        form = "validation-error" if _has_error_objects(body) else "basic-error"
        fields = {key: value for key, value in body.items() if key != "status"} if isinstance(body, Mapping) else body
        return self._check(f"{name} {exchange.answer.status}", {"$ref": f"#/components/schemas/{form}"}, fields)

    def _check(self, where: str, schema: object, value: object) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {"components": self._components, "allOf": [closed(schema)]}
            self._validators[key] = Draft202012Validator(whole, format_checker=_FORMATS)
        errors = self._validators[key].iter_errors(json.loads(json.dumps(value)))
        return [f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in errors]


def closed(schema: Any, *, within_all: bool = False) -> Any:
    """The schema with objects closed, so that a field which GitHub does not have is found; parts of allOf stay open."""
    if isinstance(schema, list):
        return [closed(item, within_all=within_all) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {
        key: (
            {name: closed(row) for name, row in value.items()}
            if key == "properties"
            else closed(value, within_all=key == "allOf")
        )
        for key, value in schema.items()
    }
    plain = "properties" in found and not {"allOf", "anyOf", "oneOf", "additionalProperties"} & found.keys()
    if plain and not within_all:
        found["additionalProperties"] = False
    return found


def _parts(schema: Any, *, within_all: bool = False) -> Iterator[str]:
    """The names of shared schemas that are parts of an allOf somewhere."""
    if isinstance(schema, list):
        for item in schema:
            yield from _parts(item, within_all=within_all)
    elif isinstance(schema, Mapping):
        if within_all and "$ref" in schema:
            yield schema["$ref"].rsplit("/", 1)[-1]
        for key, value in schema.items():
            yield from _parts(value, within_all=key == "allOf")


def _has_error_objects(body: object) -> bool:
    return isinstance(body, Mapping) and any(isinstance(row, Mapping) for row in body.get("errors", ()))


@cache
def openapi() -> OpenApi:
    """The validator, made once."""
    return OpenApi(json.loads(SUBSET.read_text()))


@cache
def graphql() -> Schema:
    """The checker of GraphQL documents and answers, made once."""
    return Schema(json.loads(GRAPHQL_SUBSET.read_text()))


def validate(exchange: Exchange) -> list[str]:
    """What is wrong with a REST or GraphQL exchange, one line each."""
    if exchange.template != "/graphql":
        return openapi()(exchange)
    body = exchange.answer.body
    return graphql()(exchange.request, body) if isinstance(body, Mapping) and exchange.answer.status == 200 else []


def stand_in(folder: Path, *, start_run: Callable[[Run], RunOutcome] | None = None, workers: int = 1) -> StandInGitHub:
    """A stand-in GitHub whose answers are all checked; use it as a context manager."""
    return StandInGitHub(folder / "hub", start_run=start_run, workers=workers, validate=validate)


def client(hub: StandInGitHub, token: Secret, *, per_page: int = 30) -> Github:
    """PyGithub on the stand-in, without its own retries and pauses."""
    from github import Auth, Github

    return Github(
        base_url=hub.api_url,
        auth=Auth.Token(token.reveal()),
        per_page=per_page,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def clone_url(hub: StandInGitHub, full_name: str, token: Secret) -> str:
    """The address to clone from, with the token in it. For tests only: real code keeps tokens out of addresses."""
    root = hub.url.replace("http://", f"http://x-access-token:{token.reveal()}@")
    return f"{root}/{full_name}.git"


def git(*argv: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the git command as a developer would."""
    env = {
        "PATH": os.environ.get("PATH", DEFAULT_PATH),
        "HOME": str(cwd),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Alice",
        "GIT_AUTHOR_EMAIL": "alice@example.com",
        "GIT_COMMITTER_NAME": "Alice",
        "GIT_COMMITTER_EMAIL": "alice@example.com",
    }
    return subprocess.run(
        ["git", *map(str, argv)], cwd=cwd, env=env, check=check, capture_output=True, text=True, timeout=60
    )


def commit_all(folder: Path, message: str, files: Mapping[str, str]) -> str:
    """Write files, commit them, return the commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder).stdout.strip()


def succeed(_: Run) -> RunOutcome:
    """A runner for which everything goes well."""
    return RunOutcome(conclusion="success")


def each_run(hub: StandInGitHub) -> Iterator[tuple[str, str]]:
    """Event and workflow name of each run, oldest first."""
    for run in hub.runs():
        yield run.event, run.workflow_name
