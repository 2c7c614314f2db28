"""The recovery drill: everything that has to work on the day the key file is gone, done on throw-away data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assign.draw.beacon import beacon_value
from assign.draw.commitment import Freeze, commit_seed
from assign.draw.keys import draw_key, wave_seed
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.encoding import Json
from assign.errors import AssignError, InvalidInput
from assign.names import ShiftName
from server.actions.draw_wave import open_inputs
from server.escrow.custodians import EscrowConfig, Identity, create_identity, load_identities
from server.escrow.key_file import recover_key_file, split_key_file
from server.escrow.recover_master import combine_master, record_recovery
from server.escrow.rehearsal import ORIGIN, SHIFT, SHIFT_AFTER, WAVE, OpenStore, Rehearsal
from server.escrow.shares import Recovered, Share, open_share
from server.escrow.sharing import wipe
from server.keyring import create_key_file
from server.storage.escrow import shares_of
from server.storage.outcomes import load_drawn
from server.storage.secrets import open_master
from server.storage.shifts import load_shift
from server.storage.waves import load_wave

__all__ = ["DrillReport", "DrillStep", "run_drill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillStep:
    """One promise, whether it was kept, and what was seen."""

    promise: str
    is_kept: bool
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport:
    """What the drill showed."""

    threshold: int
    custodians: int
    steps: tuple[DrillStep, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every promise was kept."""
        return all(step.is_kept for step in self.steps)

    def verdict(self) -> str:
        """One sentence for whoever keeps the drill book."""
        if self.is_passed:
            return (
                f"PASSED: any {self.threshold} of {self.custodians} custodians bring a lost key back, and the same "
                "outcome is drawn. Now rehearse with the real custodians' keys: docs/custody.md says how."
            )
        return "FAILED: do not rely on the escrow of this installation; see the line that says WRONG."

    def to_json(self) -> Json:
        """An object of the attributes and the verdict."""
        steps: list[Json] = [
            {"is_kept": step.is_kept, "promise": step.promise, "seen": step.seen} for step in self.steps
        ]
        return {
            "custodians": self.custodians,
            "is_passed": self.is_passed,
            "steps": steps,
            "threshold": self.threshold,
            "verdict": self.verdict(),
        }


def run_drill(folder: Path, *, threshold: int, custodians: int, open_store: OpenStore) -> DrillReport:
    """Rehearse in the empty directory `folder`. Raises InvalidInput (ESCROW_THRESHOLD)."""
    if not 2 <= threshold <= custodians <= 255:
        raise InvalidInput("ESCROW_THRESHOLD", "A drill needs at least two custodians, 2-of-2 up to 255-of-255.")
    drill = _Drill(folder, threshold, custodians, open_store)
    drill.run()
    return DrillReport(threshold=threshold, custodians=custodians, steps=tuple(drill.steps))


