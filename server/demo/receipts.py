"""Receipts: what an inspector takes home of his own look, and by which the bundle's lines are tied to people.

The bundle knows pseudonyms only. The receipt of somebody's first look of a shift proves offline that his look is in
the log, and shows his own pseudonym, to nobody but him. Together all receipts say who is who, so that what each
person read is compared with what was drawn for this very person.
"""

from __future__ import annotations

import asyncio

from assign.errors import AssignError
from assign.log.cosignature import Policy
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash
from assign.log.note import NoteVerifier
from assign.log.proof import verify_receipt
from assign.names import PersonId
from assign.person import Pseudonym
from assign.v1 import log_service_pb2
from server.demo.promises import BrokenPromise
from server.demo.stage import Look, Stage

__all__ = ["take_receipts"]

_PROMISE = "an inspector's receipt proves offline, with the log's public key, that his own look is in the log"


async def take_receipts(stage: Stage, wave: str) -> None:
    """Everybody who has just read the assignments of `wave` takes a receipt, and checks it."""
    readers = [(person, index) for (name, person), index in stage.journal.look_indexes.items() if name == wave]
    looks = await asyncio.gather(*(_take(stage, wave, person, index) for person, index in readers))
    different = len({look.pseudonym for look in looks}) == len(looks)
    stage.promises.keep("everybody has a pseudonym of his own in a shift", different)
    stage.journal.looks += looks
    if len(readers) > 1:
        (curious, _), (_, foreign) = readers[:2]
        request = log_service_pb2.GetReceiptRequest(parent=stage.messages.parent, index=foreign)
        identity = stage.inspector(curious)
        call = stage.client(identity).log.GetReceipt(request)
        await stage.refused(identity, "asks for the receipt of a colleague's look", call, reasons=("NOT_OWN_ENTRY",))


async def _take(stage: Stage, wave: str, person: PersonId, index: int) -> Look:
    request = log_service_pb2.GetReceiptRequest(parent=stage.messages.parent, index=index)
    receipt = await stage.client(stage.inspector(person)).log.GetReceipt(request)
    try:
        policy = Policy((NoteVerifier.from_vkey(stage.log_key),))
        verify_receipt(receipt.proof, leaf=leaf_hash(receipt.entry), policy=policy)
        entry = Entry.from_bytes(receipt.entry)
    except AssignError as error:
        raise BrokenPromise(_PROMISE, f"{person} at {wave}: {error}") from None
    own = entry.kind is Kind.REVEAL and entry.body["wave"] == wave and receipt.index == index
    stage.promises.keep(_PROMISE, own, f"{person} at {wave}: {entry.kind} {entry.body}")
    return Look(wave.partition("/waves/")[0], person, index, receipt.entry, Pseudonym(entry.body["person"]))
