"""Witnesses and custodians in the demonstration's configuration, and the auditor's wait for their word."""

import asyncio
import time
import tomllib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner, add_signatures
from assign.log.proof import Receipt
from assign.v1 import log_service_pb2, resources_pb2
from server.cosigning.settings import WitnessesConfig
from server.demo import stage as stage_module
from server.demo.declarations import shipped_declarations
from server.demo.messages import Messages
from server.demo.notary import check_saved, save_checkpoint
from server.demo.outsiders import NOBODY, Outsiders, witness_name
from server.demo.port_day import DEFAULT_TERMINALS, DayPlan, make_port_day
from server.demo.promises import BrokenPromise, Promises
from server.demo.stage import Stage
from server.escrow.custodians import EscrowConfig, create_identity

DAY = make_port_day(
    shipped_declarations(), DayPlan(terminals=DEFAULT_TERMINALS[:1], shift_count=1, order_count=3, inspector_count=4)
)
LOG = NoteSigner("assign.example/NLRTM", b"L" * 32)
WITNESSES = {name: Cosigner(witness_name(name), name[:1].encode() * 32) for name in ("first", "second")}
DRAW_SECONDS = 1_764_000_000
WAVE = resources_pb2.Wave(name="wave", freeze_index=1)
WAVE.draw_time.seconds = DRAW_SECONDS
ENTRIES = [b"start", b"freeze"]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def test_sections_are_what_the_server_reads(tmp_path):
    """Every witness is needed, and a wave without them is not drawn."""
    outsiders = Outsiders(("first", "second"), ("a", "b", "c"), threshold=2)
    assert [*outsiders.key_commands()] == ["first", "second", "a", "b", "c"]
    public = {name: cosigner.witness().vkey() for name, cosigner in WITNESSES.items()}
    public |= {name: create_identity(tmp_path / name) for name in "abc"}
    urls = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(WITNESSES, 8301)}
    values = tomllib.loads("\n".join(outsiders.config_toml(public, urls)))
    witnesses = WitnessesConfig.model_validate(values["witnesses"])
    assert (witnesses.quorum, witnesses.strict, len(witnesses.members)) == (2, True, 2)
    assert EscrowConfig.model_validate(values["escrow"]).in_words() == "2 of 3 custodians"


def test_nobody_is_the_default():
    assert NOBODY.key_commands() == {}
    assert NOBODY.config_toml({}, {}) == []


@dataclass
class FakeLog:
    """Answers with the given notes in turn, the last one for ever."""

    notes: list[bytes]
    asked: list[int] = field(default_factory=list)

    async def GetReceipt(  # noqa: N802 - gRPC's name
        self, request: log_service_pb2.GetReceiptRequest
    ) -> log_service_pb2.Receipt:
        note = self.notes[min(len(self.asked), len(self.notes) - 1)]
        self.asked.append(request.index)
        return log_service_pb2.Receipt(index=1, entry=ENTRIES[1], proof=Receipt(1, (LEAVES[0],), note).encode())


def make_note(*names: str, seconds: int = DRAW_SECONDS - 120, signer: NoteSigner = LOG) -> bytes:
    checkpoint = Checkpoint(LOG.name, 2, root_of(LEAVES))
    cosigned = [WITNESSES[name].cosign(checkpoint, time_seconds=seconds) for name in names]
    return add_signatures(sign_checkpoint(checkpoint, signer), *cosigned)


def make_stage(log: FakeLog) -> Stage:
    nobody = cast(Any, None)
    return Stage(
        day=DAY,
        clock=nobody,
        clients=cast(Any, SimpleNamespace(of=lambda _: SimpleNamespace(log=log))),
        processes=cast(Any, SimpleNamespace(require_alive=lambda: None)),
        promises=Promises(),
        screens=nobody,
        messages=Messages(DAY.plan.port, 1),
        party_urls={},
        log_key=LOG.verifier().vkey(),
        orders={},
        slots=[],
        witness_keys={name: cosigner.witness().vkey() for name, cosigner in WITNESSES.items()},
    )


def test_waits_until_every_witness_has_cosigned_the_freeze():
    log = FakeLog([make_note(), make_note("first"), make_note("first", "second")])
    stage = make_stage(log)
    saved = asyncio.run(save_checkpoint(stage, WAVE))
    assert log.asked == [1, 1, 1]
    assert (saved.note, saved.witnesses) == (log.notes[2], 2)
    bundle = cast(Any, SimpleNamespace(entries=lambda: iter([*ENTRIES, b"later"])))
    check_saved(stage, [saved], bundle)


@pytest.mark.parametrize(
    "note",
    [
        make_note("first"),
        make_note("first", "second", seconds=DRAW_SECONDS),  # not before the beacon value existed
    ],
)
def test_waits_no_longer_than_a_while(monkeypatch, note):
    """Too few cosignatures, or too late ones: the day ends there, with what was waited for."""
    monkeypatch.setattr(stage_module, "_WAIT_SECONDS", 0.05)
    started = time.monotonic()
    with pytest.raises(BrokenPromise, match="2 witnesses have cosigned the freeze of wave"):
        asyncio.run(save_checkpoint(make_stage(FakeLog([note])), WAVE))
    assert time.monotonic() - started < 10


def test_receipt_under_another_key_ends_the_day_at_once():
    other = NoteSigner(LOG.name, b"O" * 32)
    log = FakeLog([make_note("first", "second", signer=other)])
    with pytest.raises(BrokenPromise, match="every witness cosigns a freeze"):
        asyncio.run(save_checkpoint(make_stage(log), WAVE))
    assert log.asked == [1]


def test_log_that_was_rewritten_since_is_noticed():
    """The kept checkpoint has another root than the final log at its size."""
    stage = make_stage(FakeLog([make_note("first", "second")]))
    saved = asyncio.run(save_checkpoint(stage, WAVE))
    bundle = cast(Any, SimpleNamespace(entries=lambda: iter([b"start", b"another freeze"])))
    with pytest.raises(BrokenPromise, match="fits the final log"):
        check_saved(stage, [saved], bundle)
