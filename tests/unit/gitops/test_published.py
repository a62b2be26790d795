"""The image in the registry: there or not, named by the tag or not, built when; and who is told which login."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.support.fake_registry import Fake, fake_registry

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.gitops.published import Published, find_image, verify
from cicd_actions.gitops.request import Words
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.secrets import Secret


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(Registry.__init__, "__kwdefaults__", {"actions": "pull", "sleep": lambda _: None})


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fake_registry() as state:
        yield state


def put(fake: Fake, document: object, *names: str) -> str:
    content = json.dumps(document).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    for name in (digest, *names):
        fake.manifests[name] = content
        fake.blobs[name] = content
    return digest


def image_of(fake: Fake, *, token: str = "", registry_token: str = "") -> Published:
    found = find_image(
        f"{fake.address}/acme/app",
        username="bob",
        registry_token=Secret(registry_token),
        token=Secret(token),
        server_url="https://github.com",
        env={},
    )
    assert found is not None
    return found


def words(fake: Fake, *, tag: str, digest: str) -> Words:
    return Words(image=f"{fake.address}/acme/app", tag=tag, digest=digest, sha="")


@pytest.mark.parametrize("insist", [True, False])
def test_verify(fake: Fake, insist: bool) -> None:
    published = image_of(fake)
    digest = put(fake, {"a": 1}, "1.4.0")
    other = put(fake, {"b": 1}, "1.3.9")
    assert verify(words(fake, tag="1.4.0", digest=digest), published, insist=insist) == ()
    assert verify(words(fake, tag="", digest=other), published, insist=insist) == ()
    for tag, wanted, said in (
        ("1.4.0", "sha256:" + "0" * 64, "has no sha256:000"),
        ("1.3.9", digest, f"names {other}"),
        ("2.0.0", digest, "is not there"),
    ):
        with pytest.raises(ActionError, match=said) as error:
            verify(words(fake, tag=tag, digest=wanted), published, insist=insist)
        assert error.value.exit_code == 1


def test_nobody_can_tell(fake: Fake) -> None:
    published = image_of(fake)
    wanted = words(fake, tag="", digest="sha256:" + "0" * 64)
    fake.challenge, fake.accepts = 'Basic realm="r"', "nothing"
    (remark,) = verify(wanted, published, insist=False)
    assert "was not looked up" in remark
    with pytest.raises(ConfigError):
        verify(wanted, published, insist=True)
    fake.challenge = ""
    fake.statuses = [503] * 3
    with pytest.raises(UpstreamError):
        verify(wanted, published, insist=True)
    with pytest.raises(ConfigError, match="needs image and digest"):
        verify(wanted, None, insist=True)
    assert verify(wanted, None, insist=False) == ()


def test_a_login_that_is_refused_is_followed_by_none(fake: Fake) -> None:
    """A token without the right to read packages must not hide a public image."""
    digest = put(fake, {"a": 1})
    asked: list[str] = []
    original = fake.answer

    def answer(method: str, path: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
        asked.append(authorization)
        if path.startswith("/token"):
            return (403, b"", {}) if authorization else (200, b'{"token": "t"}', {})
        if authorization != "Bearer t":
            return 401, b"", {"WWW-Authenticate": f'Bearer realm="http://{fake.address}/token"'}
        return original(method, path, authorization)

    fake.answer = answer  # type: ignore[method-assign]
    assert image_of(fake, token="ghs_x").digest(digest) == digest
    assert any(row.startswith("Basic") for row in asked)


def test_the_token_of_another_host_is_not_shown(fake: Fake) -> None:
    assert [bool(login) for login in image_of(fake, token="glpat-x").logins] == [False]
    first, last = image_of(fake, token="glpat-x", registry_token="r").logins
    assert (first.username, first.password.reveal(), bool(last)) == ("bob", "r", False)
    basic = base64.b64encode(b"bob:r").decode()
    fake.challenge, fake.accepts = 'Basic realm="r"', f"Basic {basic}"
    digest = put(fake, {"a": 1})
    assert image_of(fake, registry_token="r").digest(digest) == digest
    assert all("glpat" not in row for request in fake.requests for row in request)


@pytest.mark.parametrize("image", ["", "shop", "acme/shop", "ghcr.io/a/b@x"])
def test_a_mere_name_is_no_registry(image: str) -> None:
    found = find_image(
        image, username="", registry_token=Secret(), token=Secret(), server_url="https://github.com", env={}
    )
    assert found is None


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_built(fake: Fake, created: str | None, expected: datetime | None) -> None:
    config = put(fake, {"created": created})
    manifest = put(fake, {"config": {"digest": config}}, "single")
    rows = [
        {"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": manifest, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    put(fake, {"manifests": rows}, "index")
    published = image_of(fake)
    assert published.built("single") == expected
    assert published.built("index") == expected
    assert published.built("nothing") is None
