#!/usr/bin/env bash
# Makes the virtual environment $1 and installs the project in it, with the versions of constraints.txt.
# Safe to run again. PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
readonly extras='server,dev'
readonly wanted='import sys; sys.exit(sys.version_info < (3, 11))'

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
    if "$candidate" -c "$wanted" >/dev/null 2>&1; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail 'Python 3.11 or newer is needed, and none was found.' \
    'Install it (Debian, Ubuntu: apt install python3 python3-venv python3-dev), or name it: make setup PYTHON=/path/to/python3'
}

check_compiler() {
  local compiler
  for compiler in ${CC:-cc gcc clang}; do
    if command -v "$compiler" >/dev/null 2>&1; then
      return
    fi
  done
  fail 'A C compiler is needed to build the draw core, and none was found.' \
    'Debian, Ubuntu: apt install build-essential. Fedora: dnf install gcc. macOS: xcode-select --install. Or set CC.'
}

check_headers() {
  "$1" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
    fail "The C headers of $1 are needed to build the draw core (Debian, Ubuntu: apt install python3-dev)."
}

# An environment whose interpreter is gone or too old is made anew; any other one is kept.
if ! "$venv/bin/python" -c "$wanted" >/dev/null 2>&1; then
  python=$(find_python)
  check_compiler
  check_headers "$python"
  printf 'setup: %s with %s\n' "$venv" "$("$python" --version)"
  "$python" -m venv --clear "$venv" ||
    fail 'The module venv does not work (Debian, Ubuntu: apt install python3-venv).'
fi
check_compiler
check_headers "$venv/bin/python"

pip() {
  # The user's own PYTHONPATH has no part in what is installed.
  env -u PYTHONPATH PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip "$@" --quiet --no-input
}
# The build backend is pinned too: it is installed first, and building then fetches nothing more.
pip install --no-compile --constraint constraints.txt setuptools cython numpy
pip install --no-compile --constraint constraints.txt --no-build-isolation --editable ".[$extras]"
"$venv/bin/python" -c 'import assign._core, server' || fail 'The installed core does not load: see the message above.'
printf 'setup: ready, %s\n' "$("$venv/bin/python" --version)"
