"""The committed generated code is what the contract generates with the pinned tools, byte for byte."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "src/assign/v1"
VENDORED = ROOT / "third_party/googleapis/google/api"
EX_TEMPFAIL = 75


def _tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _pinned(package: str) -> str:
    found = re.search(rf"^{package}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_generators_are_the_pinned_ones() -> None:
    """Other versions generate other code: the comparison below would mean nothing."""
    for package in ("grpcio-tools", "mypy-protobuf", "protobuf"):
        assert importlib.metadata.version(package) == _pinned(package), f"run `make setup`: {package}"


def test_generated_code_is_as_committed() -> None:
    """A change of the contract without `make proto`, or of the generated code by hand, fails."""
    done = _tool("tools/generate_contract.py", "--check")
    assert done.returncode == 0, done.stderr


def test_comparison_notices_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above is not blind: a changed, a missing and a foreign file are each named."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    tool = importlib.import_module("generate_contract")
    package = tmp_path / "src/assign/v1"
    package.mkdir(parents=True)
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    for path in GENERATED.glob("*_pb2*.py*"):
        (package / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.differences() == []
    (package / "wave_service_pb2.py").write_bytes(b"# by hand\n")
    (package / "slot_service_pb2.pyi").unlink()
    (package / "gone_pb2.py").write_bytes(b"")
    assert tool.differences() == ["gone_pb2.py", "slot_service_pb2.pyi", "wave_service_pb2.py"]


def test_generated_code_is_no_newer_than_its_runtimes() -> None:
    """Generated code refuses a runtime older than its generator: the declared minimum must be enough."""
    project = (ROOT / "pyproject.toml").read_text()
    gencode = re.search(
        r"^# Protobuf Python Version: (.+)$", (GENERATED / "wave_service_pb2.py").read_text(), re.MULTILINE
    )
    generator = re.search(
        r"^GRPC_GENERATED_VERSION = '(.+)'$", (GENERATED / "wave_service_pb2_grpc.py").read_text(), re.MULTILINE
    )
    assert gencode is not None
    assert generator is not None
    assert f'"protobuf>={gencode[1]},' in project
    assert f'"grpcio>={generator[1]},' in project


@pytest.mark.parametrize("name", sorted(path.name for path in VENDORED.glob("*.proto")))
def test_vendored_files_are_googles_own(name: str) -> None:
    """The copies in third_party are what the installed package has."""
    assert (VENDORED / name).read_bytes() == (resources.files("google.api") / name).read_bytes()


def test_buf_lint_is_clean() -> None:
    """The contract keeps the standard style of buf; skipped where buf cannot be had."""
    done = _tool("tools/lint_contract.py")
    if done.returncode == EX_TEMPFAIL:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
