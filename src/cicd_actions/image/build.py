"""The build: one call of buildx for all platforms, into a layout on disk.

Contract: `docker buildx build` with the OCI exporter (`type=oci,tar=false`), BuildKit 0.12 and later.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cicd_actions import process
from cicd_actions.errors import ActionError, ConfigError, Problem, UpstreamError
from cicd_actions.image.builder import Builder
from cicd_actions.image.settings import BuildSettings
from cicd_actions.oci.layout import Layout, LayoutError, complete, read_layout

_log = logging.getLogger("cicd_actions.image")

_TAIL = 40
_NETWORK = re.compile(
    r"dial tcp|i/o timeout|TLS handshake timeout|connection re(?:fused|set)|no such host|toomanyrequests"
    r"|429 Too Many|50[0234] [A-Z]|unexpected EOF",
    re.IGNORECASE,
)
# two platforms that share a layer write it at the same time; the one that comes second waits and goes on
_TRIED_AGAIN = re.compile(r"ERROR: \(\*service\)\.Write failed: rpc error: code = Unavailable desc = ref \S+ locked")
_PROGRESS = re.compile(r"#\d+ ")
_NOT_FOR_THE_BUILD = ("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What the build left: a verified layout, BuildKit's metadata file, the seconds it took."""

    layout: Layout
    metadata: Path
    seconds: float


