"""Verifies a bundle: the whole log, from its bytes to every draw, trusting nobody.

One pass over the entries rebuilds the Merkle tree and follows every rule of `docs/protocol.md` that
needs no secret; when a shift is closed in the log, its secrets are open and the shift is walked through
again (`assign.verify.opening`). Only a form that cannot be read raises Corrupt: everything else that is
wrong becomes a finding, so that one report names all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from assign.draw.beacon import BeaconInfo
from assign.errors import AssignError, Corrupt
from assign.log.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.note import NoteVerifier, parse_note
from assign.verify.beacons import DEFAULT_HASH_BUDGET, BeaconChecks
from assign.verify.bundle import Bundle
from assign.verify.findings import Code, Findings
from assign.verify.guarantee import describe_guarantee
from assign.verify.ledger import Ledger
from assign.verify.opening import Context, Opening
from assign.verify.report import NotChecked, Report, ShiftReport, WaveReport, WaveState
from assign.verify.shift import Shift, Wave
from assign.verify.witnessing import Witnessing

__all__ = ["Progress", "verify_bundle"]

Progress = Callable[[int, int, int], None]
"""Called now and then with (entries read, entries in all, draws checked)."""

_BATCH = 512


def verify_bundle(
    bundle: Bundle,
    *,
    trusted_key: str | None = None,
    witnesses: Sequence[str] = (),
    quorum: int | None = None,
    progress: Progress | None = None,
    hash_budget: int = DEFAULT_HASH_BUDGET,
) -> Report:
    """Everything that can be known about the log in `bundle`.

    Args:
        trusted_key: the vkey of the log's key, from a source other than the bundle; None: the bundle's own
            is used, and the report says that this proves less.
        witnesses: vkeys of the witnesses whose word is taken for when the log grew; never from the bundle.
        quorum: how many of them must have seen each freeze before its beacon round; None: all.
        hash_budget: at most this many hashes are spent on beacon chains.

    Raises:
        Corrupt: the bundle changed while it was being read.
        InvalidInput: a key is not a vkey of its type, a witness is listed twice or has the log's key, or the quorum
            is not 1 to the number of witnesses.
    """
    verification = _Verification(bundle, progress, hash_budget)
    return verification.run(trusted_key, witnesses=witnesses, quorum=quorum)


class _Verification:
    def __init__(self, bundle: Bundle, progress: Progress | None, hash_budget: int) -> None:
        self._bundle = bundle
        self._progress = progress
        self._findings = Findings()
        self._beacons = BeaconChecks(hash_budget=hash_budget)
        self._ledger = Ledger(bundle.origin, self._findings, on_close=self._open)
        self._shifts: dict[str, ShiftReport] = {}
        self._beacon_of: dict[str, BeaconInfo] = {}
        self._witnessing: Witnessing
        self._entries_read = 0
        self._draws_checked = 0

    def run(self, trusted_key: str | None, *, witnesses: Sequence[str], quorum: int | None) -> Report:
        self._witnessing = Witnessing(
            trusted_key or self._bundle.log_key,
            self._bundle.cosigned(),
            self._findings,
            witnesses=witnesses,
            quorum=quorum,
        )
        checkpoint = self._check_checkpoint(trusted_key)
        root = self._read_entries()
        if checkpoint is not None and root != checkpoint.root:
            self._findings.add(Code.ROOT_MISMATCH, "The entries do not have the root that the log signed.", None)
        not_checked = self._finish_open_shifts()
        self._check_unexpected_inputs()
        self._witnessing.finish()
        return self._report(trusted_key, root, not_checked)

    def _check_checkpoint(self, trusted_key: str | None) -> Checkpoint | None:
        """The signed checkpoint if it is this log's, of this size, and signed with the right key."""
        bundle = self._bundle
        if trusted_key is not None and trusted_key != bundle.log_key:
            self._findings.add(Code.LOG_KEY_MISMATCH, "The bundle is from a log with another key than yours.", None)
        key = NoteVerifier.from_vkey(trusted_key) if trusted_key is not None else None
        checkpoint: Checkpoint | None
        try:
            key = key or NoteVerifier.from_vkey(bundle.log_key)
            checkpoint = verify_checkpoint(bundle.checkpoint, [key])
        except AssignError as error:
            self._findings.add(Code.CHECKPOINT_INVALID, f"The checkpoint proves nothing: {error.message}", None)
            checkpoint = _unverified(bundle.checkpoint)
        if checkpoint is None:
            return None
        if checkpoint.origin != bundle.origin or checkpoint.size != bundle.tree_size:
            self._findings.add(
                Code.CHECKPOINT_OTHER_LOG,
                f"The checkpoint is of {checkpoint.origin} at {checkpoint.size} entries, the bundle of "
                f"{bundle.origin} at {bundle.tree_size}.",
                None,
            )
        return checkpoint

    def _read_entries(self) -> bytes:
        """Feed every entry to the ledger; the Merkle root over all of them."""
        edge, leaves, witnessing = RightEdge(), [], self._witnessing
        if witnessing.next_size == 0:
            witnessing.compare(edge.root())
        for index, entry in enumerate(self._bundle.entries()):
            leaves.append(leaf_hash(entry))
            self._ledger.read(index, entry)
            if len(leaves) == _BATCH or index + 1 == witnessing.next_size:
                edge, leaves = edge.extend(leaves), []
                self._entries_read = index + 1
                self._tell()
                if edge.size == witnessing.next_size:
                    witnessing.compare(edge.root())
        self._entries_read = self._bundle.tree_size
        self._tell()
        return edge.extend(leaves).root()

    def _open(self, shift: Shift, close: Entry) -> None:
        """A shift was closed: check it in full and keep its report alone."""
        context = Context(
            origin=self._bundle.origin,
            codes=self._ledger.codes,
            order_digests=self._ledger.order_digests,
            inputs=self._bundle.inputs,
            beacons=self._beacons,
            findings=self._findings,
            on_wave=self._count_draw,
            outages=self._ledger.outages,
        )
        Opening(shift, close, shift.closed_index or 0, context).check()
        self._check_calendar(shift, until=None)
        self._keep(shift)

    def _finish_open_shifts(self) -> list[NotChecked]:
        """What the log promises and does not hold yet, or should hold by now."""
        now = self._ledger.last_time
        not_checked: list[NotChecked] = []
        for name, shift in self._ledger.shifts.items():
            if shift.closed_index is not None:
                continue
            if now is not None and now > shift.closes:
                self._findings.add(Code.CLOSE_MISSING, f"{name} is over and was never closed.", shift.index)
            for wave in shift.waves.values():
                if wave.freeze is not None and not wave.is_over and now is not None and now > wave.start:
                    self._findings.add(
                        Code.DRAW_MISSING, f"{wave.name}: it was frozen and never drawn.", wave.freeze_index
                    )
            if now is not None:
                self._check_calendar(shift, until=now)
            drawn = sum(wave.drawn is not None for wave in shift.waves.values())
            not_checked.append(NotChecked(what=f"{name}: {drawn} draws", why="still open"))
            self._keep(shift)
        return not_checked

    def _keep(self, shift: Shift) -> None:
        """What is reported of the shift; who saw its freezes is known at the end."""
        self._shifts[str(shift.name)] = _report_shift(shift)
        self._beacon_of[str(shift.name)] = shift.beacon
        self._witnessing.expect(shift)

    def _with_witnesses(self, shift: ShiftReport) -> ShiftReport:
        witnessed = self._witnessing.witnessed(shift.name)
        return replace(
            shift,
            waves=tuple(replace(wave, is_witnessed=witnessed.get(wave.name)) for wave in shift.waves),
            guarantee=describe_guarantee(self._beacon_of[shift.name], self._witnessing.seen(shift.name)),
        )

    def _check_calendar(self, shift: Shift, *, until: datetime | None) -> None:
        """Every wave that starts before `until` (None: every wave) was frozen or declared missed."""
        calendar = shift.calendar
        ended = {w.start for w in shift.waves.values() if w.freeze is not None or w.missed_index is not None}
        due = calendar.wave_count if until is None else calendar.waves_before(until)
        missing = due - sum(until is None or start < until for start in ended)
        if missing > 0:
            first = next(start for start in map(calendar.wave_start, range(due)) if start not in ended)
            self._findings.add(
                Code.FREEZE_MISSING,
                f"{shift.name}: {missing} waves of the calendar were neither frozen nor declared missed; the "
                f"first starts at {first:%Y-%m-%dT%H:%M:%SZ}.",
                shift.index,
            )

    def _check_unexpected_inputs(self) -> None:
        opened = {
            wave.name
            for shift in self._shifts.values()
            if shift.is_closed
            for wave in shift.waves
            if wave.freeze_index is not None
        }
        for name in self._bundle.waves:
            if name not in opened:
                self._findings.add(
                    Code.INPUTS_UNEXPECTED, f"The bundle has inputs of {name}, which the log does not open.", None
                )

    def _count_draw(self) -> None:
        self._draws_checked += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._entries_read, self._bundle.tree_size, self._draws_checked)

    def _report(self, trusted_key: str | None, root: bytes, not_checked: list[NotChecked]) -> Report:
        counts, findings = self._ledger.counts, self._findings
        return Report(
            origin=self._bundle.origin,
            tree_size=self._bundle.tree_size,
            root=root,
            log_key=trusted_key or self._bundle.log_key,
            is_key_trusted=trusted_key is not None,
            is_clock_steered=self._ledger.is_clock_steered,
            entries={kind: count for kind, count in counts.items() if ":" not in kind},
            checked=self._checked(),
            not_checked=(*not_checked, *self._unread(), *self._unwitnessed(), *_never_checked(trusted_key)),
            findings=tuple(findings.in_order()),
            findings_count=findings.wrong_count,
            attention=tuple(findings.attention),
            attention_count=findings.attention_count,
            shifts=tuple(map(self._with_witnesses, self._shifts.values())),
            witnesses=self._witnessing.witnesses,
            quorum=self._witnessing.quorum,
        )

    def _unwitnessed(self) -> list[NotChecked]:
        """What nobody but the operator vouches for."""
        witnessing = self._witnessing
        what = "when entries were really written, and whether others were shown another log"
        if witnessing.quorum:
            first = witnessing.witnessed_size
            if first >= self._bundle.tree_size:
                return []
            what += f": of the {self._bundle.tree_size - first} entries from {first} on"
            return [NotChecked(what=what, why="too few of your witnesses have seen them yet")]
        why = "no independent witness has cosigned this log: compare its root with checkpoints saved elsewhere"
        if witnessing.count:
            why = f"witnesses cosigned {witnessing.count} checkpoints: name those you trust with --witness"
        return [NotChecked(what=what, why=why)]

    def _unread(self) -> list[NotChecked]:
        return [
            NotChecked(
                what=f"{self._ledger.counts[kind]} entries of the kind {kind}",
                why="they are in the signed tree, but this verifier does not know what they mean",
            )
            for kind in sorted(self._ledger.unread)
        ]

    def _checked(self) -> tuple[tuple[str, int], ...]:
        counts, shifts = self._ledger.counts, self._shifts.values()
        waves = [wave for shift in shifts for wave in shift.waves]
        return (
            ("entries hashed into the tree whose root the log signed", self._bundle.tree_size),
            ("shifts opened, each with the master seed it committed to", sum(shift.is_closed for shift in shifts)),
            ("waves in the calendars", sum(shift.calendar_waves for shift in shifts)),
            ("freezes, one a wave, each before its beacon round existed", counts["freeze"]),
            ("beacon values verified against the pinned beacon", self._beacons.verified),
            ("draws replayed byte for byte", sum(wave.state is WaveState.REPLAYED for wave in waves)),
            ("orders reconciled with the feed of orders and slots", sum(wave.orders for wave in waves)),
            ("seats drawn", sum(wave.seats for wave in waves)),
            ("reveals, each after its draw and in its window", counts[Kind.REVEAL]),
            ("replacements, each the next in the reserve order", counts[Kind.REPLACEMENT_APPROVE]),
            ("waves worked by hand, each with a reason and two persons", counts[Kind.WAVE_MANUAL]),
            ("sealed sheets opened, each the next of its kind", counts[Kind.SHEET_OPEN]),
            ("entries of what was handed out by hand, line by line", counts[Kind.MANUAL_ASSIGNMENT]),
            ("persons' keys erased, each known since it came into use", counts[Kind.PERSON_ERASED]),
            ("refusals on record", counts[Kind.REFUSAL]),
            ("uses of a master seed on record", counts[Kind.KEY_USE]),
            *self._witnessing.checked(),
        )


