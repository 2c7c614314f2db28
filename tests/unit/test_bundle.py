"""The bundle: what is written is read back, and nothing else is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundle_surgery import MANIFEST_AT, join, repair, split
from simulated_day import run_day
from simulated_log import SIGNER, Operator

from assign.encoding import canonical_json, sha256
from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.merkle import leaf_hash, root_of
from assign.verify.bundle import read_bundle, write_bundle
from assign.verify.bundle_format import MAGIC, MAX_ENTRY_BYTES, MAX_JSON_VALUES

WAVE = "ports/NLRTM/shifts/A/waves/20261124T060000Z"
LATER = "ports/NLRTM/shifts/A/waves/20261124T061500Z"


def bundle_of(entries: list[bytes], inputs: list[tuple[str, bytes]]) -> bytes:
    """A bundle of these entries, signed."""
    checkpoint = Checkpoint(SIGNER.name, len(entries), root_of(map(leaf_hash, entries)))
    file = io.BytesIO()
    digest = write_bundle(
        file,
        log_key=SIGNER.verifier().vkey(),
        checkpoint=sign_checkpoint(checkpoint, SIGNER),
        entries=entries,
        inputs=inputs,
    )
    assert file.getvalue()[-32:] == digest == sha256(file.getvalue()[:-32])
    return file.getvalue()


def reason(data: bytes) -> str:
    """Why `data` is refused."""
    with pytest.raises(Corrupt) as caught:
        read_bundle(io.BytesIO(data))
    return caught.value.reason


def test_round_trip_in_memory() -> None:
    """Every part comes back as it was."""
    entries = [b"first", b"x" * MAX_ENTRY_BYTES, *[b"y" * 60_000] * 40, b"last"]
    inputs = [(WAVE, b"{}"), (LATER, b"[1,2]")]
    bundle = read_bundle(io.BytesIO(bundle_of(entries, inputs)))
    assert [*bundle.entries()] == entries
    assert bundle.waves == (WAVE, LATER)
    assert [bundle.inputs(wave) for wave in bundle.waves] == [b"{}", b"[1,2]"]
    assert bundle.inputs("another wave") is None
    assert (bundle.origin, bundle.tree_size, bundle.log_key) == (SIGNER.name, 43, SIGNER.verifier().vkey())


def test_two_readers_of_one_bundle_do_not_disturb_each_other() -> None:
    """Inputs are read while the entries are being walked through."""
    entries = [bytes([number]) * 60_000 for number in range(1, 50)]
    bundle = read_bundle(io.BytesIO(bundle_of(entries, [(WAVE, b"{}")])))
    seen = []
    for entry in bundle.entries():
        seen.append(entry)
        assert bundle.inputs(WAVE) == b"{}"
    assert seen == entries


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    """A path is opened and closed by the bundle; progress ends at the whole size."""
    path = tmp_path / "day.bundle"
    path.write_bytes(bundle_of([b"e"], [(WAVE, b"{}")]))
    told: list[tuple[int, int]] = []
    with read_bundle(path, progress=lambda done, total: told.append((done, total))) as bundle:
        assert [*bundle.entries()] == [b"e"]
    assert told[-1][0] == told[-1][1]
    with pytest.raises(ValueError, match="closed"):
        bundle.inputs(WAVE)


def test_empty_log_and_no_inputs() -> None:
    """The smallest bundle there is."""
    bundle = read_bundle(io.BytesIO(bundle_of([], [])))
    assert ([*bundle.entries()], bundle.waves, bundle.tree_size) == ([], (), 0)


@pytest.mark.parametrize("length", [0, 1, len(MAGIC), 31, 32, 49, 50, 100, -1, -32, -33])
def test_truncated(length: int) -> None:
    """A bundle that is cut anywhere is refused."""
    assert reason(bundle_of([b"entry"], [(WAVE, b"{}")])[:length]) in {"BUNDLE_MAGIC", "BUNDLE_TRUNCATED"}


def test_missing_file_is_not_corrupt(tmp_path: Path) -> None:
    """What the file system says is told as such."""
    with pytest.raises(FileNotFoundError):
        read_bundle(tmp_path / "nothing")


Change = Callable[[dict[str, Any]], object]

MANIFEST_CHANGES: dict[str, Change] = {
    "other format": lambda manifest: manifest.update(format="bundle/v2"),
    "more fields": lambda manifest: manifest.update(comment="hello"),
    "a field less": lambda manifest: manifest.pop("origin"),
    "origin no text": lambda manifest: manifest.update(origin=1),
    "origin endless": lambda manifest: manifest.update(origin="x" * 513),
    "negative size": lambda manifest: manifest.update(tree_size=-1),
    "size true": lambda manifest: manifest.update(tree_size=True),
    "records no list": lambda manifest: manifest.update(records={}),
    "records of nothing": lambda manifest: manifest.update(records=[{}]),
    "records empty": lambda manifest: manifest.update(records=[]),
    "records swapped": lambda manifest: manifest["records"].reverse(),
    "inputs swapped": lambda manifest: manifest["records"].append(manifest["records"].pop(2)),
    "inputs twice": lambda manifest: manifest["records"].append(manifest["records"][-1]),
    "inputs dropped": lambda manifest: manifest["records"].pop(),
    "inputs of no wave": lambda manifest: manifest["records"][-1].update(name="inputs/zzz"),
    "no inputs": lambda manifest: manifest["records"][-1].update(name="zzz"),
    "name no text": lambda manifest: manifest["records"][-1].update(name=7),
    "name endless": lambda manifest: manifest["records"][-1].update(name="inputs/" + "z" * 300),
    "digest short": lambda manifest: manifest["records"][0].update(sha256="00"),
    "digest upper case": lambda manifest: manifest["records"][0].update(sha256="AB" * 32),
    "digest of others": lambda manifest: manifest["records"][0].update(sha256="00" * 32),
    "size of others": lambda manifest: manifest["records"][1].update(size=5),
    "size endless": lambda manifest: manifest["records"][1].update(size=2**53 - 1),
    "inputs endless": lambda manifest: manifest["records"][2].update(size=2**26 + 1),
    "one entry more": lambda manifest: manifest.update(tree_size=3),
    "record with more fields": lambda manifest: manifest["records"][0].update(note=""),
}


@pytest.mark.parametrize("name", MANIFEST_CHANGES)
def test_changed_manifest(name: str) -> None:
    """A manifest that says anything but what is there is refused, the digest at the end repaired."""
    records = split(bundle_of([b"entry", b"next"], [(WAVE, b"{}"), (LATER, b"{}")]))
    manifest = json.loads(records[MANIFEST_AT][1])
    MANIFEST_CHANGES[name](manifest)
    records[MANIFEST_AT] = ("manifest", canonical_json(manifest))
    assert reason(join(records)).startswith("BUNDLE_")


def test_manifest_in_another_spelling() -> None:
    """Canonical JSON has one spelling."""
    records = split(bundle_of([b"entry"], []))
    spaced = records[MANIFEST_AT][1].replace(b":", b": ", 1)
    records[MANIFEST_AT] = ("manifest", spaced)
    assert reason(join(records)) == "JSON_NOT_CANONICAL"
    records[MANIFEST_AT] = ("manifest", b"\xff")
    assert reason(join(records)) == "JSON_MALFORMED"
    records[MANIFEST_AT] = ("manifest", b"[" * 100_000)
    assert reason(join(records)) == "JSON_MALFORMED"


@pytest.mark.parametrize(
    "body",
    [b"\0\0\0\0", b"\0\0\0", b"\0\0\0\x02a", (MAX_ENTRY_BYTES + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff"],
)
def test_entries_of_another_framing(body: bytes) -> None:
    """Lengths that do not add up are found when the bundle is opened, not halfway through."""
    assert reason(repair(bundle_of([b"entry"], []), "entries", body)) == "BUNDLE_ENTRIES"


def test_another_number_of_entries() -> None:
    """The manifest's size counts."""
    assert reason(repair(bundle_of([b"entry"], []), "entries", b"\0\0\0\x01a\0\0\0\x01b")) == "BUNDLE_ENTRIES"