def build_environment(env: Mapping[str, str], *, epoch: datetime | None) -> dict[str, str]:
    """Return the environment of the build: no inputs of ours, no token of the job, attestations only when asked for."""
    kept = {
        name: value
        for name, value in env.items()
        if not name.upper().startswith("INPUT_") and name not in _NOT_FOR_THE_BUILD
    }
    kept |= {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_METADATA_PROVENANCE": "disabled", "NO_COLOR": "1"}
    if epoch is not None:
        # buildx hands it to the build as an argument, and BuildKit dates the image's configuration with it
        kept["SOURCE_DATE_EPOCH"] = str(int(epoch.timestamp()))
    return kept


def build_command(
    settings: BuildSettings,
    *,
    builder: Builder,
    labels: Mapping[str, str],
    layout: Path,
    metadata: Path,
    secrets: Mapping[str, Path],
    write_cache: bool,
) -> list[str]:
    """Return the command line; secrets are named by the files that hold them."""
    words = ["docker", "buildx", "build", "--builder", builder.name, "--progress", "plain"]
    words += ["--platform", ",".join(settings.platforms), "--file", str(settings.file)]
    words += ["--output", f"type=oci,tar=false,dest={layout}", "--metadata-file", str(metadata)]
    words += [f"--provenance={'mode=max' if settings.provenance else 'false'}", f"--sbom={str(settings.sbom).lower()}"]
    for name, value in labels.items():
        words += ["--label", f"{name}={value}"]
    for name, value in settings.arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    for name, path in secrets.items():
        words += ["--secret", f"id={name},src={path}"]
    if settings.target:
        words += ["--target", settings.target]
    for cache in settings.caches:
        words += ["--cache-from", cache_source(cache)]
        if write_cache:
            words += ["--cache-to", cache_target(cache)]
    return [*words, str(settings.context)]


def cache_source(line: str) -> str:
    """Return a cache line as a source; our one word for a folder is two in buildx."""
    return ",".join(re.sub(r"^path=", "src=", part) for part in line.split(",") if not part.startswith("mode="))


def cache_target(line: str) -> str:
    """Return a cache line as a target whose trouble does not fail the build."""
    parts = [re.sub(r"^path=", "dest=", part) for part in line.split(",")]
    return ",".join(parts if any(part.startswith("ignore-error=") for part in parts) else [*parts, "ignore-error=true"])


def build(
    settings: BuildSettings,
    *,
    builder: Builder,
    labels: Mapping[str, str],
    folder: Path,
    temp: Path,
    env: Mapping[str, str],
    write_cache: bool,
    verbose: bool,
) -> Built:
    """Build all platforms into ``folder/layout`` and verify what came out.

    Raises:
        ActionError: The Dockerfile does not build; with the last lines of the step that failed.
        ConfigError: The builder cannot do what was asked for.
        UpstreamError: A base image or the network failed, or the layout is not whole.
    """
    layout, metadata = folder / "layout", folder / "metadata.json"
    with TemporaryDirectory(prefix="cicd-actions-secrets-", dir=temp) as name:
        secrets = _write_secrets(settings, Path(name))
        command = build_command(
            settings, builder=builder, labels=labels, layout=layout, metadata=metadata, secrets=secrets,
            write_cache=write_cache,
        )  # fmt: skip
        done = process.run(command, env=env, merge_stderr=True, listen=_tell if verbose else None)
    if not done.ok:
        raise _failure(done.stdout, settings)
    complete(layout)
    return Built(layout=_verified(layout, metadata, settings.platforms), metadata=metadata, seconds=done.seconds)


def _tell(line: str) -> None:
    """Show a line of the build as it comes; writes that BuildKit itself tries again are no errors."""
    if _TRIED_AGAIN.match(line):
        line = f"(BuildKit tries again) {line.removeprefix('ERROR: ')}"
    _log.info("%s", line)


def _write_secrets(settings: BuildSettings, folder: Path) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for number, (name, secret) in enumerate(settings.secrets.items()):
        path = folder / str(number)
        path.touch(mode=0o600)
        path.write_text(secret.reveal(), encoding="utf-8")
        paths[name] = path
    return paths


def _verified(path: Path, metadata: Path, platforms: Sequence[str]) -> Layout:
    """Hash the layout, and compare it with what the builder says it made."""
    try:
        layout = read_layout(path)
        said = json.loads(metadata.read_text(encoding="utf-8")).get("containerimage.digest")
    except (LayoutError, OSError, ValueError, AttributeError) as error:
        raise UpstreamError(f"What the builder wrote is not whole: {error}.", hint="Run it again.") from error
    made = [child.platform for child in layout.children]
    if said != layout.digest:
        raise UpstreamError(f"The builder says that it made {said}, but the layout holds {layout.digest}.")
    if sorted(made) != sorted(platforms):
        raise ActionError(
            f"Asked for {', '.join(sorted(platforms))}, but the images say {', '.join(made)}.",
            hint="Look at FROM lines with a fixed --platform: the last stage must be built for the target platform.",
            title="The build made other platforms",
        )
    return layout


def _failure(output: str, settings: BuildSettings) -> ActionError:
    tail = failing_step(output)
    last = tail.splitlines()[-1] if tail else ""
    if re.search(r"attestation.*not supported|not supported.*attestation", last, re.IGNORECASE):
        return ConfigError(
            Problem(input="provenance, sbom", what=last),
            hint="Use a builder with the docker-container driver, or switch them off.",
        )
    if "exporter" in last and "not supported" in last:
        return ConfigError(Problem(input="builder", value=settings.builder, what=f"cannot write a layout: {last}"))
    if "target stage" in last and "could not be found" in last:
        return ConfigError(Problem(input="target", value=settings.target, what=last))
    if "did not complete successfully" not in last and _NETWORK.search(last):
        hint = "Run it again; if it stays, look at the names in FROM."
        return UpstreamError(tail, hint=hint, title="The build could not fetch what it needs")
    if "Cannot connect to the Docker daemon" in last:
        return ConfigError(last, hint="Run on a Linux runner with Docker, or set DOCKER_HOST.")
    return ActionError(
        f"{last or 'The build ended without a word.'}\nThe last lines of the build:\n{tail}",
        hint=f"The same with the whole output: docker buildx build --file {settings.file.name} .",
        title="The build failed",
    )


def failing_step(output: str) -> str:
    """Return the end of BuildKit's output: the failing step with its last lines, and the error."""
    lines = output.rstrip().splitlines()
    rules = [number for number, line in enumerate(lines) if line.strip() == "------"]
    said = lines[rules[0] :] if rules else [line for line in lines if line and not _PROGRESS.match(line)]
    return "\n".join((said or lines)[-_TAIL:])
