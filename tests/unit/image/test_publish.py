"""Publishing with a copier that fails on demand: the image lands whole and once, or no tag is set."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_registry import Fake, fake_registry, serve
from tests.support.layouts import DEBIAN, make_layout

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.image.publish import Copier, Published, find_copier, publish
from cicd_actions.image.tags import Rule, Tag
from cicd_actions.oci.credentials import Credentials
from cicd_actions.oci.layout import Layout
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.secrets import Secret

# fails as often as there are lines in the file of failures, then sends the index under the tag
_SKOPEO = """#!{python} -I
import json, pathlib, sys, urllib.request
state = pathlib.Path({state!r})
with open(state / "calls", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
failures = (state / "failures").read_text().splitlines()
(state / "failures").write_text("\\n".join(failures[1:]))
if failures:
    sys.exit(failures[0])
layout, target = sys.argv[-2].removeprefix("oci:"), sys.argv[-1].removeprefix("docker://")
host, _, rest = target.partition("/")
name, _, tag = rest.rpartition(":")
descriptor = json.loads(pathlib.Path(layout, "index.json").read_text())["manifests"][0]
content = pathlib.Path(layout, "blobs", "sha256", descriptor["digest"].split(":")[1]).read_bytes()
request = urllib.request.Request(f"http://{{host}}/v2/{{name}}/manifests/{{tag}}", data=content, method="PUT")
urllib.request.urlopen(request).close()
"""
TAGS = (Tag(name="1.0.0", rule=Rule(name="semver"), immutable=True), Tag(name="main", rule=Rule(name="branch")))


class Bench:
    """A layout whose content is in the registry already, under its digests only, and a copier."""

    def __init__(self, root: Path, fake: Fake) -> None:
        self.root, self.fake = root, fake
        self.layout: Layout = serve(
            fake, make_layout(root / "layout", {"linux/amd64": DEBIAN, "linux/arm64": {"a": "b"}})
        )
        self.waits: list[float] = []
        (root / "temp").mkdir()
        self.copier = root / "skopeo"
        self.copier.write_text(_SKOPEO.format(python=sys.executable, state=str(root)))
        self.copier.chmod(0o755)

    def publish(self, *failures: str) -> Published:
        (self.root / "failures").write_text("\n".join(failures))
        credentials = Credentials(username="me", password=Secret("pass-word"))
        with Registry(self.fake.reference(), credentials, sleep=self.waits.append) as registry:
            return publish(
                self.layout,
                self.fake.reference(),
                TAGS,
                copier=Copier(name="skopeo", path=str(self.copier)),
                registry=registry,
                credentials=credentials,
                temp=self.root / "temp",
                env={"PATH": "/usr/bin:/bin", "GITHUB_TOKEN": "pass-word"},
                sleep=self.waits.append,
            )

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def tagged(self) -> set[str]:
        return {name for name in self.fake.manifests if not name.startswith("sha256:")}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with fake_registry() as fake:
        yield Bench(tmp_path, fake)


def test_every_tag_gets_the_very_bytes(bench: Bench) -> None:
    published = bench.publish()
    assert (published.tags, dict(published.moved)) == (("1.0.0", "main"), {})
    index = bench.layout.document(bench.layout.digest)
    assert [bench.fake.manifests["1.0.0"], bench.fake.manifests["main"]] == [index, index]
    assert "pass-word" not in bench.calls[0]
    assert list((bench.root / "temp").iterdir()) == []


def test_what_is_transient_is_tried_again(bench: Bench) -> None:
    bench.publish("received unexpected HTTP status: 503 Service Unavailable", "read: connection reset by peer")
    assert len(bench.calls) == 3
    assert bench.waits == [2.0, 4.0]


def test_what_lasts_is_told(bench: Bench) -> None:
    with pytest.raises(UpstreamError, match=r"attempt 4 of 4.*429"):
        bench.publish(*["toomanyrequests: 429"] * 9)
    assert bench.tagged == set()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [("no space left on device", UpstreamError), ("denied: permission_denied: write_package", ConfigError)],
)
def test_what_does_not_pass_is_not_tried_again(bench: Bench, failure: str, kind: type[ActionError]) -> None:
    with pytest.raises(kind, match=failure):
        bench.publish(failure)
    assert len(bench.calls) == 1
    assert bench.tagged == set()


def test_a_moving_tag_moves_and_that_is_told(bench: Bench) -> None:
    bench.fake.manifests["main"] = b"{}"
    assert list(bench.publish().moved) == ["main"]


def test_a_version_stays(bench: Bench) -> None:
    bench.fake.manifests["1.0.0"] = b"{}"
    with pytest.raises(ActionError, match="published already") as error:
        bench.publish()
    assert error.value.exit_code == 1
    assert bench.calls == []
    assert bench.tagged == {"1.0.0"}


def test_nothing_is_sent_twice(bench: Bench) -> None:
    bench.publish()
    bench.publish()
    assert len(bench.calls) == 1


@pytest.mark.parametrize("what", ["manifest", "blob"])
def test_a_registry_that_lost_a_part_is_noticed(bench: Bench, what: str) -> None:
    if what == "blob":
        del bench.fake.blobs[bench.layout.blobs[0]]
    else:
        del bench.fake.manifests[bench.layout.children[1].digest]
    with pytest.raises(UpstreamError, match="has no"):
        bench.publish()
    assert "main" not in bench.tagged


def test_other_bytes_in_the_registry_are_noticed(bench: Bench) -> None:
    bench.fake.manifests[bench.layout.children[0].digest] = b"{}"
    with pytest.raises(UpstreamError, match="when asked for"):
        bench.publish()


def test_which_copier(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    for version, found in (("v0.32.1", False), ("v0.33.0", True)):
        docker.write_text(f"#!/bin/sh\necho github.com/docker/buildx {version} abc\n")
        docker.chmod(0o755)
        if found:
            assert find_copier({"PATH": str(tmp_path)}).name == "docker"
        else:
            with pytest.raises(ConfigError, match="Neither skopeo nor a buildx"):
                find_copier({"PATH": str(tmp_path)})
    (tmp_path / "skopeo").write_text("#!/bin/sh\n")
    (tmp_path / "skopeo").chmod(0o755)
    assert find_copier({"PATH": str(tmp_path)}).name == "skopeo"
