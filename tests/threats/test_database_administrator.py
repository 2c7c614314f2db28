"""The database's administrator as the attacker: he reads and writes every row, and copies the file and puts it back."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from simulated_day import CALENDAR_A, make_orders
from simulated_log import BEACON, ORIGIN, OpenShift, Operator, at, shift_name
from simulation.whole_service import PORT, Beacon, Service, open_small_shift, utc
from sqlalchemy.engine import Connection

from assign.draw.commitment import commit_inputs, commit_seed, commit_transcript
from assign.draw.inputs import FrozenOrder, WaveInputs
from assign.draw.keys import transcript_blind
from assign.draw.transcript import Transcript
from assign.encoding import sha256
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash
from assign.names import ShiftName, WaveName
from assign.wave import Calendar
from server.actions.start_log import start_log
from server.audit.audit import audit_store
from server.audit.findings import Code, Finding
from server.clock import ManualClock
from server.sequencer import Sequencer
from server.storage.ledger import read_head
from server.storage.sqlite import open_writer
from server.storage.unit import Services

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_PEOPLE = [f"i-{number}" for number in range(1, 7)]
_SEALED = ("salt_sealed", "inputs_sealed", "outcome_sealed", "key_sealed")


@dataclass
class Store:
    """A stopped service's store: two drawn waves, closed.

    Attributes:
        older: a copy from before the draws.
        checkpoint: the last signed one, as a witness or an earlier audit kept it.
    """

    path: Path
    older: Path
    services: Services
    checkpoint: bytes

    @contextmanager
    def attacked(self, *statements: str, path: Path | None = None) -> Iterator[Connection]:
        """The store after these statements, which are undone at the end."""
        engine = open_writer(f"sqlite:///{path or self.path}")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                for statement in statements:
                    assert connection.exec_driver_sql(statement).rowcount > 0, statement
                yield connection
                connection.exec_driver_sql("ROLLBACK")
        finally:
            engine.dispose()

    def found(self, connection: Connection, *, kept: bool = True) -> list[Finding]:
        """What the audit finds, against the kept checkpoint or against none."""
        report = audit_store(connection, self.services, earlier=[self.checkpoint] if kept else [])
        # The callers of this service come by no door that would store the answers to their requests.
        return [one for one in report.findings if one.table != "request"]

    def first(self, *statements: str) -> Code:
        """The first thing that the audit finds after these statements, without any help from outside."""
        with self.attacked(*statements) as connection:
            return self.found(connection, kept=False)[0].code

    def codes(self, *statements: str, kept: bool = True) -> set[Code]:
        """The codes of what the audit finds after these statements."""
        with self.attacked(*statements) as connection:
            return {one.code for one in self.found(connection, kept=kept)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """It is sound before anybody touches it."""
    folder = tmp_path_factory.mktemp("administrator")
    service = Service(folder / "assign.db", start=_START, beacon=Beacon(_START - timedelta(hours=1), days=1), seed=1)

    async def play() -> None:
        async with service.running():
            await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
            await service.order_at([_SHIFT, _SHIFT, _SHIFT + _STEP, _SHIFT + _STEP])
        shutil.copy(folder / "assign.db", folder / "older.db")
        async with service.running():
            await service.advance(_SHIFT + 9 * _STEP)

    asyncio.run(play())
    made = Store(folder / "assign.db", folder / "older.db", service.services, b"")
    with made.attacked() as connection:
        _, made.checkpoint = read_head(connection, PORT)
        assert made.found(connection) == []
    return made


_A_DRAW = "(SELECT draw_index FROM wave WHERE start = (SELECT min(start) FROM wave))"
_A_FREEZE = "(SELECT freeze_index FROM wave WHERE start = (SELECT min(start) FROM wave))"
_TAIL = "(SELECT max(position) FROM log_entry)"


@pytest.mark.parametrize("position", [_A_FREEZE, _A_DRAW, _TAIL])
def test_database_administrator_edits(store: Store, position: str) -> None:
    """An entry with one byte changed is not under the root that was signed, and so is an entry with its hash edited."""
    data = "CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB)"
    assert store.first(f"UPDATE log_entry SET data = {data} WHERE position = {position}") == Code.LOG_ENTRY_CHANGED
    hashes = "UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0"
    assert store.first(hashes) == Code.LOG_ENTRY_CHANGED


def test_database_administrator_edits_what_follows_from_the_log(store: Store) -> None:
    """A row that says another thing than the log is named."""
    assert store.codes("UPDATE wave SET beacon_round = beacon_round + 1") == {Code.VALUE_CHANGED}
    assert store.codes("UPDATE slot SET minutes = 99") == {Code.VALUE_CHANGED}
    assert store.codes("DELETE FROM roster_entry WHERE person = 'i-1'") >= {Code.ROW_MISSING}


@pytest.mark.parametrize("position", ["0", _A_FREEZE, _A_DRAW, _TAIL])
def test_database_administrator_deletes(store: Store, position: str) -> None:
    """An entry that is gone is named by its position, first, last or in the middle."""
    with store.attacked(f"DELETE FROM log_entry WHERE position = {position}") as connection:
        found = store.found(connection, kept=False)
        expected = connection.exec_driver_sql(
            "SELECT min(a.position) FROM (SELECT -1 AS position UNION ALL SELECT position FROM log_entry) a "
            "WHERE NOT EXISTS (SELECT 1 FROM log_entry b WHERE b.position = a.position + 1)"
        ).scalar_one()
    assert (found[0].code, found[0].position) == (Code.LOG_ENTRY_MISSING, expected + 1)


def test_database_administrator_reorders(store: Store) -> None:
    """Two neighbouring entries exchanged, each whole in itself: neither is under its hash."""
    pair = f"position IN ({_A_DRAW}, {_A_DRAW} - 1)"
    away = f"UPDATE log_entry SET position = -1 - position WHERE {pair}"
    with store.attacked(away) as connection:
        low, high = sorted(
            -1 - row[0] for row in connection.exec_driver_sql("SELECT position FROM log_entry WHERE position < 0")
        )
        for old, new in ((low, high), (high, low)):
            connection.exec_driver_sql("UPDATE log_entry SET position = ? WHERE position = ?", (new, -1 - old))
        found = store.found(connection, kept=False)
    assert {(one.code, one.position) for one in found} >= {(Code.LOG_ENTRY_CHANGED, low)}


def test_database_administrator_rolls_back(store: Store) -> None:
    """The older file is whole in itself; whoever remembers a size and root sees what is gone."""
    with store.attacked(path=store.older) as connection:
        assert store.found(connection, kept=False) == []
        found = store.found(connection)
        assert [one.code for one in found] == [Code.ROLLED_BACK]
        assert found[0].position == read_head(connection, PORT)[0].size


def test_database_administrator_forks(store: Store, tmp_path: Path) -> None:
    """Set back and grown again, even under the log's own key: whole in itself, and not the log that was seen."""
    shutil.copy(store.older, tmp_path / "forked.db")
    engine = open_writer(f"sqlite:///{tmp_path / 'forked.db'}")

    async def grow() -> None:
        sequencer = Sequencer(engine, store.services, ManualClock(_SHIFT))
        sequencer.start()
        for _ in range(30):
            await sequencer.run(lambda unit: start_log(unit, PORT, access_digest=bytes(32), store_kind="sqlite"))
        await sequencer.stop()

    asyncio.run(grow())
    engine.dispose()
    with store.attacked(path=tmp_path / "forked.db") as connection:
        assert store.found(connection, kept=False) == []
        assert [one.code for one in store.found(connection)] == [Code.FORKED]


