#!/usr/bin/env bash
# Resolves requirements/*.in again and writes requirements/*.txt with hashes, for every platform and Python >= 3.11.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
for set in ${1:-runtime quality safety uv dev}; do
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
    --output-file "requirements/$set.txt" "requirements/$set.in"
done
