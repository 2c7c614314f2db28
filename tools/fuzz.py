"""Feeds every parser that meets outside bytes with damaged ones, for `--seconds` in all, and keeps what it finds.

    python tools/fuzz.py --seconds 300 [--target notes] [--corpus tests/fuzz/corpus]

A parser may answer with a value or an AssignError, within two seconds; anything else is a failure, and the smallest
input that Hypothesis can make of it is written to the corpus. So is the first input for each reason that a parser
gives: `tests/fuzz/test_domain_parsers.py` feeds all of them again in each test run, and they must end the same way.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from fuzz_targets import TARGETS, Target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assign.encoding import sha256
from assign.errors import AssignError

__all__ = ["CORPUS", "MOST_SECONDS", "damaged", "outcome", "run_target", "store"]

CORPUS = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"
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


def main() -> int:
    """0 when every parser held, 1 when one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="time in all, shared by the targets")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where inputs are kept")
    options = parser.parse_args()
    names = options.target or sorted(TARGETS)
    failed: list[str] = []
    for name in names:
        try:
            share = options.seconds / len(names)
            fed = run_target(name, TARGETS[name], seconds=share, corpus=options.corpus)
        except Exception as error:
            failed.append(name)
            sys.stderr.write(f"{name}: FAILED with {error!r}\n")
        else:
            kept = len([*(options.corpus / name).glob("*")])
            sys.stdout.write(f"{name:<18} {fed:>9,} inputs, {kept:>3} kept\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
