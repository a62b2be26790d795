"""The real parts: base images behave like the public ones, jobs run, registries ask for the password."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from cicd_actions.errors import ActionError, UpstreamError
from cicd_actions.process import run
from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox.parts import (
    Parts,
    action_image_name,
    bases,
    build_action_image,
    fresh_registry,
    provide_base_images,
    rewrite,
    running,
)

pytestmark = pytest.mark.engine

BOTH = "linux/amd64,linux/arm64"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def stand_ins(parts: Parts) -> Parts:
    if not parts.stand_ins:
        pytest.skip("public images can be reached, so there are no stand-ins to be tested")
    return parts


def build(parts: Parts, dockerfile: str, folder: Path, *words: str) -> str:
    """Build the Dockerfile in the folder and return what was printed."""
    (folder / "Dockerfile").write_text(dockerfile)
    argv: list[str | Path] = [parts.docker, "buildx", "build", "--progress", "plain", *words, folder]
    done = run(argv, env=parts.env, timeout=300, merge_stderr=True)
    assert done.ok, done.stdout
    return done.stdout


def in_container(parts: Parts, image: str, *words: str) -> str:
    """Run the command in a container of the image and return what it printed."""
    done = run([parts.docker, "run", "--rm", image, *words], env=parts.env, timeout=120)
    assert done.ok, done.stderr
    return done.stdout.strip()


def test_unchanged_dockerfile_builds_for_both_platforms(stand_ins: Parts, tmp_path: Path) -> None:
    dockerfile = f"""FROM python:3.11-slim AS builder
RUN pip install --no-cache-dir --prefix=/install six
RUN python -m venv /opt/venv && /opt/venv/bin/pip --version
FROM python:3.11-slim
COPY --from=builder /install /usr/local
COPY --from=builder /opt/venv /opt/venv
RUN useradd --create-home app
USER app
RUN : {secrets.token_hex(8)}; python -c 'import six, platform; print("on", platform.machine(), six.__file__)'
"""
    target = tmp_path / "layout"
    printed = build(stand_ins, dockerfile, tmp_path, "--platform", BOTH, "-o", f"type=oci,tar=false,dest={target}")
    for machine in ("x86_64", "aarch64"):
        assert f"on {machine} /usr/local/lib/python3.11/site-packages/six.py" in printed
    index = json.loads((target / "index.json").read_text())
    inner = json.loads((target / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    platforms = {one["platform"]["architecture"] for one in inner["manifests"]}
    assert {"amd64", "arm64"} <= platforms


def test_debian_packages_can_be_installed(stand_ins: Parts, tmp_path: Path) -> None:
    step = "apt-get update && apt-get install -y --no-install-recommends curl && curl --version && dpkg --audit"
    assert "libcurl/" in build(stand_ins, f"FROM python:3.11-slim\nRUN {step}\n", tmp_path, "--no-cache")


def test_python_is_laid_out_as_in_the_original(stand_ins: Parts) -> None:
    script = "import json, site, sys, sysconfig; print(json.dumps([sys.prefix, sys.path, site.getsitepackages()[0]]))"
    prefix, path, site = json.loads(in_container(stand_ins, "python:3.11-slim", "python", "-c", script))
    assert prefix == "/usr/local"
    assert path[-1] == "/usr/local/lib/python3.11/site-packages"
    assert os.path.normpath(site) == path[-1]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_base_image_scans_clean(stand_ins: Parts, tmp_path: Path, architecture: str) -> None:
    index = httpx.get(
        f"http://{stand_ins.base_registry}/v2/library/python/manifests/3.11-slim", headers={"Accept": INDEX}
    ).json()
    digests = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
    image = f"{stand_ins.base_registry}/library/python@{digests[architecture]}"
    words: list[str | Path] = [
        "image",
        image,
        "--image-src",
        "remote",
        "--cache-dir",
        tmp_path,
        "--cache-backend",
        "memory",
        "--quiet",
    ]
    words += ["--db-repository", stand_ins.trivy_db, "--scanners", "vuln", "--format", "json", "--list-all-pkgs"]
    words += ["--skip-java-db-update"]
    done = run([stand_ins.trivy, *words], env={"PATH": "/usr/bin"}, cwd=tmp_path, timeout=120)
    assert done.ok, done.stderr
    report = json.loads(done.stdout)
    assert report["Metadata"]["OS"]["Family"] == "debian"
    assert report["Metadata"]["ImageConfig"]["architecture"] == architecture
    packages = [package["Name"] for result in report["Results"] for package in result.get("Packages", [])]
    assert {"libc6", "openssl", "pip"} <= set(packages)
    severe = [
        found["VulnerabilityID"]
        for result in report["Results"]
        for found in result.get("Vulnerabilities", [])
        if found["Severity"] in {"HIGH", "CRITICAL"}
    ]
    assert severe == []


def test_another_python_is_announced_and_its_paths_are_there(stand_ins: Parts, tmp_path: Path) -> None:
    dockerfile = f"""FROM python:3.12-slim AS builder
