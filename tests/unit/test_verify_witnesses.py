"""The verifier and witnesses: whose word counts, for which freezes, and what a second history looks like."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from bundle_surgery import join, repair, split
from simulated_day import CALENDAR_A, run_day
from simulated_log import ORIGIN, SIGNER, OpenShift, Operator, at, shift_name
from typer.testing import CliRunner

from assign.cli import register
from assign.draw.commitment import is_freeze
from assign.encoding import canonical_json, sha256
from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.entries import Entry, Kind
from assign.log.merkle import EMPTY_ROOT, leaf_hash, root_of
from assign.log.note import NoteSigner, Signature, add_signatures
from assign.names import WaveName
from assign.verify.bundle import read_bundle, write_bundle
from assign.verify.bundle_format import split_notes
from assign.verify.findings import Attention, Code
from assign.verify.replay import verify_bundle
from assign.verify.report import Report

W1, W2, W3 = (Cosigner(f"witness.example/w{number}", bytes([number]) * 32) for number in (1, 2, 3))
KEYS = [cosigner.witness().vkey() for cosigner in (W1, W2)]


class Witnessed(Operator):
    """An operator whose log witnesses cosign after each freeze, a minute before the round."""

    def __init__(self, *cosigners: Cosigner, delay: timedelta = timedelta(minutes=1)) -> None:
        self.cosigners = cosigners
        self.delay = delay
        self.cosigned: list[bytes] = []
        super().__init__()

    def freeze(self, shift: OpenShift, start: Any) -> None:
        super().freeze(shift, start)
        self.witness(*self.cosigners)

    def witness(self, *cosigners: Cosigner, entries: list[bytes] | None = None) -> None:
        """Have the log as it is cosigned, `delay` from now."""
        seen = self.entries if entries is None else entries
        checkpoint = Checkpoint(ORIGIN, len(seen), root_of(map(leaf_hash, seen)))
        seconds = int((self.now + self.delay).timestamp())
        lines = [cosigner.cosign(checkpoint, time_seconds=seconds) for cosigner in cosigners]
        self.cosigned.append(add_signatures(sign_checkpoint(checkpoint, SIGNER), *lines))

    def bundle(self, cosigned: list[bytes] | None = None) -> bytes:
        """The bundle with the cosigned checkpoints."""
        checkpoint = Checkpoint(ORIGIN, len(self.entries), root_of(map(leaf_hash, self.entries)))
        file = io.BytesIO()
        write_bundle(
            file,
            log_key=SIGNER.verifier().vkey(),
            checkpoint=sign_checkpoint(checkpoint, SIGNER),
            entries=self.entries,
            inputs=self.opened_inputs(),
            cosigned=self.cosigned if cosigned is None else cosigned,
        )
        return file.getvalue()


def day(*cosigners: Cosigner, **options: Any) -> Witnessed:
    """A day that these saw."""
    operator = Witnessed(*cosigners, **options)
    run_day(operator)
    return operator


HONEST = day(W1, W2)


def check(bundle: bytes, witnesses: list[str] | None = None, quorum: int | None = None) -> Report:
    """The report for an auditor who trusts these."""
    return verify_bundle(
        read_bundle(io.BytesIO(bundle)),
        trusted_key=SIGNER.verifier().vkey(),
        witnesses=KEYS if witnesses is None else witnesses,
        quorum=quorum,
    )


def codes(report: Report) -> list[str]:
    """The codes of what is wrong."""
    return [str(finding.code) for finding in report.findings]


def test_witnessed_day_is_sound_and_says_so() -> None:
    """Every wave, in the counts, and dating back needs the witnesses too."""
    report = check(HONEST.bundle())
    assert report.findings == ()
    assert (report.witnesses, report.quorum) == ((W1.name, W2.name), 2)
    assert {wave.is_witnessed for shift in report.shifts for wave in shift.waves} == {True}
    counts = dict(report.checked)
    assert counts["cosigned checkpoints, each of exactly the entries before it"] == 7
    assert counts["freezes that 2 of 2 witnesses saw before their beacon round"] == 7
    for shift in report.shifts:
        assert "together with both witnesses whom you named" in shift.guarantee.change
        assert "operator alone" not in shift.guarantee.change
    assert report.to_json()["quorum"] == 2


def test_without_cosignatures_it_is_not() -> None:
    """The same log, from which the operator left them out: each draw is a finding, at its freeze."""
    report = check(HONEST.bundle([]))
    assert codes(report) == ["FREEZE_UNWITNESSED"] * 7
    assert [finding.index for finding in report.findings] == [HONEST.find(None, nth) for nth in range(7)]
    assert {wave.is_witnessed for shift in report.shifts for wave in shift.waves} == {False}
    for shift in report.shifts:
        assert "operator alone, by writing the freeze after" in shift.guarantee.change
        assert f"of {len(shift.waves)} of {len(shift.waves)} draws" in shift.guarantee.change


def test_auditor_without_witnesses_is_told_what_there_is() -> None:
    """Nothing is wrong, nothing is believed either."""
    report = check(HONEST.bundle(), [])
    assert report.is_sound
    assert {wave.is_witnessed for shift in report.shifts for wave in shift.waves} == {None}
    assert "no witness was named to this verifier" in report.shifts[0].guarantee.change
    assert any("7 checkpoints" in item.why and "--witness" in item.why for item in report.not_checked)
    nothing = check(HONEST.bundle([]), [])
    assert "no witness has cosigned this log" in nothing.shifts[0].guarantee.change


def test_entries_that_no_witness_saw_yet_are_named() -> None:
    """The end of the log is not covered by a checkpoint that follows a freeze; one more covers it."""
    operator = day(W1, W2)
    seen = operator.find(None, -1) + 1
    left = len(operator.entries) - seen
    assert any(f"{left} entries from {seen} on" in item.what for item in check(operator.bundle()).not_checked)
    operator.witness(W1, W2)
    assert not any("really written" in item.what for item in check(operator.bundle()).not_checked)


@pytest.mark.parametrize(
    ("cosigners", "witnesses", "quorum", "sound"),
    [
        ((W1, W2, W3), KEYS, 2, True),
        ((W1, W3), KEYS, 2, False),
        ((W1, W3), KEYS, 1, True),
        ((W3,), KEYS, 1, False),
        ((W1, W2), [KEYS[0]], None, True),
        ((W1, W2), [*KEYS, W3.witness().vkey()], 2, True),
        ((W1, W2), [*KEYS, W3.witness().vkey()], None, False),
    ],
)
def test_the_auditors_policy_decides(
    cosigners: tuple[Cosigner, ...], witnesses: list[str], quorum: int | None, sound: bool
) -> None:
    """Whose word counts and how many are needed is never the bundle's choice."""
    assert check(day(*cosigners).bundle(), witnesses, quorum).is_sound is sound


