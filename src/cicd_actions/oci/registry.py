"""A small registry client: look, check, tag, fetch a layout; pushing blobs is left to the tools made for it.

Contract: OCI Distribution 1.1 (manifests, blobs), and the bearer-token flow of the CNCF distribution project.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

from cicd_actions.errors import ConfigError, UpstreamError
from cicd_actions.oci.credentials import Credentials
from cicd_actions.oci.layout import INDEX_TYPES, MANIFEST_TYPES
from cicd_actions.oci.reference import Reference, is_loopback

if TYPE_CHECKING:
    import httpx

_ACCEPT = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_MAX_MANIFEST = 4 * 1024 * 1024
_TRIES = 3
_TRANSIENT = (408, 429, 500, 502, 503, 504)


class Registry:
    """One repository in one registry.

    Args:
        reference: The repository; tag and digest are ignored.
        credentials: Shown only after the registry asked, and only over TLS or to this machine.
        actions: What is asked of a token service: ``pull`` or ``pull,push``.
        sleep: Waits between two tries.
    """

    def __init__(
        self,
        reference: Reference,
        credentials: Credentials,
        *,
        actions: str = "pull",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx

        self._reference = reference
        self._credentials = credentials
        self._scope = f"repository:{reference.repository}:{actions}"
        scheme = "http" if reference.is_loopback else "https"
        host = "registry-1.docker.io" if reference.registry == "docker.io" else reference.registry
        self._origin = f"{scheme}://{host}"
        self._base = f"{self._origin}/v2/{reference.repository}"
        self._authorization = ""
        self._sleep = sleep
        # a proxy must not see what goes to this machine
        self._http = httpx.Client(
            timeout=httpx.Timeout(30, connect=10),
            trust_env=not reference.is_loopback,
            follow_redirects=True,  # httpx leaves the login behind when the host changes
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check_access(self) -> None:
        """Make sure that the registry answers and knows us.

        Raises:
            UpstreamError: It cannot be reached.
            ConfigError: It does not accept the login.
        """
        response = self._send("GET", f"{self._origin}/v2/")
        self._refuse_errors(response)

    def digest(self, name: str) -> str:
        """Return the digest that a tag (or digest) has in the registry, or "" when it is not there."""
        content = self._manifest(name)
        return "" if content is None else f"sha256:{hashlib.sha256(content).hexdigest()}"

    def manifest(self, name: str) -> bytes:
        """Return a manifest or index; asked for by digest, its bytes are checked against it.

        Raises:
            UpstreamError: It is not there, or not what was asked for.
        """
        content = self._manifest(name)
        if content is None:
            raise UpstreamError(
                f"{self._reference.name} has no {name}.",
                hint="Check the image's name and that it was pushed.",
            )
        actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if name.startswith("sha256:") and actual != name:
            raise UpstreamError(f"The registry answered {actual} when asked for {name}.")
        return content

    def put_manifest(self, name: str, content: bytes, media_type: str) -> None:
        """Store a manifest or index under a tag; what it refers to must be there already."""
        headers = {"Content-Type": media_type}
        response = self._send("PUT", f"{self._base}/manifests/{name}", headers=headers, body=content)
        self._refuse_errors(response)

    def has_blob(self, digest: str) -> bool:
        """True when the registry serves the blob."""
        response = self._send("HEAD", f"{self._base}/blobs/{digest}")
        if response.status_code == 404:
            return False
        self._refuse_errors(response)
        return True

    def save_blob(self, digest: str, target: Path) -> None:
        """Fetch a blob into a file, hashing it on the way.

        Raises:
            UpstreamError: It is not there or does not match its digest.
        """
        algorithm = hashlib.sha256()
        with self._stream(f"{self._base}/blobs/{digest}") as response, target.open("wb") as file:
            self._refuse_errors(response)
            for chunk in response.iter_bytes(1 << 20):
                algorithm.update(chunk)
                file.write(chunk)
        if f"sha256:{algorithm.hexdigest()}" != digest:
            raise UpstreamError(f"The registry served a blob that does not match {digest}.")

    def _manifest(self, name: str) -> bytes | None:
        url = f"{self._base}/manifests/{name}"
        response = self._send("GET", url, headers={"Accept": _ACCEPT})
        if response.status_code == 404:
            return None
        self._refuse_errors(response)
        if len(response.content) > _MAX_MANIFEST:
            raise UpstreamError(f"{self._reference.name} served a manifest larger than any manifest is.")
        return response.content

    @contextmanager
    def _stream(self, url: str) -> Iterator[httpx.Response]:
        import httpx

        try:
            with self._http.stream("GET", url, headers=self._headers({})) as response:
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        """Send a request; answer one challenge; repeat what is transient."""
        import httpx

        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._http.request(method, url, headers=self._headers(headers or {}), content=body or None)
            except httpx.HTTPError as error:
                if attempt >= _TRIES:
                    raise self._unreachable(error) from error
                self._sleep(0.5 * 2**attempt)
                continue
            if response.status_code == 401 and not self._authorization and self._authorize(response):
                continue
            if response.status_code not in _TRANSIENT or attempt >= _TRIES:
                return response
            self._sleep(0.5 * 2**attempt)

    def _headers(self, extra: Mapping[str, str]) -> dict[str, str]:
        headers = dict(extra)
        if self._authorization:
            headers["Authorization"] = self._authorization
        return headers

    def _authorize(self, response: httpx.Response) -> bool:
        """Take up the registry's challenge; False when there is nothing that we could answer."""
        scheme, _, rest = response.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic" and self._credentials:
            self._authorization = self._basic()
        elif scheme.lower() == "bearer":
            parameters = dict(_CHALLENGE.findall(rest))
            self._authorization = self._bearer(parameters)
        return bool(self._authorization)

    def _basic(self) -> str:
        import httpx

        auth = httpx.BasicAuth(self._credentials.username, self._credentials.password.reveal())
        request = httpx.Request("GET", self._origin)
        return next(auth.auth_flow(request)).headers["Authorization"]

    def _bearer(self, parameters: Mapping[str, str]) -> str:
        import httpx

        realm = urljoin(self._origin, parameters.get("realm", ""))
        place = urlsplit(realm)
        if place.scheme != "https" and not is_loopback(place.netloc):
            raise UpstreamError(f"The registry sends its logins to {realm}, which is not encrypted.")
        # not the challenge's own scope: GHCR names a made-up repository in the one for /v2/
        query = {"scope": self._scope}
        if parameters.get("service"):
            query["service"] = parameters["service"]
        headers = {"Authorization": self._basic()} if self._credentials else {}
        try:
            response = self._http.get(realm, params=query, headers=headers)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        self._refuse_errors(response)
        try:
            document = response.json()
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str):
            raise UpstreamError(f"The token service of {self._reference.registry} gave no token.")
        return f"Bearer {token}"

    def _refuse_errors(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403):
            raise ConfigError(
                f"{self._reference.registry} does not accept the login for {self._reference.repository}"
                f" (HTTP {response.status_code}).",
                hint="For GHCR give the job `permissions: packages: write` and let the repository write the"
                " package; for another registry set `username` and `token`, or log in with a step before.",
            )
        if response.status_code >= 400:
            raise UpstreamError(
                f"{self._reference.registry} answered HTTP {response.status_code}"
                f" to {response.request.method} {response.request.url.path}.",
                hint="Run it again; if it stays, look at the registry's own status.",
            )

    def _unreachable(self, error: Exception) -> UpstreamError:
        return UpstreamError(
            f"The registry {self._reference.registry} cannot be reached: {error or type(error).__name__}.",
            hint="Check the image's name, the network and the registry's own status.",
        )
