"""The verifier against an operator who bends his log: every finding about entries, shifts, slots and times."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from bundle_surgery import join, repair, split
from log_forgeries import FORGERIES, drop
from simulated_day import CALENDAR_A, NAMES_A, check, codes, make_orders, run_day
from simulated_log import ORIGIN, SIGNER, Operator, at, shift_name

from assign.encoding import canonical_json, sha256
from assign.errors import InvalidInput
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.entries import Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner
from assign.verify import bodies
from assign.verify.bundle import read_bundle, write_bundle
from assign.verify.findings import Attention, Code
from assign.verify.replay import verify_bundle
from assign.verify.report import WaveState


def test_honest_day_is_sound_and_complete() -> None:
    """Nothing is wrong with a log that was kept by the rules, and every draw is replayed."""
    report = check(run_day(Operator()), trusted_key=SIGNER.verifier().vkey())
    assert report.findings == ()
    assert (report.is_sound, report.is_complete, report.draws, report.draws_replayed) == (True, True, 7, 7)
    assert {wave.state for shift in report.shifts for wave in shift.waves} == {WaveState.REPLAYED}
    assert report.is_key_trusted
    assert [str(item.code) for item in report.attention] == ["REPLACED"]


def test_finding_names_the_entry() -> None:
    """A finding carries the index of the entry that shows it."""
    operator = run_day(Operator())
    index = operator.edit(Kind.DRAW, lambda body: body.update(transcript="00" * 32), nth=2)
    (finding,) = check(operator).findings
    assert (finding.code, finding.index) == (Code.REPLAY_MISMATCH, index)
    assert f"log entry {index}" in str(finding)


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_log_signed_by_its_operator(name: str) -> None:
    """The operator edits his log afterwards and signs the result: the edit is found for what it is."""
    forge, code = FORGERIES[name]
    operator = run_day(Operator())
    forge(operator)
    assert code in codes(check(operator))


@pytest.mark.parametrize("index", range(len(run_day(Operator()).entries)))
def test_each_entry_deleted_duplicated_or_edited_unsigned(index: int) -> None:
    """Without the log's key nothing can be changed at all: the root no longer fits the signature."""
    honest = run_day(Operator())
    for change in ("delete", "double", "edit"):
        operator = run_day(Operator()) if index == 0 else honest
        entries = [*operator.entries]
        if change == "delete":
            del entries[index]
        elif change == "double":
            entries.insert(index, entries[index])
        else:
            entries[index] = entries[index][:-1] + bytes([entries[index][-1] ^ 1])
        forged = Forged(entries, honest)
        assert {"ROOT_MISMATCH", "CHECKPOINT_OTHER_LOG"} & codes(check(forged))


class Forged(Operator):
    """Somebody who has another operator's signed checkpoint, but not his key."""

    def __init__(self, entries: list[bytes], honest: Operator) -> None:
        super().__init__()
        self.entries = entries
        self.shifts = honest.shifts
        self._honest = honest

    def to_bundle(self, *, signer: NoteSigner = SIGNER) -> bytes:
        """These entries under that checkpoint."""
        honest = self._honest.entries
        # The size is what the bundle says it is; a forger who fits it still has only the old signature.
        checkpoint = sign_checkpoint(Checkpoint(ORIGIN, len(self.entries), root_of(map(leaf_hash, honest))), signer)
        file = io.BytesIO()
        write_bundle(
            file,
            log_key=signer.verifier().vkey(),
            checkpoint=checkpoint,
            entries=self.entries,
            inputs=self.opened_inputs(),
        )
        return file.getvalue()


def test_key_of_another_log() -> None:
    """A log that another key signed is refused, whatever the bundle says of itself."""
    mallory = NoteSigner(ORIGIN, sha256(b"mallory"))
    bundle = run_day(Operator()).to_bundle(signer=mallory)
    report = verify_bundle(read_bundle(io.BytesIO(bundle)), trusted_key=SIGNER.verifier().vkey())
    assert {"LOG_KEY_MISMATCH", "CHECKPOINT_INVALID"} <= codes(report)


@pytest.mark.parametrize(("field", "value"), [("origin", "assign.example/BEANR"), ("tree_size", 63)])
def test_checkpoint_of_another_log_or_size(field: str, value: str | int) -> None:
    """A true checkpoint does not vouch for a bundle of another log, or of another length."""
    operator = run_day(Operator())
    records = split(operator.to_bundle())
    entries = dict(records)["entries"]
    if field == "tree_size":
        assert len(operator.entries) == 64
        entries = entries[: -4 - len(operator.entries[-1])]
    manifest = {**json.loads(records[0][1]), field: value}
    records[0] = ("manifest", canonical_json(manifest))
    report = verify_bundle(read_bundle(io.BytesIO(repair(join(records), "entries", entries))))
    assert Code.CHECKPOINT_OTHER_LOG in codes(report)


def test_kind_that_the_verifier_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newer server writes is not believed, not refused, and said to be unchecked."""
    monkeypatch.delitem(bodies._SHAPES, Kind.READ)
    report = check(run_day(Operator()))
    assert report.findings == ()
    assert any(item.what == "1 entries of the kind read" for item in report.not_checked)


def test_own_key_of_the_bundle_is_weaker() -> None:
    """Without a key from elsewhere the report says what that does not prove."""
    report = check(run_day(Operator()))
    assert not report.is_key_trusted
    assert any("key came from the bundle" in item.why for item in report.not_checked)


def test_trusted_key_must_be_a_key() -> None:
    """A key file with anything else in it is the auditor's mistake, not a finding."""
    with pytest.raises(InvalidInput):
        check(run_day(Operator()), trusted_key="nonsense")


