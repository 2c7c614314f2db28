"""The bundle: one file with all that an auditor needs to check a port's log offline.

    file     = MAGIC  record …  SHA-256 of every byte before it (32 bytes)
    record   = u32be(length of name)  name  u64be(length of body)  body
    records  = "manifest", then exactly those that the manifest lists, in its order:
               "checkpoint", "entries", "cosigned" unless empty, then "inputs/WAVE" for every opened wave,
               ascending by name
    entries  = u32be(length)  entry, for each entry of the log from the first to the checkpoint's size
    cosigned = u32be(length)  note, for each cosigned checkpoint, ascending by size

The manifest is canonical JSON. `docs/bundle.md` describes every field, so that a second implementation
needs nothing else. What is read here is hostile until proven otherwise: sizes are checked before
anything is allocated, and nothing but Corrupt escapes for any content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from os import PathLike
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from assign.encoding import parse_canonical_json, sha256
from assign.errors import AssignError, Corrupt
from assign.log.note import MAX_NOTE_BYTES
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
    MAX_ENTRIES_BYTES,
    MAX_INPUTS_BYTES,
    MAX_JSON_VALUES,
    MAX_MANIFEST_BYTES,
    Record,
    json_values,
    split_entries,
    split_notes,
)
from assign.verify.bundle_writer import write_bundle

__all__ = ["Bundle", "Progress", "read_bundle", "write_bundle"]

Progress = Callable[[int, int], None]
"""Called now and then with (bytes done, bytes in all)."""

_MANIFEST_KEYS = {"format", "log_key", "origin", "records", "tree_size"}
_RECORD_KEYS = {"name", "sha256", "size"}
_LIMITS = {CHECKPOINT: MAX_NOTE_BYTES, ENTRIES: MAX_ENTRIES_BYTES, COSIGNED: MAX_COSIGNED_BYTES}
_MAX_NAME_BYTES = 256
_MAX_TEXT = 512
_SIZE_BYTES = 8
_DIGEST_BYTES = 32
_BLOCK_BYTES = 2**20


class Bundle:
    """A bundle whose form and digests hold. What it says is not yet verified (see `assign.verify.replay`).

    A context manager; it reads from its file, which stays open until `close`.

    Attributes:
        origin: the log's name. log_key: the vkey of the log's key, as the bundle states it.
        tree_size: how many entries there are. checkpoint: the signed note.
        waves: the names of the waves whose inputs are opened, ascending.
    """

    def __init__(self, file: BinaryIO, manifest: dict[str, Any], *, owns_file: bool) -> None:
        self.origin: str = manifest["origin"]
        self.log_key: str = manifest["log_key"]
        self.tree_size: int = manifest["tree_size"]
        self.checkpoint = b""
        self._file = file
        self._owns_file = owns_file
        self._entries: tuple[int, int] = (0, 0)
        self._cosigned: tuple[int, int] = (0, 0)
        self._inputs: dict[str, tuple[int, Record]] = {}

    @property
    def waves(self) -> tuple[str, ...]:
        """Names of the waves whose inputs are in the bundle, ascending."""
        return tuple(self._inputs)

    def entries(self) -> Iterator[bytes]:
        """The log's entries from index 0, read as they are asked for. Raises Corrupt if the file changed."""
        start, size = self._entries
        for entries in split_entries(self._read_blocks(start, size)):
            yield from entries

    def cosigned(self) -> Iterator[bytes]:
        """The cosigned checkpoints, read as they are asked for. Raises Corrupt if the file changed."""
        for notes in split_notes(self._read_blocks(*self._cosigned)):
            yield from notes

    def inputs(self, wave: str) -> bytes | None:
        """The opened inputs of one wave; None if they are not in the bundle. Raises Corrupt if the file changed."""
        if wave not in self._inputs:
            return None
        start, record = self._inputs[wave]
        data = b"".join(self._read_blocks(start, record.size))
        if sha256(data) != record.sha256:
            raise Corrupt("BUNDLE_CHANGED", "The bundle changed while it was being read.")
        return data

    def close(self) -> None:
        """Close the file, if `read_bundle` opened it."""
        if self._owns_file:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_blocks(self, start: int, size: int) -> Iterator[bytes]:
        end = start + size
        while start < end:
            self._file.seek(start)  # each time: another iterator may have read in between
            block = self._file.read(min(_BLOCK_BYTES, end - start))
            if not block:
                raise Corrupt("BUNDLE_CHANGED", "The bundle changed while it was being read.")
            start += len(block)
            yield block


