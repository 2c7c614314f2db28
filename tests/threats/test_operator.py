"""The operator as the attacker: he has the master seed, the log's key and the clock, and wants another outcome."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from log_forgeries import FORGERIES
from pyrage.x25519 import Identity
from seeded_entropy import SeededEntropy
from simulated_day import CALENDAR_A, check, codes, make_orders, run_day
from simulated_log import BEACON, ORIGIN, OpenShift, Operator, at, shift_name
from simulation.whole_service import OFFICER, Beacon, Service, duty, open_small_shift, utc
from unit.test_verify_draws import ChoosesTheRound, HidesTheInputs, LeavesOutAContainer, UsesAnotherSeed
from unit.test_verify_witnesses import HONEST, KEYS, W1, W2
from unit.test_verify_witnesses import check as check_witnessed
from unit.test_verify_witnesses import day as witnessed_day

from assign.draw.commitment import commit_master
from assign.draw.keys import draw_key
from assign.draw.outcome import replay_wave
from assign.encoding import lp, sha256
from assign.errors import AlreadyExists, AssignError, Conflict, InvalidInput
from assign.log.entries import Entry, Kind
from assign.names import PersonId, ShiftId, ShiftName, WaveName
from assign.verify.findings import Attention
from server.actions.draw_wave import draw_wave
from server.actions.freeze_wave import freeze_wave
from server.actions.open_shift import open_shift
from server.escrow.custodians import EscrowConfig
from server.escrow.shares import Secret, SecretKind, open_share, recover_secret, seal_shares
from server.storage.ledger import read_entries, read_head
from server.storage.secrets import open_master
from server.storage.shifts import load_shift
from server.storage.unit import Unit
from server.storage.waves import WaveState

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_PEOPLE = [f"i-{number}" for number in range(1, 7)]


def _play(tmp_path: Path, play: Callable[[Service], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _service(tmp_path / "assign.db").running() as service:
            await play(service)

    asyncio.run(run())


def _service(store: Path, *, seed: int = 1) -> Service:
    return Service(store, start=_START, beacon=Beacon(_START - timedelta(hours=1), days=1), seed=seed)


async def _frozen(service: Service) -> tuple[ShiftName, WaveName]:
    """A shift of two frozen waves with slots; the beacon does not answer."""
    name = await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
    await service.order_at([_SHIFT, _SHIFT, _SHIFT + _STEP])
    service.beacon.is_down = True
    await service.advance(_SHIFT)
    assert set(await service.states(name)) == {WaveState.FROZEN}
    return name, WaveName(name, _SHIFT)


async def _entries(service: Service, name: ShiftName) -> list[bytes]:
    def read(unit: Unit) -> list[bytes]:
        edge, _ = read_head(unit.connection, name.port)
        return list(read_entries(unit.connection, name.port, 0, edge.size))

    return await service.act(read)


def _forged(what: str) -> set[str]:
    """The codes that an honest day gets once it was forged so and signed by its operator."""
    operator = run_day(Operator())
    assert codes(check(operator)) == set()
    forge, _ = FORGERIES[what]
    forge(operator)
    return codes(check(operator))


# Knowing the seed


def _one_wave(operator: Operator) -> tuple[OpenShift, str]:
    """A frozen wave, two containers, three inspectors: everything is known but the beacon value."""
    calendar = replace(CALENDAR_A, end=CALENDAR_A.start + timedelta(minutes=15))
    shift = operator.open_shift(shift_name("A"), calendar)
    operator.import_roster(shift, ["inspector-0", "inspector-1", "inspector-2"])
    operator.import_orders(make_orders(3)[1:])
    operator.book(("s-01", "o-01", at(6)), ("s-02", "o-02", at(6)))
    operator.freeze(shift, at(6))
    return shift, str(WaveName(shift.name, at(6)))


def test_operator_who_knows_the_seed_cannot_predict() -> None:
    """Seed and inputs in hand, each beacon value gives another of all six outcomes, none likelier than the others."""
    shift, wave = _one_wave(operator := Operator())
    freeze, inputs = shift.freezes[wave], shift.inputs[wave]

    def outcome(value: bytes) -> tuple[tuple[str, ...], ...]:
        key = draw_key(beacon_value=value, seed=operator.seed_of(shift, wave), origin=ORIGIN, wave=wave,
                       leaf=freeze.leaf(), chain_hash=freeze.chain_hash, beacon_round=freeze.beacon_round)  # fmt: skip
        return replay_wave(inputs, key).teams

    trials = 1200
    seen = Counter(
        outcome(sha256(lp("imagined beacon value", bytes([trial >> 8, trial & 255])))) for trial in range(trials)
    )
    assert len(seen) == 6
    # The values are fixed, so this cannot fail by chance; five standard deviations of a fair die.
    assert all(abs(count - trials / 6) < 5 * (trials * 5 / 36) ** 0.5 for count in seen.values())


def test_operator_who_knows_the_seed_cannot_take_a_beacon_value_that_exists() -> None:
    """At the freeze every round up to the present one is known: none of them passes for the round of the wave."""
    shift, wave = _one_wave(Operator())
    wanted = shift.freezes[wave].beacon_round
    now = BEACON.info.round_at_or_after(CALENDAR_A.freeze_time(at(6)))
    assert now < wanted
    for known in range(now - 5, now + 1):
        with pytest.raises(AssignError):
            BEACON.info.verifier().verify(wanted, BEACON.evidence(known))
    BEACON.info.verifier().verify(wanted, BEACON.evidence(wanted))


def test_operator_who_freezes_after_the_round_is_found() -> None:
    """By his own clock it is FREEZE_LATE; a freeze dated back lacks the witnesses' time: FREEZE_UNWITNESSED."""
    assert "FREEZE_LATE" in _forged("freeze after its round")
    assert codes(check_witnessed(HONEST.bundle())) == set()
    late = witnessed_day(W1, W2, delay=timedelta(seconds=CALENDAR_A.margin_seconds))
    assert codes(check_witnessed(late.bundle(), KEYS)) == {"FREEZE_UNWITNESSED"}


