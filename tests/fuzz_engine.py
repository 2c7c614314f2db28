"""Feeds a parser with damaged bytes and keeps what it finds; used by `tools/fuzz.py` and by the tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from fuzz_targets import Target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assign.encoding import sha256
from assign.errors import AssignError

__all__ = ["CORPUS", "MOST_SECONDS", "damaged", "outcome", "run_target", "store"]

CORPUS = Path(__file__).resolve().parent / "fuzz" / "corpus"
MOST_SECONDS = 2.0
_MOST_KEPT_BYTES = 4096
_PIECES = [b"", b"\n", b"\n\n", b"/", b"..", b"\x00", b"\xff", b"0", b"-1", b"9" * 30, b"{", b"[", b'"', b"\xe2\x80"]


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with up to four stretches cut out, doubled or overwritten; or any bytes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(st.sampled_from([*_PIECES, data[start:end] * 2]) | st.binary(max_size=12))
        data = data[:start] + piece + data[end:]
    return draw(st.sampled_from([data] * 9 + [data[::-1]]) | st.binary(max_size=80))


def outcome(target: Target, data: bytes) -> str:
    """`OK`, or the reason of the refusal. Raises whatever else comes out, and AssertionError for a slow answer."""
    began = time.perf_counter()
    try:
        target.parse(data)
        reason = "OK"
    except AssignError as error:
        reason = error.reason
    assert time.perf_counter() - began < MOST_SECONDS, "too slow"
    return reason


def store(corpus: Path, name: str, reason: str, data: bytes) -> Path:
    """Keep an input under the way it ends; its path."""
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{reason}-{sha256(data).hex()[:8]}"
    path.write_bytes(data)
    return path


def run_target(name: str, target: Target, *, seconds: float, corpus: Path | None, examples: int = 50) -> int:
    """Feed one parser until the time is over; how many inputs it got. Raises what it should not have raised."""
    known = {path.name.rpartition("-")[0] for path in (corpus / name).glob("*")} if corpus else set()
    ends, fed, last = time.monotonic() + seconds, 0, b""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(target.seeds))
    def feed(data: bytes) -> None:
        nonlocal fed, last
        if time.monotonic() > ends:
            return
        fed, last = fed + 1, data
        reason = outcome(target, data)
        if corpus is not None and reason not in known and len(data) <= _MOST_KEPT_BYTES:
            known.add(reason)
            store(corpus, name, reason, data)

    while time.monotonic() < ends:
        try:
            feed()
        except Exception as error:
            if corpus is not None:
                sys.stderr.write(f"{name}: {type(error).__name__}, kept as {store(corpus, name, 'FAILED', last)}\n")
            raise
    return fed
