"""What the running parts are asked for: base images for an application's Dockerfile, images of our own actions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cicd_actions.errors import ActionError
from cicd_actions.process import run
from cicd_actions.sandbox.parts import references
from cicd_actions.sandbox.parts.images import ensure_base_images
from cicd_actions.sandbox.parts.lifecycle import workshop
from cicd_actions.sandbox.parts.model import Parts, Substitution

_BUILD_SECONDS = 600.0
_ARGUMENT = re.compile(r"^ARG\s+(\w+)=(\S+)", re.MULTILINE | re.IGNORECASE)


def provide_base_images(
    parts: Parts, dockerfile: str, *, env: Mapping[str, str], arguments: Mapping[str, str] | None = None
) -> tuple[Substitution, ...]:
    """See to it that the images that a Dockerfile starts from can be had.

    Args:
        parts: The running parts.
        dockerfile: Content of the application's Dockerfile.
        env: The environment.
        arguments: Build arguments that will be given.

    Returns:
        What is not quite what the Dockerfile asks for, to be announced; those with ``rewrite`` need
        ``references.rewrite`` on the Dockerfile. Empty where public images can be reached.

    Raises:
        UpstreamError: Some image has no stand-in.
    """
    if not parts.stand_ins:
        return ()
    shop = workshop(parts.cache, parts.base_registry, env)
    announced = ensure_base_images(shop, references.bases(dockerfile, arguments))
    asked = references.frontend(dockerfile)
    if not asked:
        return announced
    why = "it cannot be had here; the engine's own frontend is used"
    return (*announced, Substitution(reference=asked, stand_in="", why=why, rewrite=True))


def action_image_name(uses: str) -> str:
    """The name by which act looks for the image of a Docker-based action.

    Args:
        uses: As in the workflow, ``OWNER/REPOSITORY/PATH@REF``.
    """
    path = uses.partition("@")[0].split("/", 2)[2]
    plain = re.sub(r"[^a-z0-9]", "-", f"{uses}/{path}".lower())
    return f"act-{plain}-dockeraction:latest"


def build_action_image(
    parts: Parts,
    *,
    context: Path,
    dockerfile: Path,
    image: str,
    env: Mapping[str, str],
    contexts: Mapping[str, Path] | None = None,
) -> None:
    """Build the image of a Docker-based action under the name by which the runner looks for it.

    The base images in the Dockerfile are ``ARG NAME=REFERENCE`` lines; where public images cannot be reached, stand-ins
    are given instead of pinned references.

    Raises:
        ActionError: The build failed; the end of its log is in the message.
        UpstreamError: A base image has no stand-in.
    """
    given = _unpinned(dockerfile.read_text(encoding="utf-8")) if parts.stand_ins else {}
    provide_base_images(parts, dockerfile.read_text(encoding="utf-8"), env=env, arguments=given)
    words: list[str | Path] = [
        parts.docker,
        "buildx",
        "build",
        "--load",
        "--quiet",
        "--provenance=false",
        "--tag",
        image,
    ]
    words += [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    words += [word for name, path in (contexts or {}).items() for word in ("--build-context", f"{name}={path}")]
    done = run([*words, "--file", dockerfile, context], env=parts.env, timeout=_BUILD_SECONDS, merge_stderr=True)
    if not done.ok:
        raise ActionError(
            f"The image {image} cannot be built from {dockerfile.name}: {done.stdout.strip()[-800:]}",
            hint=f"Try it by hand: docker build --file {dockerfile} {context}",
        )


def _unpinned(dockerfile: str) -> dict[str, str]:
    """Build arguments that name the pinned images of the Dockerfile without their digests."""
    images = {name: value.strip("\"'") for name, value in _ARGUMENT.findall(dockerfile)}
    return {name: value.partition("@")[0] for name, value in images.items() if "@sha256:" in value}