def test_database_administrator_swaps_ciphertexts(store: Store) -> None:
    """Between waves, and between kinds of one wave: a sealed value opens nowhere but in its place."""
    first, second = "(SELECT min(start) FROM wave)", "(SELECT max(start) FROM wave)"
    for kind in _SEALED:
        moved = f"UPDATE wave SET {kind} = (SELECT {kind} FROM wave WHERE start = {second}) WHERE start = {first}"
        assert store.first(moved) == Code.SEALED_VALUE, kind
    for kind, other in itertools.permutations(_SEALED, 2):
        assert store.first(f"UPDATE wave SET {kind} = {other} WHERE start = {first}") == Code.SEALED_VALUE


# Brute force: everything that the log shows of a wave before its close, against every pool and every outcome


def _small_wave(operator: Operator) -> tuple[OpenShift, str]:
    calendar = replace(CALENDAR_A, end=CALENDAR_A.start + _STEP)
    shift = operator.open_shift(shift_name("A"), calendar)
    operator.import_roster(shift, ["inspector-0", "inspector-1", "inspector-2", "inspector-3"])
    operator.import_orders(make_orders(3)[1:])
    operator.book(("s-01", "o-01", at(6)), ("s-02", "o-02", at(6)))
    operator.freeze(shift, at(6))
    operator.draw(shift, at(6))
    return shift, str(WaveName(shift.name, at(6)))


def _every_pool(inputs: WaveInputs) -> list[WaveInputs]:
    """The wave with any of its persons present, absent, and any of its orders in it: the guesses at the pool."""
    guesses = itertools.product(
        itertools.product((False, True), repeat=len(inputs.persons)),
        (inputs.orders, inputs.orders[:1], inputs.orders[1:]),
    )
    return [_guess(inputs, absent, orders) for absent, orders in guesses]


def _guess(inputs: WaveInputs, absent: tuple[bool, ...], orders: tuple[FrozenOrder, ...]) -> WaveInputs:
    persons = [
        replace(person, candidate=replace(person.candidate, absent=is_absent))
        for person, is_absent in zip(inputs.persons, absent, strict=True)
    ]
    guessed = replace(inputs, orders=orders, persons=tuple(persons))
    return replace(guessed, verdicts=guessed.rejudge())