@pytest.mark.parametrize(("seconds", "sound"), [(119, True), (120, False), (121, False)])
def test_a_cosignature_at_the_round_is_too_late(seconds: int, sound: bool) -> None:
    """Strictly before: the round of a wave comes two minutes after its freeze."""
    operator = day(W1, W2, delay=timedelta(seconds=seconds))
    assert CALENDAR_A.margin_seconds == 120
    assert check(operator.bundle()).is_sound is sound


def test_two_halves_make_no_quorum() -> None:
    """One witness on one checkpoint and the other on the next: a quorum meets on one."""

    class Halves(Witnessed):
        def freeze(self, shift: OpenShift, start: Any) -> None:
            super().freeze(shift, start)
            self.refuse("SOMETHING")
            self.witness(W2)

    halved = Halves(W1)
    run_day(halved)
    assert len(halved.cosigned) == 14
    assert set(codes(check(halved.bundle()))) == {"FREEZE_UNWITNESSED"}
    assert check(halved.bundle(), quorum=1).is_sound


def test_a_checkpoint_right_before_the_freeze_does_not_cover_it() -> None:
    """Its size is the freeze's index: everything was seen but the freeze."""

    class Before(Witnessed):
        def append(self, data: bytes) -> int:
            if is_freeze(data):
                self.witness(W1, W2)
            return super().append(data)

        def freeze(self, shift: OpenShift, start: Any) -> None:
            Operator.freeze(self, shift, start)

    operator = Before()
    run_day(operator)
    assert codes(check(operator.bundle())) == ["FREEZE_UNWITNESSED"] * 7


