"""A scanner that does wrong things on demand: faults that the real one shows only when something is broken."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

_SCRIPT = """#!{python} -I
import json, os, pathlib, signal, sys
FAULT, VERSION, LOG = {fault!r}, {version!r}, {log!r}
words = sys.argv[1:]
if words == ["--version"]:
    print("Version: " + VERSION)
    sys.exit(0)
with open(LOG, "a") as log:
    log.write(json.dumps(dict(argv=words, env=dict(os.environ), cwd=os.listdir("."))) + "\\n")
output = pathlib.Path(words[words.index("--output") + 1])
def write(metadata, packages, vulnerabilities):
    results = [dict(Target="debian", Class="os-pkgs", Packages=packages, Vulnerabilities=vulnerabilities)]
    output.write_text(json.dumps(dict(SchemaVersion=2, Metadata=metadata, Results=results if packages else [])))
if words[0] == "rootfs":
    found = [] if FAULT == "blind" else ["CVE-2020-14343", "CVE-2023-5363"]
    write(dict(OS=dict(Family="debian", Name="12")), [dict(Name="x")],
          [dict(VulnerabilityID=i, PkgName="x", Severity="HIGH") for i in found])
    sys.exit(0)
view = pathlib.Path(words[words.index("--input") + 1])
blob = lambda digest: json.loads((view / "blobs" / "sha256" / digest.split(":")[1]).read_text())
manifest = blob(json.loads((view / "index.json").read_text())["manifests"][0]["digest"])
config = blob(manifest["config"]["digest"])
metadata = dict(OS=dict(Family="debian", Name="12"), ImageID=manifest["config"]["digest"],
                ImageConfig=dict(os=config["os"], architecture=config["architecture"]))
if FAULT == "exit-1":
    sys.exit("FATAL something broke")
if FAULT == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if FAULT == "silent":
    sys.exit(0)
if FAULT == "empty":
    output.write_text("")
    sys.exit(0)
if FAULT == "wrong-image":
    metadata["ImageID"] = "sha256:" + "0" * 64
if FAULT == "wrong-platform":
    metadata["ImageConfig"]["architecture"] = "s390x"
if FAULT == "other-system":
    metadata["OS"] = dict(Family="", Name="")
bad = [dict(VulnerabilityID="CVE-9", PkgName="openssl", Severity="CRITICAL", FixedVersion="2")]
write(metadata, [] if FAULT in ("no-packages", "other-system") else [dict(Name="openssl")],
      bad if FAULT == "findings" else [])
if FAULT == "truncated":
    output.write_text(output.read_text()[:-30])
if FAULT == "schema":
    output.write_text(output.read_text().replace('"SchemaVersion": 2', '"SchemaVersion": 3'))
"""


def make_trivy(folder: Path, fault: str = "", *, version: str = "0.69.3") -> Path:
    """Write the scanner and return its path; what it was called with goes to ``calls`` beside it."""
    path = folder / "trivy"
    log = str(folder / "calls")
    path.write_text(_SCRIPT.format(python=sys.executable, fault=fault, version=version, log=log))
    path.chmod(0o755)
    return path


def calls(folder: Path) -> list[dict[str, object]]:
    """Return what the scanner was called with: argv, env and the content of its working directory."""
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def make_database(folder: Path, *, updated: datetime | None = None) -> Path:
    """Write something that looks like a database from outside."""
    (folder / "db").mkdir(parents=True)
    (folder / "db" / "trivy.db").write_bytes(os.urandom(64))
    moment = (updated or datetime.now(UTC)).isoformat()
    (folder / "db" / "metadata.json").write_text(json.dumps({"UpdatedAt": moment, "NextUpdate": moment}))
    return folder