RUN pip install six
FROM python:3.12-slim
COPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages
COPY --from=builder /usr/local/bin /usr/local/bin
RUN : {secrets.token_hex(8)}; python3.12 -c 'import six; print("found", six.__name__)'
"""
    (announced,) = provide_base_images(stand_ins, dockerfile, env=os.environ)
    assert "Python 3.12 is not to be had here" in announced.why
    assert "found six" in build(stand_ins, dockerfile, tmp_path)


def test_pinned_images_and_frontends_are_rewritten(stand_ins: Parts, tmp_path: Path) -> None:
    dockerfile = f"# syntax=docker/dockerfile:1\nFROM python:3.11-slim@sha256:{'0' * 64}\nRUN true\n"
    announced = provide_base_images(stand_ins, dockerfile, env=os.environ)
    assert len(announced) == 2
    build(stand_ins, rewrite(dockerfile, announced), tmp_path)


def test_images_without_stand_in_are_all_named(stand_ins: Parts) -> None:
    with pytest.raises(UpstreamError, match=r"node:20: .*; alpine: ") as error:
        provide_base_images(stand_ins, "FROM node:20 AS a\nFROM alpine\n", env=os.environ)
    assert error.value.exit_code == 3
    assert "python" in error.value.hint


def test_fresh_registry_wants_the_password(parts: Parts, tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    with fresh_registry(parts.registry, folder, "octocat", Secret("s3cret"), env=os.environ) as address:
        assert httpx.get(f"http://{address}/v2/").status_code == 401
        right = {"Authorization": "Basic " + base64.b64encode(b"octocat:s3cret").decode()}
        assert httpx.get(f"http://{address}/v2/", headers=right).status_code == 200
        assert httpx.get(f"http://{address}/v2/_catalog", headers=right).json() == {"repositories": []}
        assert "s3cret" not in (folder / "htpasswd").read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}/v2/")


def test_a_second_user_attaches_and_leaves_everything_running(parts: Parts) -> None:
    with running(parts.cache, env=os.environ) as second:
        assert (second.docker_host, second.base_registry) == (parts.docker_host, parts.base_registry)
    assert run([parts.docker, "version"], env=parts.env, timeout=20).ok


def test_runner_image_has_what_a_hosted_runner_has(parts: Parts) -> None:
    script = "docker --version; docker buildx version; git --version; skopeo --version; trivy --version; sudo id -u"
    printed = in_container(parts, parts.runner_image, "bash", "-ec", script + "; python3 -m venv /v; curl --version")
    for words in ("Docker version", "buildx", "git version", "skopeo version", "Version: 0.59.1"):
        assert words in printed


def test_broken_action_image_says_so(parts: Parts, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY missing /\n")
    with pytest.raises(ActionError, match="missing"):
        build_action_image(parts, context=tmp_path, dockerfile=dockerfile, image="broken:1", env=os.environ)


WORKFLOW = """on: push
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
      - id: composite
        uses: OWNER/cicd-actions/actions/composite@REF
        with: {name: Ada}
      - id: docker
        uses: OWNER/cicd-actions/actions/docker@REF
        with: {name: "${{ steps.composite.outputs.greeting }}"}
      - run: docker version --format '{{.Server.Version}}'; test -f app.txt; test "${{ vars.COLOUR }}" = red
"""
COMPOSITE = """name: composite
description: A composite action.
inputs: {name: {description: A name., required: true}}
outputs: {greeting: {description: A greeting., value: "${{ steps.greet.outputs.greeting }}"}}
runs:
  using: composite
  steps:
    - id: greet
      shell: bash
      env: {INPUT_NAME: "${{ inputs.name }}"}
      run: |
        echo "greeting=hello $INPUT_NAME" >> "$GITHUB_OUTPUT"
        echo "# composite" >> "$GITHUB_STEP_SUMMARY"
"""
DOCKER = """name: docker
description: A Docker-based action.
inputs: {name: {description: A name., required: true}}
outputs: {greeting: {description: A greeting.}}
runs: {using: docker, image: ../../Dockerfile, args: [greet]}
"""
DOCKERFILE = f"""ARG PYTHON_IMAGE=python:3.11-slim@sha256:{'0' * 64}
FROM ${{PYTHON_IMAGE}}
COPY greet.py /greet.py
ENTRYPOINT ["python", "-P", "/greet.py"]
"""
GREET = """import os
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write("greeting=" + os.environ["INPUT_NAME"].upper() + "\\n")
with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as file:
    file.write("# docker\\n")
"""


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """A Git repository with the files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    for words in (["init", "-q", "-b", "dev"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_runner_executes_both_kinds_of_action(stand_ins: Parts, tmp_path: Path) -> None:
    app = write_tree(tmp_path / "app", {".github/workflows/ci.yml": WORKFLOW, "app.txt": "here"})
    files = {"actions/composite/action.yml": COMPOSITE, "actions/docker/action.yml": DOCKER}
    ours = write_tree(tmp_path / "ours", {**files, "Dockerfile": DOCKERFILE, "greet.py": GREET})
    image = action_image_name("OWNER/cicd-actions/actions/docker@REF")
    assert bases(DOCKERFILE)
    build_action_image(stand_ins, context=ours, dockerfile=ours / "Dockerfile", image=image, env=os.environ)
    words = ["push", "--json", "--workflows", ".github/workflows/ci.yml", "--var", "COLOUR=red"]
    words += ["--platform", f"ubuntu-24.04={stand_ins.runner_image}", "--pull=false", "--rebuild=false"]
    words += ["--network", "host", "--no-cache-server", "--local-repository", f"OWNER/cicd-actions@REF={ours}"]
    env = {**stand_ins.env, "HOME": str(tmp_path)}
    done = run([stand_ins.act, *words], cwd=app, env=env, timeout=300, merge_stderr=True)
    assert done.ok, done.stdout
    entries: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    outputs = {one["arg"] for one in entries if one.get("command") == "set-output"}
    summaries = {one["content"] for one in entries if one.get("command") == "summary"}
    assert {"hello Ada", "HELLO ADA"} <= outputs
    assert {"# composite\n", "# docker\n"} <= summaries
