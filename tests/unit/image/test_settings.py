from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.image.action import make_plan, report, run
from cicd_actions.image.settings import INPUTS, OUTPUTS, Settings, load
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Inputs

SHA = "0123456789abcdef0123456789abcdef01234567"
ENV = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "Acme/Shop",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": SHA,
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


def context(root: Path, **env: str) -> RunContext:
    return RunContext.from_env({**ENV, **env}, cwd=root, temp=root)


def read(root: Path, **values: str) -> Settings:
    return load(Inputs(INPUTS, {name.replace("_", "-"): value for name, value in values.items()}), context(root))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def test_defaults(root: Path) -> None:
    settings = read(root)
    assert settings.image.name == "ghcr.io/acme/shop"
    assert settings.build.platforms == ("linux/amd64", "linux/arm64")
    assert [str(rule) for rule in settings.rules] == ["semver", "sha", "branch"]
    assert (settings.push, settings.username, settings.build.file.name) == (True, "octocat", "Dockerfile")
    assert settings.scan is not None
    assert settings.scan.policy.severities == ("CRITICAL", "HIGH")


def test_an_enterprise_server_has_its_own_registry(root: Path) -> None:
    settings = load(Inputs(INPUTS, {}), context(root, GITHUB_SERVER_URL="https://ghe.example.com"))
    assert settings.image.name == "containers.ghe.example.com/acme/shop"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"context": "nowhere"}, "no such folder"),
        ({"context": "../.."}, "leaves the workspace"),
        ({"file": "Other"}, "there is no Other"),
        ({"image": "ghcr.io/a/b:tag"}, "neither tag nor digest"),
        ({"image": "ghcr.io/a b"}, "not the name of an image"),
        ({"platforms": "linux/amd64,linux"}, "'linux' is not a platform"),
        ({"tag_rules": "tag"}, "'tag' is not a rule"),
        ({"labels": "novalue"}, "line 1 is not NAME=VALUE"),
        ({"build_args": "A=1\nA=2"}, "line 2 gives a name for the second time"),
        ({"build_args": "1A=x"}, "line 1 is not NAME=VALUE"),
        ({"target": "--push"}, "target: is not a name"),
        ({"builder": "-x"}, "builder: is not a name"),
        ({"cache": "type=s3"}, "no known type"),
        ({"cache": "type=registry"}, "names no image"),
        ({"cache": "type=local,path=/etc"}, "no folder of this job"),
        ({"push": "perhaps"}, "'perhaps' is not allowed"),
        ({"severity": "bad"}, "'bad' is not allowed"),
        ({"baseline": "x"}, "not available in this version"),
    ],
)
def test_wrong_inputs(root: Path, values: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(root, **values)


def test_no_dockerfile(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no Dockerfile in .*Add one, or name it in `file`"):
        read(tmp_path)


def test_every_problem_at_once(root: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(root, platforms="x", tag_rules="y", image="Z Z", severity="w")
    assert [str(problem).split(":")[0] for problem in error.value.problems] == [
        "severity", "tag-rules", "platforms", "image",
    ]  # fmt: skip


def test_a_bad_line_of_secrets_is_not_shown(root: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(root, secrets="s3cret-without-name")
    assert "s3cret" not in str(error.value)


def test_a_name_with_capitals_is_lower_cased_and_told(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="cicd_actions.image")
    assert read(root, image="ghcr.io/Acme/App").image.name == "ghcr.io/acme/app"
    assert "lower-cased" in caplog.text


def test_no_rule_that_gives_a_tag(root: Path) -> None:
    with pytest.raises(ConfigError, match="no rule gives a tag for the ref 'refs/heads/main'"):
        make_plan(read(root, tag_rules="semver"), context(root))


def test_labels_tell_where_the_image_is_from(root: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    env = {"GIT_COMMITTER_DATE": "2025-01-31T12:00:00Z", "PATH": ENV["PATH"]}
    subprocess.run([*git, "commit", "-qm", "x"], check=True, env=env)
    plan = make_plan(read(root, labels="team=web\norg.opencontainers.image.version=mine"), context(root))
    assert dict(plan.labels) == {
        "org.opencontainers.image.source": "https://github.com/Acme/Shop",
        "org.opencontainers.image.revision": SHA,
        "org.opencontainers.image.created": "2025-01-31T12:00:00Z",
        "org.opencontainers.image.version": "mine",
        "team": "web",
    }


def test_a_dry_run_does_nothing_and_tells_the_plan(root: Path) -> None:
    before = sorted(root.iterdir())
    written = report(run(read(root, dry_run="true", image="127.0.0.1:1/app"), context(root)))
    assert set(written.outputs) == {output.name for output in OUTPUTS}
    assert (written.exit_code, written.outputs["published"], written.outputs["tag"]) == (0, "false", "sha-0123456789ab")
    assert "would build" in written.text
    assert sorted(root.iterdir()) == before