class SteeredOperator(Operator):
    """Ran a demonstration."""

    def clock(self) -> str:
        """Not the system's."""
        return "steered"


def test_steered_clock_is_no_evidence() -> None:
    """A demonstration may be sound, and says that it proves nothing."""
    report = check(run_day(SteeredOperator()))
    assert report.is_sound
    assert report.is_clock_steered
    assert Attention.STEERED_CLOCK in {item.code for item in report.attention}


def _open_shift() -> Operator:
    operator = run_day(Operator())
    del operator.entries[operator.find(Kind.CLOSE, 1) :]
    operator.shifts[str(shift_name("B"))].is_closed = False
    return operator


def test_open_shift_is_not_checked_and_not_wrong() -> None:
    """A shift that is not over yet waits; its draws are not replayed, and the report is not complete."""
    report = check(_open_shift())
    assert report.is_sound
    assert not report.is_complete
    assert any("2026-11-24-B" in item.what and item.why == "still open" for item in report.not_checked)
    assert report.shifts[1].count(WaveState.NOT_OPENED) == 3


def test_open_shift_misses_a_draw_that_is_due() -> None:
    """A draw is not withheld by leaving the shift open."""
    operator = _open_shift()
    drop(operator, Kind.DRAW, 4)
    drop(operator, None, -1)
    drop(operator, Kind.DRAW, -1)
    operator.wait_until(at(14, 31))
    operator.refuse("REVEAL_TOO_EARLY")
    found = codes(check(operator))
    assert {"DRAW_MISSING", "FREEZE_MISSING"} <= found


def test_inputs_of_an_open_shift_are_not_expected() -> None:
    """Inputs that nobody can compare with anything do not belong in a bundle."""
    operator = _open_shift()
    operator.shifts[str(shift_name("B"))].is_closed = True
    assert codes(check(operator)) == {"INPUTS_UNEXPECTED"}


def test_missed_wave_is_reported_and_is_not_wrong() -> None:
    """A wave that could not be frozen in time is never drawn; its orders find another slot."""
    operator = Operator()
    shift = operator.open_shift(shift_name("A"), replace(CALENDAR_A, end=at(6, 30)))
    operator.wait_until(at(4))
    operator.import_roster(shift, NAMES_A, reefer=("inspector-1", "inspector-2"))
    operator.import_orders(make_orders(2))
    operator.book(("s-00", "o-00", at(6)))
    operator.miss(shift, at(6))
    operator.slots.clear()
    operator.book(("s-01", "o-00", at(6, 15)))
    operator.freeze(shift, at(6, 15))
    operator.draw(shift, at(6, 15))
    operator.close(shift)
    report = check(operator)
    assert report.findings == ()
    assert [str(item.code) for item in report.attention] == ["WAVE_MISSED"]
    assert report.shifts[0].waves[0].state is WaveState.MISSED


def test_frozen_wave_without_witnesses_is_reported_and_is_not_wrong() -> None:
    """Given up before its beacon value was asked for; what it committed to is opened and checked all the same."""
    operator = Operator()
    shift = operator.open_shift(shift_name("A"), replace(CALENDAR_A, end=at(6, 15)))
    operator.wait_until(at(4))
    operator.import_roster(shift, NAMES_A)
    operator.import_orders(make_orders(2))
    operator.book(("s-00", "o-01", at(6)))
    operator.freeze(shift, at(6))
    operator.miss(shift, at(6), reason="not-witnessed")
    operator.close(shift)
    report = check(operator)
    assert report.findings == ()
    assert [str(item.code) for item in report.attention] == ["WAVE_MISSED"]
    assert report.shifts[0].waves[0].state is WaveState.MISSED
    operator.shifts[str(shift.name)].inputs.clear()
    assert codes(check(operator)) == {"INPUTS_MISSING"}


def test_order_drawn_again_is_reported() -> None:
    """Cancelling after a draw and booking anew is allowed, counted and shown: somebody may be fishing."""
    operator = Operator()
    shift = operator.open_shift(shift_name("A"), replace(CALENDAR_A, end=at(6, 30)))
    operator.wait_until(at(4))
    operator.import_roster(shift, NAMES_A)
    operator.import_orders(make_orders(2))
    operator.book(("s-00", "o-01", at(6)))
    operator.freeze(shift, at(6))
    operator.draw(shift, at(6))
    operator.cancel("s-00")
    operator.book(("s-01", "o-01", at(6, 15)))
    operator.freeze(shift, at(6, 15))
    operator.draw(shift, at(6, 15))
    operator.close(shift)
    report = check(operator)
    assert report.findings == ()
    assert "DRAWN_AGAIN" in {str(item.code) for item in report.attention}


def test_beacon_work_is_bounded() -> None:
    """A hostile pin cannot keep the verifier hashing for hours."""
    assert Code.BEACON_TOO_FAR in codes(check(run_day(Operator()), hash_budget=1000))


def test_findings_are_listed_up_to_a_limit_and_all_counted() -> None:
    """A log of nothing but rubbish gives a short report."""
    operator = run_day(Operator())
    operator.entries[-1:-1] = [b"rubbish"] * 1500
    report = check(operator)
    assert (len(report.findings), report.findings_count) == (1000, 1500)
