"""Build an image for every platform, scan each, and publish exactly what was scanned.

The build goes to a layout on disk, Trivy looks at every platform of it, and only when the gate passes are the same
bytes copied to the registry and tagged. Findings end with exit code 1, and the registry is as it was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cicd_actions.image.tags import Rule, read_rules
from cicd_actions.oci.reference import Reference, parse_reference
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.runner.secrets import Secret
from cicd_actions.scan.settings import SCAN_INPUTS, ScanSettings, load_scan, read_platforms

INPUTS = (
    Input("context", "The folder that is built, below the workspace.", default="."),
    Input("file", "The Dockerfile, below the workspace; empty means Dockerfile in the context."),
    Input(
        "image",
        "The image's name without a tag; empty means this repository at GitHub's registry. Capitals are lower-cased.",
    ),
    Input("platforms", "The platforms to build.", default="linux/amd64,linux/arm64"),
    Input(
        "tag-rules",
        "One rule per line: sha, branch, semver, latest (on the default branch), pr, date (of the commit), raw=TEXT."
        " The first one that applies gives the output `tag`.",
        default="semver\nsha\nbranch",
    ),
    Input("labels", "Labels, one NAME=VALUE per line, beside those that every image gets (source, revision, ...)."),
    Input("build-args", "Build arguments, one NAME=VALUE per line. They end up in the image's history: no secrets."),
    Input("secrets", "Build secrets for `RUN --mount=type=secret`, one ID=VALUE per line.", secret=True),
    Input("target", "The stage to build; empty means the last one."),
    Input(
        "builder",
        "The buildx builder to use; empty means the current one if it can build all platforms into a layout, or else"
        " one that is made for this run and removed.",
    ),
    Input(
        "cache",
        "Build caches, one per line: type=gha, type=registry,ref=NAME or type=local,path=FOLDER. Trouble with a cache"
        " never fails the build; pull requests only read.",
    ),
    Input("push", "Publish the image. false leaves it in the layout (output `layout`).", default="true"),
    Input(
        "scan",
        "Scan before publishing. false publishes unseen content; the verdict is then `skipped`.",
        default="true",
    ),
    *SCAN_INPUTS,
    Input("sbom", "Attach a software bill of materials made by BuildKit.", default="false"),
    Input("provenance", "Attach SLSA provenance made by BuildKit.", default="false"),
    Input("username", "The user at the registry; empty means the one who started the run."),
    Input("token", "The password or token for the registry; the build and the scan never see it.", secret=True),
    Input("dry-run", "Print what would be built, scanned and published, and do nothing.", default="false"),
)
OUTPUTS = (
    Output("digest", "The digest of what was built: the index when there are several platforms"),
    Output("image", "The image's name, without tag and digest"),
    Output("tag", "The first tag"),
    Output("tags", "All tags, one per line"),
    Output("platforms", "JSON: platform -> digest of its manifest"),
    Output("metadata", "The file with BuildKit's metadata (JSON)"),
    Output("layout", "The folder with the OCI layout, when it was not published"),
    Output("published", "true when the registry has the image"),
    Output("verdict", "The gate's verdict: passed, findings, skipped, or error"),
    Output("counts", "JSON: how many findings of each severity, all platforms together"),
    Output("blocking", "How many findings block"),
    Output("scan-report", "The file with what the scan found on each platform (JSON)"),
    Output("timings", "JSON: seconds for build, scan and publish"),
)

_log = logging.getLogger("cicd_actions.image")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_BUILDER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_CACHE_TYPES = ("gha", "registry", "local")


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """What goes into the build."""

    context: Path
    file: Path
    platforms: tuple[str, ...]
    labels: Mapping[str, str]
    arguments: Mapping[str, str]
    secrets: Mapping[str, Secret]
    target: str
    builder: str
    caches: tuple[str, ...]
    sbom: bool
    provenance: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to build, how to judge it, where to publish it; ``scan`` is None when the gate is switched off."""

    build: BuildSettings
    image: Reference
    rules: tuple[Rule, ...]
    scan: ScanSettings | None
    push: bool
    username: str
    token: Secret = field(default_factory=Secret)
    dry_run: bool = False


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Read the settings of build-and-push.

    Raises:
        ConfigError: With every problem.
    """
    folder = inputs.path("context", root=context.workspace)
    if not folder.is_dir():
        inputs.problem("context", "there is no such folder", "Check the repository out first.")
    given = inputs.given("file")
    file = inputs.path("file", root=context.workspace) if given else folder / "Dockerfile"
    if not file.is_file() and (given or folder.is_dir()):
        inputs.problem("file", f"there is no {file.name} in {file.parent}", "Add one, or name it in `file`.")
    scan = load_scan(inputs, context)
    rules = read_rules(inputs, "tag-rules")
    settings = Settings(
        build=_load_build(inputs, context, folder, file),
        image=_read_image(inputs, context),
        rules=rules,
        scan=scan if inputs.flag("scan") else None,
        push=inputs.flag("push"),
        username=inputs.text("username") or context.actor,
        token=inputs.secret("token"),
        dry_run=inputs.flag("dry-run"),
    )
    inputs.finish()
    return settings


def _load_build(inputs: Inputs, context: RunContext, folder: Path, file: Path) -> BuildSettings:
    platforms = read_platforms(inputs)
    builder, target = inputs.text("builder"), inputs.text("target")
    for name, value in (("builder", builder), ("target", target)):
        if value and not _BUILDER.fullmatch(value):
            inputs.problem(name, "is not a name")
    return BuildSettings(
        context=folder,
        file=file,
        platforms=platforms,
        labels=_pairs(inputs, "labels", _LABEL),
        arguments=_pairs(inputs, "build-args", _NAME),
        secrets={name: Secret(value) for name, value in _pairs(inputs, "secrets", _NAME).items()},
        target=target,
        builder=builder,
        caches=_read_caches(inputs, context),
        sbom=inputs.flag("sbom"),
        provenance=inputs.flag("provenance"),
    )


def _pairs(inputs: Inputs, name: str, pattern: re.Pattern[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for number, line in enumerate(inputs.lines(name), 1):
        key, equals, value = line.partition("=")
        # the line itself may be a secret, so the problem names its number
        if not equals or not pattern.fullmatch(key):
            inputs.problem(name, f"line {number} is not NAME=VALUE", "Write one NAME=VALUE per line.")
        elif key in pairs:
            inputs.problem(name, f"line {number} gives a name for the second time")
        pairs[key] = value
    return pairs


def _read_caches(inputs: Inputs, context: RunContext) -> tuple[str, ...]:
    lines = inputs.lines("cache")
    for line in lines:
        pairs = dict(part.partition("=")[::2] for part in line.split(","))
        kind = pairs.get("type", "")
        if kind not in _CACHE_TYPES:
            inputs.problem("cache", f"{line!r} has no known type", f"Types: {', '.join(_CACHE_TYPES)}.")
        elif kind == "registry" and not pairs.get("ref"):
            inputs.problem("cache", f"{line!r} names no image", "Write type=registry,ref=NAME.")
        elif kind == "local":
            path = pairs.get("path", "")
            roots = (context.workspace.resolve(), context.temp.resolve())
            place = (context.workspace / path).resolve()
            if not path or (context.in_actions and not any(place.is_relative_to(root) for root in roots)):
                inputs.problem("cache", f"{line!r} names no folder of this job", "Write type=local,path=FOLDER.")
    return lines


def _read_image(inputs: Inputs, context: RunContext) -> Reference:
    host = context.server_url.partition("://")[2]
    registry = "ghcr.io" if host == "github.com" else f"containers.{host}"
    text = inputs.text("image") or (f"{registry}/{context.repository}" if context.repository else "")
    try:
        reference = parse_reference(text)
    except ValueError as error:
        fix = "" if text else "Outside Actions the image has no default name."
        inputs.problem("image", f"is not the name of an image: {error}", fix)
        return Reference(registry="localhost", repository="none")
    if reference.repository not in text:
        _log.info("The image's name is lower-cased, as registries want it: %s", reference.name)
    if reference.tag or reference.digest:
        inputs.problem("image", "must have neither tag nor digest", "Tags come from `tag-rules`.")
    return reference
