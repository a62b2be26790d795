"""trivy-gate with the real scanner and a small real database: every way in which it looks green and is not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command import Ran, run_command
from tests.support.layouts import DEBIAN, make_layout, python_package
from tests.support.real_parts import real_parts

from cicd_actions.sandbox.parts import Parts

pytestmark = pytest.mark.engine

FINE = {**DEBIAN, **python_package("requests", "2.32.3")}
VULNERABLE = {**DEBIAN, **python_package("PyYAML", "5.3.1")}


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    with real_parts() as parts:
        yield parts


class Gate:
    """A workspace and the command; the database comes from the registry."""

    def __init__(self, root: Path, parts: Parts) -> None:
        self.work = root / "work"
        self.work.mkdir()
        (root / "temp").mkdir()
        self.database = parts.trivy_db
        self.env = {
            "PATH": parts.env["PATH"],
            "CICD_ACTIONS_TRIVY": str(parts.trivy),
            "XDG_CACHE_HOME": str(root / "cache"),
            "GITHUB_WORKSPACE": str(self.work),
            "RUNNER_TEMP": str(root / "temp"),
        }

    def run(self, **inputs: str) -> Ran:
        return run_command("trivy-gate", self.env, **{"db-repository": self.database, **inputs})

    def layout(self, **images: dict[str, str]) -> str:
        make_layout(self.work / "layout", {f"linux/{name}": files for name, files in images.items()}, attestation=True)
        return "layout"

    def own_database(self) -> Path:
        """Fetch the database once and return a copy to damage."""
        self.run(layout=self.layout(amd64=FINE))
        (kept,) = (self.work.parent / "cache" / "cicd-actions-trivy-db").iterdir()
        self.env["CICD_ACTIONS_TRIVY_DB"] = str(kept)
        return kept / "db" / "trivy.db"


@pytest.fixture
def gate(tmp_path: Path, parts: Parts) -> Gate:
    return Gate(tmp_path, parts)


def test_one_vulnerable_platform_is_found_whichever_it_is(gate: Gate) -> None:
    ran = gate.run(layout=gate.layout(amd64=FINE, arm64=VULNERABLE))
    assert (ran.code, ran.outputs["verdict"], ran.outputs["blocking"]) == (1, "findings", "1")
    assert json.loads(ran.outputs["counts"])["CRITICAL"] == 1
    found = json.loads(Path(ran.outputs["report"]).read_text())["platforms"]
    assert {one["platform"]: one["packages"] for one in found} == {"linux/amd64": 2, "linux/arm64": 2}
    assert gate.run(layout="layout", platforms="linux/amd64").code == 0


def test_planted_configuration_has_no_effect(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    (gate.work / ".trivyignore").write_text("CVE-2020-14343\n")
    (gate.work / "trivy.yaml").write_text("severity: [LOW]\nignorefile: .trivyignore\n")
    gate.env |= {"TRIVY_SEVERITY": "LOW", "TRIVY_IGNOREFILE": str(gate.work / ".trivyignore")}
    monkeypatch.chdir(gate.work)
    assert gate.run(layout=gate.layout(amd64=VULNERABLE)).outputs["verdict"] == "findings"


@pytest.mark.parametrize("size", [4096, 8192, 12288])
def test_a_database_that_was_cut(gate: Gate, size: int) -> None:
    database = gate.own_database()
    database.write_bytes(database.read_bytes()[:size])
    assert gate.run(layout="layout").code == 3


def test_a_database_with_one_changed_byte(gate: Gate) -> None:
    database = gate.own_database()
    content = database.read_bytes()
    assert gate.run(layout="layout").code == 0
    database.write_bytes(content.replace(b"pip::GitHub", b"piq::GitHub"))
    ran = gate.run(layout="layout")
    assert ran.code == 3
    assert "knows nothing of PyYAML" in ran.said
    database.write_bytes(content.replace(b"debian 12", b"debian 92"))
    ran = gate.run(layout="layout")
    assert ran.code == 3
    assert "knows nothing of openssl" in ran.said


def test_a_database_of_random_bytes(gate: Gate) -> None:
    gate.own_database().write_bytes(os.urandom(65536))
    assert gate.run(layout="layout").code == 3


def test_a_source_that_does_not_have_it(gate: Gate, parts: Parts) -> None:
    nowhere = f"{parts.base_registry}/nowhere:2"
    assert gate.run(layout=gate.layout(amd64=FINE), **{"db-repository": f"{nowhere},{parts.trivy_db}"}).code == 0


def test_an_image_without_packages(gate: Gate) -> None:
    layout = gate.layout(amd64={"hello": "world"})
    ran = gate.run(layout=layout)
    assert ran.code == 3
    assert "recognised no package" in ran.said
    assert gate.run(layout=layout, **{"allow-empty": "true"}).code == 0


def test_a_system_without_its_packages(gate: Gate) -> None:
    ran = gate.run(layout=gate.layout(amd64={**FINE, "var/lib/dpkg/status": ""}))
    assert ran.code == 3
    assert "not one of its packages" in ran.said


def test_a_secret_in_the_image(gate: Gate) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 20 + "\n-----END RSA PRIVATE KEY-----\n"
    ran = gate.run(layout=gate.layout(amd64={**FINE, "app/id_rsa": key}), scanners="vuln,secret")
    assert (ran.code, ran.outputs["verdict"]) == (1, "findings")
    assert "private-key" in ran.said


def test_sources_and_unpacked_images(gate: Gate) -> None:
    (gate.work / "src").mkdir()
    (gate.work / "src" / "requirements.txt").write_text("PyYAML==5.3.1\n")
    for name, text in VULNERABLE.items():
        (gate.work / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (gate.work / "root" / name).write_text(text)
    assert gate.run(path="src").outputs["verdict"] == "findings"
    assert gate.run(path="root").outputs["verdict"] == "findings"
    (gate.work / "none").mkdir()
    assert gate.run(path="none").code == 3


def test_an_image_in_a_registry(gate: Gate, parts: Parts) -> None:
    layout = gate.layout(amd64=FINE, arm64=VULNERABLE)
    name = f"{parts.base_registry}/test/scan-{os.getpid()}:x"
    copy = [
        "skopeo",
        "copy",
        "--quiet",
        "--all",
        "--dest-tls-verify=false",
        f"oci:{gate.work / layout}",
        f"docker://{name}",
    ]
    subprocess.run(copy, check=True, env=dict(parts.env))
    assert gate.run(image=name, platforms="linux/amd64").outputs["verdict"] == "passed"
    assert gate.run(image=name).outputs["verdict"] == "findings"
    assert gate.run(image=name, platforms="linux/s390x").code == 2
    assert gate.run(image=f"{parts.base_registry}/test/none:x").code == 3
