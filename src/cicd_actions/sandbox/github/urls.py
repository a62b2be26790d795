"""The addresses that answers carry, and the ids that go with them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True)
class Urls:
    """Addresses below the server's root, in the manner of GitHub Enterprise Server."""

    root: str

    @property
    def api(self) -> str:
        """Root of the REST API."""
        return f"{self.root}/api/v3"

    @property
    def graphql(self) -> str:
        """The GraphQL endpoint."""
        return f"{self.root}/api/graphql"

    def rest(self, repository: str, *parts: object) -> str:
        """A REST address of a repository."""
        return "/".join([f"{self.api}/repos/{repository}", *(quote(str(p)) for p in parts)])

    def html(self, repository: str, *parts: object) -> str:
        """A page of a repository."""
        return "/".join([f"{self.root}/{repository}", *(quote(str(p)) for p in parts)])

    def git(self, repository: str) -> str:
        """The address to clone from."""
        return f"{self.root}/{repository}.git"


def node_id(kind: str, number: object) -> str:
    """An opaque id in the look of GitHub's."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()