def test_operator_who_uses_another_seed_is_found() -> None:
    """The master seed was committed to before the pools were known: a lucky seed is SEED_MISMATCH."""
    assert "SEED_MISMATCH" in codes(check(run_day(UsesAnotherSeed())))
    assert "MASTER_MISMATCH" in _forged("other master seed")


# One valid freeze, one draw, one calendar


def test_operator_second_freeze(tmp_path: Path) -> None:
    """In the log it is FREEZE_TWICE; the server, asked again, writes nothing."""
    assert "FREEZE_TWICE" in _forged("second freeze")

    async def play(service: Service) -> None:
        name, wave = await _frozen(service)
        before = await service.wave(wave), await _entries(service, name)
        await service.act(lambda unit: freeze_wave(unit, wave))
        assert (await service.wave(wave), await _entries(service, name)) == before

    _play(tmp_path, play)


def test_operator_redraw(tmp_path: Path) -> None:
    """In the log it is DRAW_TWICE, at once or later; the server, with any evidence, draws nothing again."""
    assert "DRAW_TWICE" in _forged("second draw")
    assert "DRAW_TWICE" in _forged("redraw later")

    async def play(service: Service) -> None:
        name, wave = await _frozen(service)
        service.beacon.is_down = False
        await service.until(name, WaveState.DRAWN)
        before = await service.wave(wave), await _entries(service, name)
        for beacon_round in range(before[0].beacon_round - 1, before[0].beacon_round + 2):
            evidence = await service.beacon.fetch(beacon_round)
            await service.act(lambda unit, evidence=evidence: draw_wave(unit, wave, evidence))  # type: ignore[misc]
        assert (await service.wave(wave), await _entries(service, name)) == before

    _play(tmp_path, play)


class _FishesAgain(Operator):
    """After the first draw he cancels a drawn slot and books its order into a later wave."""

    def draw(self, shift: OpenShift, start: datetime) -> None:
        """Honest, and then once more."""
        super().draw(shift, start)
        if start == at(6):
            self.cancel("s-01")
            self.book(("s-90", "o-01", at(6, 50)))


def test_operator_redraw_by_a_new_booking_is_shown() -> None:
    """A drawn order that is cancelled and booked again is within the rules, and DRAWN_AGAIN before a supervisor."""
    report = check(run_day(_FishesAgain()))
    assert [item.code for item in report.attention if item.code is Attention.DRAWN_AGAIN] == [Attention.DRAWN_AGAIN]
    assert Attention.DRAWN_AGAIN not in {item.code for item in check(run_day(Operator())).attention}


