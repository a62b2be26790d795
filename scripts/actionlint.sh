#!/usr/bin/env bash
# Runs actionlint over the workflows and the templates: the one on PATH, or one that Go builds once into .cache.
#
# The Go module's version is fixed here, and Go checks it against its public checksum database. Where there is neither
# actionlint nor Go it says so and passes, unless CICD_ACTIONS_REQUIRE_ALL=1. `--path` prints where the program is.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
version=v1.7.12
bin=$PWD/.cache/tools/actionlint-$version

if program=$(command -v actionlint); then
  :
elif [ -x "$bin/actionlint" ]; then
  program=$bin/actionlint
elif command -v go >/dev/null; then
  GOBIN=$bin GOFLAGS=-mod=mod go install "github.com/rhysd/actionlint/cmd/actionlint@$version" >&2
  program=$bin/actionlint
else
  echo "skipped: actionlint is missing: there is neither actionlint nor Go to build it" >&2
  [ "${CICD_ACTIONS_REQUIRE_ALL:-}" != 1 ] || exit 1
  exit 0
fi

if [ "${1:-}" = --path ]; then
  printf '%s\n' "$program"
else
  exec "$program" -no-color .github/workflows/*.yml workflows-templates/*.yml
fi
