"""The self-test: a sound build passes, each broken part is named, and the library alone is enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from assign import _core, reference
from assign.draw.constrained import graph_of
from assign.errors import Corrupt
from assign.selftest import cli, known_answers, run
from assign.selftest.golden import golden_vectors
from assign.selftest.known_answers import check_known_answers, sample_wave
from assign.selftest.report import Check, SelfTestReport
from assign.selftest.run import require_sound_build, run_selftest

VECTORS = Path(__file__).parents[1] / "vectors"
SHIPPED = files("assign.selftest") / "vectors"


@pytest.fixture(scope="module")
def report() -> SelfTestReport:
    """The short self-test of this build."""
    return run_selftest(is_long=False)


def _wrong(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if not check.is_passed}


def test_this_build_is_sound(report: SelfTestReport) -> None:
    """All known answers and statistics of the installed build."""
    assert report.wrong == ()
    assert report.is_sound
    assert len(report.known) == 7
    assert len(report.chance) >= 14


def test_verdict_is_one_that_a_supervisor_understands(report: SelfTestReport) -> None:
    """May it draw, and if not, what to do."""
    assert report.verdict().startswith("SOUND. ")
    assert report.verdict().endswith("It may draw.")
    bad = Check(name="merkle", words="hashes", is_passed=False, detail="differs")
    verdict = SelfTestReport(algorithm="x", known=(bad,), chance=(), is_long=False).verdict()
    assert verdict.startswith("NOT SOUND: merkle. Do not draw with this build")


def test_same_figures_each_time(report: SelfTestReport) -> None:
    """The keys are fixed: a second run gives the very same report."""
    assert run_selftest(is_long=False) == report


def test_golden_vectors_are_the_specifications() -> None:
    """The shipped file is what `reference` gives: `python -m assign.selftest.golden` writes it anew."""
    assert json.loads((SHIPPED / "golden.json").read_text()) == golden_vectors()


def test_shipped_vector_is_the_published_one() -> None:
    """The wheel carries the same bytes as the repository's vectors."""
    assert (SHIPPED / "draw-v1.json").read_bytes() == (VECTORS / "draw-v1.json").read_bytes()
    shipped = json.loads((SHIPPED / "published.json").read_text())["drand"]
    rounds = json.loads((VECTORS / "drand-quicknet.json").read_text())["rounds"]
    assert any(one["signature"] == shipped["signature"] and one["round"] == shipped["round"] for one in rounds)


def test_sample_wave_has_everything_in_it() -> None:
    """Teams of one and two, two tiers, a qualification, an absence, recusals and people who selected."""
    inputs = sample_wave()
    assert set(graph_of(inputs).team_size.tolist()) == {1, 2}
    assert {order.tier for order in inputs.orders} == {0, 1}
    assert len(set("".join(inputs.verdicts))) >= 5


def _flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


_real_keystream, _real_shuffle, _real_draw = _core.keystream, _core.shuffle, _core.draw_detailed
_BREAKS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "chacha20": (_core, "keystream", lambda key, length: _flip(_real_keystream(key, length))),
    "hkdf": (known_answers, "hkdf", lambda **_: bytes(42)),
    "merkle": (known_answers, "leaf_hash", lambda _: bytes(32)),
    "drand": (known_answers, "verify_evidence", lambda *_: None),
    "protocol": (known_answers, "wave_seed", lambda *_: bytes(32)),
    "golden": (_core, "draw_detailed", lambda **arrays: _real_draw(**{**arrays, "key": bytes(32)})),
    "wave": (known_answers, "seats_of", lambda graph, _: graph.capacity),
}


@pytest.mark.parametrize("name", _BREAKS)
def test_each_broken_part_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One part at a time gives wrong answers: the check of that part fails."""
    owner, attribute, fake = _BREAKS[name]
    monkeypatch.setattr(owner, attribute, fake)
    assert name in _wrong(check_known_answers())


def test_every_known_answer_can_fail() -> None:
    """No check is missing from the breaks above."""
    assert {check.name for check in check_known_answers()} == set(_BREAKS)


def test_another_algorithm_id_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that draws by other rules than the library says does not draw."""
    monkeypatch.setattr(_core, "ALGORITHM", "frozen-chair-walk/v9")
    assert _wrong(check_known_answers()) == {"golden"}


def test_wrong_path_of_the_keystream_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way of computing it is tried, not only the one in use; the fastest is in use afterwards."""
    current = [_core.available_paths()[-1]]
    monkeypatch.setattr(_core, "select_path", lambda name: current.__setitem__(0, name))
    for broken in _core.available_paths():
        monkeypatch.setattr(
            _core,
            "keystream",
            lambda key, length, broken=broken: (
                _flip(_real_keystream(key, length)) if current[0] == broken else _real_keystream(key, length)
            ),
        )
        assert "chacha20" in _wrong(check_known_answers())
        assert current == [_core.available_paths()[-1]]


def test_core_that_crashes_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that raises gets a verdict, not a traceback."""

    def crash(*_: object, **__: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(_core, "draw_detailed", crash)
    found = {check.name: check.detail for check in check_known_answers() if not check.is_passed}
    assert found["golden"] == "ValueError: broken"


def test_guard_refuses_an_unsound_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server calls before it listens raises, and says what to do."""
    monkeypatch.setattr(_core, "shuffle", lambda n, key: _real_shuffle(n, bytes(32)))
    run.require_sound_build.cache_clear()
    with pytest.raises(Corrupt, match=r"SELFTEST_FAILED.*shuffle-orders") as refused:
        require_sound_build()
    assert "assign selftest" in refused.value.message
    monkeypatch.undo()
    run.require_sound_build.cache_clear()
    assert require_sound_build().is_sound


def test_command_prints_a_verdict() -> None:
    """Every check on a line, the verdict last, status 0."""
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("SOUND. ")
    assert "WRONG" not in done.stdout


def test_command_tells_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON with the same verdict, and status 1 for an unsound build."""
    monkeypatch.setattr(_core, "ALGORITHM", "other")
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, ["--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert found["is_sound"] is False
    assert [check["name"] for check in found["known"] if not check["is_passed"]] == ["golden"]
    assert found["false_alarm"] == "1/1000000"


def test_library_alone_is_enough() -> None:
    """`python -m assign.selftest` where neither the server nor anything it needs can be imported, nor SciPy."""
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'server', 'grpc', 'google', 'sqlalchemy', 'scipy', 'pyrage'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from assign.selftest.cli import main\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "SOUND. " in done.stdout


def test_specification_has_the_id_of_the_core() -> None:
    """Both are the same algorithm."""
    assert reference.ALGORITHM == _core.ALGORITHM
