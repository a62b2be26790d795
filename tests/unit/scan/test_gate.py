"""The gate with a scanner that misbehaves: whatever goes wrong, it must not pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_trivy import calls, make_database, make_trivy
from tests.support.layouts import DEBIAN, make_layout

from cicd_actions.errors import ActionError, ConfigError, UpstreamError
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Inputs
from cicd_actions.scan.action import Result, report, run
from cicd_actions.scan.settings import INPUTS, OUTPUTS, load

IMAGES = {"linux/amd64": DEBIAN, "linux/arm64": {**DEBIAN, "more": "x"}}


class Machine:
    """A workspace with a layout, a scanner and a database."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = root / "tools"
        for name in ("work", "temp", "tools"):
            (root / name).mkdir()
        self.layout = make_layout(root / "work" / "layout", IMAGES)
        self.database = make_database(root / "database")
        self.env = {"PATH": "/usr/bin:/bin", "CICD_ACTIONS_TRIVY_DB": str(self.database), "HOME": str(root)}

    def gate(self, fault: str = "", *, version: str = "0.69.3", **values: str) -> Result:
        self.env["CICD_ACTIONS_TRIVY"] = str(make_trivy(self.tools, fault, version=version))
        context = RunContext.from_env(self.env, cwd=self.root / "work", temp=self.root / "temp")
        given = {"layout": "layout", **{name.replace("_", "-"): value for name, value in values.items()}}
        return run(load(Inputs(INPUTS, given), context), context)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_every_platform_is_scanned_by_its_own_view(machine: Machine) -> None:
    result = machine.gate()
    assert result.verdict == "passed"
    assert [one.scan.platform for one in result.scans] == ["linux/amd64", "linux/arm64"]
    outputs = report(result).outputs
    assert set(outputs) == {output.name for output in OUTPUTS}
    document = json.loads(Path(outputs["report"]).read_text())
    assert [one["manifest"] for one in document["platforms"]] == [one.manifest for one in result.scans]
    assert len({one.manifest for one in result.scans}) == 2


def test_findings_fail_and_say_so(machine: Machine) -> None:
    result = machine.gate("findings", sarif="out/scan.sarif")
    written = report(result)
    assert (written.exit_code, written.outputs["verdict"], written.outputs["blocking"]) == (1, "findings", "2")
    assert json.loads(written.outputs["counts"])["CRITICAL"] == 2
    assert "CVE-9" in written.summary
    assert "linux/amd64, linux/arm64" in written.summary
    sarif = json.loads(Path(written.outputs["sarif"]).read_text())
    assert [run["results"][0]["ruleId"] for run in sarif["runs"]] == ["CVE-9", "CVE-9"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("exit-1", "exit code 1.*something broke"),
        ("crash", "exit code -11"),
        ("silent", "the report is empty"),
        ("empty", "the report is empty"),
        ("truncated", "not whole"),
        ("schema", "SchemaVersion 3"),
        ("wrong-image", "is about the image"),
        ("wrong-platform", "is about 'linux/s390x'"),
        ("no-packages", "not one of its packages"),
        ("other-system", "recognised no package"),
        ("blind", "knows nothing of PyYAML 5.3.1 and openssl"),
    ],
)
def test_trouble_is_never_a_pass(machine: Machine, fault: str, words: str) -> None:
    with pytest.raises(UpstreamError, match=f"(?s){words}") as error:
        machine.gate(fault)
    assert error.value.exit_code == 3


def test_an_image_without_packages_can_be_allowed(machine: Machine) -> None:
    assert machine.gate("no-packages", allow_empty="true").verdict == "passed"


@pytest.mark.parametrize("version", ["0.69.4", "0.69.5", "0.69.6"])
def test_the_attackers_releases_are_refused(machine: Machine, version: str) -> None:
    with pytest.raises(UpstreamError, match="CVE-2026-33634"):
        machine.gate(version=version)


def test_the_scanner_gets_nothing_of_the_job(machine: Machine) -> None:
    machine.env |= {"GITHUB_TOKEN": "t0ken", "INPUT_TOKEN": "t0ken", "TRIVY_SEVERITY": "LOW", "TRIVY_EXIT_CODE": "9"}
    for name in ("trivy.yaml", ".trivyignore", "trivy-secret.yaml"):
        (machine.root / "work" / name).write_text("severity: [LOW]")
    machine.gate()
    seen: list[dict[str, Any]] = calls(machine.tools)
    assert len(seen) == 3
    for call in seen:
        assert "t0ken" not in json.dumps(call)
        assert not [name for name in call["env"] if name.startswith(("TRIVY", "GITHUB", "INPUT"))]
        assert call["cwd"] == []
        words = call["argv"]
        for flag, name in (("--config", "empty"), ("--ignorefile", "empty"), ("--secret-config", "secret.yaml")):
            assert Path(words[words.index(flag) + 1]).name == name
        for flag in ("--skip-db-update", "--offline-scan", "--skip-version-check", "--disable-telemetry"):
            assert flag in words
    caches = {call["argv"][call["argv"].index("--cache-dir") + 1] for call in seen[1:]}
    assert len(caches) == 2
    assert str(machine.database) not in caches