def test_operator_other_wave_split(tmp_path: Path) -> None:
    """The calendar is fixed at the opening: another split is outside it, and no second calendar is opened."""
    assert "WAVE_OUTSIDE_CALENDAR" in _forged("freeze outside the calendar")
    assert "SHIFT_OPENED_TWICE" in _forged("shift opened twice")
    assert "CALENDAR_OVERLAP" in _forged("two calendars at once")
    split = run_day(Operator())
    split.edit(Kind.SHIFT_OPEN, lambda body: body["calendar"].update(step_seconds=450))
    assert {"FREEZE_MISSING", "INPUTS_ORDERS"} <= codes(check(split))

    async def play(service: Service) -> None:
        name, _ = await _frozen(service)
        end = _SHIFT + 4 * _STEP
        with pytest.raises(AlreadyExists, match="SHIFT_EXISTS"):
            await service.act(lambda unit: open_shift(unit, OFFICER, name, _SHIFT, end))
        other = ShiftName(name.port, ShiftId("B"))
        with pytest.raises(Conflict, match="SHIFT_OVERLAP"):
            await service.act(lambda unit: open_shift(unit, OFFICER, other, _SHIFT + _STEP, end))

    _play(tmp_path, play)


@pytest.mark.parametrize("forgery", ["round after", "round before"])
def test_operator_round_plus_or_minus_one(forgery: str) -> None:
    """The round is computed, never chosen: the neighbour of the right one is FREEZE_ROUND."""
    assert "FREEZE_ROUND" in _forged(forgery)
    assert "DRAW_ROUND" in _forged("draw of another round")


def test_operator_round_plus_or_minus_one_from_the_start() -> None:
    """Also where he froze and drew with the other round all day, and everything else fits together."""
    assert codes(check(run_day(ChoosesTheRound()))) == {"FREEZE_ROUND", "DRAW_ROUND"}


def test_operator_left_out_container() -> None:
    """An order in no freeze: INPUTS_ORDERS; one booked behind the freeze: SLOT_AFTER_FREEZE."""
    assert "INPUTS_ORDERS" in codes(check(run_day(LeavesOutAContainer())))
    assert "INPUTS_ORDERS" in _forged("slot struck out")
    assert "SLOT_AFTER_FREEZE" in _forged("slot after its freeze")


def test_operator_left_out_container_is_missing_from_the_order_feed() -> None:
    """An order that was never imported is in no log; who sent it has its digest and finds none: the feed reconciles.

    Every opened order stands in the log under the digest that its sender can compute, so that a list of sent
    digests minus the logged ones is the list of containers left out.
    """

    class DropsAnOrder(Operator):
        """One container of the feed never arrives."""

        def import_orders(self, orders: list) -> None:  # type: ignore[type-arg]
            """All but the last."""
            super().import_orders(orders[:-1])

    sent = {order.digest().hex() for order in make_orders(13)}
    logged = {}
    for operator in (Operator(), DropsAnOrder()):
        operator.import_orders(make_orders(13))
        entry = Entry.from_bytes(operator.entries[operator.find(Kind.ORDERS_IMPORT)])
        logged[type(operator)] = {row["digest"] for row in entry.body["orders"]}
    assert sent - logged[Operator] == set()
    assert sent - logged[DropsAnOrder] == {make_orders(13)[-1].digest().hex()}


def test_operator_late_roster_edit(tmp_path: Path) -> None:
    """A roster line moved or edited around the freeze is INPUTS_PERSONS; to the server a late one comes too late."""
    assert "INPUTS_PERSONS" in _forged("late roster edit")
    assert "INPUTS_PERSONS" in _forged("roster line edited")
    assert "INPUTS_ABSENCE" in _forged("absence struck out")

    async def play(service: Service) -> None:
        name, wave = await _frozen(service)
        late = [f"late-{number}" for number in range(20)]
        await service.clear([*_PEOPLE, *late], until=_SHIFT + timedelta(days=9))
        await service.roster(name, [duty(one, _SHIFT - _STEP, _SHIFT + 9 * _STEP, capacity=9) for one in late])
        service.beacon.is_down = False
        await service.until(name, WaveState.DRAWN)
        shown = [await service.reveal(wave, PersonId(one)) for one in late]
        assert shown == [[]] * 20
        before = [await service.reveal(wave, PersonId(one)) for one in _PEOPLE]
        assert sum(map(len, before)) == 2

    _play(tmp_path, play)


# Withholding