def test_a_later_checkpoint_in_time_covers_an_earlier_freeze() -> None:
    """The first one after the freeze came late; the next one, of a larger log, was cosigned in time all the same."""

    class Late(Witnessed):
        def freeze(self, shift: OpenShift, start: Any) -> None:
            self.delay = timedelta(minutes=5)
            super().freeze(shift, start)
            self.refuse("SOMETHING")
            self.delay = timedelta(minutes=1)
            self.witness(W1, W2)

    late = Late(W1, W2)
    run_day(late)
    assert check(late.bundle()).is_sound


def test_forked_log_is_proven_by_its_own_cosigned_checkpoint() -> None:
    """The operator shows the auditor another history than the witnesses saw: the finding names the size."""
    operator = day(W1, W2)
    seen = [*operator.entries]
    index = operator.find(Kind.REFUSAL)
    operator.entries[index] = replace(
        Entry.from_bytes(seen[index]), body={"by": "unknown", "method": "x", "reason": "Y"}
    ).to_bytes()
    report = check(operator.bundle())
    assert codes(report).count("CHECKPOINT_FORKED") == 7
    assert codes(report).count("FREEZE_UNWITNESSED") == 7
    forked = next(finding for finding in report.findings if finding.code is Code.CHECKPOINT_FORKED)
    assert forked.index == operator.find(None, 0)
    # Also for an auditor who names no witness: the log's own signature is on both.
    assert codes(check(operator.bundle(), [])) == ["CHECKPOINT_FORKED"] * 7


def test_freeze_that_was_dated_back_is_found() -> None:
    """The operator with the log's key writes another freeze afterwards: the witnesses saw the first."""
    operator = day(W1, W2)
    first = operator.find(None, 0)
    entries = [*operator.entries]
    entries[first] = entries[first][:-1] + bytes([entries[first][-1] ^ 1])
    operator.entries = entries
    assert "CHECKPOINT_FORKED" in codes(check(operator.bundle()))
    unwitnessed = check(operator.bundle([]))
    assert "FREEZE_UNWITNESSED" in codes(unwitnessed)


def test_checkpoint_beyond_the_bundle_is_found() -> None:
    """The operator cut the end of the log off, and a witness had seen it."""
    operator = day(W1, W2)
    operator.witness(W1, W2)
    bundle = operator.bundle()
    shorter = day(W1, W2)
    del shorter.entries[-1]
    shorter.shifts = {name: shift for name, shift in shorter.shifts.items() if "A" in name}
    notes = b"".join(len(note).to_bytes(4, "big") + note for note in operator.cosigned)
    report = check(repair(shorter.bundle(), "cosigned", notes), [])
    assert "CHECKPOINT_BEYOND" in codes(report)
    assert "CHECKPOINT_BEYOND" not in codes(check(bundle))


def _framed(notes: list[bytes]) -> bytes:
    return b"".join(len(note).to_bytes(4, "big") + note for note in notes)


