"""Whatever is written is read back, and every signed text is one byte string only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assign.errors import Corrupt
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint, verify_checkpoint
from assign.log.cosignature import Cosigner, Policy, Witness
from assign.log.merkle import EMPTY_ROOT, RightEdge
from assign.log.note import (
    Note,
    NoteSigner,
    NoteVerifier,
    Signature,
    add_signatures,
    parse_note,
    sign_note,
    verify_note,
)
from assign.log.proof import Receipt, parse_receipt, verify_receipt

few = settings(max_examples=100, deadline=None, database=None)

characters = st.characters(exclude_categories=["Cs", "Cc"])
lines = st.text(characters, min_size=1, max_size=40)
names = lines.filter(lambda text: "+" not in text and not any(char.isspace() for char in text))
seeds = st.binary(min_size=32, max_size=32)
hashes = st.binary(min_size=32, max_size=32)
texts = st.lists(lines | st.just(""), min_size=1, max_size=6).map(
    lambda rows: "".join(f"{row}\n" for row in rows).encode()
)
signatures = st.builds(Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=100))
checkpoints = st.builds(Checkpoint, names, st.integers(1, 2**63 - 1), hashes, st.lists(lines, max_size=2).map(tuple))


@few
@given(name=names, seed=seeds)
def test_keys(name: str, seed: bytes) -> None:
    """A key of any name survives its text form, and the two types of one key differ."""
    signer, cosigner = NoteSigner(name, seed), Cosigner(name, seed)
    assert NoteSigner.from_skey(signer.skey()) == signer
    assert Cosigner.from_skey(cosigner.skey()) == cosigner
    assert NoteVerifier.from_vkey(signer.verifier().vkey()) == signer.verifier()
    assert Witness.from_vkey(cosigner.witness().vkey()) == cosigner.witness()
    assert signer.key_id == signer.verifier().key_id != cosigner.key_id == cosigner.witness().key_id


@few
@given(text=texts, others=st.lists(signatures, max_size=4), name=names, seed=seeds)
def test_notes(text: bytes, others: list[Signature], name: str, seed: bytes) -> None:
    """A note of any text is verified among foreign signatures, and is the encoding of what was parsed."""
    signer = NoteSigner(name, seed)
    note = add_signatures(sign_note(text, signer), *others)
    verified = verify_note(note, [signer.verifier()])
    assert (verified.text, verified.signatures) == (text, (signer.sign(text),))
    assert parse_note(note).encode() == note


@few
@given(text=texts, signed=st.lists(signatures, min_size=1, max_size=5))
def test_well_formed_notes(text: bytes, signed: list[Signature]) -> None:
    """Form does not depend on whether anything is signed."""
    note = Note(text, tuple(signed))
    assert parse_note(note.encode()) == note


@few
@given(checkpoint=checkpoints, seed=seeds)
def test_checkpoints(checkpoint: Checkpoint, seed: bytes) -> None:
    """A checkpoint of any log, size, root and extension lines comes back signed and unsigned."""
    assert parse_checkpoint(checkpoint.encode()) == checkpoint
    signer = NoteSigner(checkpoint.origin, seed)
    assert verify_checkpoint(sign_checkpoint(checkpoint, signer), [signer.verifier()]) == checkpoint


@few
@given(
    checkpoint=checkpoints,
    index=st.integers(0, 2**63 - 2),
    path=st.lists(hashes, max_size=63),
    extra=st.binary(max_size=100),
)
def test_receipts(checkpoint: Checkpoint, index: int, path: list[bytes], extra: bytes) -> None:
    """A receipt of any index, path and extra data comes back."""
    note = sign_checkpoint(checkpoint, NoteSigner(checkpoint.origin, bytes(32)))
    receipt = Receipt(index, tuple(path), note, extra)
    assert parse_receipt(receipt.encode()) == receipt


@few
@given(st.integers(0, 2**63 - 1), seeds)
def test_edges(size: int, node: bytes) -> None:
    """A right edge of any size comes back."""
    edge = RightEdge(size, (node,) * size.bit_count())
    assert RightEdge.from_bytes(edge.to_bytes()) == edge


LOG = NoteSigner("example.com/log", b"L" * 32)
COSIGNER = Cosigner("witness.example", b"W" * 32)
POLICY = Policy((LOG.verifier(),), (COSIGNER.witness(),), 1)
LEAF = b"f" * 32
CHECKPOINT = Checkpoint(LOG.name, 1, LEAF)
NOTE = add_signatures(sign_checkpoint(CHECKPOINT, LOG), COSIGNER.cosign(CHECKPOINT, time_seconds=1679315147))
RECEIPT = Receipt(0, (), NOTE).encode()


@pytest.mark.parametrize("insert", [True, False])
def test_every_byte_of_a_witnessed_checkpoint_counts(insert: bool) -> None:
    """No byte can be changed, left out or put in, in the checkpoint, its signatures or the receipt around it."""
    for at in range(len(RECEIPT)):
        head, byte, tail = RECEIPT[:at], RECEIPT[at], RECEIPT[at + 1 :]
        changed = [bytes([other]) for other in range(256) if other != byte]
        forged = [RECEIPT[:at] + other + RECEIPT[at:] for other in changed[::16]] if insert else [head + tail]
        forged += [head + other + tail for other in changed[at % 5 :: 5]] if not insert else []
        for data in forged:
            with pytest.raises(Corrupt):
                verify_receipt(data, leaf=LEAF, policy=POLICY)


def test_empty_tree() -> None:
    """A log without entries has the one root that is defined for it."""
    checkpoint = Checkpoint(LOG.name, 0, EMPTY_ROOT)
    assert verify_checkpoint(sign_checkpoint(checkpoint, LOG), [LOG.verifier()]) == checkpoint
    assert RightEdge().root() == EMPTY_ROOT
