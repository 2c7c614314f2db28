"""The outcome of every draw, recomputed from a bundle with the library alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from assign.draw.beacon import beacon_value
from assign.draw.commitment import Freeze, is_freeze
from assign.draw.inputs import FrozenOrder, WaveInputs
from assign.draw.keys import draw_key, wave_seed
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.log.entries import Entry, Kind
from assign.names import OrderId
from assign.person import Pseudonym
from assign.rules.eligibility import Verdict
from assign.verify.bundle import Bundle

__all__ = ["Replayed", "Unserved", "replay_bundle"]


@dataclass(frozen=True, slots=True)
class Unserved:
    """An order nobody could be drawn for, and why, from the opened inputs.

    Attributes:
        verdicts: how many people had each verdict of the rules.
        competing: served orders that want the same people.
    """

    wave: str
    order: FrozenOrder
    verdicts: dict[Verdict, int]
    competing: tuple[OrderId, ...]

    @property
    def eligible(self) -> int:
        """How many people the rules allowed."""
        return self.verdicts.get(Verdict.ELIGIBLE, 0)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the bundle says once its secrets are open.

    Attributes:
        teams: the pseudonyms drawn for each order, by wave.
        absent_at_freeze: how many people each wave's freeze left out as absent.
        substitutes: who took over, by wave and order, as the log says; None where nobody was free.
    """

    teams: dict[str, dict[OrderId, frozenset[Pseudonym]]]
    absent_at_freeze: dict[str, int]
    unserved: tuple[Unserved, ...]
    substitutes: dict[tuple[str, OrderId], Pseudonym | None]

    def drawn_for(self, shift: str) -> dict[Pseudonym, list[tuple[str, OrderId]]]:
        """The (wave, order) pairs of everybody who was drawn in a shift, sorted."""
        by_person: dict[Pseudonym, list[tuple[str, OrderId]]] = defaultdict(list)
        for wave, teams in self.teams.items():
            if wave.startswith(f"{shift}/"):
                for order, team in teams.items():
                    for person in team:
                        by_person[person].append((wave, order))
        return {person: sorted(pairs) for person, pairs in by_person.items()}


def replay_bundle(bundle: Bundle) -> Replayed:
    """Draw every opened wave again. Raises AssignError where the bundle does not allow it."""
    freezes: dict[str, Freeze] = {}
    draws: dict[str, Entry] = {}
    masters: dict[str, bytes] = {}
    substitutes: dict[tuple[str, OrderId], Pseudonym | None] = {}
    for data in bundle.entries():
        if is_freeze(data):
            freeze = Freeze.from_bytes(data)
            freezes[freeze.wave] = freeze
            continue
        entry = Entry.from_bytes(data)
        if entry.kind is Kind.DRAW:
            draws[entry.body["wave"]] = entry
        elif entry.kind is Kind.CLOSE:
            masters[entry.body["shift"]] = bytes.fromhex(entry.body["master"])
        elif entry.kind is Kind.REPLACEMENT_APPROVE:
            for one in entry.body["substitutions"]:
                substitutes[entry.body["wave"], OrderId(one["order"])] = one["substitute"]
    teams = {}
    absent = {}
    unserved: list[Unserved] = []
    for wave in bundle.waves:
        inputs = WaveInputs.from_bytes(bundle.inputs(wave) or b"")
        key = _key(freezes[wave], draws[wave], masters[inputs.shift], inputs)
        transcript = replay_wave(inputs, key)
        teams[wave] = {
            order: frozenset(team) for order, team in zip(transcript.orders, transcript.teams, strict=True) if team
        }
        absent[wave] = sum(person.candidate.absent for person in inputs.persons)
        unserved += _unserved(inputs, transcript)
    return Replayed(teams, absent, tuple(unserved), substitutes)


def _unserved(inputs: WaveInputs, transcript: Transcript) -> list[Unserved]:
    rows = {order.order: row for row, order in enumerate(inputs.orders)}
    return [
        Unserved(
            wave=inputs.wave,
            order=inputs.orders[rows[left.order]],
            verdicts={Verdict(letter): count for letter, count in Counter(inputs.verdicts[rows[left.order]]).items()},
            competing=left.competing,
        )
        for left in transcript.left_over
    ]


def _key(freeze: Freeze, draw: Entry, master: bytes, inputs: WaveInputs) -> bytes:
    return draw_key(
        beacon_value=beacon_value(bytes.fromhex(draw.body["evidence"])),
        seed=wave_seed(master, inputs.origin, inputs.shift, inputs.wave),
        origin=inputs.origin,
        wave=inputs.wave,
        leaf=freeze.leaf(),
        chain_hash=freeze.chain_hash,
        beacon_round=freeze.beacon_round,
    )
