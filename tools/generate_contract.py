"""Generates `src/assign/v1` from `proto/assign/v1`; with `--check` only compares, and fails on a difference.

The versions of the generators are pinned in constraints.txt; the generated code is committed, and a test
generates it again and compares. Generated code wants runtimes no older than its generators.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("assign/v1")
_INCLUDES = (ROOT / "proto", ROOT / "third_party/googleapis")
_PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(out: Path) -> None:
    """Write the modules and stubs of every proto file below `out`. Raises RuntimeError if protoc fails."""
    sources = sorted(path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto" / PACKAGE).glob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    arguments = [
        "protoc",
        *(f"--proto_path={path}" for path in (*_INCLUDES, well_known)),
        *(f"--plugin={name}={_plugin(name)}" for name in _PLUGINS),
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc failed: see its messages above")


def _plugin(name: str) -> str:
    """Path of a protoc plugin of this very environment, whatever PATH says."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise RuntimeError(f"{name} is missing: run `make setup`")
    return found


def differences() -> list[str]:
    """Names of generated files that are not as committed, in sorted order."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        made, committed = (_generated(Path(base) / PACKAGE) for base in (folder, ROOT / "src"))
    return sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))


def _generated(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*_pb2*.py*")}


def main() -> int:
    """0 when all was generated, or is as committed; else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed code, change nothing")
    if not parser.parse_args().check:
        generate(ROOT / "src")
        return 0
    differing = differences()
    for name in differing:
        sys.stderr.write(f"src/{PACKAGE / name} is not what proto/ generates: run `make proto`\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
