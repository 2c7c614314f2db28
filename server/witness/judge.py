"""Whether a witness cosigns a checkpoint: every check of C2SP tlog-witness, in one place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from assign.errors import Corrupt, InvalidInput, Unavailable
from assign.log.checkpoint import Checkpoint, parse_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.merkle import EMPTY_ROOT, verify_consistency
from assign.log.note import Note, NoteVerifier, Signature, verify_note
from server.clock import Clock
from server.witness.request import AddCheckpoint, origin_hash, parse_request
from server.witness.state import Seen, WitnessState

__all__ = ["Judge", "Refused"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """A request that is not cosigned.

    Attributes:
        status: the HTTP status that C2SP tlog-witness gives.
        size: with 409, the size that was cosigned last.
    """

    def __init__(self, status: int, reason: str, message: str, *, size: int | None = None) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.size = size


class Judge:
    """A witness of some logs.

    Args:
        logs: the keys to trust; a log is known by the name of its keys, and may have several while it replaces one.

    Raises InvalidInput (WITNESS_LOGS) without a log, or for the witness's own key among them.
    """

    def __init__(self, cosigner: Cosigner, logs: Sequence[NoteVerifier], state: WitnessState, clock: Clock) -> None:
        if not logs or any(log.public_key == cosigner.public_key for log in logs):
            raise InvalidInput("WITNESS_LOGS", "A witness has one log or more, none of which shares its key.")
        self.name = cosigner.name
        self._cosigner = cosigner
        self._keys: dict[str, list[NoteVerifier]] = defaultdict(list)
        for log in dict.fromkeys(logs):
            self._keys[log.name].append(log)
        self._origins = {origin_hash(origin): origin for origin in self._keys}
        self._state = state
        self._clock = clock

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs that are witnessed."""
        return tuple(self._keys)

    def latest(self, name: str) -> bytes | None:
        """The cosigned checkpoint of the log whose `origin_hash` is `name`; None: no such log, or none yet."""
        origin = self._origins.get(name)
        seen = None if origin is None else self._state.seen(origin)
        return None if seen is None else seen.note

    def sizes(self) -> dict[str, int]:
        """The size cosigned last of every log, by origin; 0: nothing yet."""
        found = {origin: self._state.seen(origin) for origin in self._keys}
        return {origin: 0 if seen is None else seen.size for origin, seen in found.items()}

    def cosign(self, body: bytes) -> Signature:
        """The cosignature on the checkpoint in an `add-checkpoint` body, once that is remembered on disk.

        Raises Refused; Unavailable where the state or the clock does not allow it now.
        """
        try:
            request = parse_request(body)
            checkpoint, fault = _read(request.note)
        except Corrupt as error:
            raise Refused(400, error.reason, error.message) from None
        signatures = self._verify_log(request.note, checkpoint.origin)
        if request.old_size > checkpoint.size:
            raise Refused(400, "OLD_SIZE", "The old size is larger than the checkpoint's.")
        cosignatures: list[Signature] = []

        def decide(seen: Seen | None) -> Seen:
            _check_growth(seen, request, checkpoint, fault)
            time_seconds = self._time(seen)
            cosignatures.append(self._cosigner.cosign(checkpoint, time_seconds=time_seconds))
            note = Note(request.note.text, (*signatures, *cosignatures)).encode()
            return Seen(size=checkpoint.size, root=checkpoint.root, time_seconds=time_seconds, note=note)

        self._state.advance(checkpoint.origin, decide)
        return cosignatures[0]

    def _verify_log(self, note: Note, origin: str) -> tuple[Signature, ...]:
        """The signatures of the log's trusted keys, one at least."""
        if origin not in self._keys:
            raise Refused(404, "LOG_UNKNOWN", "This witness does not know a log of this origin.")
        try:
            return verify_note(note, self._keys[origin]).signatures
        except Corrupt as error:
            raise Refused(403, error.reason, error.message) from None

    def _time(self, seen: Seen | None) -> int:
        now = (self._clock.now() - _EPOCH) // timedelta(seconds=1)
        # "As of this time, this is the largest tree": said with an earlier time, it would contradict the last one.
        if now <= 0 or (seen is not None and now < seen.time_seconds):
            raise Unavailable(
                "WITNESS_CLOCK", "The witness's clock was set back; nothing is cosigned until it is right."
            )
        return now


def _read(note: Note) -> tuple[Checkpoint, Refused | None]:
    """The checkpoint, and the one fault that has a status of its own. Raises Corrupt for every other."""
    try:
        return parse_checkpoint(note.text), None
    except Corrupt as error:
        if error.reason != "EMPTY_TREE_ROOT":
            raise
        origin = note.text.decode().partition("\n")[0]
        return Checkpoint(origin, 0, EMPTY_ROOT), Refused(422, error.reason, error.message)


def _check_growth(seen: Seen | None, request: AddCheckpoint, checkpoint: Checkpoint, fault: Refused | None) -> None:
    """Raise Refused unless the checkpoint only appends to what was seen."""
    known = 0 if seen is None else seen.size
    if request.old_size != known:
        raise Refused(409, "OLD_SIZE_STALE", f"The checkpoint cosigned last has the size {known}.", size=known)
    if fault is not None:
        raise fault
    if seen is None or known == 0:
        if request.proof:
            raise Refused(422, "PROOF_LENGTH", "Every tree extends the empty one: there is nothing to prove.")
        return
    try:
        verify_consistency(
            size1=known, size2=checkpoint.size, root1=seen.root, root2=checkpoint.root, proof=request.proof
        )
    except Corrupt as error:
        raise Refused(422, error.reason, error.message) from None
