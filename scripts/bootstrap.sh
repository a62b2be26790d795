#!/usr/bin/env bash
# Makes .venv with everything that `make demo` and `make test` need; does nothing when it is up to date.
#
# Needs Python 3.11 or later and git. On Debian as root what is missing (the venv module, git) is installed with apt-get;
# elsewhere the message says what to install.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

say() { printf 'bootstrap: %s\n' "$1" >&2; }

apt_install() { # packages...
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "please install: $*"
    exit 2
  fi
  say "installing $*"
  [ -n "${apt_updated:-}" ] || apt-get -qq update
  apt_updated=1
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

suits() { "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
  if suits "$candidate"; then python=$(command -v "$candidate") && break; fi
done
if [ -z "$python" ]; then
  apt_install python3
  python=/usr/bin/python3
  suits "$python" || { say "Python 3.11 or later is needed; $python is older"; exit 2; }
fi
"$python" -I -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv
command -v git >/dev/null || apt_install git
[ -e /etc/ssl/certs/ca-certificates.crt ] || ! command -v apt-get >/dev/null || apt_install ca-certificates

stamp=$({ sha256sum requirements/dev.txt pyproject.toml; "$python" --version; pwd; } | sha256sum | cut -c1-16)
if [ ! -e ".venv/.made-$stamp" ]; then
  say "making .venv with $("$python" --version)"
  "$python" -I -m venv --clear .venv
  # uv installs the locked set several times faster than pip, and checks the same hashes
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
    --requirement requirements/uv.txt
  .venv/bin/uv pip sync --quiet --require-hashes --native-tls --python .venv/bin/python requirements/dev.txt
  .venv/bin/uv pip install --quiet --native-tls --python .venv/bin/python --no-deps --editable .
  touch ".venv/.made-$stamp"
fi
