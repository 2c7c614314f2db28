"""The auditor as a witness: he keeps a checkpoint of the log from between the freeze and the draw of every wave.

Nothing in a bundle proves when an entry was written. Whoever saved a signed checkpoint before the beacon value
of a wave existed can prove it to himself: the freeze is under that checkpoint, so it was not dated back.
"""

from __future__ import annotations

from dataclasses import dataclass

from assign.errors import AssignError
from assign.log.checkpoint import verify_checkpoint
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.note import NoteVerifier
from assign.v1 import log_service_pb2, resources_pb2
from assign.verify.bundle import Bundle
from server.demo.promises import BrokenPromise
from server.demo.stage import Stage
from server.demo.workplace import AUDITOR

__all__ = ["Saved", "check_saved", "save_checkpoint"]


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that the auditor kept.

    Attributes:
        wave: the wave that was frozen and not yet drawn then.
        freeze_index: where its freeze stands in the log.
    """

    wave: str
    freeze_index: int
    note: bytes


async def save_checkpoint(stage: Stage, wave: resources_pb2.Wave) -> Saved:
    """The newest checkpoint, now that `wave` is frozen and its beacon value does not exist yet."""
    request = log_service_pb2.GetCheckpointRequest(parent=stage.messages.parent)
    checkpoint = await stage.client(AUDITOR).log.GetCheckpoint(request)
    return Saved(wave.name, wave.freeze_index, checkpoint.note)


def check_saved(stage: Stage, saved: list[Saved], bundle: Bundle, log_key: str) -> None:
    """Every saved checkpoint is signed, covers its freeze, and is a prefix of the log in `bundle`."""
    promise = "the checkpoint the auditor kept before each draw covers the freeze and fits the final log"
    verifier = NoteVerifier.from_vkey(log_key)
    wanted: dict[int, list[tuple[bytes, str]]] = {}
    for one in saved:
        try:
            checkpoint = verify_checkpoint(one.note, [verifier])
        except AssignError as error:
            raise BrokenPromise(promise, f"{one.wave}: {error}") from None
        stage.promises.keep(promise, checkpoint.size > one.freeze_index, f"{one.wave}: size {checkpoint.size}")
        wanted.setdefault(checkpoint.size, []).append((checkpoint.root, one.wave))
    edge = RightEdge()
    for data in bundle.entries():
        edge = edge.append(leaf_hash(data))
        for root, wave in wanted.pop(edge.size, []):
            stage.promises.keep(promise, root == edge.root(), f"{wave}: another root at size {edge.size}")
    stage.promises.keep(promise, not wanted, "the final log is shorter")