def test_inputs_that_would_expand_in_memory() -> None:
    """A body of nothing but brackets is refused before anybody parses it."""
    bomb = b"[" + b"[]," * (MAX_JSON_VALUES // 2) + b"[]]"
    assert reason(repair(bundle_of([b"entry"], [(WAVE, b"{}")]), f"inputs/{WAVE}", bomb)) == "BUNDLE_TOO_LARGE"


def test_bytes_after_the_records() -> None:
    """Nothing hides between the last record and the digest, or behind it."""
    data = bundle_of([b"entry"], [])
    assert reason(data[:-32] + b"x" + sha256(data[:-32] + b"x")) == "BUNDLE_TRAILING"
    assert reason(data + b"x").startswith("BUNDLE_")


def test_record_of_another_name() -> None:
    """Records are where the manifest says."""
    records = split(bundle_of([b"entry"], []))
    records[1] = ("chekpoint", records[1][1])
    assert reason(join(records)) == "BUNDLE_RECORD"


class Twice:
    """Gives one thing the first time and another the second."""

    def __init__(self, *times: list[Any]) -> None:
        self._times = iter(times)

    def __iter__(self) -> Iterator[Any]:
        return iter(next(self._times))


def _write(entries: Any, inputs: Any, count: int = 1) -> None:
    checkpoint = sign_checkpoint(Checkpoint(SIGNER.name, count, bytes(32)), SIGNER)
    key = SIGNER.verifier().vkey()
    write_bundle(io.BytesIO(), log_key=key, checkpoint=checkpoint, entries=entries, inputs=inputs)


@pytest.mark.parametrize(
    ("entries", "inputs", "why"),
    [
        ([], [], "BUNDLE_CONTENT"),
        ([b""], [], "BUNDLE_TOO_LARGE"),
        ([bytes(MAX_ENTRY_BYTES + 1)], [], "BUNDLE_TOO_LARGE"),
        ([b"e"], [("somewhere", b"{}")], "NAME_FORM"),
        ([b"e"], [(LATER, b"{}"), (WAVE, b"{}")], "BUNDLE_CONTENT"),
        ([b"e"], [(WAVE, b"{}"), (WAVE, b"{}")], "BUNDLE_CONTENT"),
        ([b"e"], [(WAVE, bytes(2**26 + 1))], "BUNDLE_TOO_LARGE"),
        ([b"e"], [(WAVE, b"," * (MAX_JSON_VALUES + 1))], "BUNDLE_TOO_LARGE"),
        (iter([b"e"]), [], "BUNDLE_CONTENT"),
        (Twice([b"e"], [b"f"]), [], "BUNDLE_CONTENT"),
        ([b"e"], Twice([(WAVE, b"{}")], []), "BUNDLE_CONTENT"),
    ],
)
def test_what_is_never_written(entries: Any, inputs: Any, why: str) -> None:
    """A writer that is handed something no reader takes says so."""
    with pytest.raises(InvalidInput) as caught:
        _write(entries, inputs)
    assert caught.value.reason == why


def test_file_that_changes_underneath() -> None:
    """A bundle that is exchanged after it was opened is noticed."""
    file = io.BytesIO(run_day(Operator()).to_bundle())
    bundle = read_bundle(file)
    wave = bundle.waves[0]
    position = file.getvalue().index(bundle.inputs(wave) or b"?")
    file.seek(position)
    file.write(b"!")
    with pytest.raises(Corrupt, match="changed"):
        bundle.inputs(wave)
    file.truncate(200)
    with pytest.raises(Corrupt, match="changed"):
        list(bundle.entries())