def read_bundle(source: str | PathLike[str] | BinaryIO, *, progress: Progress | None = None) -> Bundle:
    """The bundle in a file, once its form, every digest and every limit hold. Reads it once, in blocks.

    Args:
        source: a path, or a seekable file opened for reading in binary.

    Raises:
        Corrupt: BUNDLE_* for any content that `write_bundle` would not have written.
        OSError: the file cannot be read.
    """
    if not isinstance(source, str | PathLike):
        return _Reader(source, progress).read(owns_file=False)
    file = open(source, "rb")  # noqa: SIM115 - the bundle goes on reading from it
    try:
        return _Reader(file, progress).read(owns_file=True)
    except BaseException:
        file.close()
        raise


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class _Reader:
    """Reads a bundle from front to end, hashing every byte."""

    def __init__(self, file: BinaryIO, progress: Progress | None) -> None:
        self._file = file
        self._progress = progress
        self._digest = hashlib.sha256()
        self._position = 0
        self._end = file.seek(0, 2) - _DIGEST_BYTES
        file.seek(0)

    def read(self, *, owns_file: bool) -> Bundle:
        if self._take(min(len(MAGIC), max(self._end, 0))) != MAGIC:
            raise Corrupt("BUNDLE_MAGIC", f"This file is not a bundle of the form {FORMAT}.")
        size = self._take_header(MANIFEST, MAX_MANIFEST_BYTES)
        manifest = _parse_manifest(self._take(size))
        bundle = Bundle(self._file, manifest, owns_file=owns_file)
        for record in manifest["records"]:
            self._read_record(bundle, record)
        if self._position != self._end:
            raise Corrupt("BUNDLE_TRAILING", "There are bytes after the last record that the manifest lists.")
        if self._file.read(_DIGEST_BYTES + 1) != self._digest.digest():
            raise Corrupt("BUNDLE_DIGEST", "The digest at the end of the bundle does not match: damaged or cut.")
        return bundle

    def _read_record(self, bundle: Bundle, record: Record) -> None:
        if self._take_header(record.name, record.size) != record.size:
            raise Corrupt("BUNDLE_RECORD", f"Record {record.name} does not have the size in the manifest.")
        start = self._position
        digest = hashlib.sha256()
        if record.name == ENTRIES:
            bundle._entries = (start, record.size)
            count = sum(len(entries) for entries in split_entries(self._take_blocks(record.size, digest)))
            if count != bundle.tree_size:
                raise Corrupt("BUNDLE_ENTRIES", f"The bundle holds {count} entries, not {bundle.tree_size}.")
        elif record.name == COSIGNED:
            bundle._cosigned = (start, record.size)
            count = sum(len(notes) for notes in split_notes(self._take_blocks(record.size, digest)))
            if not 0 < count <= MAX_COSIGNED:
                raise Corrupt("BUNDLE_COSIGNED", f"A bundle has at most {MAX_COSIGNED} cosigned checkpoints.")
        elif record.name == CHECKPOINT:
            bundle.checkpoint = b"".join(self._take_blocks(record.size, digest))
        else:
            values = sum(json_values(block) for block in self._take_blocks(record.size, digest))
            if values > MAX_JSON_VALUES:
                raise Corrupt("BUNDLE_TOO_LARGE", f"Record {record.name} has too many values.")
            bundle._inputs[record.name.removeprefix(INPUTS)] = (start, record)
        if digest.digest() != record.sha256:
            raise Corrupt("BUNDLE_DIGEST", f"Record {record.name} does not match its digest in the manifest.")

    def _take_header(self, name: str, limit: int) -> int:
        length = int.from_bytes(self._take(LENGTH_BYTES), "big")
        if length > _MAX_NAME_BYTES or self._take(length) != name.encode():
            raise Corrupt("BUNDLE_RECORD", f"Record {name} should be here.")
        size = int.from_bytes(self._take(_SIZE_BYTES), "big")
        if size > limit:
            raise Corrupt("BUNDLE_TOO_LARGE", f"Record {name} is larger than {limit} bytes.")
        return size

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes, at most those before the final digest: never more than the file has."""
        if size > self._end - self._position:
            raise Corrupt("BUNDLE_TRUNCATED", "The bundle is cut short.")
        data = self._file.read(size)
        if len(data) != size:
            raise Corrupt("BUNDLE_CHANGED", "The bundle changed while it was being read.")
        self._position += size
        self._digest.update(data)
        return data

    def _take_blocks(self, size: int, digest: _Digest) -> Iterator[bytes]:
        while size:
            block = self._take(min(size, _BLOCK_BYTES))
            digest.update(block)
            size -= len(block)
            if self._progress is not None:
                self._progress(self._position, self._end)
            yield block


def _parse_manifest(data: bytes) -> dict[str, Any]:
    """The manifest with its records as Record. Raises Corrupt."""
    malformed = Corrupt("BUNDLE_MANIFEST", f"The manifest is not one of {FORMAT}.")
    if json_values(data) > MAX_JSON_VALUES:
        raise malformed
    value = parse_canonical_json(data)
    if not isinstance(value, dict) or value.keys() != _MANIFEST_KEYS or value["format"] != FORMAT:
        raise malformed
    if not all(isinstance(value[key], str) and len(value[key]) <= _MAX_TEXT for key in ("origin", "log_key")):
        raise malformed
    if not _is_size(value["tree_size"], MAX_ENTRIES_BYTES) or not isinstance(value["records"], list):
        raise malformed
    records = [_parse_record(item) for item in value["records"]]
    names = [record.name for record in records]
    waves = 3 if names[2:3] == [COSIGNED] else 2
    if names[:2] != [CHECKPOINT, ENTRIES] or any(a >= b for a, b in pairwise(names[waves:])):
        raise malformed
    for record in records[waves:]:
        _check_inputs_name(record.name)
    return {**value, "records": records}


def _parse_record(item: object) -> Record:
    if isinstance(item, dict) and item.keys() == _RECORD_KEYS and isinstance(item["name"], str):
        limit = _LIMITS.get(item["name"], MAX_INPUTS_BYTES)
        digest = item["sha256"]
        if _is_size(item["size"], limit) and _is_digest(digest) and len(item["name"]) <= _MAX_NAME_BYTES:
            return Record(name=item["name"], size=item["size"], sha256=bytes.fromhex(digest))
    raise Corrupt("BUNDLE_MANIFEST", "A record in the manifest has no valid name, size and digest.")


def _check_inputs_name(name: str) -> None:
    wave = name.removeprefix(INPUTS)
    try:
        known = name.startswith(INPUTS) and str(parse_wave_name(wave)) == wave
    except AssignError:
        known = False
    if not known:
        raise Corrupt("BUNDLE_MANIFEST", "The manifest lists a record that is not the inputs of a wave.")


def _is_size(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value <= limit


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 2 * _DIGEST_BYTES and not value.strip("0123456789abcdef")
