"""What writing and reading a bundle share: names, limits, the framing of records and entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assign.errors import Corrupt
from assign.log.note import MAX_NOTE_BYTES
from assign.log.tiles import MAX_ENTRY_BYTES

__all__ = [
    "CHECKPOINT",
    "COSIGNED",
    "ENTRIES",
    "FORMAT",
    "INPUTS",
    "LENGTH_BYTES",
    "MAGIC",
    "MANIFEST",
    "MAX_COSIGNED",
    "MAX_COSIGNED_BYTES",
    "MAX_ENTRIES_BYTES",
    "MAX_ENTRY_BYTES",
    "MAX_INPUTS_BYTES",
    "MAX_JSON_VALUES",
    "MAX_MANIFEST_BYTES",
    "Record",
    "json_values",
    "length_prefix",
    "split_entries",
    "split_notes",
]

FORMAT = "bundle/v1"
MAGIC = b"assign-bundle/v1\n"
MAX_MANIFEST_BYTES = 2**25
MAX_INPUTS_BYTES = 2**26
# JSON takes some thirty times its size in memory when it is all brackets and commas: bound those as well.
MAX_JSON_VALUES = 2**22
MAX_ENTRIES_BYTES = 2**46

# Each is verified with a signature or more: bound how many that are.
MAX_COSIGNED = 2**18
MAX_COSIGNED_BYTES = 2**27

MANIFEST, CHECKPOINT, ENTRIES, COSIGNED, INPUTS = "manifest", "checkpoint", "entries", "cosigned", "inputs/"
LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One item of the manifest: a record's name, the size of its body in bytes, and SHA-256 of the body."""

    name: str
    size: int
    sha256: bytes


def length_prefix(data: bytes) -> bytes:
    """The length of `data` as 4 bytes, big-endian."""
    return len(data).to_bytes(LENGTH_BYTES, "big")


def split_entries(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """For each block the entries that are complete with it. Raises Corrupt BUNDLE_ENTRIES."""
    malformed = Corrupt("BUNDLE_ENTRIES", f"Entries in a bundle have 1 to {MAX_ENTRY_BYTES} bytes and are whole.")
    return _split(blocks, MAX_ENTRY_BYTES, malformed)


def split_notes(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """For each block the cosigned checkpoints that are complete with it. Raises Corrupt BUNDLE_COSIGNED."""
    malformed = Corrupt("BUNDLE_COSIGNED", f"A cosigned checkpoint has 1 to {MAX_NOTE_BYTES} bytes and is whole.")
    return _split(blocks, MAX_NOTE_BYTES, malformed)


def _split(blocks: Iterable[bytes], limit: int, malformed: Corrupt) -> Iterator[list[bytes]]:
    rest = b""
    for block in blocks:
        data = rest + block if rest else block
        position = 0
        items: list[bytes] = []
        while (start := position + LENGTH_BYTES) <= len(data):
            size = int.from_bytes(data[position:start], "big")
            if not 0 < size <= limit:
                raise malformed
            if start + size > len(data):
                break
            items.append(data[start : start + size])
            position = start + size
        rest = data[position:]
        yield items
    if rest:
        raise malformed


def json_values(data: bytes) -> int:
    """At least as many values as the JSON in `data` has (commas in texts count too)."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")
