"""Running Trivy: found or downloaded, in an empty folder, with an empty environment, one thing at a time.

Contract: the command line of Trivy 0.59 and later. Its exit code says nothing here (``--exit-code 0``, our policy
judges), except that anything but 0 is trouble.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions import process
from cicd_actions.errors import ConfigError, Problem, UpstreamError
from cicd_actions.runner.context import RunContext
from cicd_actions.scan.tools import TRIVY_VERSION, fetch, pick_download, unpack

# What the network needs and nothing else: no TRIVY_*, no tokens, no Docker login, no home folder.
_NETWORK = (
    "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_COMPROMISED = ("0.69.4", "0.69.5", "0.69.6")
_TIMEOUT = 900
_TAIL = 15


@dataclass(frozen=True, kw_only=True)
class Trivy:
    """A scanner: where it is and its version."""

    path: Path
    version: str


def find_trivy(env: Mapping[str, str], home: Path) -> Trivy:
    """Return the scanner: named in CICD_ACTIONS_TRIVY, on PATH, in the tool cache, or downloaded and verified.

    Args:
        env: The environment of the run.
        home: Where downloads are kept between runs (``cache_home``).

    Raises:
        ConfigError: CICD_ACTIONS_TRIVY leads nowhere, or there is no release for this machine.
        UpstreamError: The download failed, or the scanner does not run.
    """
    named = env.get("CICD_ACTIONS_TRIVY", "")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigError(Problem(input="CICD_ACTIONS_TRIVY", value=named, what="is not an executable file"))
        return _identify(Path(named))
    found = shutil.which("trivy", path=env.get("PATH", ""))
    if found:
        return _identify(Path(found))
    download = pick_download()
    if download is None:
        raise ConfigError(
            f"There is no pinned release of Trivy for {platform.system()} on {platform.machine()}.",
            hint="Install Trivy on the runner (it is found on PATH) or name it in CICD_ACTIONS_TRIVY.",
        )
    # the archive's hash is in the name: another pin never meets an old file
    target = home / "cicd-actions-trivy" / f"{TRIVY_VERSION}-{download.sha256[:12]}" / "trivy"
    if not target.exists():
        unpack(fetch(download.url), download, target)
    return _identify(target)


def cache_home(context: RunContext) -> Path:
    """Return where things are kept between runs: the runner's tool cache, or the user's own."""
    if context.tool_cache:
        return context.tool_cache
    if context.env.get("XDG_CACHE_HOME"):
        return Path(context.env["XDG_CACHE_HOME"])
    return Path(context.env["HOME"]) / ".cache" if context.env.get("HOME") else context.temp


def clean_environment(env: Mapping[str, str], home: Path, *, network: bool = False) -> dict[str, str]:
    """Return the whole environment of the scanner; with ``network`` also what a download needs."""
    kept = {name: env[name] for name in _NETWORK if network and name in env}
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"), str(home))
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **places, **kept}


def scan(
    trivy: Trivy,
    command: str,
    arguments: list[str],
    *,
    cache: Path,
    work: Path,
    scanners: tuple[str, ...],
    env: Mapping[str, str],
) -> str:
    """Run one scan and return its JSON report, unfiltered and not yet checked.

    Args:
        command: ``image``, ``rootfs`` or ``fs``.
        arguments: What to scan.
        cache: A folder with the database, used by no other scan at the same time: Trivy locks it for ever.
        work: An empty folder for this scan alone.

    Raises:
        UpstreamError: Trivy failed, crashed or took too long.
    """
    output, home = work / "report.json", work / "home"
    home.mkdir()
    words = _scan_words(trivy, cache=cache, work=work, output=output, scanners=scanners)
    done = process.run(
        [trivy.path, command, *arguments, *words],
        cwd=home,
        env=clean_environment(env, home),
        timeout=_TIMEOUT + 30,
    )
    if not done.ok:
        raise trouble(done, "the scan")
    try:
        return output.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _scan_words(trivy: Trivy, *, cache: Path, work: Path, output: Path, scanners: tuple[str, ...]) -> list[str | Path]:
    """Return the options: everything is reported, nothing is filtered, and no file or variable of others counts."""
    empty = work / "empty"
    empty.touch()
    secret_rules = work / "secret.yaml"
    secret_rules.write_text("{}\n", encoding="utf-8")  # Trivy takes an empty file for a broken one here
    return [
        "--format", "json", "--output", output, "--exit-code", "0", "--list-all-pkgs",
        "--scanners", ",".join(scanners), "--config", empty, "--ignorefile", empty, "--secret-config", secret_rules,
        "--cache-dir", cache, "--cache-backend", "memory", "--skip-db-update", "--skip-java-db-update",
        "--offline-scan", "--quiet", "--timeout", f"{_TIMEOUT}s", *_newer_flags(trivy.version),
    ]  # fmt: skip


def trouble(done: process.Completed, what: str) -> UpstreamError:
    """Return the error for a run of Trivy that did not end well."""
    how = "took too long" if done.timed_out else f"ended with exit code {done.returncode}"
    tail = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-_TAIL:])
    return UpstreamError(
        f"Trivy failed: {what} {how}.\n{tail}".rstrip(),
        hint="Nothing was judged, so nothing may be published. Run it again; if it stays, run Trivy by hand.",
        title="The scanner failed",
    )


def _identify(path: Path) -> Trivy:
    done = process.run([path, "--version"], env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, timeout=60)
    match = re.search(r"Version:\s*v?(\d+\.\d+\.\d+)", done.stdout)
    if not done.ok or not match:
        raise trouble(done, f"`{path} --version`")
    if match[1] in _COMPROMISED:
        raise UpstreamError(
            f"Trivy {match[1]} at {path} is one of the releases that an attacker published (CVE-2026-33634).",
            hint="Remove it, treat the secrets of this machine as known to others, and install another release.",
            title="The scanner is a compromised release",
        )
    return Trivy(path=path, version=match[1])


def _newer_flags(version: str) -> list[str]:
    """From 0.63 on Trivy calls home unless told twice not to; older ones do not know the words."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return ["--skip-version-check", "--disable-telemetry"] if (major, minor) >= (0, 63) else []