def _unverified(note: bytes) -> Checkpoint | None:
    """What the checkpoint says, for further findings, although nobody vouches for it."""
    try:
        return parse_checkpoint(parse_note(note).text)
    except Corrupt:
        return None


def _report_shift(shift: Shift) -> ShiftReport:
    waves = sorted(
        (w for w in shift.waves.values() if w.freeze is not None or w.missed_index is not None or w.drawn is not None),
        key=lambda wave: wave.start,
    )
    return ShiftReport(
        name=str(shift.name),
        is_closed=shift.closed_index is not None,
        calendar_waves=shift.calendar.wave_count,
        waves=tuple(_report_wave(wave, is_closed=shift.closed_index is not None) for wave in waves),
        guarantee=describe_guarantee(shift.beacon),
    )


def _report_wave(wave: Wave, *, is_closed: bool) -> WaveReport:
    if wave.drawn is None:
        state = WaveState.PENDING if wave.missed_index is None else WaveState.MISSED
        state = state if wave.manual_index is None else WaveState.MANUAL
    elif is_closed:
        state = WaveState.REPLAYED if wave.is_replayed else WaveState.NOT_REPLAYED
    else:
        state = WaveState.NOT_OPENED
    return WaveReport(
        name=wave.name,
        state=state,
        freeze_index=wave.freeze_index if wave.freeze is not None else None,
        draw_index=wave.drawn.index if wave.drawn is not None else None,
        beacon_round=wave.freeze.beacon_round if wave.freeze is not None else None,
        orders=wave.orders,
        seats=wave.seats,
        left_over=len(wave.left_over),
    )


def _never_checked(trusted_key: str | None) -> list[NotChecked]:
    items = [
        NotChecked(
            what="that every container selected was imported, and that nobody looked without an entry",
            why="a log shows what was recorded: compare its orders with the declaration system's own list",
        ),
        NotChecked(
            what="that the pinned beacon is the one its parties run",
            why="compare the chain named below with what the parties published",
        ),
        NotChecked(
            what="screening status, recusals, cooldowns and who handled a selection",
            why="fixed by each freeze and opened at the close, but the log has no other source to compare with",
        ),
    ]
    if trusted_key is None:
        items.append(
            NotChecked(
                what="that the log is the operator's",
                why="its key came from the bundle itself: give the key you know with --key",
            )
        )
    return items
