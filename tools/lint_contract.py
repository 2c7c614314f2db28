"""Runs `buf lint` on the contract, and with `--against REF` also `buf breaking` against a git tag or branch.

buf comes from PATH, or else through npm in the version below. Where neither can be had, this says so and exits
with status 75, which callers may take as "skipped".
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF_VERSION = "1.75.0"
EX_TEMPFAIL = 75


def buf_command() -> list[str] | None:
    """How to call buf of BUF_VERSION here, None where it cannot be had."""
    npx = shutil.which("npx")
    candidates = [["buf"]] if shutil.which("buf") else []
    if npx is not None:
        candidates.append([npx, "--yes", f"@bufbuild/buf@{BUF_VERSION}"])
    for command in candidates:
        answer = _run([*command, "--version"], capture=True)
        # Another version has other rules: what is clean with one need not be with the other.
        if answer.returncode == 0 and answer.stdout.strip() == BUF_VERSION:
            return command
    return None


def main() -> int:
    """0 clean, 75 skipped, else what buf returned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="REF", help="git tag or branch to compare with")
    against = parser.parse_args().against
    buf = buf_command()
    if buf is None:
        sys.stderr.write(f"buf lint: skipped, no buf {BUF_VERSION} (it comes with npm: install Node.js)\n")
        return EX_TEMPFAIL
    status = _run([*buf, "lint"]).returncode
    if status == 0 and against is not None:
        status = _run([*buf, "breaking", "--against", f".git#ref={against}"]).returncode
    return status


def _run(command: list[str], *, capture: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_UPDATE_NOTIFIER": "1", "npm_config_loglevel": "error"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=capture, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
