"""The client against a small registry in a thread: what is asked, what is believed, who is told the password."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_registry import Fake, fake_registry, serve
from tests.support.layouts import DEBIAN, INDEX, make_layout

from cicd_actions.errors import ConfigError, UpstreamError
from cicd_actions.oci.credentials import Credentials
from cicd_actions.oci.pull import pull
from cicd_actions.oci.reference import parse_reference
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.secrets import Secret


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fake_registry() as state:
        yield state


def client(fake: Fake, user: str = "", password: str = "") -> Registry:
    credentials = Credentials(username=user, password=Secret(password))
    return Registry(fake.reference(), credentials, actions="pull,push", sleep=lambda _: None)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_tag_has_the_digest_of_its_bytes(fake: Fake) -> None:
    fake.manifests["v1"] = b'{"x": 1}'
    with client(fake) as registry:
        assert registry.digest("v1") == digest(b'{"x": 1}')
        assert registry.digest("v2") == ""


def test_other_bytes_under_a_digest_are_refused(fake: Fake) -> None:
    wanted = digest(b"right")
    fake.manifests[wanted] = b"wrong"
    fake.blobs[wanted] = b"wrong"
    with client(fake) as registry:
        with pytest.raises(UpstreamError, match="when asked for"):
            registry.manifest(wanted)
        with pytest.raises(UpstreamError, match="does not match"):
            registry.save_blob(wanted, Path("/dev/null"))


def test_an_absent_manifest_is_an_error(fake: Fake) -> None:
    with client(fake) as registry, pytest.raises(UpstreamError, match="has no v1"):
        registry.manifest("v1")


def test_a_manifest_is_stored_under_a_tag(fake: Fake) -> None:
    with client(fake) as registry:
        registry.put_manifest("v1", b"{}", INDEX)
        assert registry.digest("v1") == digest(b"{}")


def test_basic_login_is_shown_only_after_the_challenge(fake: Fake) -> None:
    fake.challenge = 'Basic realm="r"'
    fake.accepts = "Basic " + base64.b64encode(b"me:pw").decode()
    with client(fake, "me", "pw") as registry:
        registry.check_access()
        assert registry.digest("v1") == ""
    assert [authorization for _, _, authorization in fake.requests] == ["", fake.accepts, fake.accepts]


def test_the_token_service_is_asked_for_this_repository(fake: Fake) -> None:
    fake.challenge = f'Bearer realm="http://{fake.address}/token",service="s",scope="repository:other:pull"'
    fake.accepts = "Bearer minted"
    with client(fake, "me", "pw") as registry:
        registry.check_access()
    _, path, authorization = fake.requests[1]
    assert "scope=repository%3Aacme%2Fapp%3Apull%2Cpush" in path
    assert "other" not in path
    assert authorization.startswith("Basic ")


def test_a_login_is_not_sent_in_the_clear_to_another_machine(fake: Fake) -> None:
    fake.challenge, fake.accepts = 'Bearer realm="http://example.com/token"', "never"
    with client(fake, "me", "pw") as registry, pytest.raises(UpstreamError, match="not encrypted"):
        registry.check_access()


@pytest.mark.parametrize("challenge", ['Basic realm="r"', "Strange x", ""])
def test_a_refused_login_is_a_matter_of_configuration(fake: Fake, challenge: str) -> None:
    fake.challenge, fake.accepts = challenge, "never"
    fake.statuses = [] if challenge else [401]
    with (
        client(fake, "me", "wrong") as registry,
        pytest.raises(ConfigError, match="does not accept the login") as error,
    ):
        registry.check_access()
    assert "packages: write" in error.value.hint
    assert "wrong" not in str(error.value)


def test_overload_is_waited_out(fake: Fake) -> None:
    fake.statuses = [429, 503]
    with client(fake) as registry:
        registry.check_access()
    assert len(fake.requests) == 3


def test_a_lasting_failure_is_told(fake: Fake) -> None:
    fake.statuses = [500] * 9
    with client(fake) as registry, pytest.raises(UpstreamError, match="HTTP 500"):
        registry.check_access()
    assert len(fake.requests) == 3


def test_nobody_there(fake: Fake) -> None:
    reference = parse_reference("127.0.0.1:1/acme/app")
    nobody = Registry(reference, Credentials(), sleep=lambda _: None)
    with nobody as registry, pytest.raises(UpstreamError, match="cannot be reached"):
        registry.check_access()


def test_an_image_is_fetched_whole(fake: Fake, tmp_path: Path) -> None:
    name = serve(
        fake, make_layout(tmp_path / "l", {"linux/amd64": DEBIAN, "linux/arm64": {"a": "b"}}, attestation=True)
    ).digest
    with client(fake) as registry:
        layout = pull(fake.reference(f"@{name}"), registry, tmp_path / "got")
    assert [child.platform for child in layout.children] == ["linux/amd64", "linux/arm64"]


def test_only_the_wanted_platform_is_fetched(fake: Fake, tmp_path: Path) -> None:
    name = serve(fake, make_layout(tmp_path / "l", {"linux/amd64": DEBIAN, "linux/arm64": {"a": "b"}})).digest
    with client(fake) as registry:
        layout = pull(fake.reference(f"@{name}"), registry, tmp_path / "got", platforms=["linux/arm64"])
        with pytest.raises(ConfigError, match="It has: linux/amd64, linux/arm64"):
            pull(fake.reference(f"@{name}"), registry, tmp_path / "none", platforms=["linux/s390x"])
    assert [child.platform for child in layout.children] == ["linux/arm64"]
    assert len([path for _, path, _ in fake.requests if "/blobs/" in path]) == 2