@pytest.mark.parametrize(
    ("forgery", "code"),
    [
        ("draw missing", "DRAW_MISSING"),
        ("close missing", "CLOSE_MISSING"),
        ("wave never frozen", "FREEZE_MISSING"),
        ("close without a salt", "CLOSE_SALTS"),
        ("wave drawn, then missed", "MISSED_BUT_FROZEN"),
        ("wave frozen and missed", "MISSED_BUT_FROZEN"),
    ],
)
def test_operator_withholds_a_bad_outcome(forgery: str, code: str) -> None:
    """What is not there is a finding: every wave of the calendar ends in a draw or in words, every shift in a close."""
    assert code in _forged(forgery)


def test_operator_withholds_the_inputs_of_a_bad_outcome() -> None:
    """A bundle without the inputs of one wave is INPUTS_MISSING."""
    assert "INPUTS_MISSING" in codes(check(run_day(HidesTheInputs())))


def test_operator_withholds_cosignatures_he_had() -> None:
    """A wave given up as `not-witnessed` which the witnesses saw in time is MISSED_BUT_WITNESSED."""

    class GivesUp(type(witnessed_day(W1, W2))):  # type: ignore[misc]
        """The second wave is given up although nothing was wrong."""

        def draw(self, shift: OpenShift, start: datetime) -> None:
            """All but one."""
            if start == at(6, 15):
                self.miss(shift, start, reason="not-witnessed")
            else:
                super().draw(shift, start)

    operator = GivesUp(W1, W2)
    run_day(operator)
    assert "MISSED_BUT_WITNESSED" in codes(check_witnessed(operator.bundle()))


def test_operator_crashes_between_round_and_draw(tmp_path: Path) -> None:
    """Whenever and however often he starts again, with whatever entropy, the one outcome comes, late, and is whole."""

    async def stop_frozen() -> ShiftName:
        async with _service(tmp_path / "crashed.db").running() as service:
            name, _ = await _frozen(service)
        return name

    async def go_on(store: Path, seed: int) -> tuple[list[str], list[object]]:
        service = _service(store, seed=seed)
        service.clock.jump(_SHIFT + _STEP / 2)
        async with service.running():
            name = ShiftName(frozen.port, frozen.shift)
            await service.until(name, WaveState.DRAWN)
            draws = [data for data in await _entries(service, name) if data.startswith(lp("log/v1", "draw"))]
            transcripts = [str(Entry.from_bytes(data).body["transcript"]) for data in draws]
            shown: list[object] = [
                [(one.order.order, one.team) for one in await service.reveal(WaveName(name, start), PersonId(person))]
                for start in (_SHIFT, _SHIFT + _STEP)
                for person in _PEOPLE
            ]
            await service.advance(_SHIFT + 5 * _STEP)
            report = await service.verify()
            assert (report.findings, report.draws_replayed) == ((), 2)
            assert Attention.DRAW_LATE in {item.code for item in report.attention}
            return transcripts, shown

    frozen = asyncio.run(stop_frozen())
    outcomes = []
    for seed in (2, 3):
        shutil.copy(tmp_path / "crashed.db", tmp_path / f"{seed}.db")
        outcomes.append(asyncio.run(go_on(tmp_path / f"{seed}.db", seed)))
    assert outcomes[0] == outcomes[1]


def test_operator_crashes_and_has_lost_the_key(tmp_path: Path) -> None:
    """Two of three custodians recover the master seed that the log committed to; one, or a forged one, does not."""

    async def play(service: Service) -> None:
        name, _ = await _frozen(service)
        stored = await service.act(lambda unit: load_shift(unit.connection, name))
        master = await service.act(lambda unit: open_master(unit, stored))
        people = [Identity.generate() for _ in range(3)]
        config = EscrowConfig.model_validate({"recipients": [str(one.to_public()) for one in people]})
        secret = Secret(
            kind=SecretKind.MASTER_SEED, origin=service.config.origin, subject=str(name), commitment=stored.commitment
        )
        files = seal_shares(master, secret, config, SeededEntropy(7))
        shares = [
            open_share(data, [one], source=f"{at}") for at, (data, one) in enumerate(zip(files, people, strict=True))
        ]

        def commit(value: bytes) -> bytes:
            return commit_master(service.config.origin, str(name), value)

        for pair in ([0, 1], [0, 2], [1, 2]):
            assert bytes(recover_secret([shares[at] for at in pair], commit).value) == master
        with pytest.raises(InvalidInput, match="ESCROW_TOO_FEW"):
            recover_secret(shares[:1], commit)

    _play(tmp_path, play)
