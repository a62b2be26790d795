from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.image.build import (
    _failure,
    build_command,
    build_environment,
    cache_source,
    cache_target,
    failing_step,
)
from cicd_actions.image.builder import Builder, parse_inspect
from cicd_actions.image.publish import is_transient, supports_layouts
from cicd_actions.image.settings import BuildSettings
from cicd_actions.runner.secrets import Secret


def settings(**changes: Any) -> BuildSettings:
    facts: dict[str, Any] = {
        "context": Path("/w"),
        "file": Path("/w/Dockerfile"),
        "platforms": ("linux/amd64", "linux/arm64"),
        "labels": {},
        "arguments": {},
        "secrets": {},
        "target": "",
        "builder": "",
        "caches": (),
        "sbom": False,
        "provenance": False,
    }
    return BuildSettings(**{**facts, **changes})


def command(*, write_cache: bool = True, **changes: Any) -> list[str]:
    return build_command(
        settings(**changes),
        builder=Builder(name="b", driver="docker", platforms=()),
        labels={"l": "v w"},
        layout=Path("/t/layout"),
        metadata=Path("/t/m.json"),
        secrets={name: Path(f"/t/s/{name}") for name in changes.get("secrets", {})},
        write_cache=write_cache,
    )


def test_one_build_for_all_platforms_into_a_layout() -> None:
    words = command(target="run", arguments={"A": "1 2"})
    assert words[words.index("--platform") + 1] == "linux/amd64,linux/arm64"
    assert words[words.index("--output") + 1] == "type=oci,tar=false,dest=/t/layout"
    assert words[words.index("--label") + 1] == "l=v w"
    assert words[words.index("--build-arg") + 1] == "A=1 2"
    assert words[words.index("--target") + 1] == "run"
    assert {"--provenance=false", "--sbom=false"} <= set(words)
    assert words[-1] == "/w"


def test_a_secret_is_named_by_its_file() -> None:
    words = command(secrets={"key": Secret("s3cret")})
    assert "s3cret" not in " ".join(words)
    assert words[words.index("--secret") + 1] == "id=key,src=/t/s/key"


def test_caches() -> None:
    words = command(caches=("type=gha,scope=x",), write_cache=False)
    assert words[words.index("--cache-from") + 1] == "type=gha,scope=x"
    assert "--cache-to" not in words
    assert cache_target("type=gha,mode=max") == "type=gha,mode=max,ignore-error=true"
    assert cache_target("type=local,path=/c") == "type=local,dest=/c,ignore-error=true"
    assert cache_target("type=gha,ignore-error=false") == "type=gha,ignore-error=false"
    assert cache_source("type=local,path=/c,mode=max") == "type=local,src=/c"


def test_the_build_gets_no_token_of_the_job() -> None:
    env = {
        "PATH": "/bin",
        "INPUT_TOKEN": "t",
        "INPUT_DB-REPOSITORY": "x",
        "GITHUB_TOKEN": "t",
        "GH_TOKEN": "t",
        "HOME": "/h",
    }
    kept = build_environment(env, epoch=datetime(2025, 1, 1, tzinfo=UTC))
    assert "t" not in kept.values()
    assert (kept["HOME"], kept["SOURCE_DATE_EPOCH"]) == ("/h", "1735689600")
    assert "SOURCE_DATE_EPOCH" not in build_environment(env, epoch=None)


OUTPUT = """#0 building with "default" instance using docker driver

#5 [1/2] FROM docker.io/library/python
#5 DONE 0.0s
#7 ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1
------
 > [linux/arm64 2/2] RUN false:
0.123 the reason
------
Dockerfile:2
--------------------
   2 | >>> RUN false
--------------------
ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1
"""


def test_the_failing_step_is_shown() -> None:
    said = failing_step(OUTPUT)
    assert said.startswith("------\n > [linux/arm64 2/2] RUN false:")
    assert "the reason" in said
    assert "#5 DONE" not in said
    assert len(failing_step("\n".join(f"line {n}" for n in range(500))).splitlines()) == 40
    assert failing_step("#1 [internal] load\n#1 DONE\nERROR: dockerfile parse error on line 2") == (
        "ERROR: dockerfile parse error on line 2"
    )


@pytest.mark.parametrize(
    ("last", "kind", "code"),
    [
        (
            'failed to solve: process "/bin/sh -c pip install" did not complete successfully: exit code: 1',
            ActionError,
            1,
        ),
        ('failed to solve: process "x connection refused" did not complete successfully: exit code: 1', ActionError, 1),
        ("failed to solve: dockerfile parse error on line 2: unknown instruction: FOO", ActionError, 1),
        ('failed to do request: Head "https://r/v2/": dial tcp: lookup r: no such host', UpstreamError, 3),
        ("toomanyrequests: You have reached your pull rate limit", UpstreamError, 3),
        ("unexpected status from GET request: 503 Service Unavailable", UpstreamError, 3),
        ("Attestation is not supported for the docker driver", ConfigError, 2),
        ("OCI exporter is not supported for the docker driver", ConfigError, 2),
        ('failed to solve: target stage "x" could not be found', ConfigError, 2),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", ConfigError, 2),
    ],
)
def test_whose_fault_a_failed_build_is(last: str, kind: type[ActionError], code: int) -> None:
    error = _failure(f"#1 x\nERROR: {last}\n", settings())
    assert (type(error), error.exit_code) == (kind, code)
    assert last.split(":")[-1].strip() in str(error)


INSPECT = """Name:   default
Driver: docker

Nodes:
Name:             node0
Endpoint:         default
Status:           running
Platforms:        linux/amd64*, linux/amd64/v2, linux/arm64
"""


def test_a_builder_is_read() -> None:
    builder = parse_inspect(INSPECT)
    assert (builder.name, builder.driver) == ("default", "docker")
    assert builder.platforms == ("linux/amd64", "linux/amd64/v2", "linux/arm64")
    assert parse_inspect("").platforms == ()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("received unexpected HTTP status: 503 Service Unavailable", True),
        ("received unexpected HTTP status: 500 Internal Server Error", True),
        ("toomanyrequests: 429 Too Many Requests", True),
        ("read: connection reset by peer", True),
        ("dial tcp 127.0.0.1:1: connect: connection refused", True),
        ("net/http: TLS handshake timeout", True),
        ("unexpected EOF", True),
        ("blob unknown to registry", True),
        ("unauthorized: authentication required", False),
        ("denied: permission_denied: write_package", False),
        ("invalid status code from registry 403 (Forbidden)", False),
        ("manifest invalid: manifest invalid", False),
        ("no space left on device", False),
    ],
)
def test_what_is_worth_another_try(message: str, expected: bool) -> None:
    assert is_transient(message) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3", False),
        ("github.com/docker/buildx v0.32.1 abc", False),
        ("github.com/docker/buildx v0.33.0 abc", True),
        ("github.com/docker/buildx v1.0.0 abc", True),
        ("nonsense", False),
    ],
)
def test_which_buildx_copies_layouts(version: str, expected: bool) -> None:
    assert supports_layouts(version) is expected
