"""Debian packages without touching the machine's own package state.

The archive's address is the machine's own: it is read from its package sources, and its download settings (proxies and
the like) are kept. Every package is checked by apt against the archive's signed index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cicd_actions.process import Completed, run
from cicd_actions.sandbox.parts.cache import locked
from cicd_actions.sandbox.parts.model import Unavailable

Architecture = Literal["amd64", "arm64"]

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 300.0
# Settings of the machine that decide how things are fetched; which indexes are fetched is ours to say.
_KEPT_SETTING = re.compile(r"Acquire::(?!IndexTargets|Languages|GzipIndexes|Changelogs)\S")
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the machine gets Debian from: addresses of the archive and of its security archive ("" if none)."""

    archive: str
    security: str

    def lines(self, suite: str) -> str:
        """The one-line package sources for the suite."""
        option = f"[signed-by={_KEYRING}]"
        text = f"deb {option} {self.archive} {suite} main\ndeb {option} {self.archive} {suite}-updates main\n"
        return text + (f"deb {option} {self.security} {suite}-security main\n" if self.security else "")


def parse_sources(texts: Iterable[str]) -> Sources | None:
    """The archive's addresses out of package source files, one-line or deb822; None when Debian is not among them."""
    pairs: list[tuple[str, str]] = []
    for text in texts:
        for paragraph in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.+)$", paragraph, re.MULTILINE))
            uris, suites = fields.get("URIs", "").split(), fields.get("Suites", "").split()
            pairs += [(uri, suite) for uri in uris for suite in suites]
        pairs += [(m[1], m[2]) for line in text.splitlines() if (m := _ONE_LINE.match(line.strip() + " "))]
    plain = [uri for uri, suite in pairs if suite in {"bookworm", "trixie", "stable", "testing", "sid"}]
    security = [uri for uri, suite in pairs if suite.endswith("-security")]
    return Sources(archive=plain[0], security=security[0] if security else "") if plain else None


def machine_sources(root: Path = Path("/etc/apt")) -> Sources:
    """The machine's own Debian sources.

    Raises:
        Unavailable: This is no Debian, or it names no archive.
    """
    files = [root / "sources.list", *sorted((root / "sources.list.d").glob("*"))]
    found = parse_sources(path.read_text(errors="replace") for path in files if path.is_file())
    if found is None or not _KEYRING.is_file():
        raise Unavailable(
            "The container engine and the base images are taken from Debian's packages, and this machine names no "
            "Debian archive in its package sources.",
            hint="Run the sandbox on Debian 12 or newer, or where Docker with the containerd image store is running.",
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One suite for one architecture, with package lists and downloads of its own below ``state``."""

    sources: Sources
    suite: str
    architecture: Architecture
    state: Path
    env: Mapping[str, str]

    @property
    def _folder(self) -> Path:
        return self.state / f"{self.suite}-{self.architecture}"

    def update(self) -> None:
        """Fetch the package lists."""
        for name in ("lists/partial", "archives/partial", "etc"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        (self._folder / "etc" / "sources.list").write_text(self.sources.lines(self.suite), encoding="utf-8")
        (self._folder / "etc" / "apt.conf").write_text(self._configuration(), encoding="utf-8")
        with locked(self._folder / "lock"):
            self._checked(["apt-get", "update", "-qq"])

    def download(self, packages: Sequence[str], folder: Path) -> list[Path]:
        """Download just these packages into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._checked(["apt-get", "download", "-qq", *packages], cwd=folder)
        return sorted(folder.glob("*.deb"))

    def closure(self, packages: Sequence[str], folder: Path) -> list[Path]:
        """Download these packages and everything they depend on, as for an empty system, into the folder."""
        (folder / "partial").mkdir(parents=True, exist_ok=True)
        options = ["-qq", "-y", "--download-only", "-o", f"Dir::Cache::archives={folder}"]
        self._checked(["apt-get", *options, "install", *packages])
        return sorted(folder.glob("*.deb"))

    def _configuration(self) -> str:
        here = self._folder
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",  # the cache may lie in a folder that only root reads
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "true",
            "Dir::Cache": f"{here}/",
            "Dir::Cache::archives": f"{here}/archives/",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::main": f"{here}/etc/none",
            "Dir::Etc::parts": f"{here}/etc/none.d",
            "Dir::Etc::preferences": f"{here}/etc/none",
            "Dir::Etc::preferencesparts": f"{here}/etc/none.d",
            "Dir::Etc::sourcelist": f"{here}/etc/sources.list",
            "Dir::Etc::sourceparts": f"{here}/etc/none.d",
            "Dir::State::lists": f"{here}/lists/",
            "Dir::State::status": f"{here}/status",
        }
        own = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        return download_settings(self.env) + f'{own}APT::Architectures {{ "{self.architecture}"; }};\n'

    def _checked(self, argv: Sequence[str], cwd: Path | None = None) -> Completed:
        env = {**self.env, "APT_CONFIG": str(self._folder / "etc" / "apt.conf"), "LC_ALL": "C.UTF-8"}
        done = run(argv, cwd=cwd, env=env, timeout=_SECONDS, merge_stderr=True)
        if not done.ok:
            lines = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Err:"))]
            said = "; ".join(lines[-3:]) or done.stdout.strip()[-300:] or "it took too long"
            raise Unavailable(
                f"Debian's packages for {self.suite} ({self.architecture}) cannot be had: {said}",
                hint="Check with 'apt-get update' that this machine reaches its package sources.",
            )
        return done


def download_settings(env: Mapping[str, str]) -> str:
    """How the machine fetches packages (proxies, time checks), as lines of apt's configuration."""
    dump = run(["apt-config", "dump"], env=env).stdout.splitlines()
    return "".join(f"{line}\n" for line in dump if _KEPT_SETTING.match(line) and not line.endswith(' "";'))


def machine_architecture() -> str:
    """Debian's name for this machine's processor, or the kernel's where it is none that we know."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
