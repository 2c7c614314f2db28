"""A year of a large port, replayed: 300,000 inspections in 15-minute waves, against the draws in the core alone.

`replay_wave` is what the server calls at the draw and the verifier afterwards: from opened inputs and a key to the
transcript. Reading inputs and deriving keys, which a verifier does besides, are measured too.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from assign import _core
from assign.container import ContainerNumber, check_digit
from assign.draw.constrained import ALGORITHM, graph_of
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.draw.keys import draw_key, wave_seed
from assign.draw.outcome import replay_wave
from assign.encoding import sha256
from assign.names import OrderId, SlotId, TerminalCode
from assign.person import Pseudonym, Screening
from assign.rules.eligibility import Candidate

_WAVES_A_YEAR = 35_040
_INSPECTIONS_A_YEAR = 300_000
_ORDERS = -(-_INSPECTIONS_A_YEAR // _WAVES_A_YEAR)
_PERSONS = 60
_SAMPLE = 400
_START = datetime(2026, 11, 24, 6, tzinfo=UTC)
_TERMINALS = ("RWG", "EMX", "DDE", "HPD2")
_CLEARED = Screening(certificate_until=_START + timedelta(days=300), signal_open=False, interviewed=True)


def _order(wave: int, number: int) -> FrozenOrder:
    prefix = f"MSKU{wave * 100 + number:06d}"
    return FrozenOrder(
        order=OrderId(f"o-{wave}-{number}"),
        slot=SlotId(f"s-{wave}-{number}"),
        container=ContainerNumber(prefix + str(check_digit(prefix))),
        terminal=TerminalCode(_TERMINALS[number % len(_TERMINALS)]),
        start=_START,
        minutes=45,
        tier=number % 3,
        team_size=2 if number % 7 == 0 else 1,
        qualifications=frozenset({"reefer"} if number % 5 == 0 else ()),
        parties=frozenset({f"party-{number}"}),
        handled_by=frozenset(),
        salt=sha256(f"{wave}/{number}".encode()),
    )


def _person(number: int) -> FrozenPerson:
    served = {_TERMINALS[number % len(_TERMINALS)], _TERMINALS[(number + number // 8) % len(_TERMINALS)]}
    candidate = Candidate(
        person=Pseudonym(sha256(number.to_bytes(2, "big")).hex()[:32]),
        terminals=frozenset(TerminalCode(code) for code in served),
        duty_start=_START - timedelta(hours=1),
        duty_end=_START + timedelta(hours=7),
        qualifications=frozenset({"reefer"} if number % 3 else ()),
        absent=False,
        screening=_CLEARED,
        recused_parties=frozenset(),
        cooldown_parties=frozenset(),
        busy=(),
    )
    return FrozenPerson(candidate=candidate, capacity=1)


def _wave(number: int) -> WaveInputs:
    return WaveInputs.assemble(
        origin="bench.example/NLRTM",
        shift="ports/NLRTM/shifts/bench",
        wave=f"ports/NLRTM/shifts/bench/waves/{number}",
        draw_algorithm=ALGORITHM,
        code_version="bench",
        min_pool=3,
        orders=[_order(number, order) for order in range(_ORDERS)],
        persons=[_person(person) for person in range(_PERSONS)],
    )


def _key(inputs: WaveInputs) -> bytes:
    seed = wave_seed(bytes(32), inputs.origin, inputs.shift, inputs.wave)
    return draw_key(
        beacon_value=sha256(inputs.wave.encode()),
        seed=seed,
        origin=inputs.origin,
        wave=inputs.wave,
        leaf=bytes(32),
        chain_hash=bytes(32),
        beacon_round=1,
    )


def _entry(name: str, ours: float, baseline: float) -> dict[str, Any]:
    year = _WAVES_A_YEAR / _SAMPLE
    return {
        "name": name,
        "value": year * ours,
        "unit": f"CPU s a year, from {_SAMPLE} waves",
        "baseline": year * baseline,
        "ratio": ours / baseline,
        "better": "lower",
    }


def entries() -> list[dict[str, Any]]:
    """CPU seconds of a year, from a sample of waves; the two sides take turns wave by wave."""
    waves = [_wave(number) for number in range(_SAMPLE)]
    opened = [inputs.to_bytes() for inputs in waves]
    graphs = [graph_of(inputs) for inputs in waves]
    bare = replayed = whole = 0.0
    for data, inputs, graph in zip(opened, waves, graphs, strict=True):
        key = _key(inputs)
        marks = [time.thread_time()]
        _core.draw(graph.indptr, graph.indices, graph.team_size, graph.capacity, graph.tier, key)
        marks.append(time.thread_time())
        replay_wave(inputs, key)
        marks.append(time.thread_time())
        read = WaveInputs.from_bytes(data)
        replay_wave(read, _key(read))
        marks.append(time.thread_time())
        bare += marks[1] - marks[0]
        replayed += marks[2] - marks[1]
        whole += marks[3] - marks[2]
    return [
        _entry("a year of a large port replayed, against its draws in the core alone", replayed, bare),
        _entry("the same, inputs read and keys derived, against the draws alone", whole, bare),
    ]
