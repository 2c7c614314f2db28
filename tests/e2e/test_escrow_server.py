"""A real server: whether there is an escrow is in its banner, and nothing of its memory reaches the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from escrow_site import ENVIRONMENT, Site, make_site, serving

from server.entropy import SystemEntropy
from server.escrow.custodians import load_identities
from server.escrow.key_file import recover_key_file
from server.escrow.shares import open_share


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A configured server."""
    return make_site(tmp_path_factory.mktemp("server"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_real_server_dumps_no_core(site: Site) -> None:
    """The limit of a running `assign serve` is 0, soft and hard; the banner names the custodians."""
    with serving(site) as (pid, banner):
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (core,) = (line.split() for line in limits if line.startswith("Max core file size"))
    assert core[4:6] == ["0", "0"]
    assert "escrow: 2 of 3 custodians" in banner


def test_server_without_escrow_says_so(site: Site) -> None:
    """Nobody runs without an escrow unawares."""
    with serving(site, "plain.toml") as (_, banner):
        assert "NO ESCROW" in banner


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_process_is_not_dumpable() -> None:
    """After the call the kernel hands its memory to no core handler and to no process of the same user."""
    code = (
        "import ctypes; from server.escrow.process_memory import forbid_core_dumps; libc = ctypes.CDLL(None); "
        "before = libc.prctl(3); forbid_core_dumps(); print(before, libc.prctl(3))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_started_server_has_escrowed_its_key_file(site: Site) -> None:
    """After one start, `export` writes the key file's shares, and two custodians make the file again."""
    with serving(site):
        pass
    done = site.assign("export", "--config", "assign.toml", "--out", "shares")
    assert done.returncode == 0, done.stderr
    shares = sorted(str(path) for path in (site.folder / "shares").glob("key-*.age"))
    assert len(shares) == 3
    readers = [open_share(Path(path).read_bytes(), load_identities(site.identities), source=path) for path in shares]
    recover_key_file(readers[:2], site.folder / "again.key", SystemEntropy())
    assert (site.folder / "again.key").read_bytes() == (site.folder / "kek.key").read_bytes()