class _Drill:
    """The store `day` is drawn with the key; its copies are what is left on the bad day."""

    def __init__(self, folder: Path, threshold: int, custodians: int, open_store: OpenStore) -> None:
        self.steps: list[DrillStep] = []
        self._threshold = threshold
        paths = [folder / f"custodian-{number}.txt" for number in range(1, custodians + 1)]
        self._escrow = EscrowConfig(threshold=threshold, recipients=tuple(create_identity(path) for path in paths))
        self._identities = load_identities(paths)
        self._port = Rehearsal(folder, self._escrow, open_store)
        self._key, self._other_key = folder / "kek.key", folder / "new.key"
        self._key_again = folder / "kek-again.key"
        for path in (self._key, self._other_key):
            create_key_file(path, entropy=self._port.entropy)
        self._key_shares = split_key_file(self._key, self._escrow, self._port.entropy)[1]

    def run(self) -> None:
        """Every step, in order; a step that cannot be carried out is a broken promise."""
        self._attempt("a shift opens and its wave is frozen", self._open_day)
        self._attempt("the wave is drawn with the key", self._draw_day)
        self._attempt("without the key the store opens nothing", self._without_key)
        self._attempt("too few custodians get nothing", self._too_few)
        self._attempt("a share of another shift is refused", self._other_shift)
        self._attempt("a changed share file is refused", self._damaged)
        self._attempt("every custodian's share opens with his key alone", self._each_alone)
        self._attempt("enough custodians recover the committed seed", self._recover_seed)
        self._attempt("the recovered seed draws the same outcome", self._same_outcome)
        self._attempt("the recovered key file draws the same outcome in the server", self._recover_key)

    def _attempt(self, promise: str, step: Callable[[], str]) -> None:
        try:
            seen, is_kept = step(), True
        except AssignError as error:
            seen, is_kept = str(error), False
        except _NotSeen as error:
            seen, is_kept = str(error), False
        self.steps.append(DrillStep(promise=promise, is_kept=is_kept, seen=seen))

    def _open_day(self) -> str:
        self._port.open_day("day", self._key)
        for copy in ("without-key", "with-key-again"):
            shutil.copyfile(self._port.store("day"), self._port.store(copy))
        return f"{SHIFT}, {self._escrow.in_words()}"

    def _draw_day(self) -> str:
        wave = self._port.run("day", self._key, lambda unit: load_wave(unit.connection, WAVE))
        self._port.draw("day", self._key, wave.beacon_round)
        outcome = self._outcome("day", self._key)
        return f"{len(outcome)} orders have their inspectors"

    def _without_key(self) -> str:
        try:
            self._port.run(
                "without-key", self._other_key, lambda unit: open_master(unit, load_shift(unit.connection, SHIFT))
            )
        except AssignError as error:
            return error.reason
        raise _NotSeen("another key opened the master seed")

    def _too_few(self) -> str:
        return _refusal(lambda: combine_master(self._open(SHIFT)[: self._threshold - 1]), "ESCROW_TOO_FEW")

    def _other_shift(self) -> str:
        mixed = [*self._open(SHIFT)[: self._threshold - 1], self._open(SHIFT_AFTER)[self._threshold - 1]]
        return _refusal(lambda: combine_master(mixed), "ESCROW_OTHER_SECRET")

    def _damaged(self) -> str:
        data = bytearray(self._files(SHIFT)[0])
        place = len(data) // 2
        data[place] = ord("A") if data[place] != ord("A") else ord("B")
        return _refusal(lambda: open_share(bytes(data), self._identities, source="the file"), "ESCROW_DAMAGED")

    def _each_alone(self) -> str:
        files = self._files(SHIFT)
        for number, (data, identity) in enumerate(zip(files, self._identities, strict=True), start=1):
            _open_one(data, identity)
            other = self._identities[number % len(files)]
            _refusal(lambda data=data, other=other: _open_one(data, other), "ESCROW_NOT_YOURS")  # type: ignore[misc]
        return f"{len(files)} files, {len(files)} keys"

    def _recover_seed(self) -> str:
        recovered = self._recovered()
        self._port.run("without-key", self._other_key, lambda unit: record_recovery(unit, recovered, reseal=True))
        stored = self._port.run(
            "without-key", self._other_key, lambda unit: open_master(unit, load_shift(unit.connection, SHIFT))
        )
        is_same = stored == recovered.value
        wipe(recovered.value)
        if not is_same:
            raise _NotSeen("the store has another seed than the one recovered")
        return "its commitment is in the log; it is sealed under a new key, and its use is on record"

    def _same_outcome(self) -> str:
        wave = self._port.run("day", self._key, lambda unit: load_wave(unit.connection, WAVE))
        inputs = self._port.run("day", self._key, lambda unit: open_inputs(unit, wave))
        freeze = Freeze.from_bytes(wave.freeze_data or b"")
        recovered = self._recovered()
        seed = wave_seed(bytes(recovered.value), ORIGIN, str(SHIFT), str(WAVE))
        wipe(recovered.value)
        if commit_seed(ORIGIN, str(WAVE), seed) != freeze.seed_commitment:
            raise _NotSeen("the freeze committed to another seed")
        key = draw_key(
            beacon_value=beacon_value(self._port.evidence(freeze.beacon_round)),
            seed=seed,
            origin=ORIGIN,
            wave=str(WAVE),
            leaf=freeze.leaf(),
            chain_hash=freeze.chain_hash,
            beacon_round=freeze.beacon_round,
        )
        return self._require_same(self._as_persons(replay_wave(inputs, key)))

    def _recover_key(self) -> str:
        shares = [
            open_share(data, self._identities, source=f"key share {number}")
            for number, data in enumerate(self._key_shares, start=1)
        ][-self._threshold :]
        key_id, _ = recover_key_file(shares, self._key_again, self._port.entropy)
        wave = self._port.run("with-key-again", self._key_again, lambda unit: load_wave(unit.connection, WAVE))
        self._port.draw("with-key-again", self._key_again, wave.beacon_round)
        return f"{self._require_same(self._outcome('with-key-again', self._key_again))}, key {key_id}"

    def _recovered(self) -> Recovered:
        return combine_master(self._open(SHIFT)[-self._threshold :])

    def _files(self, name: ShiftName) -> list[bytes]:
        stored = self._port.run("without-key", self._other_key, lambda unit: shares_of(unit.connection, name))
        return [share.data for share in stored]

    def _open(self, name: ShiftName) -> list[Share]:
        return [open_share(data, self._identities, source=f"a share of {name}") for data in self._files(name)]

    def _outcome(self, store: str, key_file: Path) -> dict[str, tuple[str, ...]]:
        drawn = self._port.run(
            store, key_file, lambda unit: load_drawn(unit.services.keyring, load_wave(unit.connection, WAVE))
        )
        return {order: tuple(team) for order, team in drawn.teams.items()}

    def _as_persons(self, transcript: Transcript) -> dict[str, tuple[str, ...]]:
        persons = self._port.persons("day", self._key)
        return {
            order: tuple(persons[one] for one in team)
            for order, team in zip(transcript.orders, transcript.teams, strict=True)
            if team
        }

    def _require_same(self, outcome: dict[str, tuple[str, ...]]) -> str:
        if outcome != self._outcome("day", self._key):
            raise _NotSeen("another outcome")
        return f"the same {sum(map(len, outcome.values()))} seats"


class _NotSeen(Exception):
    """The drill saw something else than it was promised."""


def _open_one(data: bytes, identity: Identity) -> Share:
    return open_share(data, [identity], source="the file")


def _refusal(attempt: Callable[[], object], reason: str) -> str:
    try:
        attempt()
    except AssignError as error:
        if error.reason == reason:
            return reason
        raise
    raise _NotSeen("it was accepted")
