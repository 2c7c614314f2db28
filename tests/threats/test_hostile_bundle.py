"""A hostile file before the verifier: it wants a crash, a hang, all the memory, or a false "ok"."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
from bundle_surgery import join, repair, split
from log_forgeries import FORGERIES
from simulated_day import run_day
from simulated_log import SIGNER, Operator, at

from assign.encoding import canonical_json, sha256, u64be
from assign.errors import Corrupt
from assign.log.entries import Kind
from assign.log.note import NoteSigner
from assign.verify.bundle import read_bundle
from assign.verify.bundle_format import MAGIC
from assign.verify.replay import verify_bundle
from assign.verify.report import Report

_OPERATOR = run_day(Operator())
_BUNDLE = _OPERATOR.to_bundle()
_RECORDS = split(_BUNDLE)
_KEY = SIGNER.verifier().vkey()


def _verdict(data: bytes) -> Report | None:
    """The report; None where the reader refuses the file. Anything else that escapes fails the test."""
    try:
        bundle = read_bundle(io.BytesIO(data))
    except Corrupt:
        return None
    return verify_bundle(bundle, trusted_key=_KEY)


def _is_ok(data: bytes) -> bool:
    report = _verdict(data)
    return report is not None and report.is_sound


def _claims(size: int) -> Iterator[bytes]:
    """Small files that say that something in them is of `size`."""
    yield MAGIC + (size % 2**32).to_bytes(4, "big")
    yield MAGIC + (8).to_bytes(4, "big") + b"manifest" + u64be(size)
    for at_record in range(1, len(_RECORDS)):
        manifest = json.loads(_RECORDS[0][1])
        manifest["records"][at_record - 1]["size"] = size
        yield join([("manifest", canonical_json(manifest)), *_RECORDS[1:]])
    manifest = json.loads(_RECORDS[0][1])
    manifest["tree_size"] = size
    yield join([("manifest", canonical_json(manifest)), *_RECORDS[1:]])
    yield repair(_BUNDLE, "entries", (size % 2**32).to_bytes(4, "big") + b"x")


def _nested(depth: int) -> Iterator[bytes]:
    """JSON that is nested deeper than a stack, in each record that is JSON."""
    deep = b"[" * depth + b"]" * depth
    yield join([("manifest", deep), *_RECORDS[1:]])
    yield join([("manifest", b'{"a":' * depth + b"1" + b"}" * depth), *_RECORDS[1:]])
    yield repair(_BUNDLE, _RECORDS[-1][0], deep)


def test_hostile_bundle_crash() -> None:
    """Cut anywhere, nested deeply, of absurd sizes, records exchanged: refused or reported, never another error."""
    assert _is_ok(_BUNDLE)
    hostile = [_BUNDLE[:length] for length in range(0, len(_BUNDLE), 997)]
    hostile += [*_nested(100), *_nested(5_000), *_nested(200_000)]
    hostile += [data for size in (0, 1, 2**31, 2**32 - 1, 2**53 - 1) for data in _claims(size)]
    hostile += [join([*_RECORDS[:1], *_RECORDS[:0:-1]]), join(_RECORDS[:1]), join(_RECORDS * 2), MAGIC, b""]
    hostile += [repair(_BUNDLE, name, body + b"\x00") for name, body in _RECORDS[1:]]
    hostile += [repair(_BUNDLE, name, b"\xff\xfe" * 40) for name, _ in _RECORDS[1:]]
    assert [at for at, data in enumerate(hostile) if _is_ok(data)] == []


def test_hostile_bundle_crash_by_any_forged_log() -> None:
    """A log that its operator forged and signed gives a report that can be printed: every fifth forgery, here."""
    for forge, code in [*FORGERIES.values()][::5]:
        operator = run_day(Operator())
        forge(operator)
        report = _verdict(operator.to_bundle())
        assert report is not None
        assert code in {finding.code for finding in report.findings}
        json.dumps(report.to_json())


def test_hostile_bundle_hang() -> None:
    """A calendar of millions of waves and a beacon of endless chains are refused by what they would cost."""
    operator = run_day(Operator())
    year = {"start": "2026-11-24T06:00:00Z", "end": "2126-11-24T06:00:00Z", "step_seconds": 1}
    operator.edit(Kind.SHIFT_OPEN, lambda body: body["calendar"].update(year))
    endless = run_day(Operator())
    endless.edit(Kind.SHIFT_OPEN, lambda body: body["beacon"].update(length_rounds=2**52, period_seconds=1))
    before = time.process_time()
    for hostile in (operator, endless):
        assert not _is_ok(hostile.to_bundle())
    # A century of seconds has three thousand million waves: at a microsecond each it would be an hour.
    assert time.process_time() - before < 20


def test_hostile_bundle_memory_bomb() -> None:
    """No allocation follows a claimed size; a small file that claims exabytes costs what it has."""
    hostile = [data for size in (2**31, 2**40, 2**53 - 1) for data in _claims(size)]
    commas = b"[" + b"0," * 2**17 + b"0]"
    hostile += [join([("manifest", commas), *_RECORDS[1:]])]
    largest = max(map(len, hostile))
    tracemalloc.start()
    try:
        for data in hostile:
            assert not _is_ok(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * largest + 2**24


def test_hostile_bundle_false_ok() -> None:
    """Signed by another key, or with any one record of another day and every digest repaired, it is not "ok"."""
    assert _is_ok(_BUNDLE)
    impostor = NoteSigner(SIGNER.name, sha256(b"an impostor's key"))
    assert not _is_ok(run_day(Operator()).to_bundle(signer=impostor))

    class AnotherDay(Operator):
        """Everything is a little later."""

        number = count()

        def refuse(self, reason: str) -> None:
            """Another reason."""
            super().refuse(f"{reason}_{next(self.number)}")

        def seed_of(self, shift, wave):
            """Another seed."""
            return sha256(b"another" + wave.encode())

    other = dict(split(run_day(AnotherDay()).to_bundle()))
    for name, body in _RECORDS[1:]:
        if other[name] != body:
            assert not _is_ok(repair(_BUNDLE, name, other[name])), name
    assert other["entries"] != dict(_RECORDS)["entries"]


def test_hostile_bundle_false_ok_by_what_it_leaves_out() -> None:
    """Each record left out, with a manifest that fits: refused, or a finding."""
    for gone in range(1, len(_RECORDS)):
        kept = [record for at_record, record in enumerate(_RECORDS) if at_record not in (0, gone)]
        manifest = json.loads(_RECORDS[0][1])
        del manifest["records"][gone - 1]
        assert not _is_ok(join([("manifest", canonical_json(manifest)), *kept])), _RECORDS[gone][0]


@pytest.mark.parametrize("last", range(1, 8))
def test_hostile_bundle_false_ok_of_a_log_cut_short(last: int) -> None:
    """The end of the log cut off and signed anew is never sound and complete: the close is missed."""
    operator = run_day(Operator())
    operator.wait_until(at(20) + timedelta(days=1))
    operator.refuse("A_DAY_LATER")
    assert _is_ok(operator.to_bundle())
    del operator.entries[-1 - last : -1]
    report = _verdict(operator.to_bundle())
    assert report is None or not (report.is_sound and report.is_complete)
