"""The auditor between freeze and draw: he takes a receipt of every freeze, under a checkpoint that witnesses cosigned.

The log alone does not prove when an entry was written. A receipt whose checkpoint independent witnesses cosigned
before the beacon value of the wave existed does, to everybody who trusts them: the freeze was not dated back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import httpx2

from assign.errors import AssignError
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.proof import parse_receipt, verify_receipt
from assign.v1 import log_service_pb2, resources_pb2
from assign.verify.bundle import Bundle
from server.demo.promises import BrokenPromise
from server.demo.stage import Stage
from server.demo.workplace import AUDITOR
from server.witness.request import origin_hash

__all__ = ["Saved", "ask_witnesses", "check_saved", "save_checkpoint"]

_COSIGNED = "every witness cosigns a freeze before its beacon round, and its receipt shows that at once"


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that the auditor kept.

    Attributes:
        what: the wave that was frozen and not yet drawn then, or the witness that was asked.
        covers: the place in the log of an entry that it must cover: the wave's freeze.
        witnesses: how many cosigned it.
    """

    what: str
    covers: int
    note: bytes
    witnesses: int


async def save_checkpoint(stage: Stage, wave: resources_pb2.Wave) -> Saved:
    """A checkpoint that covers the freeze of `wave`, once every witness has cosigned it.

    The clock stands still meanwhile, before the wave's beacon value exists. Raises BrokenPromise if it takes long.
    """
    policy, log = stage.policy, stage.client(AUDITOR).log
    request = log_service_pb2.GetReceiptRequest(parent=stage.messages.parent, index=wave.freeze_index)
    notes: list[bytes] = []

    async def is_cosigned() -> bool:
        receipt = await log.GetReceipt(request)
        leaf, before = leaf_hash(receipt.entry), wave.draw_time.seconds
        try:
            verify_receipt(receipt.proof, leaf=leaf, policy=policy, before_seconds=before)
        except AssignError as error:
            if error.reason != "QUORUM_NOT_MET":
                raise BrokenPromise(_COSIGNED, f"{wave.name}: {error}") from None
            return False
        notes.append(parse_receipt(receipt.proof).checkpoint)
        return True

    await stage.until(f"{policy.quorum} witnesses have cosigned the freeze of {wave.name}", is_cosigned)
    stage.promises.keep(_COSIGNED, True)
    return Saved(wave.name, wave.freeze_index, notes[0], policy.quorum)


async def ask_witnesses(stage: Stage) -> list[Saved]:
    """The checkpoint that each witness cosigned last, by its own word."""
    saved = []
    name = origin_hash(stage.policy.origin)
    async with httpx2.AsyncClient() as http:
        for witness, url in stage.witness_urls.items():
            answer = await http.get(f"{url}/{name}/checkpoint")
            promise = "each witness says which checkpoint it cosigned last"
            stage.promises.keep(promise, answer.status_code == httpx2.codes.OK, f"{witness}: {answer.status_code}")
            saved.append(Saved(witness, 0, answer.content, 1))
    return saved


def check_saved(stage: Stage, saved: list[Saved], bundle: Bundle) -> None:
    """Every saved checkpoint is signed, cosigned, covers its freeze, and is a prefix of the log in `bundle`."""
    promise = "every cosigned checkpoint that the auditor kept covers its freeze and fits the final log"
    policy = stage.policy
    wanted: dict[int, list[tuple[bytes, str]]] = {}
    for one in saved:
        try:
            checkpoint = replace(policy, quorum=one.witnesses).verify(one.note).checkpoint
        except AssignError as error:
            raise BrokenPromise(promise, f"{one.what}: {error}") from None
        stage.promises.keep(promise, checkpoint.size > one.covers, f"{one.what}: size {checkpoint.size}")
        wanted.setdefault(checkpoint.size, []).append((checkpoint.root, one.what))
    edge = RightEdge()
    for data in bundle.entries():
        edge = edge.append(leaf_hash(data))
        for root, what in wanted.pop(edge.size, []):
            stage.promises.keep(promise, root == edge.root(), f"{what}: another root at size {edge.size}")
    stage.promises.keep(promise, not wanted, "the final log is shorter")
