"""Publishing a layout: the bytes go to the registry as they are, then the tags, then everything is checked.

Contract: `skopeo copy --all` (1.9 and later), `docker buildx imagetools create` with layouts (0.33 and later).
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions import process
from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.image.tags import Tag
from cicd_actions.oci.credentials import Credentials, docker_config, docker_config_folder
from cicd_actions.oci.layout import Layout
from cicd_actions.oci.reference import Reference
from cicd_actions.oci.registry import Registry

_log = logging.getLogger("cicd_actions.image")

_TRIES = 4
_TIMEOUT = 1800
_TAIL = 8
_LAYOUTS_SINCE = (0, 33)  # docker/buildx: imagetools reads layouts
_TRANSIENT = re.compile(
    r"\b(?:408|429|500|502|503|504)\b|too many requests|connection re(?:set|fused)|broken pipe|timeout|timed out"
    r"|unexpected EOF|\bEOF\b|blob unknown|unknown blob|temporar|try again",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"unauthorized|authentication required|denied|forbidden|\b40[13]\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was done: the tags that now have the digest, and those that had another one before (tag -> old digest)."""

    tags: tuple[str, ...]
    moved: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Copier:
    """The program that copies a layout to a registry: ``skopeo``, or ``docker`` with a buildx that can."""

    name: str
    path: str


def find_copier(env: Mapping[str, str]) -> Copier:
    """Return the copier; skopeo first, because it refuses to send other digests than the layout's.

    Raises:
        ConfigError: There is none.
    """
    skopeo = shutil.which("skopeo", path=env.get("PATH", ""))
    if skopeo:
        return Copier(name="skopeo", path=skopeo)
    docker = shutil.which("docker", path=env.get("PATH", ""))
    if docker:
        version = process.run([docker, "buildx", "version"], env=env, timeout=60)
        if version.ok and supports_layouts(version.stdout):
            return Copier(name="docker", path=docker)
    raise ConfigError(
        "Neither skopeo nor a buildx of 0.33 or later is here, and one of them must copy the image.",
        hint="Install skopeo (it is on GitHub's own runners) or a newer buildx.",
    )


def check_tags(tags: Sequence[Tag], registry: Registry, digest: str) -> dict[str, str]:
    """Return what the tags have now (tag -> digest, absent ones left out).

    Raises:
        ActionError: A tag that must not move has another digest.
    """
    present = {tag.name: found for tag in tags if (found := registry.digest(tag.name))}
    frozen = [tag.name for tag in tags if tag.immutable and present.get(tag.name, digest) != digest]
    if frozen:
        raise ActionError(
            f"The version {', '.join(frozen)} is published already, as {present[frozen[0]]}; this build is {digest}."
            " A version never changes its content, so nothing was published.",
            hint="Release a new version. (The same commit gives the same digest only if its build is reproducible.)",
            title="A version that exists would change",
        )
    return present


def publish(
    layout: Layout,
    reference: Reference,
    tags: Sequence[Tag],
    *,
    copier: Copier,
    registry: Registry,
    credentials: Credentials,
    temp: Path,
    env: Mapping[str, str],
    sleep: Callable[[float], None] = time.sleep,
) -> Published:
    """Copy a layout to the registry, tag it, and fetch everything once more to compare.

    Raises:
        ActionError: A version tag exists with another digest; nothing was published.
        ConfigError: The registry refuses the login.
        UpstreamError: The copy failed for good, or the registry has not what was sent.
    """
    started = time.monotonic()
    present = check_tags(tags, registry, layout.digest)
    first = tags[0].name
    if present.get(first) != layout.digest:
        with docker_config(reference.registry, credentials, temp) as login:
            command, environment = _copy_command(copier, layout, reference, first, login, env)
            _copy(command, environment, reference, sleep)
    _check_content(layout, registry)
    index = layout.document(layout.digest)
    for tag in tags[1:]:
        if present.get(tag.name) != layout.digest:
            registry.put_manifest(tag.name, index, layout.media_type)
    for tag in tags:
        if registry.digest(tag.name) != layout.digest:
            raise UpstreamError(f"The registry does not serve {layout.digest} for {reference.name}:{tag.name}.")
        _log.info("%s:%s is %s", reference.name, tag.name, layout.digest)
    moved = {name: old for name, old in present.items() if old != layout.digest}
    return Published(tags=tuple(tag.name for tag in tags), moved=moved, seconds=time.monotonic() - started)


