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
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.names import OrderId
from assign.person import Pseudonym
from assign.v1 import verification_service_pb2
from assign.verify.bundle import read_bundle, write_bundle
from server.auth.log_key import load_log_key
from server.demo.choices import Choices
from server.demo.notary import Saved, check_saved
from server.demo.processes import Finished, run_assign, run_assign_verify
from server.demo.replayed import Replayed, replay_bundle
from server.demo.stage import Stage
from server.demo.workplace import AUDITOR, Workplace

__all__ = ["Evidence", "gather_evidence"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the auditor found. `report` is the verifier's own, as JSON."""

    report: dict[str, Any]
    bundle_bytes: int
    bundle_sha256: str
    tampered: tuple[str, ...]
    replayed: Replayed
    checkpoints_kept: int


async def gather_evidence(stage: Stage, workplace: Workplace, saved: list[Saved]) -> Evidence:
    """Export the bundle, verify it, compare it, forge it twice. Raises BrokenPromise."""
    await _export(stage, workplace.bundle)
    report = _verify(stage, workplace)
    replayed = _compare(stage, workplace, saved)
    tampered = _tamper(stage, workplace)
    data = workplace.bundle.read_bytes()
    return Evidence(report, len(data), sha256(data).hex(), tampered, replayed, len(saved))


async def _export(stage: Stage, path: Path) -> None:
    request = verification_service_pb2.ExportBundleRequest(parent=stage.messages.parent)
    with path.open("wb") as file:
        async for part in stage.client(AUDITOR).verification.ExportBundle(request):
            file.write(part.chunk)


def _verify(stage: Stage, workplace: Workplace) -> dict[str, Any]:
    options = ("--key", str(workplace.log_key), "--json")
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


def _first_finding(done: Finished) -> str:
    """What the verifier names first, from its report if it wrote one."""
    try:
        report = json.loads(done.output)
        finding = report["findings"][0]
    except (ValueError, KeyError, IndexError):
        return (done.errors + done.output).strip()[-300:]
    return f"{finding['code']}: {finding['message']}"


def _compare(stage: Stage, workplace: Workplace, saved: list[Saved]) -> Replayed:
    """What the inspectors read over the wire is what the bundle replays to, person by person."""
    with read_bundle(workplace.bundle) as bundle:
        replayed = replay_bundle(bundle)
        check_saved(stage, saved, bundle, workplace.log_key.read_text().strip())
        entries = [*bundle.entries()]
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
    return replayed


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


def _tamper(stage: Stage, workplace: Workplace) -> tuple[str, ...]:
    """Copies with something changed, and what the library's own verifier says of each."""
    copies = [_flip_byte(stage, workplace), *_forge(stage, workplace)]
    with ThreadPoolExecutor(max_workers=2) as threads:
        verified = threads.map(lambda copy: _verify_copy(copy[1], workplace), copies)
    told = []
    for (what, _), done in zip(copies, verified, strict=True):
        said = " ".join((done.errors + done.output).split())
        promise = f"`assign-verify` refuses a copy of the bundle: {what}"
        stage.promises.keep(promise, done.status in (1, 2), f"status {done.status}: {said[-300:]}")
        stage.promises.keep("of a refused bundle the first thing wrong is named", bool(said))
        told.append(f"{what}: {said[:300]}")
    return tuple(told)


def _verify_copy(copy: Path, workplace: Workplace) -> Finished:
    key = str(workplace.log_key)
    return run_assign_verify(str(copy), "--key", key, "--quiet", cwd=workplace.directory)


def _flip_byte(stage: Stage, workplace: Workplace) -> tuple[str, Path]:
    """One byte of a copy is changed, at a place that follows from the seed."""
    data = bytearray(workplace.bundle.read_bytes())
    choices = Choices(stage.day.plan.seed, "flipped byte")
    position = choices.below(len(data))
    data[position] ^= 1 + choices.below(255)
    copy = workplace.directory / "day-flipped.bundle"
    copy.write_bytes(data)
    return f"byte {position:,} of {len(data):,} changed", copy


def _forge(stage: Stage, workplace: Workplace) -> list[tuple[str, Path]]:
    """Two forgers exchange an outcome and repair every checksum; the second even holds the log's signing key."""
    with read_bundle(workplace.bundle) as bundle:
        entries = [*bundle.entries()]
        inputs = [(wave, bundle.inputs(wave) or b"") for wave in bundle.waves]
        log_key, checkpoint = bundle.log_key, bundle.checkpoint
    draws = [index for index, data in enumerate(entries) if _is_draw(data)]
    index = Choices(stage.day.plan.seed, "forged draw").pick(draws)
    entry = Entry.from_bytes(entries[index])
    entry.body["transcript"] = sha256(b"another outcome").hex()
    entries[index] = entry.to_bytes()
    root = root_of(leaf_hash(data) for data in entries)
    signer = load_log_key(workplace.run / "log.key")
    signed = sign_checkpoint(Checkpoint(workplace.origin, len(entries), root), signer)
    copies = []
    forgers = (
        ("repaired", "every checksum repaired", checkpoint),
        ("signed", "signed anew with the log's key", signed),
    )
    for name, how, note in forgers:
        copy = workplace.directory / f"day-{name}.bundle"
        with copy.open("wb") as file:
            write_bundle(file, log_key=log_key, checkpoint=note, entries=entries, inputs=inputs)
        copies.append((f"outcome in log entry {index:,} exchanged, {how}", copy))
    return copies


def _is_draw(data: bytes) -> bool:
    return not is_freeze(data) and Entry.from_bytes(data).kind is Kind.DRAW
