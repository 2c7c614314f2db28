"""Receipts over the real port: what an inspector takes home of his look, and what nobody else gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.port import AUDITOR, CALL_SECONDS, INSPECTORS, PARENT, PORT, ROSTER_OFFICER, SUPERVISOR, Duty, Site, refusal

from assign.draw.commitment import Freeze
from assign.encoding import sha256
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.entries import Entry, Kind
from assign.log.note import parse_note
from assign.log.proof import parse_receipt
from assign.v1 import log_service_pb2, reveal_service_pb2, wave_service_pb2
from server.demo.processes import run_assign
from server.demo.workplace import Identity
from server.storage.cosignatures import add_cosignatures
from server.storage.sqlite import begin_immediate, open_writer

_INSPECTOR, _OTHER = INSPECTORS[0], INSPECTORS[1]


@dataclass
class _Looked:
    """A drawn wave, and where two inspectors' looks at it are in the log."""

    site: Site
    duty: Duty
    look: int
    other: int


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Looked]:
    """Two inspectors have read their assignments."""
    site = Site(tmp_path_factory.mktemp("receipts"))
    try:
        site.start()
        duty = site.open_shift(waves=1)
        site.book_orders([duty.start()] * 3)
        site.advance(duty.draw_time())
        yield _Looked(site, duty, _look(site, duty, _INSPECTOR), _look(site, duty, _OTHER))
    finally:
        site.close()


def _look(site: Site, duty: Duty, inspector: Identity) -> int:
    request = reveal_service_pb2.RevealAssignmentRequest(name=duty.assignment(inspector.id))
    return site.client(inspector).reveals.RevealAssignment(request, timeout=CALL_SECONDS).log_index


def _ask(index: int) -> log_service_pb2.GetReceiptRequest:
    return log_service_pb2.GetReceiptRequest(parent=PARENT, index=index)


def _keep(folder: Path, receipt: log_service_pb2.Receipt) -> tuple[str, str]:
    """The two files that the command reads."""
    (folder / "look.tlog-proof").write_bytes(receipt.proof)
    (folder / "look.entry").write_bytes(receipt.entry)
    return str(folder / "look.tlog-proof"), str(folder / "look.entry")


def test_an_inspector_takes_the_proof_of_his_look_home(looked: _Looked, tmp_path: Path) -> None:
    """The reveal names its own entry; its receipt is checked with the log's key and nothing else."""
    site = looked.site
    receipt = site.client(_INSPECTOR).log.GetReceipt(_ask(looked.look), timeout=CALL_SECONDS)
    entry = Entry.from_bytes(receipt.entry)
    assert (receipt.index, entry.kind, entry.body["wave"]) == (looked.look, Kind.REVEAL, looked.duty.wave())
    proof, data = _keep(tmp_path, receipt)
    done = run_assign("receipt", "verify", proof, "--key", "log.vkey", "--entry", data, "--json", cwd=site.directory)
    assert done.status == 0, done.errors
    said = json.loads(done.output)
    assert (said["index"], said["tree_size"], said["is_sound"]) == (looked.look, receipt.tree_size, True)
    assert (said["entry"]["kind"], said["entry"]["body"]) == ("reveal", entry.body)


def test_freeze_and_draw_have_receipts_too(looked: _Looked, tmp_path: Path) -> None:
    """`Wave` says where they are; a supervisor and an auditor get any entry's receipt."""
    site = looked.site
    request = wave_service_pb2.GetWaveRequest(name=looked.duty.wave())
    wave = site.client(SUPERVISOR).waves.GetWave(request, timeout=CALL_SECONDS)
    freeze = site.client(SUPERVISOR).log.GetReceipt(_ask(wave.freeze_index), timeout=CALL_SECONDS)
    assert Freeze.from_bytes(freeze.entry).wave == looked.duty.wave()
    draw = site.client(AUDITOR).log.GetReceipt(_ask(wave.draw_index), timeout=CALL_SECONDS)
    assert Entry.from_bytes(draw.entry).kind is Kind.DRAW
    for receipt in (freeze, draw):
        proof, data = _keep(tmp_path, receipt)
        key = (site.directory / "log.vkey").read_text()
        assert run_assign("receipt", "verify", proof, "--key", key, "--entry", data, cwd=tmp_path).status == 0


def test_an_inspector_gets_no_other_receipt(looked: _Looked) -> None:
    """Another's look, a draw, a freeze, an import, an entry that is not there: the same words each time."""
    client = looked.site.client(_INSPECTOR)
    request = wave_service_pb2.GetWaveRequest(name=looked.duty.wave())
    wave = client.waves.GetWave(request, timeout=CALL_SECONDS)
    answers = {
        refusal(client.log.GetReceipt, _ask(index))
        for index in (looked.other, wave.draw_index, wave.freeze_index, 0, looked.look - 1, -1, 10**6, 2**62)
    }
    assert {(answer.code, answer.reason) for answer in answers} == {("PERMISSION_DENIED", "NOT_OWN_ENTRY")}
    assert len(answers) == 1
    assert client.log.GetReceipt(_ask(looked.look), timeout=CALL_SECONDS).index == looked.look


def test_others_are_refused_and_it_is_logged(looked: _Looked) -> None:
    """Somebody without the role gets none; oversight is told what is out of range."""
    before = looked.site.size()
    denied = refusal(looked.site.client(ROSTER_OFFICER).log.GetReceipt, _ask(looked.look))
    assert (denied.code, denied.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")
    beyond = refusal(looked.site.client(AUDITOR).log.GetReceipt, _ask(10**6))
    assert (beyond.code, beyond.reason) == ("INVALID_ARGUMENT", "INDEX_RANGE")
    assert looked.site.refusals(before) == {("GetReceipt", "ROLE_NOT_ALLOWED"): 1, ("GetReceipt", "INDEX_RANGE"): 1}


def test_a_receipt_bears_the_cosignatures_there_are(looked: _Looked, tmp_path: Path) -> None:
    """Under the newest checkpoint that witnesses cosigned, as long as it covers the entry; else under the newest."""
    site, witness = looked.site, Cosigner("witness.example/1", sha256(b"a witness"))
    newest = site.checkpoint()
    _store_cosigned(site, newest, witness)
    refusal(site.client(_INSPECTOR).log.GetReceipt, _ask(0))  # the log grows past it
    receipt = site.client(_INSPECTOR).log.GetReceipt(_ask(looked.look), timeout=CALL_SECONDS)
    assert receipt.tree_size == newest.tree_size < site.size()
    proof, data = _keep(tmp_path, receipt)
    check = ["receipt", "verify", proof, "--key", "log.vkey", "--entry", data, "--witness", witness.witness().vkey()]
    done = run_assign(*check, cwd=site.directory)
    assert done.status == 0, done.errors
    assert "witness.example/1 saw the checkpoint" in done.output
    later = site.client(AUDITOR).log.GetReceipt(_ask(newest.tree_size), timeout=CALL_SECONDS)
    assert later.tree_size == site.size()
    assert b"witness" not in parse_receipt(later.proof).checkpoint


def _store_cosigned(site: Site, checkpoint: log_service_pb2.Checkpoint, witness: Cosigner) -> None:
    """As the server does when a witness has answered."""
    engine = open_writer(f"sqlite:///{site.store}")
    with engine.connect() as connection:
        begin_immediate(connection)
        signature = witness.cosign(parse_checkpoint(parse_note(checkpoint.note).text), time_seconds=1_800_000_000)
        add_cosignatures(connection, PORT, checkpoint.tree_size, checkpoint.note, [signature])
        connection.exec_driver_sql("COMMIT")
    engine.dispose()
