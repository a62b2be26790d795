"""What the registry knows of the image: whether the digest is there, whether the tag names it, when it was built."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.gitops.request import Words
from cicd_actions.oci.credentials import Credentials, choose_credentials
from cicd_actions.oci.reference import DIGEST, Reference, parse_reference
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.secrets import Secret

_T = TypeVar("_T")
_GITHUB_TOKENS = ("ghs_", "ghp_", "gho_", "ghu_", "github_pat_")
# what builders write when they do not say when
_NO_DATE = datetime(1980, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Published:
    """One image repository, asked with each login in turn until one is accepted; the last is none at all."""

    reference: Reference
    logins: tuple[Credentials, ...]

    def digest(self, name: str) -> str:
        """The digest behind a tag or digest, or "" when it is not there.

        Raises:
            ConfigError, UpstreamError: No login is accepted, or the registry does not answer.
        """
        return self._ask(lambda registry: registry.digest(name))

    def built(self, name: str) -> datetime | None:
        """When the image (of an index: its first platform) was built; None when it is not there or does not say.

        Raises:
            ConfigError, UpstreamError: As for `digest`.
        """
        return self._ask(lambda registry: _built(registry, name))

    def _ask(self, question: Callable[[Registry], _T]) -> _T:
        *first, last = self.logins
        for login in first:
            try:
                with Registry(self.reference, login) as registry:
                    return question(registry)
            except ConfigError:
                continue
        with Registry(self.reference, last) as registry:
            return question(registry)


def find_image(
    image: str, *, username: str, registry_token: Secret, token: Secret, server_url: str, env: Mapping[str, str]
) -> Published | None:
    """The image's repository, or None for a name without a registry's host, which may be a mere name.

    ``token`` belongs to the GitOps repository: it is shown to GitHub's own registries only, and only if it is GitHub's.
    """
    host, slash, _ = image.partition("/")
    if not slash or not (set(".:") & set(host) or host == "localhost"):
        return None
    try:
        reference = parse_reference(image)
    except ValueError:
        return None
    offered = registry_token or (token if token.reveal().startswith(_GITHUB_TOKENS) else Secret(""))
    name = username if registry_token else ""
    login = choose_credentials(reference.registry, username=name, token=offered, server_url=server_url, env=env)
    return Published(reference=reference, logins=(login, Credentials()) if login else (Credentials(),))


def verify(words: Words, published: Published | None, *, insist: bool) -> tuple[str, ...]:
    """Make sure that the digest is in the registry and the tag names it; return remarks.

    Args:
        words: Image, tag and digest.
        published: The image's repository.
        insist: Whether it is an error when nobody can tell (else a remark).

    Raises:
        ActionError: The digest is not there, or the tag names another one or nothing.
        ConfigError, UpstreamError: Nobody can tell, and ``insist``.
    """
    if published is None or not words.digest:
        if insist:
            fix = "Give image with its registry (ghcr.io/acme/shop) and digest, or set verify-digest to auto."
            raise ConfigError(Problem(input="verify-digest", value="true", what="needs image and digest", fix=fix))
        return ()
    try:
        there = published.digest(words.digest)
        named = published.digest(words.tag) if words.tag and there else ""
    except ActionError as error:
        if insist:
            raise
        said = error.message.splitlines()[0]
        return (f"The digest was not looked up in the registry ({said}); set verify-digest to true to insist.",)
    name = published.reference.name
    if not there:
        raise _refused(f"{name} has no {words.digest}", "Check image and digest; was the image pushed?")
    if words.tag and named != words.digest and DIGEST.fullmatch(words.digest):
        other = f"names {named}" if named else "is not there"
        hint = "Give the tag and the digest of one push (of the index, not of one platform), or leave the tag out."
        raise _refused(f"the tag {words.tag} of {name} {other}, not {words.digest}", hint)
    return ()


def _refused(what: str, hint: str) -> ActionError:
    return ActionError(
        f"Refused: {what}. Nothing was written.", hint=hint, title="The registry does not have this image"
    )


def _built(registry: Registry, name: str) -> datetime | None:
    if not registry.digest(name):
        return None
    document = json.loads(registry.manifest(name))
    for entry in document.get("manifests") or ():
        if entry.get("platform", {}).get("os") != "unknown":
            document = json.loads(registry.manifest(str(entry["digest"])))
            break
    config = str((document.get("config") or {}).get("digest", ""))
    if not DIGEST.fullmatch(config):
        return None
    with tempfile.TemporaryDirectory(prefix="cicd-actions-config-") as folder:
        path = Path(folder) / "config.json"
        registry.save_blob(config, path)
        created = json.loads(path.read_bytes()).get("created")
    try:
        found = datetime.fromisoformat(str(created))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo and found > _NO_DATE else None
