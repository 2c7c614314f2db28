#!/usr/bin/env bash
# Writes constraints.txt anew: the newest versions that pyproject.toml allows, as an empty environment gets them.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet setuptools cython numpy
"$venv/bin/python" -m pip install --quiet --no-build-isolation --editable '.[server,dev]'
{
  sed -n '/^#/p' constraints.txt
  "$venv/bin/python" -m pip freeze --all --exclude pip --exclude-editable | LC_ALL=C sort -f
} >"$venv/constraints.txt"
cp "$venv/constraints.txt" constraints.txt
git diff --stat -- constraints.txt
