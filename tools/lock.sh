#!/usr/bin/env bash
# Resolve the dependencies anew and write both lock files, with hashes and without addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
resolve() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml "$@"; }
resolve --output-file requirements.txt
resolve --group dev --output-file requirements-dev.txt
