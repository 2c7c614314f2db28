"""Parsers of outside bytes: whatever they get, they answer with a value or an AssignError, in bounded time.

FUZZ_EXAMPLES in the environment sets how many inputs each parser gets (300).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner, Policy, Witness
from assign.log.lines import encode_base64, parse_base64, parse_decimal
from assign.log.merkle import RightEdge, verify_consistency, verify_inclusion
from assign.log.note import MAX_NOTE_BYTES, NoteSigner, NoteVerifier, add_signatures, parse_note, parse_signatures
from assign.log.proof import Receipt, parse_receipt, verify_receipt
from assign.log.tiles import encode_bundle, parse_bundle, parse_tile_path

hard = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")), deadline=None, database=None)

LOG = NoteSigner("example.com/log", b"L" * 32)
COSIGNER = Cosigner("witness.example", b"W" * 32)
POLICY = Policy((LOG.verifier(),), (COSIGNER.witness(),), 1)
CHECKPOINT = Checkpoint(LOG.name, 2, b"r" * 32, ("extension",))
NOTE = add_signatures(sign_checkpoint(CHECKPOINT, LOG), COSIGNER.cosign(CHECKPOINT, time_seconds=1))
RECEIPT = Receipt(1, (b"s" * 32,), NOTE, b"extra").encode()
EDGE = RightEdge().extend([b"l" * 32] * 13).to_bytes()
BUNDLE = encode_bundle([b"", b"entry", b"x" * 300])

PIECES = [b"\n", b"\n\n", "\u2014 ".encode(), b" ", b"+", b"=", b"0", b"-1", b"\x00", b"\xff", b"\xe2\x80", b"A" * 44]


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """`original` with up to four cuts, insertions, repetitions and flips, or something else entirely."""
    data = original
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 60)))
        piece = draw(st.sampled_from([b"", data[start:end] * 2, *PIECES]) | st.binary(max_size=8))
        data = data[:start] + piece + data[end:]
    return draw(st.sampled_from([data] * 7 + [original[::-1]]) | st.binary(max_size=200))


def stays_itself(parse: Callable[[bytes], bytes], data: bytes) -> None:
    """`parse` refuses `data` as corrupt, or takes it and writes the very same bytes again."""
    with suppress(Corrupt):
        assert parse(data) == data


@hard
@given(damaged(NOTE))
def test_notes(data: bytes) -> None:
    """Notes."""
    stays_itself(lambda data: parse_note(data).encode(), data)


@hard
@given(damaged(NOTE.partition(b"\n\n")[2]))
def test_signature_lines(data: bytes) -> None:
    """Signature lines alone."""
    stays_itself(lambda data: b"".join(item.encode() for item in parse_signatures(data)), data)


@hard
@given(damaged(CHECKPOINT.encode()))
def test_checkpoints(data: bytes) -> None:
    """Texts of checkpoints."""
    stays_itself(lambda data: parse_checkpoint(data).encode(), data)


@hard
@given(damaged(RECEIPT))
def test_receipts(data: bytes) -> None:
    """Receipts, parsed; and verified, where nothing but the original may pass."""
    stays_itself(lambda data: parse_receipt(data).encode(), data)
    with pytest.raises(Corrupt):  # its path leads nowhere, so even the original is refused
        verify_receipt(data, leaf=b"f" * 32, policy=POLICY)


@hard
@given(damaged(NOTE))
def test_policies(data: bytes) -> None:
    """Cosigned checkpoints: only the signed text passes, whatever else changed around it."""
    with suppress(Corrupt):
        assert POLICY.verify(data).checkpoint == CHECKPOINT


@hard
@given(damaged(EDGE))
def test_edges(data: bytes) -> None:
    """Stored right edges."""
    stays_itself(lambda data: RightEdge.from_bytes(data).to_bytes(), data)


@hard
@given(damaged(BUNDLE), st.integers(-1, 300))
def test_bundles(data: bytes, width: int) -> None:
    """Entry bundles of any claimed width."""
    stays_itself(lambda data: encode_bundle(parse_bundle(data, width=width)), data)


texts = st.text(max_size=60) | st.text(st.sampled_from("0123456789+-_ =/x.pAé٣²\ud800\n"), max_size=60)


@hard
@given(texts)
@example("9" * 100_000)
def test_numbers_and_base64(text: str) -> None:
    """Decimal numbers, among them ones too long for Python to convert, and base64."""
    with suppress(Corrupt):
        assert str(parse_decimal(text)) == text
    with suppress(Corrupt):
        assert encode_base64(parse_base64(text)) == text


@hard
@given(damaged(b"tile/0/x001/x234/067.p/12").map(lambda data: data.decode("latin1")) | texts)
@example("tile/0/" + "x000/" * 100_000 + "000")
@example("tile/" + "9" * 5_000 + "/000")
def test_tile_paths(path: str) -> None:
    """Paths of tiles, as they come in a URL."""
    with suppress(InvalidInput):
        assert parse_tile_path(path).path() == path


@hard
@given(damaged(LOG.verifier().vkey().encode()).map(lambda data: data.decode("utf-8", "surrogateescape")) | texts)
def test_verifier_keys(text: str) -> None:
    """Verifier keys of either type."""
    for kind in (NoteVerifier, Witness):
        with suppress(InvalidInput):
            assert kind.from_vkey(text).vkey() == text


@hard
@given(damaged(LOG.skey().encode()).map(lambda data: data.decode("utf-8", "surrogateescape")) | texts)
def test_signer_keys(text: str) -> None:
    """Signer keys of either type."""
    for kind in (NoteSigner, Cosigner):
        with suppress(InvalidInput):
            assert kind.from_skey(text).skey() == text


numbers = st.integers(-3, 70) | st.integers(-(2**70), 2**70)
hashes = st.binary(min_size=32, max_size=32) | st.binary(max_size=40)


@hard
@given(numbers, numbers, hashes, hashes, st.lists(hashes, max_size=70))
def test_proofs(first: int, second: int, left: bytes, right: bytes, proof: list[bytes]) -> None:
    """Merkle proofs of any shape: nothing made up holds, and nothing but Corrupt is raised."""
    with suppress(Corrupt):
        verify_inclusion(index=first, size=second, leaf=left, proof=proof, root=right)
        assert (left, proof) == (right, [])
    with suppress(Corrupt):
        verify_consistency(size1=first, size2=second, root1=left, root2=right, proof=proof)
        assert (left, proof) == (right, [])


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * MAX_NOTE_BYTES,
        b"a\n\n" * (MAX_NOTE_BYTES // 3),
        b"\n\n" + "\u2014 ".encode() * 200_000 + b"\n",
        b"c2sp.org/tlog-proof@v1\n" + b"A\n" * 400_000,
        b"c2sp.org/tlog-proof@v1\nextra " + b"A" * 1_000_000,
        b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"=\n" * 63 + b"\n" + b"\n" * 900_000,
        bytes(30_000_000),
        b"\n" * 30_000_000,
    ],
    ids=range(8),
)
def test_long_input_is_refused_quickly(data: bytes) -> None:
    """Bytes made to take long are refused in less than a second each."""
    for parse in (parse_note, parse_receipt, parse_checkpoint, parse_signatures, RightEdge.from_bytes):
        start = time.perf_counter()
        with pytest.raises(Corrupt):
            parse(data)
        assert time.perf_counter() - start < 5  # a busy machine's second