def _every_outcome(inputs: WaveInputs) -> list[Transcript]:
    """Every way to give each order one of the persons, nobody two."""
    people = [person.candidate.person for person in inputs.persons]
    return [
        Transcript(
            origin=inputs.origin,
            wave=inputs.wave,
            orders=tuple(order.order for order in inputs.orders),
            teams=tuple((person,) for person in drawn),
            left_over=(),
        )
        for drawn in itertools.permutations(people, len(inputs.orders))
    ]


def _shown(operator: Operator, shift: OpenShift, wave: str) -> tuple[bytes, bytes, bytes]:
    """What the log shows of a wave before its close: `CI`, `C` and the hash of the transcript."""
    freeze = shift.freezes[wave]
    draw = Entry.from_bytes(operator.entries[operator.find(Kind.DRAW)])
    assert freeze.to_bytes() in operator.entries
    return freeze.inputs_commitment, freeze.seed_commitment, bytes.fromhex(draw.body["transcript"])


def test_database_administrator_brute_forces_the_pool_from_its_hash() -> None:
    """Every pool of a small wave, the true one among them, under everything he can know: none has the logged hash.

    The control shows that it is the salt that stops him: with it, exactly the true pool matches.
    """
    shift, wave = _small_wave(operator := Operator())
    committed, _, _ = _shown(operator, shift, wave)
    pools = _every_pool(shift.inputs[wave])
    true = shift.inputs[wave].to_bytes()
    assert len(pools) == 48
    assert sum(pool.to_bytes() == true for pool in pools) == 1
    # Whatever stands in the log, in full: hashes, commitments, the beacon's evidence, nothing.
    guesses = [b"", bytes(32), sha256(b""), *_public_values(operator, shift, wave)]
    matches = [pool for pool in pools for salt in guesses if commit_inputs(salt, pool.to_bytes()) == committed]
    plain = [pool for pool in pools if sha256(pool.to_bytes()) == committed]
    assert (matches, plain) == ([], [])
    assert [pool.to_bytes() for pool in pools if commit_inputs(shift.salts[wave], pool.to_bytes()) == committed] == [
        true
    ]


def test_database_administrator_brute_forces_the_outcome_from_the_draw() -> None:
    """Every outcome of a small wave against the hash of its transcript: none matches without the blind, one with it."""
    shift, wave = _small_wave(operator := Operator())
    _, _, logged = _shown(operator, shift, wave)
    outcomes = _every_outcome(shift.inputs[wave])
    assert len(outcomes) == 12
    guesses = [b"", bytes(32), sha256(b""), *_public_values(operator, shift, wave)]
    guesses += [transcript_blind(value, ORIGIN, wave) for value in guesses if len(value) == 32]
    matches = [one for one in outcomes for blind in guesses if commit_transcript(blind, one.to_bytes()) == logged]
    assert matches == []
    assert [one for one in outcomes if sha256(one.to_bytes()) == logged] == []
    blind = transcript_blind(shift.keys[wave], ORIGIN, wave)
    true = [one for one in outcomes if commit_transcript(blind, one.to_bytes()) == logged]
    assert true == [operator.outcome(shift.inputs[wave], shift.keys[wave])]


def test_database_administrator_brute_forces_no_two_worlds_apart() -> None:
    """For every outcome there is a seed that leads to it and fits what the log shows before the close, hashes aside.

    All twelve outcomes are reached by other master seeds under the same log: nothing in it but a hash of 32 unknown
    bytes excludes any, and the commitments of all of these worlds have the same form and size.
    """

    class OtherWorld(Operator):
        """The same day under another master seed."""

        number = 0

        def open_shift(self, name: ShiftName, calendar: Calendar) -> OpenShift:
            """With a master seed of its own."""
            shift = super().open_shift(name, calendar)
            shift.master = sha256(bytes([self.number]))
            return shift

    seen: dict[bytes, int] = {}
    forms = set()
    for OtherWorld.number in range(120):
        shift, wave = _small_wave(operator := OtherWorld())
        teams = operator.outcome(shift.inputs[wave], shift.keys[wave]).to_bytes()
        seen[teams] = seen.get(teams, 0) + 1
        shown = _shown(operator, shift, wave)
        assert shown[1] == commit_seed(ORIGIN, wave, operator.seed_of(shift, wave))
        forms.add((tuple(map(len, operator.entries)), tuple(map(len, shown))))
    assert len(seen) == 12
    assert len(forms) == 1


def _public_values(operator: Operator, shift: OpenShift, wave: str) -> list[bytes]:
    """Every digest of 32 bytes, and all raw bytes, that stand in the log or follow from it at once."""
    freeze = shift.freezes[wave]
    evidence = BEACON.evidence(freeze.beacon_round)
    values = [freeze.seed_commitment, freeze.inputs_commitment, freeze.chain_hash, freeze.leaf(), sha256(evidence)]
    values += [evidence, evidence[:32], evidence[-32:], *operator.entries, *map(leaf_hash, operator.entries)]
    return values