def _other_log() -> bytes:
    other = NoteSigner("other.example/log", b"o" * 32)
    return sign_checkpoint(Checkpoint(other.name, 1, bytes(32)), other)


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: [b"not a note", *notes],
        lambda notes: [notes[0][:-9] + b"A" + notes[0][-8:], *notes[1:]],
        lambda notes: [*reversed(notes)],
        lambda notes: [notes[0], *notes],
        lambda _: [_other_log()],
        lambda notes: [sign_checkpoint(Checkpoint(ORIGIN, 1, bytes(32)), NoteSigner(ORIGIN, b"x" * 32)), *notes],
        lambda notes: [add_signatures(notes[0], Signature(W1.name, W1.key_id, bytes(72))), *notes[1:]],
    ],
)
def test_cosigned_checkpoints_that_prove_nothing(change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Malformed, unsorted, repeated, of another log, unsigned, with a forged cosignature: a finding, no crash."""
    bundle = repair(HONEST.bundle(), "cosigned", _framed(change(HONEST.cosigned)))
    assert "COSIGNED_INVALID" in codes(check(bundle))


def test_empty_log_may_be_cosigned() -> None:
    """A witness may have seen the log before its first entry."""
    operator = day(W1, W2)
    operator.cosigned.insert(0, sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), SIGNER))
    assert check(operator.bundle()).is_sound


@pytest.mark.parametrize(
    ("witnesses", "quorum"),
    [
        (KEYS, 0),
        (KEYS, 3),
        (KEYS, -1),
        ([], 1),
        ([KEYS[0], KEYS[0]], None),
        (["hello"], None),
        ([SIGNER.verifier().vkey()], None),
    ],
)
def test_policies_that_cannot_be(witnesses: list[str], quorum: int | None) -> None:
    """A quorum that nobody or everybody meets, a witness that counts twice, a key of another type."""
    with pytest.raises(InvalidInput):
        check(HONEST.bundle(), witnesses, quorum)
    twin = Cosigner("twin.example", SIGNER.seed).witness().vkey()
    with pytest.raises(InvalidInput, match="POLICY_WITNESSES"):
        check(HONEST.bundle(), [twin])


# Waves without witnesses


class GivesUp(Witnessed):
    """Its first wave is frozen, and given up for lack of witnesses when its round comes."""

    early = timedelta(0)

    def draw(self, shift: OpenShift, start: Any) -> None:
        if start != at(6):
            super().draw(shift, start)
            return
        self.wait_until(shift.calendar.draw_time(start) - self.early)
        body = {"wave": str(WaveName(shift.name, start)), "reason": "not-witnessed"}
        self.record(Kind.WAVE_MISSED, body)


def _give_up(*cosigners: Cosigner, early: timedelta = timedelta(0)) -> GivesUp:
    operator = GivesUp(*cosigners)
    operator.early = early
    shift = operator.open_shift(shift_name("A"), CALENDAR_A)
    operator.import_roster(shift, [f"inspector-{number}" for number in range(8)])
    for start in CALENDAR_A.wave_starts():
        operator.freeze(shift, start)
        operator.draw(shift, start)
    operator.close(shift)
    return operator


def test_wave_that_was_given_up_for_lack_of_witnesses() -> None:
    """Within the rules, and shown; with the cosignatures there after all it is a finding."""
    operator = _give_up(W3)
    report = check(operator.bundle(), [])
    assert report.findings == ()
    (missed,) = [item for item in report.attention if item.code is Attention.WAVE_MISSED]
    assert "not-witnessed" in missed.message
    # Who wants witnesses finds the three that were drawn; the one that was not is as it should be.
    assert codes(check(operator.bundle())) == ["FREEZE_UNWITNESSED"] * 3
    seen = check(_give_up(W1, W2).bundle())
    assert codes(seen) == ["MISSED_BUT_WITNESSED"]
    assert seen.findings[0].index == operator.find(Kind.WAVE_MISSED)


def test_wave_that_was_given_up_before_its_round() -> None:
    """Until then a witness may still come."""
    assert codes(check(_give_up(W3, early=timedelta(seconds=1)).bundle(), [])) == ["MISSED_EARLY"]


def test_draw_that_says_it_was_not_witnessed() -> None:
    """Worth a look for everybody; wrong for an auditor who wants witnesses."""

    class Says(Witnessed):
        def draw(self, shift: OpenShift, start: Any) -> None:
            self.wait_until(shift.calendar.draw_time(start))
            self.record(Kind.UNWITNESSED, {"wave": str(WaveName(shift.name, start)), "witnesses": 1, "quorum": 2})
            super().draw(shift, start)

    operator = Says(W1)
    run_day(operator)
    report = check(operator.bundle(), [])
    assert report.is_sound
    noted = [item for item in report.attention if item.code is Attention.UNWITNESSED]
    assert [item.index for item in noted] == [operator.find(Kind.UNWITNESSED, nth) for nth in range(7)]
    assert "only 1 of 2 witnesses" in noted[0].message
    assert set(codes(check(operator.bundle()))) == {"FREEZE_UNWITNESSED"}
    operator.edit(Kind.UNWITNESSED, lambda body: body.update(witnesses="many"))
    assert "ENTRY_MALFORMED" in codes(check(operator.bundle([]), []))


# The record in the bundle


def test_bundle_without_cosigned_checkpoints_is_as_before() -> None:
    """Byte for byte: the record is not there when it would be empty."""
    operator = run_day(Operator())
    assert [name for name, _ in split(operator.to_bundle())][:3] == ["manifest", "checkpoint", "entries"]
    assert "cosigned" not in dict(split(HONEST.bundle([])))
    assert list(dict(split(HONEST.bundle())))[3] == "cosigned"
    assert [*read_bundle(io.BytesIO(HONEST.bundle())).cosigned()] == HONEST.cosigned
    assert [*read_bundle(io.BytesIO(HONEST.bundle([]))).cosigned()] == []


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\x00\x00\x00\x00", b"\x00\x00\x00\x05abc", b"\xff\xff\xff\xff" + b"a" * 99]
)
def test_record_of_another_form_is_refused(body: bytes) -> None:
    """Empty, cut short, without length, or longer than a note may be."""
    with pytest.raises(Corrupt, match="BUNDLE_COSIGNED"):
        read_bundle(io.BytesIO(repair(HONEST.bundle(), "cosigned", body)))
    if body:
        with pytest.raises(Corrupt, match="BUNDLE_COSIGNED"):
            [*split_notes([body])]


def test_record_in_another_place_is_refused() -> None:
    """Behind the entries and nowhere else, once."""
    records = split(HONEST.bundle())
    for order in ([0, 1, 3, 2], [0, 3, 1, 2], [0, 1, 2, 4, 3], [0, 1, 2, 3, 3]):
        moved = [records[at] for at in order] + records[5:]
        manifest = json.loads(records[0][1])
        manifest["records"] = [
            {"name": name, "size": len(body), "sha256": sha256(body).hex()} for name, body in moved[1:]
        ]
        with pytest.raises(Corrupt, match="BUNDLE_MANIFEST"):
            read_bundle(io.BytesIO(join([("manifest", canonical_json(manifest)), *moved[1:]])))


def test_writer_refuses_what_the_verifier_would() -> None:
    """Another log's, unsorted, twice, beyond the end: never written."""
    for notes in (
        [_other_log()],
        HONEST.cosigned[::-1],
        [HONEST.cosigned[0]] * 2,
        [sign_checkpoint(Checkpoint(ORIGIN, 10**6, bytes(32)), SIGNER)],
    ):
        with pytest.raises(InvalidInput, match="BUNDLE_CONTENT"):
            HONEST.bundle(notes)


# The command


def _run(*arguments: object) -> Any:
    app = typer.Typer()

    @app.callback()
    def other() -> None:
        """Another command line."""

    register(app)
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_command_takes_keys_and_files(tmp_path: Path) -> None:
    """`--witness KEY --witness FILE --quorum 2`: sound with the cosignatures, wrong without."""
    (tmp_path / "w2.vkey").write_text(KEYS[1] + "\n")
    (tmp_path / "log.vkey").write_text(SIGNER.verifier().vkey())
    (tmp_path / "day.bundle").write_bytes(HONEST.bundle())
    (tmp_path / "bare.bundle").write_bytes(HONEST.bundle([]))
    options = ["--key", tmp_path / "log.vkey", "--witness", KEYS[0], "--witness", tmp_path / "w2.vkey", "--quorum", "2"]
    good = _run(tmp_path / "day.bundle", *options)
    assert good.exit_code == 0, good.output
    assert f"2 needed of {W1.name}, {W2.name}" in good.stdout
    assert "both witnesses" in " ".join(good.stdout.split())
    bad = _run(tmp_path / "bare.bundle", *options)
    assert bad.exit_code == 1
    assert "WRONG: FREEZE_UNWITNESSED" in bad.stdout
    parsed = json.loads(_run(tmp_path / "day.bundle", *options, "--json").stdout)
    assert (parsed["quorum"], parsed["witnesses"]) == (2, [W1.name, W2.name])
    for wrong, reason in (
        (["--witness", "hello"], "No such file"),
        (["--witness", "he+l+lo"], "KEY_"),
        (["--witness", "name+00000000+" + "A" * 1752], "KEY_"),
        (["--quorum", "1"], "POLICY_QUORUM"),
        (["--witness", KEYS[0], "--quorum", "2"], "POLICY_QUORUM"),
        (["--witness", tmp_path / "log.vkey"], "KEY_TYPE"),
    ):
        refused = _run(tmp_path / "day.bundle", *wrong)
        assert (refused.exit_code, reason in refused.stderr) == (2, True), (wrong, refused.output)
