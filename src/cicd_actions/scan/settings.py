"""Scan every platform of an image with Trivy and judge what it found.

Give exactly one of `layout`, `image`, `path` and `report`. A gate that could not look fails: scanner trouble, an
empty or foreign report and an old or broken database end with exit code 3, findings with 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cicd_actions.oci.layout import normalise_platform
from cicd_actions.oci.reference import Reference, parse_reference
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.scan.database import DEFAULT_REPOSITORIES
from cicd_actions.scan.findings import SEVERITIES
from cicd_actions.scan.ledger import Waiver, read_ledger
from cicd_actions.scan.policy import Policy, at_or_above

SCANNERS = ("vuln", "secret")
_NOT_YET = "is not available in this version"

# shared with build-and-push, which scans what it built
SCAN_INPUTS = (
    Input(
        "severity",
        "What blocks: findings of this severity and worse (CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN). Of several words the"
        " lowest counts.",
        default="HIGH,CRITICAL",
    ),
    Input(
        "ignore-unfixed",
        "Do not block on vulnerabilities for which no fixed version is known.",
        default="false",
    ),
    Input("scanners", "What Trivy looks for: vuln, secret.", default="vuln"),
    Input(
        "exceptions",
        "A YAML file of accepted findings (id, package, reason, owner, expires), below the workspace.",
    ),
    Input(
        "baseline",
        "An image whose findings do not block. Not available in this version; giving it is an error.",
    ),
    Input(
        "db-repository",
        "Where the vulnerability database comes from, tried in order.",
        default=",".join(DEFAULT_REPOSITORIES),
    ),
    Input(
        "db-max-age",
        "How old the database may be, such as 36h or 3d; an older one is an error.",
        default="3d",
    ),
    Input("format", "The format of the report file: json.", default="json"),
    Input(
        "sarif",
        "Write the findings as SARIF to this file, below the workspace.",
    ),
    Input(
        "allow-empty",
        "Accept an image in which the scanner recognises no package, such as one from scratch.",
        default="false",
    ),
)
INPUTS = (
    Input("image", "An image in a registry, best with its digest; it is fetched without the scanner's help."),
    Input(
        "layout",
        "A folder that is an OCI layout with one image or index in it, below the workspace or the temporary folder.",
    ),
    Input("path", "A folder with sources, or an unpacked root file system."),
    Input("report", "An existing JSON report of Trivy; it is judged without running a scanner."),
    Input("platforms", "Which platforms to scan, such as linux/amd64,linux/arm64; empty means all that are there."),
    *SCAN_INPUTS,
)
OUTPUTS = (
    Output("verdict", "passed, findings, or error"),
    Output("counts", "JSON: how many findings of each severity, all platforms together"),
    Output("blocking", "How many findings block"),
    Output("report", "The file with what was found on each platform (JSON)"),
    Output("sarif", "The SARIF file, when one was asked for"),
)

Source = Literal["layout", "image", "path", "report"]


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """How to scan and to judge; the same for trivy-gate and build-and-push."""

    policy: Policy
    scanners: tuple[str, ...]
    repositories: tuple[str, ...]
    max_age: float
    sarif: Path | None
    allow_empty: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to scan: ``place`` is set for layout, path and report, ``image`` for an image in a registry."""

    source: Source
    place: Path | None
    image: Reference | None
    platforms: tuple[str, ...]
    scan: ScanSettings


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Read the settings of trivy-gate.

    Raises:
        ConfigError: With every problem.
    """
    sources: tuple[Source, ...] = ("layout", "image", "path", "report")
    given = [name for name in sources if inputs.given(name)]
    if len(given) != 1:
        said = f"{' and '.join(given)} were given" if given else "none was given"
        inputs.problem(given[-1] if given else "layout", f"exactly one of {', '.join(sources)} is needed; {said}")
    source = given[0] if given else "layout"
    place = _read_place(inputs, source, context) if source != "image" else None
    image = _read_image(inputs) if source == "image" else None
    platforms = read_platforms(inputs)
    if platforms and source in ("path", "report"):
        inputs.problem("platforms", f"has no effect with `{source}`", "Remove it.")
    scan = load_scan(inputs, context)
    inputs.finish()
    return Settings(source=source, place=place, image=image, platforms=platforms, scan=scan)


def load_scan(inputs: Inputs, context: RunContext) -> ScanSettings:
    """Read the inputs in SCAN_INPUTS; problems are recorded in ``inputs``, the ledger's own are raised."""
    if inputs.given("baseline"):
        inputs.problem("baseline", _NOT_YET, "Leave it out.")
    inputs.choice("format", ("json",))
    severities = inputs.choices("severity", [word.lower() for word in SEVERITIES])
    scanners = inputs.choices("scanners", SCANNERS)
    repositories = inputs.words("db-repository")
    for repository in repositories:
        try:
            parse_reference(repository)
        except ValueError as error:
            inputs.problem("db-repository", f"{repository!r} is not an image: {error}")
    words = tuple(word.upper() for word in severities) or SEVERITIES
    policy = Policy(
        severities=at_or_above(words),
        ignore_unfixed=inputs.flag("ignore-unfixed"),
        waivers=_read_waivers(inputs, context),
    )
    return ScanSettings(
        policy=policy,
        scanners=scanners,
        repositories=repositories,
        max_age=inputs.duration("db-max-age"),
        sarif=inputs.path("sarif", root=context.workspace) if inputs.given("sarif") else None,
        allow_empty=inputs.flag("allow-empty"),
    )


def read_platforms(inputs: Inputs) -> tuple[str, ...]:
    """Return the platforms in their usual spelling; a word that is none is a problem."""
    platforms: dict[str, None] = {}
    for word in inputs.words("platforms"):
        try:
            platforms[normalise_platform(word)] = None
        except ValueError as error:
            inputs.problem("platforms", f"{word!r} is not a platform", f"{error}.".capitalize())
    return tuple(platforms)


def _read_waivers(inputs: Inputs, context: RunContext) -> tuple[Waiver, ...]:
    if not inputs.given("exceptions"):
        return ()
    path = inputs.path("exceptions", root=context.workspace)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        inputs.problem("exceptions", f"could not be read: {error}")
        return ()
    return read_ledger(text, name=inputs.text("exceptions"))


def _read_image(inputs: Inputs) -> Reference | None:
    try:
        return parse_reference(inputs.text("image"))
    except ValueError as error:
        inputs.problem("image", f"is not an image: {error}")
        return None


def _read_place(inputs: Inputs, source: Source, context: RunContext) -> Path:
    """Return the file or folder; in a job it must lie where the job's own files are."""
    path = (context.workspace / inputs.text(source)).resolve()
    roots = (context.workspace.resolve(), context.temp.resolve())
    if not inputs.given(source):
        return path
    if context.in_actions and not any(path.is_relative_to(root) for root in roots):
        inputs.problem(source, "leaves the workspace and the runner's temporary folder")
    elif source == "report" and not path.is_file():
        inputs.problem(source, "there is no such file", "Give the JSON report that Trivy wrote.")
    elif source == "layout" and not (path / "index.json").is_file():
        inputs.problem(source, "is not an OCI layout: it has no index.json", "Build with `type=oci,tar=false`.")
    elif source == "path" and not path.is_dir():
        inputs.problem(source, "there is no such folder")
    return path


__all__ = [
    "INPUTS", "OUTPUTS", "SCAN_INPUTS", "ScanSettings", "Settings", "load", "load_scan", "read_platforms",
]  # fmt: skip
