"""Where packages come from: what the machine tells pip, said again in uv's words. Pure but for reading pip's files."""

from __future__ import annotations

import configparser
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

# pip's setting -> uv's variable; values may hold credentials, so they travel in the environment only
_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
}
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def uv_env(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv: pip's indexes and certificates, where uv is not configured by itself."""
    result = dict(env) | {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    settings = _pip_settings(env)
    for name, variable in _SETTINGS.items():
        if value := " ".join(settings.get(name, "").split()):
            # uv separates indexes by blanks and find-links by commas
            result.setdefault(variable, value.replace(" ", ",") if name == "find-links" else value)
    if "SSL_CERT_FILE" not in env:
        bundle = next((env[key] for key in _BUNDLES if env.get(key)), "") or settings.get("cert", "")
        if bundle:
            result["SSL_CERT_FILE"] = bundle
        elif Path(ssl.get_default_verify_paths().cafile or "/nonexistent").is_file():
            result.setdefault("UV_NATIVE_TLS", "true")
    return result


def _pip_settings(env: Mapping[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    if env.get("PIP_CONFIG_FILE") != "/dev/null":
        for path in _config_files(env):
            settings |= _read(path)
    for name in (*_SETTINGS, "cert"):
        if value := env.get(f"PIP_{name.upper().replace('-', '_')}"):
            settings[name] = value
    return settings


def _config_files(env: Mapping[str, str]) -> Iterator[Path]:
    """pip's files, the later ones stronger."""
    yield Path("/etc/pip.conf")
    home = Path(env.get("HOME") or "/nonexistent")
    yield home / ".pip" / "pip.conf"
    yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    if named := env.get("PIP_CONFIG_FILE"):
        yield Path(named)


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):  # pip itself complains about a broken file
        return {}
    return {key: value for section in ("global", "install") if parser.has_section(section)
            for key, value in parser.items(section)}  # fmt: skip
