"""What an image takes over from the machine, so that downloads work in a build as they do outside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.sandbox.parts import deb
from cicd_actions.sandbox.parts.debian import Sources, download_settings

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_LOCAL = Path("/usr/local/share/ca-certificates")
# Set in an image only where the machine sets them, and then to the image's own bundle.
_BUNDLE_VARIABLES = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_INDEX_VARIABLES = ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
_APT = """Acquire::Languages "none";
Acquire::GzipIndexes "true";
Apt::AutoRemove::SuggestsImportant "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
"""
_DPKG = """force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Facts of the machine: trusted certificates (b"" for the packaged ones), its own ones, variables, settings."""

    bundle: bytes
    local: Mapping[str, bytes]
    environment: tuple[str, ...]
    apt: str

    def files(self, sources: Sources, suite: str, packages: Sequence[Path]) -> dict[str, bytes]:
        """The files that a root file system of the suite gets from here."""
        packaged = _packaged_certificates(packages)
        names = sorted(name.removeprefix("usr/share/ca-certificates/") for name in packaged)
        return {
            BUNDLE: self.bundle or b"".join(packaged[name] for name in sorted(packaged)),
            "etc/ca-certificates.conf": "".join(f"{name}\n" for name in names).encode(),
            "etc/apt/sources.list": sources.lines(suite).encode(),
            "etc/apt/apt.conf.d/90sandbox": (_APT + self.apt).encode(),
            "etc/dpkg/dpkg.cfg.d/sandbox": _DPKG.encode(),
            **{f"{_LOCAL.relative_to('/')}/{name}": content for name, content in self.local.items()},
        }

    def fingerprint(self) -> str:
        """Changes when anything that the images take over changes."""
        local = b"".join(name.encode() + content for name, content in sorted(self.local.items()))
        return hashlib.sha256(self.bundle + local + self.apt.encode()).hexdigest()[:16]

    @staticmethod
    def links() -> dict[str, str]:
        """OpenSSL looks for this file when no variable says otherwise."""
        return {"usr/lib/ssl/cert.pem": f"/{BUNDLE}"}


def look_around(env: Mapping[str, str]) -> Surroundings:
    """Read the facts from this machine."""
    bundle = next(
        (path for path in (Path(env.get("SSL_CERT_FILE") or "/"), Path("/") / BUNDLE) if path.is_file()), None
    )
    kept = [f"{name}=/{BUNDLE}" for name in _BUNDLE_VARIABLES if env.get(name)]
    kept += [f"{name}={env[name]}" for name in _INDEX_VARIABLES if env.get(name) and "@" not in env[name]]
    settings = download_settings(env).splitlines(keepends=True)
    return Surroundings(
        bundle=bundle.read_bytes() if bundle else b"",
        local={path.name: path.read_bytes() for path in sorted(_LOCAL.glob("*.crt"))},
        environment=tuple(kept),
        apt="".join(line for line in settings if "@" not in line),
    )


def _packaged_certificates(packages: Sequence[Path]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in packages:
        if path.name.startswith("ca-certificates_"):
            with deb.opened(path, "data") as tar:
                for member in tar:
                    if member.name.endswith(".crt") and (content := tar.extractfile(member)):
                        found[member.name.removeprefix("./")] = content.read()
    return found
