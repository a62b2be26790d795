#!/usr/bin/env bash
# Runs one command of cicd-actions with an interpreter and packages of its own, or says where that command is.
#
#   run.sh SLUG [ARGUMENT...]    run a command
#   run.sh --shim SET            print the folder that holds `cicd-actions`, for PATH (SET: runtime or quality)
#
# The environment is made once per content (sources, locked requirements, Python) in the runner's tool cache and is
# renamed into place when it is whole, so a kill half-way leaves nothing that a later run would take for good.
# `python -I` ignores the caller's PYTHON* variables and never imports from the workspace.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

fail() { # title, what to do
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::error title=cicd-actions could not be set up::%s%%0AWhat to do: %s\n' "$1" "$2" >&2
  else
    printf 'error: %s\nWhat to do: %s\n' "$1" "$2" >&2
  fi
  exit "${3:-2}"
}

suits() { # Python 3.11 or later that can make virtual environments
  "$1" -I -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in "$(command -v python3 || true)" python3.13 python3.12 python3.11 \
    "${RUNNER_TOOL_CACHE:-/nowhere}"/Python/3.1[1-9].*/*/bin/python3; do
    [ -n "$candidate" ] && suits "$candidate" && { command -v -- "$candidate"; return; }
  done
  fail "No Python 3.11 or later with the venv module was found on PATH or in the runner's tool cache." \
    "Put a step with actions/setup-python (python-version 3.11) before this one, or install python3 and python3-venv."
}

digest() { # one digest over the sources, the locked requirements and the interpreter
  {
    cd -- "$root/src"
    find cicd_actions -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    sha256sum <"$requirements"
    "$python" -I -c 'import sys; print(sys.version, sys.executable)'
  } | sha256sum | cut -c1-20
}

make_environment() { # into "$home"
  mkdir -p -- "$(dirname -- "$home")"
  fresh=$(mktemp -d -- "$home.XXXXXX")
  trap 'rm -rf -- "$fresh"' EXIT # gone already when all went well
  "$python" -I -m venv "$fresh" >&2 || fail "Python could not make a virtual environment in $fresh." \
    "Look at the message above; the disk may be full or the folder read-only." 3
  "$fresh/bin/python" -I -m pip install --quiet --no-input --disable-pip-version-check --no-compile \
    --require-hashes --only-binary=:all: --requirement "$requirements" >&2 ||
    fail "The locked packages of cicd-actions could not be installed." \
      "See pip's message above: is the package index reachable, and do PIP_* variables name the right mirror?" 3
  cp -R -- "$root/src/cicd_actions" "$("$fresh/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
  mkdir "$fresh/shim"
  printf '#!/usr/bin/env bash\nexec "%s/bin/python" -I -m cicd_actions "$@"\n' "$home" >"$fresh/shim/cicd-actions"
  chmod +x "$fresh/shim/cicd-actions"
  mv -T -- "$fresh" "$home" 2>/dev/null || [ -x "$home/shim/cicd-actions" ] # another job may have been first
}

want=$1
case $want in
  --shim) set=${2:?} ;;
  quality-gate | test-and-merge) set=quality ;;
  *) set=runtime ;;
esac
requirements=$root/requirements/$set.txt
[ -f "$requirements" ] || fail "There is no set of packages named '$set'." "Use runtime or quality."
python=$(find_python)
home=${RUNNER_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/cicd-actions/$(digest)
[ -x "$home/shim/cicd-actions" ] || make_environment

if [ "$want" = --shim ]; then
  printf '%s\n' "$home/shim"
else
  exec "$home/bin/python" -I -m cicd_actions "$@"
fi
