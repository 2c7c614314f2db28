"""Known answers: published vectors, the project's own, and the specification beside the compiled core."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from assign import _core, reference
from assign.container import ContainerNumber, check_digit
from assign.draw.beacon import beacon_value, quicknet, verify_evidence
from assign.draw.commitment import Freeze, commit_inputs, commit_seed
from assign.draw.constrained import ALGORITHM, graph_of, seats_of
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.draw.keys import draw_key, wave_seed
from assign.draw.outcome import replay_wave
from assign.draw.streams import hkdf
from assign.encoding import sha256
from assign.errors import AssignError, Corrupt
from assign.log.merkle import leaf_hash, root_of
from assign.names import OrderId, SlotId, TerminalCode
from assign.person import Screening, pseudonym
from assign.rules.eligibility import Candidate
from assign.selftest.golden import INSTANCES, key_of
from assign.selftest.instances import arrays_of
from assign.selftest.report import Check

__all__ = ["check_known_answers", "sample_wave"]

_BLOCK_BYTES = 64
_WAVE = datetime(2026, 1, 1, 6, tzinfo=UTC)
_PERSONS = 9
_ORDERS = 6


class _Differs(Exception):
    """An answer is not the known one."""


def check_known_answers() -> tuple[Check, ...]:
    """Every known answer, each as a check."""
    return tuple(_attempt(name, words, check) for name, words, check in _CHECKS)


def _attempt(name: str, words: str, check: Callable[[], int]) -> Check:
    try:
        detail, is_passed = f"{check()} answers", True
    except _Differs as error:
        detail, is_passed = str(error), False
    except (AssignError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A broken build may break in any way: that is a finding, not a crash.
        detail, is_passed = f"{type(error).__name__}: {error}", False
    return Check(name=name, words=words, is_passed=is_passed, detail=detail)


@cache
def _vectors(name: str) -> Any:
    return json.loads((files("assign.selftest") / "vectors" / name).read_text(encoding="utf-8"))


def _expect(what: str, found: object, known: object) -> None:
    if found != known:
        raise _Differs(f"{what} differs from the known answer")


def _check_keystream() -> int:
    """On every way of computing it that this processor has."""
    cases = _vectors("published.json")["chacha20"]["cases"]
    paths = _core.available_paths()
    try:
        for path in paths:
            _core.select_path(path)
            for case in cases:
                end = (case["block"] + 1) * _BLOCK_BYTES
                found = _core.keystream(bytes.fromhex(case["key"]), end)[-_BLOCK_BYTES:]
                _expect(f"ChaCha20 ({path}), block {case['block']}", found.hex(), case["keystream"])
            _expect(f"the long keystream ({path})", sha256(_core.keystream(bytes(32), 5000)), _long_keystream())
    finally:
        _core.select_path(paths[-1])
    return len(paths) * (len(cases) + 1)


@cache
def _long_keystream() -> bytes:
    return sha256(reference.keystream(bytes(32), 5000))


def _check_hkdf() -> int:
    cases = _vectors("published.json")["hkdf"]["cases"]
    for number, case in enumerate(cases, start=1):
        found = hkdf(
            salt=bytes.fromhex(case["salt"]),
            secret=bytes.fromhex(case["ikm"]),
            info=bytes.fromhex(case["info"]),
            length=case["length"],
        )
        _expect(f"HKDF test case {number}", found.hex(), case["okm"])
    return len(cases)


def _check_merkle() -> int:
    vector = _vectors("published.json")["merkle"]
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in vector["leaves"]]
    for size, root in vector["roots"].items():
        _expect(f"the root of {size} leaves", root_of(leaves[: int(size)]).hex(), root)
    return len(vector["roots"])


def _check_drand() -> int:
    """A true round is accepted and gives its randomness; the same signature for another round is not."""
    vector = _vectors("published.json")["drand"]
    evidence = bytes.fromhex(vector["signature"])
    verify_evidence(quicknet(), vector["round"], evidence)
    _expect("the value of a beacon round", beacon_value(evidence).hex(), vector["randomness"])
    try:
        verify_evidence(quicknet(), vector["round"] + 1, evidence)
    except Corrupt:
        return 2
    raise _Differs("a beacon signature is accepted for a round that it does not sign")


def _check_protocol() -> int:
    """`draw-v1.json`: from the master seed to the shuffle, as two independent implementations found it."""
    vector, chain = _vectors("draw-v1.json"), quicknet()
    origin, wave = vector["origin"], vector["wave"]
    seed = wave_seed(bytes.fromhex(vector["master"]), origin, vector["shift"], wave)
    _expect("the seed of a wave", seed.hex(), vector["slot_seed"])
    freeze = Freeze(
        origin=origin,
        wave=wave,
        seed_commitment=commit_seed(origin, wave, seed),
        inputs_commitment=commit_inputs(bytes.fromhex(vector["salt"]), bytes.fromhex(vector["inputs"])),
        chain_hash=chain.chain_hash,
        beacon_round=vector["round"],
    )
    _expect("the leaf of a freeze", freeze.leaf().hex(), vector["freeze_leaf"])
    key = draw_key(
        beacon_value=beacon_value(bytes.fromhex(_vectors("published.json")["drand"]["signature"])),
        seed=seed,
        origin=origin,
        wave=wave,
        leaf=freeze.leaf(),
        chain_hash=chain.chain_hash,
        beacon_round=freeze.beacon_round,
    )
    _expect("the draw key", key.hex(), vector["draw_key"])
    _expect("the shuffle of the draw key", _core.shuffle(10, key).tolist(), vector["shuffle_10"])
    return 4


def _check_golden() -> int:
    vectors = _vectors("golden.json")
    _expect("the algorithm id of the compiled core", _core.ALGORITHM, vectors["algorithm"])
    _expect("the algorithm id of the library", ALGORITHM, vectors["algorithm"])
    key = bytes.fromhex(vectors["shuffle_key"])
    _expect("the keystream", _core.keystream(key, _BLOCK_BYTES).hex(), vectors["keystream"])
    _expect("the shuffle", _core.shuffle(len(vectors["shuffle"]), key).tolist(), vectors["shuffle"])
    for case in vectors["draws"]:
        _check_golden_draw(case)
    return 4 + 2 * len(vectors["draws"])


def _check_golden_draw(case: dict[str, Any]) -> None:
    instance, key = INSTANCES[case["instance"]], bytes.fromhex(case["key"])
    arrays = arrays_of(instance)
    drawn = _core.draw_detailed(**arrays, key=key)  # type: ignore[arg-type]
    found = [drawn.seats.tolist(), drawn.service_order.tolist(), drawn.walks, drawn.steps]
    if found != [case["seats"], case["service_order"], case["walks"], case["steps"]]:
        specified = reference.draw_detailed(**instance, key=key)
        if drawn.seats.tolist() == [*specified.seats]:
            raise _Differs(
                f"core and specification agree, but not with the published draws of {ALGORITHM}: whoever changes "
                "the draw gives it a new id, and then new vectors (python -m assign.selftest.golden)"
            )
        raise _Differs(f"the draw of the instance {case['instance']} differs from the known answer")
    reserves = _core.reserve_orders(arrays["indptr"], arrays["indices"], key)  # type: ignore[arg-type]
    _expect(f"the reserve orders of {case['instance']}", reserves.tolist(), case["reserve_orders"])


def _check_wave() -> int:
    """A whole wave, from facts about people to teams: the compiled core and the specification agree."""
    inputs, key = sample_wave(), key_of("wave")
    graph = graph_of(inputs)
    known = reference.draw(
        graph.indptr.tolist(),
        graph.indices.tolist(),
        graph.team_size.tolist(),
        graph.capacity.tolist(),
        graph.tier.tolist(),
        key,
    )
    _expect("the draw of a whole wave", seats_of(graph, key).tolist(), known)
    _expect("the inputs of a wave, read again,", WaveInputs.from_bytes(inputs.to_bytes()), inputs)
    _expect("the verdicts of the rules", inputs.rejudge(), inputs.verdicts)
    drawn = [person for _, person in replay_wave(inputs, key).seats()]
    _expect("the teams of a whole wave", drawn, [inputs.persons[seat].candidate.person for seat in known if seat >= 0])
    return len(known)


def sample_wave() -> WaveInputs:
    """Six orders, two of them for teams of two and two for reefers, and nine people."""
    return WaveInputs.assemble(
        origin="selftest.invalid/XXSLF",
        shift="ports/XXSLF/shifts/selftest",
        wave="ports/XXSLF/shifts/selftest/waves/20260101T060000Z",
        draw_algorithm=ALGORITHM,
        code_version="selftest",
        min_pool=3,
        orders=[_order(number) for number in range(_ORDERS)],
        persons=[_person(number) for number in range(_PERSONS)],
    )


def _order(number: int) -> FrozenOrder:
    prefix = f"MSKU{number:06d}"
    return FrozenOrder(
        order=OrderId(f"order-{number}"),
        slot=SlotId(f"slot-{number}"),
        container=ContainerNumber(prefix + str(check_digit(prefix))),
        terminal=TerminalCode("ABC"),
        start=_WAVE,
        minutes=30,
        tier=number % 2,
        team_size=2 if number % 3 == 0 else 1,
        qualifications=frozenset({"reefer"} if number % 3 == 1 else ()),
        parties=frozenset({f"party-{number}"}),
        handled_by=frozenset({pseudonym(key_of(f"person {number}"), "selftest")}),
        salt=bytes(32),
    )


def _person(number: int) -> FrozenPerson:
    return FrozenPerson(
        capacity=1,
        candidate=Candidate(
            person=pseudonym(key_of(f"person {number}"), "selftest"),
            terminals=frozenset({TerminalCode("ABC")}),
            duty_start=_WAVE - timedelta(hours=1),
            duty_end=_WAVE + timedelta(hours=7),
            qualifications=frozenset({"reefer"} if number % 2 else ()),
            absent=number == _PERSONS - 1,
            screening=Screening(certificate_until=_WAVE + timedelta(days=1), signal_open=False, interviewed=True),
            recused_parties=frozenset({f"party-{number + 1}"}),
            cooldown_parties=frozenset(),
            busy=(),
        ),
    )


_CHECKS: tuple[tuple[str, str, Callable[[], int]], ...] = (
    ("chacha20", "keystream, RFC 8439, on every path of this processor", _check_keystream),
    ("hkdf", "key derivation, RFC 5869", _check_hkdf),
    ("merkle", "hashes of the log, RFC 6962", _check_merkle),
    ("drand", "signature of a public beacon round", _check_drand),
    ("protocol", "key schedule of the protocol, draw-v1", _check_protocol),
    ("golden", "draws, shuffle and reserve orders of this algorithm id", _check_golden),
    ("wave", "a whole wave, compiled core against specification", _check_wave),
)
