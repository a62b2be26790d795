"""What a handler gives back, and the refusals in GitHub's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DOCUMENTATION = "https://docs.github.com/rest"
JSON_MEDIA = "application/json; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer: ``body`` becomes JSON unless ``raw`` bytes are given; both None is an empty answer."""

    status: int = 200
    body: object = None
    raw: bytes | None = None
    media: str = JSON_MEDIA
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that GitHub would not carry out; becomes an error answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[object] = (),
        documentation_url: str = DOCUMENTATION,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.documentation_url = documentation_url

    def answer(self) -> Answer:
        """The error in the form of GitHub's REST API."""
        body: dict[str, object] = {"message": self.message}
        if self.errors:
            body["errors"] = list(self.errors)
        body["documentation_url"] = self.documentation_url
        body["status"] = str(self.status)
        return Answer(status=self.status, body=body)


def not_found() -> RefusedError:
    """Nothing there, or nothing that this token may see."""
    return RefusedError(404, "Not Found")


def invalid(message: str) -> RefusedError:
    """A 422 with a plain message."""
    return RefusedError(422, message)


def validation_failed(resource: str, name: str, code: str, message: str = "") -> RefusedError:
    """A 422 with GitHub's list of errors: code is missing, missing_field, invalid, already_exists or custom."""
    error = {"resource": resource, "field": name, "code": code}
    if message:
        error["message"] = message
    return RefusedError(422, "Validation Failed", errors=(error,))
