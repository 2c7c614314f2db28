"""Writing a bundle to a file object, without keeping the log in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

from assign.encoding import Json, canonical_json, sha256, u64be
from assign.errors import InvalidInput
from assign.log.checkpoint import Checkpoint, parse_checkpoint
from assign.log.note import parse_note
from assign.names import parse_wave_name
from assign.verify.bundle_format import (
    CHECKPOINT,
    COSIGNED,
    ENTRIES,
    FORMAT,
    INPUTS,
    LENGTH_BYTES,
    MAGIC,
    MANIFEST,
    MAX_COSIGNED,
    MAX_COSIGNED_BYTES,
    MAX_ENTRY_BYTES,
    MAX_INPUTS_BYTES,
    MAX_JSON_VALUES,
    MAX_MANIFEST_BYTES,
    Record,
    json_values,
    length_prefix,
)

__all__ = ["write_bundle"]


def write_bundle(
    file: BinaryIO,
    *,
    log_key: str,
    checkpoint: bytes,
    entries: Iterable[bytes],
    inputs: Iterable[tuple[str, bytes]],
    cosigned: Iterable[bytes] = (),
) -> bytes:
    """Write a bundle to `file` (binary; never sought) and return its SHA-256, the last 32 bytes.

    Args:
        log_key: the vkey of the log's key.
        checkpoint: the signed note; its size says how many entries follow.
        entries: the log's entries from index 0, exactly that many.
        inputs: `(wave name, canonical inputs)` of every wave of every closed shift, ascending by name.
        cosigned: checkpoints with the cosignatures of witnesses, ascending by size, each size once.

    `entries`, `inputs` and `cosigned` are iterated twice, so that nothing has to be kept in memory: pass a list or an
    object that starts anew with every `iter()`, never a generator.

    Raises:
        Corrupt: the checkpoint is malformed.
        InvalidInput: BUNDLE_CONTENT, BUNDLE_TOO_LARGE; or the second pass gave other bytes than the first.
    """
    head = parse_checkpoint(parse_note(checkpoint).text)
    cosigned_record = _measure_cosigned(cosigned, head)
    records = [
        Record(name=CHECKPOINT, size=len(checkpoint), sha256=sha256(checkpoint)),
        _measure_entries(entries, head),
        *cosigned_record,
        *_measure_inputs(inputs),
    ]
    listed: list[Json] = [
        {"name": record.name, "sha256": record.sha256.hex(), "size": record.size} for record in records
    ]
    manifest = canonical_json(
        {
            "format": FORMAT,
            "log_key": log_key,
            "origin": head.origin,
            "records": listed,
            "tree_size": head.size,
        }
    )
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise InvalidInput("BUNDLE_TOO_LARGE", "Too many waves for one bundle.")
    writer = _Writer(file)
    writer.write(MAGIC)
    writer.write_record(Record(name=MANIFEST, size=len(manifest), sha256=sha256(manifest)), [manifest])
    writer.write_record(records[0], [checkpoint])
    writer.write_record(records[1], (part for entry in entries for part in (length_prefix(entry), entry)))
    for record in cosigned_record:
        writer.write_record(record, (part for note in cosigned for part in (length_prefix(note), note)))
    again = iter(inputs)
    for record in records[2 + len(cosigned_record) :]:
        writer.write_record(record, [next(again, ("", b""))[1]])
    file.write(writer.digest())
    return writer.digest()


def _measure_entries(entries: Iterable[bytes], head: Checkpoint) -> Record:
    digest, size, count = hashlib.sha256(), 0, 0
    for entry in entries:
        if not 0 < len(entry) <= MAX_ENTRY_BYTES:
            raise InvalidInput("BUNDLE_TOO_LARGE", f"A log entry in a bundle has 1 to {MAX_ENTRY_BYTES} bytes.")
        digest.update(length_prefix(entry))
        digest.update(entry)
        size += LENGTH_BYTES + len(entry)
        count += 1
    if count != head.size:
        raise InvalidInput("BUNDLE_CONTENT", f"The checkpoint covers {head.size} entries, not {count}.")
    return Record(name=ENTRIES, size=size, sha256=digest.digest())


def _measure_cosigned(notes: Iterable[bytes], head: Checkpoint) -> list[Record]:
    """The record of the cosigned checkpoints; none where there are none."""
    digest, size, count, previous = hashlib.sha256(), 0, 0, -1
    for note in notes:
        checkpoint = parse_checkpoint(parse_note(note).text)
        if checkpoint.origin != head.origin or not previous < checkpoint.size <= head.size:
            raise InvalidInput("BUNDLE_CONTENT", "Cosigned checkpoints are of this log, sorted by size, each one once.")
        previous = checkpoint.size
        digest.update(length_prefix(note) + note)
        size += LENGTH_BYTES + len(note)
        count += 1
    if count > MAX_COSIGNED or size > MAX_COSIGNED_BYTES:
        raise InvalidInput("BUNDLE_TOO_LARGE", "Too many cosigned checkpoints for one bundle.")
    return [Record(name=COSIGNED, size=size, sha256=digest.digest())] if count else []


def _measure_inputs(inputs: Iterable[tuple[str, bytes]]) -> list[Record]:
    records: list[Record] = []
    for wave, data in inputs:
        parse_wave_name(wave)
        name = INPUTS + wave
        if records and records[-1].name >= name:
            raise InvalidInput("BUNDLE_CONTENT", "The waves of a bundle are sorted by name, each one once.")
        if len(data) > MAX_INPUTS_BYTES or json_values(data) > MAX_JSON_VALUES:
            raise InvalidInput("BUNDLE_TOO_LARGE", f"The inputs of {wave} are too large for a bundle.")
        records.append(Record(name=name, size=len(data), sha256=sha256(data)))
    return records


class _Writer:
    """Writes and hashes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def write_record(self, record: Record, body: Iterable[bytes]) -> None:
        name = record.name.encode()
        self.write(length_prefix(name) + name + u64be(record.size))
        digest = hashlib.sha256()
        for part in body:
            digest.update(part)
            self.write(part)
        if digest.digest() != record.sha256:
            raise InvalidInput("BUNDLE_CONTENT", f"The second pass over {record.name} gave other bytes.")

    def digest(self) -> bytes:
        return self._digest.digest()
