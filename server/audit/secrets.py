"""The sealed values of shifts and waves: each opens in its place, was committed to, and gives the logged draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assign.draw.beacon import beacon_value
from assign.draw.commitment import Freeze, commit_inputs, commit_master, commit_seed, commit_transcript
from assign.draw.inputs import WaveInputs
from assign.draw.keys import draw_key, transcript_blind, wave_seed
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.errors import AssignError, Corrupt
from assign.names import OrderId, WaveName
from assign.person import Pseudonym
from server.audit.book import Book, ShiftBook, WaveBook
from server.audit.findings import Code, Findings
from server.audit.forgotten import Forgotten
from server.audit.people import People
from server.audit.rows import Key, Row, key_text
from server.keyring import Keyring
from server.storage.outcomes import parse_outcome, seal_context
from server.storage.schema import shift as shift_table
from server.storage.schema import wave as wave_table
from server.storage.secrets import master_context

__all__ = ["Drawn", "WaveSecrets"]


@dataclass(slots=True)
class Drawn:
    """What the opened values of a wave say; empty where they could not be opened.

    Attributes:
        orders: how many were frozen. small_pools: how many of them had few eligible persons.
        transcript: the outcome, replayed.
    """

    orders: int = 0
    small_pools: int = 0
    transcript: Transcript | None = None
    served: set[str] = field(default_factory=set)

    @property
    def left_over(self) -> int:
        """How many orders nobody could be drawn for."""
        return 0 if self.transcript is None else sum(1 for team in self.transcript.teams if not team)


class WaveSecrets:
    """Opens what is sealed in the rows of `shift` and `wave`, and replays every draw."""

    def __init__(self, keyring: Keyring, people: People, findings: Findings) -> None:
        self._keyring = keyring
        self._people = people
        self._findings = findings
        self._forgotten = Forgotten()
        self.drawn: dict[WaveName, Drawn] = {}

    def check(self, book: Book, shifts: dict[Key, Row], waves: dict[Key, Row]) -> None:
        """Open everything of one port's shifts. Rows that are not there are somebody else's finding."""
        self._forgotten = book.forgotten
        for shift in book.shifts.values():
            master = self._open_master(book, shift, shifts.get((shift.name.port, shift.name.shift)))
            for start, wave in shift.waves.items():
                row = waves.get((shift.name.port, shift.name.shift, start))
                if row is not None:
                    self.drawn[wave.name] = self._check_wave(shift, wave, row, master)

    def _open_master(self, book: Book, shift: ShiftBook, row: Row | None) -> bytes | None:
        if row is None:
            return None
        where = key_text((shift.name.port, shift.name.shift))
        try:
            master = self._keyring.open(row["master_sealed"], context=master_context(shift.name))
        except AssignError as error:
            self._findings.add(Code.SEALED_VALUE, error.message, table=shift_table.name, row=where)
            return None
        committed = commit_master(book.origin, str(shift.name), master).hex()
        is_opened_as_kept = shift.closed is None or shift.closed.entry.body["master"] == master.hex()
        if committed != shift.opened.entry.body["commit_master"] or not is_opened_as_kept:
            message = "The stored master seed is not the one that the log committed to."
            self._findings.add(
                Code.COMMITMENT, message, table=shift_table.name, row=where, position=shift.opened.position
            )
            return None
        return master

    def _check_wave(self, shift: ShiftBook, wave: WaveBook, row: Row, master: bytes | None) -> Drawn:
        drawn = Drawn()
        position = None if wave.freeze is None else wave.freeze[0]
        try:
            for code, message in self._wrong(shift, wave, row, master, drawn):
                where = key_text((shift.name.port, shift.name.shift, wave.name.start))
                self._findings.add(code, message, table=wave_table.name, row=where, position=position)
        except AssignError as error:
            where = key_text((shift.name.port, shift.name.shift, wave.name.start))
            self._findings.add(Code.SEALED_VALUE, error.message, table=wave_table.name, row=where, position=position)
        return drawn

    def _wrong(
        self, shift: ShiftBook, wave: WaveBook, row: Row, master: bytes | None, drawn: Drawn
    ) -> Iterator[tuple[Code, str]]:
        """What is wrong with one wave's sealed values; fills `drawn` on the way. Raises AssignError."""
        if wave.freeze is None:
            return
        freeze = wave.freeze[1]
        salt, data = self._open(row, "salt", wave.name), self._open(row, "inputs", wave.name)
        if commit_inputs(salt, data) != freeze.inputs_commitment:
            yield Code.COMMITMENT, "The stored inputs and salt are not those that the freeze committed to."
            return
        if (
            shift.closed is not None
            and {"salt": salt.hex(), "wave": str(wave.name)} not in shift.closed.entry.body["salts"]
        ):
            yield Code.COMMITMENT, "The stored salt is not the one that the close opened."
        inputs = WaveInputs.from_bytes(data)
        drawn.orders, drawn.small_pools = len(inputs.orders), len(inputs.small_pools())
        if master is None:
            return
        seed = wave_seed(master, freeze.origin, str(shift.name), str(wave.name))
        if commit_seed(freeze.origin, freeze.wave, seed) != freeze.seed_commitment:
            yield Code.COMMITMENT, "The stored master seed does not give the seed that the freeze committed to."
            return
        if wave.draw is not None:
            yield from self._wrong_draw(shift, wave, row, _key(freeze, seed, wave), inputs, drawn)

    def _wrong_draw(
        self, shift: ShiftBook, wave: WaveBook, row: Row, key: bytes, inputs: WaveInputs, drawn: Drawn
    ) -> Iterator[tuple[Code, str]]:
        assert wave.draw is not None
        if self._open(row, "draw-key", wave.name, column="key_sealed") != key:
            yield Code.DRAW_DIFFERS, "The stored draw key does not follow from the log and the master seed."
        transcript = replay_wave(inputs, key)
        blind = transcript_blind(key, inputs.origin, inputs.wave)
        if commit_transcript(blind, transcript.to_bytes()).hex() != wave.draw.entry.body["transcript"]:
            yield Code.DRAW_DIFFERS, "The draw, carried out again, is not the one in the log."
            return
        drawn.transcript = transcript
        drawn.served = {order for order, _ in transcript.seats()}
        teams = {order: team for order, team in zip(transcript.orders, transcript.teams, strict=True) if team}
        closed = None if shift.closed is None else shift.closed.entry.time
        if self._forgotten.is_past("assignments", shift.calendar.end, closed):
            teams = {}
        if not self._is_outcome(parse_outcome(self._open(row, "outcome", wave.name)), teams, str(shift.name)):
            yield Code.DRAW_DIFFERS, "The stored outcome is not the one that was drawn."

    def _is_outcome(self, stored: Any, teams: Mapping[OrderId, Sequence[Pseudonym]], context: str) -> bool:
        """Whether the stored persons, order by order, are those who were drawn as pseudonyms."""
        if not isinstance(stored, dict) or stored.keys() != teams.keys():
            return False
        return all(
            len(stored[order]) == len(team)
            and all(
                self._people.is_person(name, one, context, self._forgotten)
                for name, one in zip(stored[order], team, strict=True)
            )
            for order, team in teams.items()
        )

    def _open(self, row: Row, kind: str, name: WaveName, *, column: str = "") -> bytes:
        sealed = row[column or f"{kind}_sealed"]
        if sealed is None:
            raise Corrupt("SEALED_MISSING", f"`{column or f'{kind}_sealed'}` is empty.")
        try:
            return self._keyring.open(sealed, context=seal_context(kind, name))
        except Corrupt as error:
            raise Corrupt(error.reason, f"`{column or f'{kind}_sealed'}`: {error.message}") from None


def _key(freeze: Freeze, seed: bytes, wave: WaveBook) -> bytes:
    assert wave.draw is not None
    return draw_key(
        beacon_value=beacon_value(bytes.fromhex(wave.draw.entry.body["evidence"])),
        seed=seed,
        origin=freeze.origin,
        wave=freeze.wave,
        leaf=freeze.leaf(),
        chain_hash=freeze.chain_hash,
        beacon_round=freeze.beacon_round,
    )