def is_transient(message: str) -> bool:
    """True when trying again may help: overload, a broken connection; never a refusal."""
    return bool(_TRANSIENT.search(message)) and not _REFUSED.search(message)


def supports_layouts(version: str) -> bool:
    """True for a `docker buildx version` whose imagetools reads layouts."""
    match = re.search(r"\bv?(\d+)\.(\d+)\.\d+", version)
    return match is not None and (int(match[1]), int(match[2])) >= _LAYOUTS_SINCE


def _copy_command(
    copier: Copier, layout: Layout, reference: Reference, tag: str, login: Path, env: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the copier's command line and environment."""
    environment = _network_environment(env, login)
    if copier.name == "skopeo":
        # we know what we send by its digest, so no signature policy of the machine is asked
        words = [copier.path, "--insecure-policy", "copy", "--all", "--preserve-digests", "--quiet"]
        words += ["--dest-authfile", str(login / "config.json")]
        if reference.is_loopback:
            words.append("--dest-tls-verify=false")
        return [*words, f"oci:{layout.path}", f"docker://{reference.name}:{tag}"], environment
    environment["BUILDX_CONFIG"] = str(login / "buildx")
    config = docker_config_folder(env)
    if config and (config / "cli-plugins").is_dir():
        (login / "cli-plugins").symlink_to(config / "cli-plugins")
    words = [copier.path, "buildx", "imagetools", "create", "--tag", f"{reference.name}:{tag}"]
    return [*words, f"oci-layout://{layout.path}@{layout.digest}"], environment


def _network_environment(env: Mapping[str, str], login: Path) -> dict[str, str]:
    names = (
        "PATH", "DOCKER_HOST", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR",
    )  # fmt: skip
    kept = {name: env[name] for name in names if name in env}
    return {**kept, "HOME": str(login), "DOCKER_CONFIG": str(login), "TMPDIR": str(login)}


def _copy(command: Sequence[str], env: Mapping[str, str], reference: Reference, sleep: Callable[[float], None]) -> None:
    for attempt in range(1, _TRIES + 1):
        done = process.run(command, env=env, timeout=_TIMEOUT)
        if done.ok:
            return
        said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-_TAIL:])
        if _REFUSED.search(said):
            raise ConfigError(
                f"{reference.registry} refuses the push to {reference.repository}: {said}",
                hint="For GHCR give the job `permissions: packages: write`; else check `username` and `token`.",
            )
        if attempt == _TRIES or not (done.timed_out or is_transient(said)):
            break
        _log.warning("Push attempt %d of %d failed, trying again: %s", attempt, _TRIES, said)
        sleep(2.0**attempt)
    raise UpstreamError(
        f"The image could not be copied to {reference.name} (attempt {attempt} of {_TRIES}): {said}",
        hint="Run it again; if it stays, look at the registry's own status.",
        title="The push failed",
    )


def _check_content(layout: Layout, registry: Registry) -> None:
    """Fetch the index and every manifest by digest and compare; ask for every blob."""
    for digest in layout.manifests:
        if registry.manifest(digest) != layout.document(digest):
            raise UpstreamError(f"The registry serves other bytes for {digest}.")
    for digest in layout.blobs:
        if not registry.has_blob(digest):
            raise UpstreamError(f"The registry has not the blob {digest} that the image needs.")
