"""build-and-push with the real engine, registry and scanner: what was scanned is published, and nothing else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command import Ran, run_command
from tests.support.fake_trivy import make_database, make_trivy
from tests.support.layouts import DEBIAN, python_package
from tests.support.real_parts import real_parts

from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.parts import Parts, fresh_registry

pytestmark = pytest.mark.engine

USER, PASSWORD = "octocat", "ghs_made-up-for-this-test"
FINE = python_package("requests", "2.32.3")
VULNERABLE = python_package("PyYAML", "5.3.1")
DOCKERFILE = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH/ /\n"
_ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    with real_parts() as parts:
        yield parts


class Shop:
    """An application in Git, a registry of its own, and the command."""

    def __init__(self, root: Path, parts: Parts, registry: str) -> None:
        self.root, self.registry = root, registry
        self.app = root / "app"
        self.image = f"{registry}/acme/shop"
        (root / "temp").mkdir()
        self.app.mkdir()
        self.env = {
            **parts.env,
            "CICD_ACTIONS_TRIVY": str(parts.trivy),
            "XDG_CACHE_HOME": str(root / "cache"),
            "GITHUB_WORKSPACE": str(self.app),
            "RUNNER_TEMP": str(root / "temp"),
            "GITHUB_REPOSITORY": "Acme/Shop",
            "GITHUB_ACTOR": USER,
            "GITHUB_REF": "refs/heads/main",
        }
        self.database = parts.trivy_db
        self.git("init", "-q", "-b", "main")
        self.commit({}, {})

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        argv = ["git", *identity, "-C", str(self.app), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, amd64: dict[str, str], arm64: dict[str, str], dockerfile: str = DOCKERFILE) -> None:
        files = {"Dockerfile": dockerfile}
        for platform, more in (("amd64", amd64), ("arm64", arm64)):
            files |= {f"{platform}/{name}": text for name, text in {**DEBIAN, **FINE, **more}.items()}
        for name, text in files.items():
            (self.app / name).parent.mkdir(parents=True, exist_ok=True)
            (self.app / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        self.env["GITHUB_SHA"] = self.git("rev-parse", "HEAD")

    def run(self, **inputs: str) -> Ran:
        given = {"image": self.image, "token": PASSWORD, "db-repository": self.database, **inputs}
        return run_command("build-and-push", self.env, **given)

    def get(self, path: str) -> bytes:
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Accept": _ACCEPT}
        request = urllib.request.Request(f"http://{self.registry}/v2/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
            content: bytes = response.read()
        return content

    def repositories(self) -> list[str]:
        names: list[str] = json.loads(self.get("_catalog"))["repositories"]
        return names

    def digest(self, tag: str) -> str:
        argv = ["skopeo", "inspect", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}", "--format", "{{.Digest}}"]
        argv += ["--override-os", "linux", f"docker://{self.image}:{tag}"]
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=self.env).stdout.strip()

    def leftovers(self) -> list[str]:
        return sorted(path.name.rsplit("-", 1)[0] for path in (self.root / "temp").iterdir())


@pytest.fixture
def shop(tmp_path: Path, parts: Parts) -> Iterator[Shop]:
    with fresh_registry(parts.registry, tmp_path / "registry", USER, Secret(PASSWORD), env=parts.env) as address:
        yield Shop(tmp_path, parts, address)


def test_what_was_scanned_is_published(shop: Shop) -> None:
    ran = shop.run()
    assert ran.code == 0, ran.said
    short = shop.env["GITHUB_SHA"][:12]
    assert ran.outputs["tags"].splitlines() == [f"sha-{short}", "main"]
    assert (ran.outputs["image"], ran.outputs["verdict"], ran.outputs["published"]) == (shop.image, "passed", "true")
    digest, platforms = ran.outputs["digest"], json.loads(ran.outputs["platforms"])
    assert [shop.digest("main"), shop.digest(f"sha-{short}")] == [digest, digest]
    index = json.loads(shop.get(f"acme/shop/manifests/{digest}"))
    assert {
        f"{m['platform']['os']}/{m['platform']['architecture']}": m["digest"] for m in index["manifests"]
    } == platforms
    assert set(platforms) == {"linux/amd64", "linux/arm64"}
    scanned = json.loads(Path(ran.outputs["scan-report"]).read_text())["platforms"]
    assert {one["platform"]: one["manifest"] for one in scanned} == platforms
    manifest = json.loads(shop.get(f"acme/shop/manifests/{platforms['linux/arm64']}"))
    config = json.loads(shop.get(f"acme/shop/blobs/{manifest['config']['digest']}"))
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == shop.env["GITHUB_SHA"]
    assert set(json.loads(ran.outputs["timings"])) == {"build", "scan", "publish"}
    assert json.loads(Path(ran.outputs["metadata"]).read_text())["containerimage.digest"] == digest
    assert PASSWORD not in ran.said
    assert shop.leftovers() == ["cicd-actions-build", "cicd-actions-report"]


def test_the_same_commit_again_is_a_success(shop: Shop) -> None:
    shop.env["GITHUB_REF"] = "refs/tags/v1.0.0"
    first, second = shop.run(), shop.run()
    assert (first.code, second.code) == (0, 0), second.said
    assert first.outputs["digest"] == second.outputs["digest"] == shop.digest("1.0.0")


def test_a_version_does_not_change_its_content(shop: Shop) -> None:
    shop.env["GITHUB_REF"] = "refs/tags/v1.0.0"
    first = shop.run()
    shop.commit({"new": "x"}, {"new": "x"})
    second = shop.run()
    assert second.code == 1
    assert "The version 1.0.0 is published already" in second.said
    assert shop.digest("1.0.0") == first.outputs["digest"]
    tags = json.loads(shop.get("acme/shop/tags/list"))["tags"]
    assert f"sha-{shop.env['GITHUB_SHA'][:12]}" not in tags


def test_a_vulnerable_package_on_one_platform_blocks_all(shop: Shop) -> None:
    shop.commit({}, VULNERABLE)
    ran = shop.run()
    assert (ran.code, ran.outputs["verdict"], ran.outputs["published"]) == (1, "findings", "false")
    assert "CVE-2020-14343 PyYAML 5.3.1 (fixed in 5.4; linux/arm64)" in ran.said
    assert shop.repositories() == []
    with pytest.raises(urllib.error.HTTPError):
        shop.get(f"acme/shop/manifests/{ran.outputs['digest']}")


@pytest.mark.parametrize("fault", ["exit-1", "crash", "silent", "wrong-image", "blind"])
def test_a_scanner_in_trouble_publishes_nothing(shop: Shop, fault: str) -> None:
    shop.env["CICD_ACTIONS_TRIVY"] = str(make_trivy(shop.root, fault))
    shop.env["CICD_ACTIONS_TRIVY_DB"] = str(make_database(shop.root / "database"))
    ran = shop.run()
    assert (ran.code, ran.outputs["verdict"]) == (3, "error"), ran.said
    assert shop.repositories() == []
    assert shop.leftovers() == []


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        ("FROM scratch\nCOPY nothing /\n", "/nothing"),
        ("FROM scratch\nFOO\n", "unknown instruction: FOO"),
        ("", "Dockerfile cannot be empty"),
    ],
)
def test_a_broken_dockerfile(shop: Shop, dockerfile: str, said: str) -> None:
    shop.commit({}, {}, dockerfile)
    ran = shop.run()
    assert ran.code == 1
    assert said in ran.said
    assert shop.repositories() == []
    assert shop.leftovers() == []


def test_a_registry_that_is_down(shop: Shop) -> None:
    ran = shop.run(image="127.0.0.1:1/acme/shop")
    assert ran.code == 3
    assert "cannot be reached" in ran.said


def test_a_wrong_password(shop: Shop) -> None:
    ran = shop.run(token="wrong-password")
    assert ran.code == 2
    assert "does not accept the login" in ran.said
    assert "wrong-password" not in ran.said
    assert shop.repositories() == []


def test_a_platform_that_nobody_can_build(shop: Shop) -> None:
    ran = shop.run(platforms="linux/amd64,plan9/amd64")
    assert ran.code == 2
    assert "plan9/amd64" in ran.said


def test_a_secret_reaches_the_build_and_nothing_else(shop: Shop) -> None:
    digest = hashlib.sha256(b"s3cret=x").hexdigest()
    check = f'test "$(sha256sum /run/secrets/key)" = "{digest}  /run/secrets/key"'
    dockerfile = f"FROM python:3.11-slim\nRUN --mount=type=secret,id=key {check}\n"
    shop.commit({}, {}, dockerfile)
    ran = shop.run(platforms="linux/amd64", secrets="key=s3cret=x", push="false", scan="false")
    assert ran.code == 0, ran.said
    layout = Path(ran.outputs["layout"])
    assert not [path for path in layout.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_unpublished_it_stays_in_the_layout_for_the_gate(shop: Shop) -> None:
    shop.commit({}, VULNERABLE)
    ran = shop.run(push="false", scan="false")
    assert (ran.code, ran.outputs["verdict"], ran.outputs["published"]) == (0, "skipped", "false")
    given = {"layout": ran.outputs["layout"], "db-repository": shop.database}
    gates = {p: run_command("trivy-gate", shop.env, platforms=p, **given) for p in ("linux/amd64", "linux/arm64")}
    assert {platform: gate.outputs["verdict"] for platform, gate in gates.items()} == {
        "linux/amd64": "passed",
        "linux/arm64": "findings",
    }


def test_provenance_goes_along(shop: Shop) -> None:
    ran = shop.run(provenance="true")
    assert ran.code == 0, ran.said
    index = json.loads(shop.get(f"acme/shop/manifests/{ran.outputs['digest']}"))
    assert len(index["manifests"]) == 4
    assert set(json.loads(ran.outputs["platforms"])) == {"linux/amd64", "linux/arm64"}


def test_a_builder_that_does_not_exist(shop: Shop) -> None:
    ran = shop.run(builder="nobody")
    assert ran.code == 2
    assert "there is no such builder" in ran.said


def test_no_engine(shop: Shop) -> None:
    shop.env["DOCKER_HOST"] = f"unix://{shop.root}/nobody.sock"
    ran = shop.run()
    assert ran.code == 2
    assert "No Docker engine answers" in ran.said
