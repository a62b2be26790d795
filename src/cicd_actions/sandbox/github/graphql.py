"""The GraphQL endpoint: refs, blobs, commits, and `createCommitOnBranch`.

Answers have GitHub's shape: status 200, and ``errors`` with a type beside whatever ``data`` could be had.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cicd_actions.sandbox.github.answers import Answer, RefusedError
from cicd_actions.sandbox.github.gql_nodes import GraphQLError, Node, git_object, ref_node, repository_node
from cicd_actions.sandbox.github.gql_parse import DocumentError, Field, Fragment, Operation, bind, parse
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.rest.contents import good_path
from cicd_actions.sandbox.github.rest.meta import LIMIT
from cicd_actions.sandbox.github.routing import forbidden
from cicd_actions.sandbox.github.state import State, stamp
from cicd_actions.sandbox.github.tokens import Actor
from cicd_actions.sandbox.github.trees import File, edit_tree, write_commit
from cicd_actions.sandbox.github.updates import MovedError, move_ref


class _Execution:
    """One document being answered."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables
        self.errors: list[dict[str, Any]] = []

    def select(self, node: Node, selections: tuple[Field | Fragment, ...], path: list[str | int]) -> dict[str, Any]:
        """The asked-for fields of an object."""
        found: dict[str, Any] = {}
        for selection in selections:
            if isinstance(selection, Fragment):
                if selection.on in ("", node.type, *node.also):
                    found.update(self.select(node, selection.selections, path))
                continue
            found[selection.key] = self._field(node, selection, [*path, selection.key])
        return found

    def _field(self, node: Node, asked: Field, path: list[str | int]) -> Any:
        if asked.name == "__typename":
            return node.type
        try:
            value = _resolve(node, asked.name)
            if callable(value):
                value = value(bind(asked.arguments, self.variables))
        except GraphQLError as problem:
            row: dict[str, Any] = {"path": path, "message": problem.message}
            self.errors.append({"type": problem.kind, **row} if problem.kind else row)
            return None
        return self._value(value, asked, path)

    def _value(self, value: Any, asked: Field, path: list[str | int]) -> Any:
        if isinstance(value, Node):
            return self.select(value, asked.selections, path)
        if isinstance(value, list):
            return [self._value(item, asked, [*path, i]) for i, item in enumerate(value)]
        return value


def _resolve(node: Node, name: str) -> Any:
    if name not in node.fields:
        raise GraphQLError(f"Field '{name}' doesn't exist on type '{node.type}'")
    return node.fields[name]


def answer(state: State, actor: Actor, body: object) -> Answer:
    """Answer one request to the endpoint."""
    if actor.kind == "anonymous":
        message = "This endpoint requires you to be authenticated."
        return RefusedError(401, message).answer()
    if not isinstance(body, Mapping) or not isinstance(body.get("query"), str):
        return Answer(body={"errors": [{"message": "A query attribute must be specified and must be a string."}]})
    try:
        operation = parse(body["query"])
    except DocumentError as problem:
        return Answer(body={"errors": [{"message": f"Parse error: {problem}"}]})
    given = body.get("variables")
    variables = {**operation.defaults, **(given if isinstance(given, Mapping) else {})}
    execution = _Execution(variables)
    data = execution.select(_root(state, actor, operation), operation.selections, [])
    answered: dict[str, Any] = {"data": data}
    if execution.errors:
        answered["errors"] = execution.errors
    return Answer(body=answered)


def _root(state: State, actor: Actor, operation: Operation) -> Node:
    if operation.kind == "mutation":
        fields = {"createCommitOnBranch": lambda args: _create_commit(state, actor, args)}
        return Node(type="Mutation", fields=fields)
    return Node(
        type="Query",
        fields={
            "repository": lambda args: _repository(state, actor, args),
            "rateLimit": _rate_limit(state),
            "viewer": Node(type="User", fields={"login": actor.login}),
        },
    )


def _rate_limit(state: State) -> Node:
    reset = state.clock().replace(minute=59, second=59)
    fields = {"limit": LIMIT, "cost": 1, "remaining": LIMIT - 1, "used": 1, "nodeCount": 0}
    return Node(type="RateLimit", fields={**fields, "resetAt": stamp(reset)})


def _repository(state: State, actor: Actor, args: Mapping[str, Any]) -> Node:
    owner, name = str(args.get("owner")), str(args.get("name"))
    repo = _visible(state, actor, owner, name)
    if actor.level(repo.full_name, "contents") < 1 and repo.private:
        raise GraphQLError(forbidden(actor).message, "FORBIDDEN")
    return repository_node(state, repo)