def test_an_older_scanner_is_not_given_words_that_it_does_not_know(machine: Machine) -> None:
    machine.gate(version="0.59.1")
    assert "--disable-telemetry" not in json.dumps(calls(machine.tools))


def test_nothing_stays_in_the_temporary_folder_but_the_report(machine: Machine) -> None:
    result = machine.gate()
    assert [path.name for path in (machine.root / "temp").iterdir()] == [result.report.parent.name]


def test_changed_bytes_in_the_layout_are_a_wrong_layout(machine: Machine) -> None:
    blob = max((machine.layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(bytes(blob.stat().st_size))
    with pytest.raises(ConfigError, match="does not match its digest"):
        machine.gate()


def test_a_platform_that_is_not_there(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="It has: linux/amd64, linux/arm64"):
        machine.gate(platforms="linux/s390x")


def test_one_platform_of_two(machine: Machine) -> None:
    assert [one.scan.platform for one in machine.gate(platforms="linux/arm64").scans] == ["linux/arm64"]


@pytest.mark.parametrize("fault", ["missing", "no-metadata", "garbled", "no-date", "empty"])
def test_a_database_that_is_none(machine: Machine, fault: str) -> None:
    database, metadata = machine.database / "db" / "trivy.db", machine.database / "db" / "metadata.json"
    if fault == "missing":
        database.unlink()
    elif fault == "empty":
        database.write_bytes(b"")
    elif fault == "no-metadata":
        metadata.unlink()
    else:
        metadata.write_text("{" if fault == "garbled" else '{"UpdatedAt": 5}')
    with pytest.raises(UpstreamError, match="There is no vulnerability database"):
        machine.gate()


def test_an_old_database(machine: Machine, tmp_path: Path) -> None:
    old = make_database(tmp_path / "old", updated=datetime.now(UTC) - timedelta(days=4))
    machine.env["CICD_ACTIONS_TRIVY_DB"] = str(old)
    with pytest.raises(UpstreamError, match=r"4\.0 days old.*3\.0 days are allowed"):
        machine.gate()
    assert machine.gate(db_max_age="5d").verdict == "passed"


def test_exceptions_and_their_state_are_told(machine: Machine) -> None:
    entries = ("CVE-9,openssl,2999-01-01", "CVE-8,openssl,2999-01-01", "CVE-7,openssl,2020-01-01")
    lines = ["exceptions:"]
    for entry in entries:
        id_, package, expires = entry.split(",")
        lines.append(f"  - {{id: {id_}, package: {package}, reason: r, owner: web, expires: {expires}}}")
    (machine.root / "work" / "ledger.yaml").write_text("\n".join(lines))
    result = machine.gate("findings", exceptions="ledger.yaml")
    assert result.verdict == "passed"
    assert [(note.level, note.title) for note in report(result).annotations] == [
        ("warning", "An exception has expired"),
        ("notice", "An exception is not needed"),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"layout": ""}, "exactly one of"),
        ({"image": "ghcr.io/a/b"}, "layout and image were given"),
        ({"layout": "nowhere"}, "not an OCI layout"),
        ({"layout": "", "report": "nowhere.json"}, "no such file"),
        ({"layout": "", "path": "nowhere"}, "no such folder"),
        ({"layout": "", "image": "UP PER"}, "is not an image"),
        ({"layout": "", "path": ".", "platforms": "linux/amd64"}, "has no effect with `path`"),
        ({"severity": "hihg"}, "Perhaps you meant 'high'"),
        ({"scanners": "vuln,misconfig"}, "'misconfig' is not allowed"),
        ({"baseline": "ghcr.io/a/b"}, "not available in this version"),
        ({"format": "table"}, "'table' is not allowed"),
        ({"ignore_unfixed": "maybe"}, "'maybe' is not allowed"),
        ({"db_max_age": "soon"}, "is not a duration"),
        ({"db_repository": "A B//"}, "is not an image"),
        ({"exceptions": "nowhere.yaml"}, "could not be read"),
        ({"exceptions": "../x"}, "leaves the workspace"),
        ({"sarif": "/etc/x.sarif"}, "leaves the workspace"),
        ({"platforms": "linux"}, "not a platform"),
    ],
)
def test_wrong_inputs(machine: Machine, values: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        machine.gate(**values)
    assert error.value.exit_code == 2


def test_an_existing_report_needs_no_scanner(machine: Machine) -> None:
    first = machine.gate("findings")
    existing = next(first.report.parent.glob("trivy-*.json"))
    (machine.root / "work" / "old.json").write_bytes(existing.read_bytes())
    machine.env["PATH"] = ""
    result = machine.gate("exit-1", layout="", report="old.json")
    assert (result.verdict, len(result.judgement.blocking)) == ("findings", 1)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"SchemaVersion": 2}'])
def test_an_existing_report_that_is_no_evidence(machine: Machine, content: bytes) -> None:
    (machine.root / "work" / "old.json").write_bytes(content)
    with pytest.raises(ActionError) as error:
        machine.gate(layout="", report="old.json")
    assert error.value.exit_code == 3
