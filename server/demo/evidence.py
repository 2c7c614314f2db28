"""The auditor's evening: export, verify with the real command, compare with what was read, and try to forge."""

from __future__ import annotations

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assign.draw.commitment import is_freeze
from assign.encoding import sha256
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import parse_note
from assign.names import OrderId
from assign.person import Pseudonym
from assign.v1 import verification_service_pb2
from assign.verify.bundle import read_bundle, write_bundle
from server.auth.log_key import load_log_key
from server.demo.choices import Choices
from server.demo.notary import Saved, ask_witnesses, check_saved
from server.demo.processes import Finished, run_assign, run_assign_verify
from server.demo.replayed import Replayed, replay_bundle
from server.demo.stage import Stage
from server.demo.workplace import AUDITOR, Workplace

__all__ = ["Evidence", "gather_evidence"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the auditor found.

    Attributes:
        report: the verifier's own, as JSON.
        checkpoints_cosigned: how many the bundle has.
        freezes_witnessed: how many freezes every witness saw in time, by the verifier's word.
    """

    report: dict[str, Any]
    bundle_bytes: int
    bundle_sha256: str
    tampered: tuple[str, ...]
    replayed: Replayed
    checkpoints_kept: int
    checkpoints_cosigned: int
    freezes_witnessed: int


async def gather_evidence(stage: Stage, workplace: Workplace, saved: list[Saved]) -> Evidence:
    """Export the bundle, verify it, compare it, forge it in several ways. Raises BrokenPromise."""
    await _export(stage, workplace.bundle)
    report = _verify(stage, workplace)
    replayed, cosigned = _compare(stage, workplace, [*saved, *await ask_witnesses(stage)])
    witnessed = _count_witnessed(stage, report)
    tampered = _tamper(stage, workplace)
    data = workplace.bundle.read_bytes()
    return Evidence(report, len(data), sha256(data).hex(), tampered, replayed, len(saved), cosigned, witnessed)


async def _export(stage: Stage, path: Path) -> None:
    request = verification_service_pb2.ExportBundleRequest(parent=stage.messages.parent)
    with path.open("wb") as file:
        async for part in stage.client(AUDITOR).verification.ExportBundle(request):
            file.write(part.chunk)


def _verify(stage: Stage, workplace: Workplace) -> dict[str, Any]:
    options = (*_public_keys(workplace), "--json")
    done = run_assign("verify", str(workplace.bundle), *options, cwd=workplace.directory)
    said = _first_finding(done)
    stage.promises.keep("`assign verify` accepts the day's bundle, with exit status 0", done.status == 0, said)
    report: dict[str, Any] = json.loads(done.output)
    keep = stage.promises.keep
    keep("the verifier finds nothing wrong", report["is_sound"] and report["findings_count"] == 0)
    keep("the verifier checked the log's signature with the key it was given apart", report["is_key_trusted"])
    waves = len(stage.journal.waves)
    replayed = (report["draws"], report["draws_replayed"])
    keep("every draw of the day replays byte for byte", replayed == (waves, waves), f"{replayed} of {waves} waves")
    reads = (report["entries"].get("reveal", 0), stage.journal.reveals)
    keep("the log has every read of an assignment, and no other", reads[0] == reads[1], f"{reads}")
    known = sum(bool(one.refusal.reason) for one in stage.journal.attempts)
    refusals = (report["entries"].get("refusal", 0), known)
    keep("the log has every refusal of somebody known, and no other", refusals[0] == refusals[1], f"{refusals}")
    keep("the verifier says that this clock was steered: a demonstration is no evidence", report["is_clock_steered"])
    return report


def _public_keys(workplace: Workplace) -> tuple[str, ...]:
    """The verifier's options with every key that the auditor has from elsewhere than the bundle."""
    witnesses = [word for path in workplace.witness_keys.values() for word in ("--witness", str(path))]
    quorum = ("--quorum", str(len(workplace.witness_keys))) if witnesses else ()
    return "--key", str(workplace.log_key), *witnesses, *quorum


def _count_witnessed(stage: Stage, report: dict[str, Any]) -> int:
    """How many freezes every witness cosigned in time, which must be all, and what follows from that."""
    keep, count = stage.promises.keep, len(stage.witness_keys)
    given = (len(report["witnesses"]), report["quorum"])
    keep("the verifier took the word of every witness, by the keys it was given apart", given == (count, count))
    waves = [wave for shift in report["shifts"] for wave in shift["waves"]]
    witnessed = sum(wave["is_witnessed"] is True for wave in waves)
    seen = f"{witnessed} of {len(stage.journal.waves)}"
    all_seen = len(waves) == witnessed == len(stage.journal.waves)
    keep("the verifier finds every freeze cosigned by every witness before its beacon round", all_seen, seen)
    for shift in report["shifts"]:
        said = shift["guarantee"]["change"]
        keep("the verifier no longer says that the operator alone could date a freeze back", _is_shared(said), said)
    return witnessed


def _is_shared(said: str) -> bool:
    return "operator alone" not in said and "witnesses" in said


def _first_finding(done: Finished) -> str:
    """What the verifier names first, from its report if it wrote one."""
    try:
        report = json.loads(done.output)
        finding = report["findings"][0]
    except (ValueError, KeyError, IndexError):
        return (done.errors + done.output).strip()[-300:]
    return f"{finding['code']}: {finding['message']}"


def _compare(stage: Stage, workplace: Workplace, saved: list[Saved]) -> tuple[Replayed, int]:
    """What the inspectors read over the wire is what the bundle replays to; how many checkpoints it has cosigned."""
    with read_bundle(workplace.bundle) as bundle:
        replayed = replay_bundle(bundle)
        check_saved(stage, saved, bundle)
        entries, cosigned = [*bundle.entries()], sum(1 for _ in bundle.cosigned())
    for look in stage.journal.looks:
        same = look.index < len(entries) and entries[look.index] == look.entry
        stage.promises.keep("the bundle holds every look that somebody has a receipt of", same, look.person)
    for shift in stage.day.shifts:
        name = stage.messages.shift(shift.shift)
        read, drawn = _read_by_pseudonym(stage, name), replayed.drawn_for(name)
        promise = "the bundle replays to what each inspector read, for everybody on the shift"
        stage.promises.keep(promise, read == drawn, name)
    _check_substitutes(stage, replayed)
    _check_absences(stage, replayed)
    return replayed, cosigned


def _read_by_pseudonym(stage: Stage, shift: str) -> dict[Pseudonym, list[tuple[str, OrderId]]]:
    pseudonyms = {look.person: look.pseudonym for look in stage.journal.looks if look.shift == shift}
    read: dict[Pseudonym, list[tuple[str, OrderId]]] = defaultdict(list)
    for (wave, person), answer in stage.journal.answers.items():
        if wave.startswith(f"{shift}/") and answer:
            read[pseudonyms[person]] += [(wave, OrderId(one.order)) for one in answer]
    return {person: sorted(pairs) for person, pairs in read.items()}


def _check_substitutes(stage: Stage, replayed: Replayed) -> None:
    pseudonyms = {(look.shift, look.person): look.pseudonym for look in stage.journal.looks}
    for one in stage.journal.replaced:
        shift = one.wave.partition("/waves/")[0]
        found = None if one.substitute is None else pseudonyms[shift, one.substitute]
        named = replayed.substitutes.get((one.wave, OrderId(one.order)))
        promise = "who found a replaced inspection on his screen is whom the log names as substitute"
        stage.promises.keep(promise, found == named, f"{one.substitute} in {one.wave}")


def _check_absences(stage: Stage, replayed: Replayed) -> None:
    for call in stage.day.sick_calls:
        waves = [wave for wave in replayed.absent_at_freeze if f"/{call.shift}/" in wave]
        counted = all(replayed.absent_at_freeze[wave] >= 1 for wave in waves)
        stage.promises.keep("who called in sick before a freeze is absent in its opened inputs", counted, call.person)


@dataclass(frozen=True, slots=True)
class _Copy:
    """A changed copy of the bundle.

    Attributes:
        reason: what the verifier must say of it; empty: anything.
        is_witnessed: the auditor who verifies it names the witnesses.
    """

    what: str
    path: Path
    reason: str
    is_witnessed: bool = True


def _tamper(stage: Stage, workplace: Workplace) -> tuple[str, ...]:
    """Copies with something changed, and what the library's own verifier says of each."""
    copies = [_flip_byte(stage, workplace), *_forge(stage, workplace)]
    with ThreadPoolExecutor(max_workers=2) as threads:
        verified = threads.map(lambda copy: _verify_copy(copy, workplace), copies)
    told = []
    for copy, done in zip(copies, verified, strict=True):
        said = " ".join((done.errors + done.output).split())
        promise = f"`assign-verify` refuses a copy of the bundle: {copy.what}"
        stage.promises.keep(promise, done.status in (1, 2), f"status {done.status}: {said[-300:]}")
        stage.promises.keep(
            "of a refused bundle the first thing wrong is named", bool(said) and copy.reason in said, said[:300]
        )
        told.append(f"{copy.what}: {said[:300]}")
    return tuple(told)


def _verify_copy(copy: _Copy, workplace: Workplace) -> Finished:
    keys = _public_keys(workplace) if copy.is_witnessed else ("--key", str(workplace.log_key))
    return run_assign_verify(str(copy.path), *keys, "--quiet", cwd=workplace.directory)


def _flip_byte(stage: Stage, workplace: Workplace) -> _Copy:
    """One byte of a copy is changed, at a place that follows from the seed."""
    data = bytearray(workplace.bundle.read_bytes())
    choices = Choices(stage.day.plan.seed, "flipped byte")
    position = choices.below(len(data))
    data[position] ^= 1 + choices.below(255)
    copy = workplace.directory / "day-flipped.bundle"
    copy.write_bytes(data)
    return _Copy(f"byte {position:,} of {len(data):,} changed", copy, "")


def _forge(stage: Stage, workplace: Workplace) -> list[_Copy]:
    """Copies with every checksum repaired and, but for one, signed with the log's own key."""
    with read_bundle(workplace.bundle) as bundle:
        entries, cosigned = [*bundle.entries()], [*bundle.cosigned()]
        inputs = [(wave, bundle.inputs(wave) or b"") for wave in bundle.waves]
        log_key, checkpoint = bundle.log_key, bundle.checkpoint
    seed = stage.day.plan.seed
    drawn = Choices(seed, "forged draw").pick([at for at, data in enumerate(entries) if _is_draw(data)])
    seen = parse_checkpoint(parse_note(cosigned[-1]).text).size
    tried = Choices(seed, "hidden attempt").pick([at for at in range(seen) if _is_attempt(entries[at])])
    outcome = _exchange(entries, drawn, "transcript", sha256(b"another outcome").hex())
    hidden = _exchange(entries, tried, "reason", "MESSAGE_MALFORMED")
    signed, hiding = (_sign(workplace, forged) for forged in (outcome, hidden))
    what, anew = f"outcome in log entry {drawn:,} exchanged", "signed anew with the log's key"
    peek = f"attempt to peek in log entry {tried:,} made harmless"
    none: list[bytes] = []
    forgers = (
        ("repaired", f"{what}, every checksum repaired", "ROOT_MISMATCH", True, checkpoint, outcome, none),
        ("signed", f"{what}, {anew}, no witness named", "REPLAY_MISMATCH", False, signed, outcome, none),
        ("forked", f"{peek}, {anew}", "CHECKPOINT_FORKED", True, hiding, hidden, cosigned),
        ("bare", "nothing but the witnesses' word left out", "FREEZE_UNWITNESSED", True, checkpoint, entries, none),
    )
    copies = []
    for name, how, reason, is_witnessed, note, written, notes in forgers:
        path = workplace.directory / f"day-{name}.bundle"
        with path.open("wb") as file:
            write_bundle(file, log_key=log_key, checkpoint=note, entries=written, inputs=inputs, cosigned=notes)
        copies.append(_Copy(how, path, reason, is_witnessed))
    return copies


def _exchange(entries: list[bytes], index: int, name: str, value: str) -> list[bytes]:
    """The entries with another value in one of them."""
    entry = Entry.from_bytes(entries[index])
    entry.body[name] = value
    return [*entries[:index], entry.to_bytes(), *entries[index + 1 :]]


def _sign(workplace: Workplace, entries: list[bytes]) -> bytes:
    """What the holder of the log's key can sign of any entries."""
    root = root_of(leaf_hash(data) for data in entries)
    signer = load_log_key(workplace.run / "log.key")
    return sign_checkpoint(Checkpoint(workplace.origin, len(entries), root), signer)


def _is_attempt(data: bytes) -> bool:
    if is_freeze(data):
        return False
    entry = Entry.from_bytes(data)
    return entry.kind is Kind.REFUSAL and entry.body["reason"] == "REVEAL_TOO_EARLY"


def _is_draw(data: bytes) -> bool:
    return not is_freeze(data) and Entry.from_bytes(data).kind is Kind.DRAW
