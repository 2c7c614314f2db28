"""A server with a biased core refuses to serve; so does one whose core gives another keystream."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from escrow_site import ENVIRONMENT, Site, make_site

_SERVE = (
    "import sys\n"
    "import numpy as np\n"
    "from assign import _core\n"
    "real = _core.shuffle, _core.keystream\n"
    "{patch}\n"
    "from server.cli import main\n"
    "sys.argv = ['assign', 'serve', '--config', 'assign.toml']\n"
    "main()\n"
)
_PATCHES = {
    "a biased shuffle": (
        "_core.shuffle = lambda n, key: np.sort(real[0](n, key)[:2]).tolist() and "
        "np.concatenate([np.sort(real[0](n, key)[:2]), real[0](n, key)[2:]])",
        "shuffle-orders",
    ),
    "another keystream": ("_core.keystream = lambda key, length: real[1](key[::-1], length)", "chacha20"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A configured server."""
    return make_site(tmp_path_factory.mktemp("server"))


@pytest.mark.parametrize("name", _PATCHES)
def test_server_with_a_broken_core_does_not_serve(site: Site, name: str) -> None:
    """The real command, in a process of its own whose core is patched before anything starts: status 1, one line."""
    patch, check = _PATCHES[name]
    before = sorted(path.name for path in Path(site.folder).iterdir())
    done = subprocess.run(
        [sys.executable, "-c", _SERVE.format(patch=patch)],
        cwd=site.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "listening" not in done.stdout
    assert done.stderr.startswith("Error: SELFTEST_FAILED")
    assert check in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in Path(site.folder).iterdir()) == before
