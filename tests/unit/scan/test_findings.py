"""Reports that are no evidence must never read as "nothing found"."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from cicd_actions.scan.findings import Expected, ReportError, Scan, count_severities, read_report

CONFIG = "sha256:" + "c" * 64
GOOD: dict[str, Any] = {
    "SchemaVersion": 2,
    "ArtifactName": "view",
    "Metadata": {
        "OS": {"Family": "debian", "Name": "12.9"},
        "ImageID": CONFIG,
        "ImageConfig": {"os": "linux", "architecture": "arm64", "variant": "v8"},
    },
    "Results": [
        {"Target": "debian", "Class": "os-pkgs", "Packages": [{"Name": "base-files"}]},
        {
            "Target": "Python",
            "Class": "lang-pkgs",
            "Packages": [{"Name": "PyYAML"}],
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-1",
                    "PkgName": "PyYAML",
                    "InstalledVersion": "5.3.1",
                    "FixedVersion": "5.4",
                    "Severity": "CRITICAL",
                }
            ],
        },
    ],
}
EXPECTED = Expected(platform="linux/arm64", config_digest=CONFIG)


def read(document: Any, *, allow_empty: bool = False) -> Scan:
    text = document if isinstance(document, str) else json.dumps(document)
    return read_report(text, expected=EXPECTED, lists_packages=True, allow_empty=allow_empty)


def changed(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place: Any = document
        for key in parents:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    return document


def test_a_good_report_is_read() -> None:
    scan = read(GOOD)
    assert (scan.platform, scan.os, scan.packages) == ("linux/arm64", "debian 12.9", 2)
    (finding,) = scan.findings
    assert (finding.kind, finding.id, finding.package, finding.fixed_version) == (
        "vulnerability",
        "CVE-1",
        "PyYAML",
        "5.4",
    )
    assert count_severities(scan.findings) == {"CRITICAL": 1, "HIGH": 0, "MEDIUM": 0, "LOW": 0, "UNKNOWN": 0}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        (json.dumps(GOOD)[:-40], "truncated"),
        ("[" * 100_000, "truncated"),
        ("[]", "malformed"),
        ("null", "malformed"),
        (changed(SchemaVersion=1), "schema"),
        ("{}", "schema"),
        (changed(Metadata__ImageID="sha256:" + "d" * 64), "wrong-image"),
        (changed(Metadata__ImageID=None), "wrong-image"),
        (changed(Metadata={}), "wrong-image"),
        (changed(Metadata=[1]), "malformed"),
        (changed(Metadata__ImageConfig__architecture="amd64"), "wrong-platform"),
        (changed(Metadata__ImageConfig__os="windows"), "wrong-platform"),
        (changed(Metadata__ImageConfig={}), "wrong-platform"),
        (changed(Results="x"), "malformed"),
        (changed(Results=["x"]), "malformed"),
        (changed(Results=[]), "no-packages"),
        (changed(Results__0__Packages=[]), "no-packages"),
        (changed(Results=[], Metadata__OS={}), "nothing-recognised"),
        (changed(Results__1__Vulnerabilities=["x"]), "malformed"),
        (changed(Results__1__Vulnerabilities="x"), "malformed"),
        (changed(Results__1__Vulnerabilities=[{}]), "malformed"),
        (
            changed(Results__1__Vulnerabilities=[{"VulnerabilityID": "C", "PkgName": "p", "Severity": "SEVERE"}]),
            "malformed",
        ),
        (changed(Results__1__Vulnerabilities=[{"PkgName": "p", "Severity": "HIGH"}]), "malformed"),
    ],
)
def test_what_is_no_evidence(document: Any, reason: str) -> None:
    with pytest.raises(ReportError) as error:
        read(document)
    assert error.value.reason == reason


def test_a_report_without_results_key_is_empty() -> None:
    document = changed(Metadata__OS={})
    del document["Results"]
    with pytest.raises(ReportError, match="recognised no package"):
        read(document)
    assert read(document, allow_empty=True).findings == ()


def test_secrets_misconfigurations_and_licences_count() -> None:
    results = [
        {
            "Target": "app/key.pem",
            "Class": "secret",
            "Secrets": [{"RuleID": "private-key", "Severity": "HIGH", "Title": "Asymmetric Private Key"}],
            "Misconfigurations": [
                {"ID": "DS002", "Severity": "HIGH", "Status": "FAIL"},
                {"ID": "DS001", "Severity": "LOW", "Status": "PASS"},
            ],
            "Licenses": [{"Name": "AGPL-3.0", "PkgName": "p", "Severity": "CRITICAL"}],
        }
    ]
    scan = read_report(json.dumps({"SchemaVersion": 2, "Results": results}))
    assert [(f.kind, f.id) for f in scan.findings] == [
        ("secret", "private-key"),
        ("misconfiguration", "DS002"),
        ("license", "AGPL-3.0"),
    ]
    assert scan.findings[0].path == "app/key.pem"


def test_an_existing_report_may_leave_the_packages_out() -> None:
    results = [{"Target": "debian", "Class": "os-pkgs"}]
    metadata = {"OS": {"Family": "debian", "Name": "12"}}
    assert read_report(json.dumps({"SchemaVersion": 2, "Metadata": metadata, "Results": results})).findings == ()
    with pytest.raises(ReportError):
        read_report(json.dumps({"SchemaVersion": 2, "Metadata": metadata}))
