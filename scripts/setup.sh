#!/usr/bin/env bash
# The root action: makes the environment, puts `cicd-actions` on PATH and names its version.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
folder=$(bash "$here/run.sh" --shim "${INPUT_PACKAGES:-runtime}")
version=$("$folder/cicd-actions" --version)
printf '%s\n' "$folder" >>"$GITHUB_PATH"
printf 'path=%s\nversion=%s\n' "$folder" "${version##* }" >>"$GITHUB_OUTPUT"
printf '%s is on PATH\n' "$version"
