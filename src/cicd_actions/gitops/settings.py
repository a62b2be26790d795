"""Set the tag and the digest of an image in the YAML files of a GitOps repository, as one commit.

Only the bytes of the values change. Other writers lose nothing: when the branch has moved, the files are read again
and the edit is applied to what is there now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.gitops.keypath import KeyPath
from cicd_actions.gitops.request import DEFAULT_UPDATES, Words, read_updates
from cicd_actions.gitops.target import ApiTarget, Target, TargetError, resolve
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.runner.secrets import Secret

INPUTS = (
    Input(
        "repository",
        "GitOps repository: owner/name on the GitHub of the run (written by API), or an address for git (https, ssh, "
        "git@host:path, file). The run's own repository by default.",
    ),
    Input("branch", "Branch to commit to; it must exist.", default="main"),
    Input(
        "token",
        "Token that may write contents in that repository. The job's own token by default, which can write to the "
        "run's own repository only.",
        secret=True,
    ),
    Input("app-id", "Id of a GitHub App to sign in as, instead of using token. Needs app-private-key."),
    Input("app-private-key", "Private key (PEM) of that GitHub App.", secret=True),
    Input("ssh-key", "Private SSH key, such as a deploy key with write access; selects git over SSH.", secret=True),
    Input(
        "file",
        "YAML or JSON file in that repository; several on lines of their own are changed in the same commit.",
        default="helm-chart/values.yaml",
    ),
    Input(
        "updates",
        "Lines KEY=VALUE. Keys: image.tag, list[0].tag, containers[name=web].image. Values may hold {image}, {tag}, "
        "{digest} and {sha} (the commit of the run).",
        default=DEFAULT_UPDATES,
    ),
    Input(
        "create-missing",
        "Add keys that the file does not have, in its own style, instead of an error.",
        default="false",
    ),
    Input("image", "Name of the image without tag and digest, for {image} and the commit message."),
    Input("tag", "Tag of the image, for {tag}."),
    Input("digest", "Digest of the image (sha256:...), for {digest}."),
    Input("mode", "push (commit to the branch) or pull-request (GitHub only).", default="push"),
    Input(
        "message",
        "Commit message with the same placeholders; the first line is the headline. The changes and the trailers "
        "Image-Digest, Source-Commit and Run-URL are added.",
    ),
    Input(
        "labels",
        "Labels for the pull request; several separated by commas or on lines of their own (mode pull-request).",
    ),
    Input(
        "auto-merge",
        "Let GitHub merge the pull request when its rules are met, at once if there are none (mode pull-request).",
        default="false",
    ),
    Input(
        "allow-downgrade",
        "Accept an image older than the one in the file: by version, by commit or by build date, as far as known.",
        default="false",
    ),
    Input("ignore-hold", "Set values that have a hold marker (# cicd-actions: hold ...) too.", default="false"),
    Input(
        "verify-digest",
        "Look in the registry whether it has the digest and whether the tag names it: true (an error when nobody can "
        "tell), auto (a notice then) or false.",
        default="auto",
    ),
    Input("registry-username", "User name at the registry, where one is needed to look; goes with registry-token."),
    Input(
        "registry-token",
        "Token or password to look in the registry. Without it, token is used at GitHub's own registries, and no login "
        "elsewhere.",
        secret=True,
    ),
    Input("dry-run", "Print the diff and change nothing.", default="false"),
)

OUTPUTS = (
    Output("changed", "true when a commit was made (or would be, in a dry run), else false."),
    Output("commit-sha", "Commit that holds the values: the new one, or the head when nothing had to change."),
    Output("pull-request-url", "Page of the pull request; empty in mode push."),
    Output("previous", "JSON object: file -> key -> value before."),
    Output("diff", "Unified diff of the files."),
)

MODES = ("push", "pull-request")
VERIFY = ("auto", "true", "false")
# what `git check-ref-format` refuses, and a leading dash, which a command could take for an option
_BAD_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-/.]|[/.]$")
_BAD_PATH = re.compile(r"[\x00-\x1f\x7f\\]|^/|(^|/)(\.{0,2})(/|$)|(^|/)\.git(/|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to set where. ``app`` names the application in messages and in the branch of a pull request."""

    target: Target
    branch: str
    token: Secret
    app_id: str
    app_private_key: Secret
    ssh_key: Secret
    files: tuple[str, ...]
    updates: Mapping[KeyPath, str] = field(repr=False)
    create_missing: bool
    words: Words
    pull_request: bool
    message: str
    labels: tuple[str, ...]
    auto_merge: bool
    allow_downgrade: bool
    ignore_hold: bool
    verify_digest: str
    registry_username: str
    registry_token: Secret
    dry_run: bool
    app: str


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Read the inputs.

    Raises:
        ConfigError: Every problem with them.
    """
    words = Words(
        image=inputs.text("image").rstrip("/"), tag=inputs.text("tag"), digest=inputs.text("digest"), sha=context.sha
    )
    ssh_key = inputs.secret("ssh-key")
    target, bad_target = _target(inputs, context, ssh=bool(ssh_key))
    pull_request = inputs.choice("mode", MODES) == "pull-request"
    if pull_request and not isinstance(target, ApiTarget):
        inputs.problem("mode", "needs a repository on the GitHub of the run, written by API", "Use mode push.")
    updates, problems = _updates(inputs, words)
    settings = Settings(
        target=target,
        branch=_branch(inputs),
        token=inputs.secret("token"),
        app_id=inputs.text("app-id"),
        app_private_key=inputs.secret("app-private-key"),
        ssh_key=ssh_key,
        files=_files(inputs),
        updates=updates,
        create_missing=inputs.flag("create-missing"),
        words=words,
        pull_request=pull_request,
        message=inputs.text("message"),
        labels=_labels(inputs),
        auto_merge=inputs.flag("auto-merge"),
        allow_downgrade=inputs.flag("allow-downgrade"),
        ignore_hold=inputs.flag("ignore-hold"),
        verify_digest=_verify_digest(inputs, words),
        registry_username=inputs.text("registry-username"),
        registry_token=inputs.secret("registry-token"),
        dry_run=inputs.flag("dry-run"),
        app=_app(words.image, context.repository),
    )
    _finish(inputs, (*bad_target, *words.problems(), *problems))
    return settings


def _target(inputs: Inputs, context: RunContext, *, ssh: bool) -> tuple[Target, tuple[Problem, ...]]:
    text = inputs.text("repository") or context.repository
    try:
        return resolve(text, server_url=context.server_url, ssh=ssh), ()
    except TargetError as error:
        # the value is not repeated: it may hold a password
        fix = "Write owner/name or an address such as https://host/path.git."
        return ApiTarget(""), (Problem(input="repository", what=str(error) if text else "was not given", fix=fix),)


def _branch(inputs: Inputs) -> str:
    branch = inputs.text("branch").removeprefix("refs/heads/")
    if _BAD_BRANCH.search(branch):
        inputs.problem("branch", "is not a branch's name")
    return branch


def _files(inputs: Inputs) -> tuple[str, ...]:
    files = tuple(dict.fromkeys(line.removeprefix("./") for line in inputs.lines("file")))
    for path in files:
        if _BAD_PATH.search(path):
            inputs.problem("file", f"{path!r} is not a path inside the repository", "Write it from the root, with /.")
    if not files:
        inputs.problem("file", "names no file")
    return files


def _labels(inputs: Inputs) -> tuple[str, ...]:
    names = [name.strip() for line in inputs.lines("labels") for name in line.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def _verify_digest(inputs: Inputs, words: Words) -> str:
    chosen = inputs.choice("verify-digest", VERIFY)
    if chosen == "true" and not (words.image and words.digest):
        inputs.problem("verify-digest", "needs image and digest", "Give both, or set it to auto.")
    return chosen


def _updates(inputs: Inputs, words: Words) -> tuple[Mapping[KeyPath, str], tuple[Problem | str, ...]]:
    lines = inputs.lines("updates")
    if not lines:
        inputs.problem("updates", "says nothing to set")
    try:
        return read_updates(lines, words), ()
    except ConfigError as error:
        return {}, error.problems


def _app(image: str, repository: str) -> str:
    name = (image or repository).rsplit("/", 1)[-1].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", name).strip("-.") or "app"


def _finish(inputs: Inputs, more: tuple[Problem | str, ...]) -> None:
    """All problems in one error: those of the inputs and those of the values inside them."""
    try:
        inputs.finish()
    except ConfigError as error:
        raise ConfigError(*error.problems, *more) from error
    if more:
        raise ConfigError(*more)