def _visible(state: State, actor: Actor, owner: str, name: str) -> Repository:
    repo = state.find(owner, name)
    if repo is None or (repo.private and not actor.sees(repo.full_name)):
        message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
        raise GraphQLError(message, "NOT_FOUND")
    return repo


def _create_commit(state: State, actor: Actor, args: Mapping[str, Any]) -> Node:
    given = _mapping(args, "input")
    repo, branch = _branch(state, actor, _mapping(given, "branch"))
    expected = given.get("expectedHeadOid")
    message = _mapping(given, "message")
    if not isinstance(expected, str) or not str(message.get("headline") or "").strip():
        raise GraphQLError("Argument 'input' on Field 'createCommitOnBranch' has an invalid value.")
    files = _files(given)
    ref = f"refs/heads/{branch}"
    with repo.lock:
        head = repo.branch(branch)
        if head is None:
            raise GraphQLError(f"Branch not found: {branch}", "NOT_FOUND")
        if head != expected:
            raise _stale(expected)
        _deletions_exist(repo, head, files)
        text = f"{message['headline']}\n\n{message.get('body') or ''}".strip()
        sha = write_commit(
            repo,
            tree=edit_tree(repo, head, files),
            parents=(head,),
            message=text,
            author=state.signature(actor),
            committer=state.web_flow(),
        )
        try:
            move_ref(state, repo, actor, ref, sha, old=expected)
        except MovedError:
            raise _stale(expected) from None
        except RefusedError as refused:
            raise GraphQLError(refused.message, _refusal_kind(refused)) from None
    fields: dict[str, Any] = {
        "clientMutationId": given.get("clientMutationId"),
        "commit": git_object(state, repo, sha),
        "ref": ref_node(state, repo, branch),
    }
    return Node(type="CreateCommitOnBranchPayload", fields=fields)


def _stale(expected: str) -> GraphQLError:
    message = f'Expected branch to point to "{expected}" but it did not. Pull and try again.'
    return GraphQLError(message, "STALE_DATA")


def _refusal_kind(refused: RefusedError) -> str:
    if refused.status == 403:
        return "FORBIDDEN"
    ruleset = refused.message.startswith("Repository rule violations")
    return "UNPROCESSABLE" if ruleset else "BRANCH_PROTECTION_RULE_VIOLATION"


def _branch(state: State, actor: Actor, branch: Mapping[str, Any]) -> tuple[Repository, str]:
    full, name = str(branch.get("repositoryNameWithOwner", "")), str(branch.get("branchName", ""))
    owner, _, short = full.partition("/")
    repo = _visible(state, actor, owner, short)
    if actor.level(repo.full_name, "contents") < 2:
        raise GraphQLError(forbidden(actor).message, "FORBIDDEN")
    return repo, name.removeprefix("refs/heads/")


def _files(given: Mapping[str, Any]) -> list[File]:
    changes = _mapping(given, "fileChanges", optional=True)
    if None in (changes.get("additions", ()), changes.get("deletions", ())):
        # What GitHub answers to a null list.
        raise GraphQLError("Something went wrong while executing your query.")
    files = []
    for row in changes.get("additions", ()):
        try:
            data = base64.b64decode(str(row.get("contents", "")), validate=True)
        except binascii.Error:
            raise GraphQLError("Variable $input: Base64String invalid in additions") from None
        files.append(File(path=str(row.get("path", "")), data=data))
    files += [File(path=str(row.get("path", "")), data=None) for row in changes.get("deletions", ())]
    paths = [file.path for file in files]
    bad = next((path for path in paths if not good_path(path)), None)
    if bad is not None:
        raise GraphQLError(f"A path was invalid: {bad!r}", "UNPROCESSABLE")
    if len(set(paths)) != len(paths):
        raise GraphQLError("A path was requested for both addition and deletion, or twice", "UNPROCESSABLE")
    return files


def _deletions_exist(repo: Repository, head: str, files: list[File]) -> None:
    for file in files:
        if file.data is None and repo.blob(head, file.path) is None:
            message = f"A path was requested for deletion which does not exist: {file.path}"
            raise GraphQLError(message, "UNPROCESSABLE")


def _mapping(given: Mapping[str, Any], name: str, *, optional: bool = False) -> Mapping[str, Any]:
    value = given.get(name)
    if value is None and optional:
        return {}
    if not isinstance(value, Mapping):
        raise GraphQLError(f"Argument '{name}' has an invalid value. Expected an object.")
    return value
