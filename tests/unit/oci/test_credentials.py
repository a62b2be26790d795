from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from cicd_actions.oci.credentials import Credentials, choose_credentials, docker_config
from cicd_actions.runner.secrets import Secret

GITHUB = "https://github.com"


def choose(registry: str, token: str, env: dict[str, str] | None = None, server: str = GITHUB) -> Credentials:
    return choose_credentials(registry, username="me", token=Secret(token), server_url=server, env=env or {})


@pytest.mark.parametrize(
    ("registry", "token", "shown"),
    [
        ("ghcr.io", "ghs_x", True),
        ("127.0.0.1:5000", "ghs_x", True),
        ("docker.io", "ghs_x", False),
        ("ghcr.io.example.com", "ghs_x", False),
        ("registry.example.com", "github_pat_x", False),
        ("registry.example.com", "its-own-token", True),
    ],
)
def test_a_token_of_github_stays_with_github(registry: str, token: str, shown: bool) -> None:
    assert bool(choose(registry, token)) is shown


def test_an_enterprise_server_has_a_registry_of_its_own() -> None:
    assert choose("containers.ghe.example.com", "ghp_x", server="https://ghe.example.com")


def test_an_earlier_login_counts_when_there_is_no_token(tmp_path: Path) -> None:
    auth = base64.b64encode(b"robot:s3cret:with:colons").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": auth}}}))
    found = choose("registry.example.com", "", {"DOCKER_CONFIG": str(tmp_path)})
    assert (found.username, found.password.reveal()) == ("robot", "s3cret:with:colons")
    assert not choose("other.example.com", "", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "content", ["", "[]", '{"auths": []}', '{"auths": {"r.io": {"auth": "%%%"}}}', '{"auths": null}']
)
def test_a_garbled_configuration_is_no_login(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert not choose("r.io", "", {"DOCKER_CONFIG": str(tmp_path)})


def test_the_login_file_is_private_and_goes_away(tmp_path: Path) -> None:
    credentials = Credentials(username="me", password=Secret("s3cret"))
    with docker_config("ghcr.io", credentials, tmp_path) as folder:
        file = folder / "config.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        auth = json.loads(file.read_text())["auths"]["ghcr.io"]["auth"]
        assert base64.b64decode(auth) == b"me:s3cret"
    assert list(tmp_path.iterdir()) == []
    assert "s3cret" not in repr(credentials)
