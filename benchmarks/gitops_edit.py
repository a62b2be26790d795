"""How long it takes to set one key in a YAML file, against a ruamel.yaml round trip and mikefarah's yq.

    python benchmarks/gitops_edit.py [--runs 5] [--yq PATH]

Whole processes are compared with whole processes (interpreter start, imports, read, edit, write), the fastest of
several runs each. "in process" is the edit alone. Only ratios of one run mean something.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cicd_actions.gitops.edit import set_values
from cicd_actions.gitops.keypath import parse

SIZES = {"10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
SERVICE = """
# Service number {n}
service{n}:
  enabled: true
  replicaCount: 3
  image:
    repository: ghcr.io/acme/service{n}
    tag: "1.4.{n}"  # set by the pipeline
    pullPolicy: IfNotPresent
  resources: {{limits: {{cpu: 100m, memory: 128Mi}}, requests: {{cpu: 50m, memory: 64Mi}}}}
  env:
    - name: LOG_LEVEL
      value: info
    - name: URL
      value: 'http://service{n}.default.svc:8080/path?x=1'
  ingress:
    hosts:
      - host: service{n}.example.org
        paths: ["/", "/api"]
  description: |
    Some text about service {n},
    over two lines.
"""
ROUND_TRIP = """
import sys
from pathlib import Path
from ruamel.yaml import YAML
yaml = YAML()
yaml.preserve_quotes = True
file = Path(sys.argv[1])
tree = yaml.load(file)
tree[sys.argv[2]]["image"]["tag"] = sys.argv[3]
yaml.dump(tree, file)
"""
VALUE = "2.0.0"


def values_file(size: int) -> tuple[str, str]:
    """A values file of about this size, and the key of a service in its middle."""
    parts, length = ["# values\n"], 0
    while length < size:
        parts.append(SERVICE.format(n=len(parts)))
        length += len(parts[-1])
    return "".join(parts), f"service{len(parts) // 2}"


def fastest(prepare: Callable[[], object], work: Callable[[], object], runs: int) -> float:
    """Seconds of the fastest run."""
    best = float("inf")
    for _ in range(runs):
        prepare()
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


def measure(text: str, service: str, folder: Path, runs: int, yq: str | None) -> dict[str, float]:
    """Seconds of each way for one file; every way has to give a file with the new value."""
    file = folder / "values.yaml"
    data = text.encode()
    key = f"{service}.image.tag"
    commands = {
        "ours, command": [sys.executable, "-m", "cicd_actions", "yaml-set", str(file), f"{key}={VALUE}"],
        "ruamel, process": [sys.executable, "-c", ROUND_TRIP, str(file), service, VALUE],
    }
    if yq:
        commands["yq -i"] = [yq, "-i", f'.{key} = "{VALUE}"', str(file)]
    updates = {parse(key): VALUE}
    found = {"ours, in process": fastest(lambda: None, lambda: set_values(data, updates), runs)}
    for name, argv in commands.items():

        def work(argv: list[str] = argv) -> None:
            subprocess.run(argv, check=True)

        few = min(runs, 3) if name.startswith("ruamel") else runs
        found[name] = fastest(lambda: file.write_bytes(data), work, few)
        if VALUE not in file.read_text(encoding="utf-8"):
            raise SystemExit(f"{name} did not set the value")
    return found


def main() -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--yq", default=shutil.which("yq"), help="mikefarah's yq, version 4")
    parser.add_argument("--json", action="store_true", help="seconds instead of the table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: measure(*values_file(size), Path(folder), given.runs, given.yq) for name, size in SIZES.items()}
    if given.json:
        print(json.dumps(rows))
        return 0
    print("| file | way | seconds | as a multiple of our command |\n|---|---|---:|---:|")
    for name, row in rows.items():
        for way, seconds in row.items():
            print(f"| {name} | {way} | {seconds:.3f} | {seconds / row['ours, command']:.2f} |")
    if not given.yq:
        print("\nNot measured: yq is not on PATH (give --yq PATH to mikefarah's yq 4).")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
