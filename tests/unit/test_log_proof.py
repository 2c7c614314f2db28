"""Receipts: the exact text, what makes one fail, and each way to be malformed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner, Policy
from assign.log.lines import encode_base64
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner, add_signatures, sign_note
from assign.log.proof import MAX_EXTRA_BYTES, MAX_PROOF_BYTES, Receipt, parse_receipt, verify_receipt
from assign.log.tiles import grow, prove_inclusion

LOG = NoteSigner("example.com/log", b"L" * 32)
COSIGNERS = [Cosigner(f"witness{number}.example", bytes([number]) * 32) for number in range(1, 3)]
POLICY = Policy((LOG.verifier(),), tuple(cosigner.witness() for cosigner in COSIGNERS), 2)
LEAVES = [leaf_hash(b"%d" % number) for number in range(13)]
TILES = grow(0, LEAVES, lambda level, index, width: b"")
CHECKPOINT = Checkpoint(LOG.name, 13, root_of(LEAVES))
NOTE = add_signatures(
    sign_checkpoint(CHECKPOINT, LOG), *(cosigner.cosign(CHECKPOINT, time_seconds=100) for cosigner in COSIGNERS)
)


def path(index: int) -> tuple[bytes, ...]:
    return prove_inclusion(index, 13, lambda level, tile, width: TILES[level, tile][: 32 * width])


RECEIPT = Receipt(6, path(6), NOTE)
DATA = RECEIPT.encode()
HASH_LINES = b"".join(f"{encode_base64(item)}\n".encode() for item in path(6))


def test_text_of_a_receipt() -> None:
    """Header, index, path, blank line, checkpoint; the extra line stands second if there is one."""
    assert b"c2sp.org/tlog-proof@v1\nindex 6\n" + HASH_LINES + b"\n" + NOTE == DATA
    assert parse_receipt(DATA) == RECEIPT
    extra = Receipt(6, path(6), NOTE, b"age-v1.2.1")
    assert extra.encode() == DATA.replace(b"\nindex", b"\nextra YWdlLXYxLjIuMQ==\nindex")
    assert parse_receipt(extra.encode()) == extra


def test_every_entry_has_a_receipt() -> None:
    """Each leaf is proven by its own receipt, and by no other's."""
    for index, leaf in enumerate(LEAVES):
        data = Receipt(index, path(index), NOTE).encode()
        assert verify_receipt(data, leaf=leaf, policy=POLICY).checkpoint == CHECKPOINT
        for other in LEAVES[:index] + LEAVES[index + 1 :]:
            with pytest.raises(Corrupt, match="ROOT_MISMATCH"):
                verify_receipt(data, leaf=other, policy=POLICY)


def test_log_of_one_entry() -> None:
    """A tree of one leaf has an empty path."""
    checkpoint = Checkpoint(LOG.name, 1, LEAVES[0])
    data = Receipt(0, (), sign_checkpoint(checkpoint, LOG)).encode()
    assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\n")
    policy = Policy((LOG.verifier(),))
    assert verify_receipt(data, leaf=LEAVES[0], policy=policy).checkpoint == checkpoint
    with pytest.raises(Corrupt, match="ROOT_MISMATCH"):
        verify_receipt(data, leaf=LEAVES[1], policy=policy)


def test_every_bit_of_a_receipt_counts() -> None:
    """Whichever bit is flipped, the receipt proves nothing any more."""
    for at in range(len(DATA)):
        for bit in range(8):
            flipped = DATA[:at] + bytes([DATA[at] ^ 1 << bit]) + DATA[at + 1 :]
            with pytest.raises(Corrupt):
                verify_receipt(flipped, leaf=LEAVES[6], policy=POLICY)


def test_receipt_cut_short() -> None:
    """No beginning of a receipt proves anything."""
    for end in range(len(DATA)):
        with pytest.raises(Corrupt):
            verify_receipt(DATA[:end], leaf=LEAVES[6], policy=POLICY)


def test_witnesses_in_time() -> None:
    """A receipt can be asked to have been witnessed before a moment."""
    assert verify_receipt(DATA, leaf=LEAVES[6], policy=POLICY, before_seconds=101)
    with pytest.raises(Corrupt, match="QUORUM_NOT_MET"):
        verify_receipt(RECEIPT, leaf=LEAVES[6], policy=POLICY, before_seconds=100)


def test_index_beyond_the_checkpoint() -> None:
    """A receipt for an entry that the checkpoint does not cover yet."""
    with pytest.raises(Corrupt, match="INCLUSION_INDEX"):
        verify_receipt(Receipt(13, path(6), NOTE), leaf=LEAVES[6], policy=POLICY)


def test_wrong_leaf_hash() -> None:
    """The entry's bytes in place of its hash are refused."""
    with pytest.raises(Corrupt, match="HASH_LENGTH"):
        verify_receipt(DATA, leaf=b"6", policy=POLICY)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "RECEIPT_MALFORMED"),
        (b"\n\n", "RECEIPT_MALFORMED"),
        (NOTE, "RECEIPT_MALFORMED"),
        (b"\n" + DATA, "RECEIPT_MALFORMED"),
        (DATA.replace(b"@v1", b"@v2"), "RECEIPT_MALFORMED"),
        (DATA.replace(b"@v1", b"@v1 "), "RECEIPT_MALFORMED"),
        (DATA.replace(b"\n", b"\r\n"), "RECEIPT_MALFORMED"),
        (DATA.replace(b"index 6\n", b""), "RECEIPT_MALFORMED"),
        (DATA.replace(b"index 6", b"Index 6"), "RECEIPT_MALFORMED"),
        (DATA.replace(b"index 6", b"index\t6"), "RECEIPT_MALFORMED"),
        (DATA.replace(b"index 6", b"index 6\nindex 6"), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6", b"index 6\nextra YQ=="), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6", b"extra YQ==\nextra YQ==\nindex 6"), "RECEIPT_MALFORMED"),
        (DATA.replace(b"index 6", b"extra \nindex 6"), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6", b"extra !!\nindex 6"), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6", b"extra YR==\nindex 6"), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6", b"index 06"), "DECIMAL_MALFORMED"),
        (DATA.replace(b"index 6", b"index -6"), "DECIMAL_MALFORMED"),
        (DATA.replace(b"index 6", b"index  6"), "DECIMAL_MALFORMED"),
        (DATA.replace(b"index 6", b"index "), "DECIMAL_MALFORMED"),
        (DATA.replace(b"index 6", b"index 9223372036854775807"), "RECEIPT_INDEX"),
        (DATA.replace(b"index 6", b"index 9223372036854775808"), "DECIMAL_MALFORMED"),
        (DATA.replace(b"index 6\n", b"index 6\nYQ==\n"), "RECEIPT_PATH"),
        (DATA.replace(HASH_LINES, HASH_LINES[:45] * 64), "RECEIPT_PATH"),
        (DATA.replace(HASH_LINES, b" " + HASH_LINES), "BASE64_MALFORMED"),
        (DATA.replace(b"index 6\n", b"index 6\n\xff\n"), "BASE64_MALFORMED"),
        (DATA.partition(b"\n\n")[0], "RECEIPT_MALFORMED"),
        (DATA.partition(b"\n\n")[0] + b"\n\n", "NOTE_MALFORMED"),
        (DATA.partition(b"\n\n")[0] + b"\n\n" + sign_note(b"hello\n", LOG), "CHECKPOINT_MALFORMED"),
        (DATA + b"\n", "NOTE_SIGNATURES"),
        (DATA + b" " * MAX_PROOF_BYTES, "RECEIPT_TOO_LONG"),
        (Receipt(6, path(6), NOTE, b"x" * MAX_EXTRA_BYTES).encode().replace(b"extra ", b"extra AAAA"), "RECEIPT_EXTRA"),
    ],
)
def test_malformed_receipts(data: bytes, reason: str) -> None:
    """Each way in which a receipt is malformed has its reason."""
    with pytest.raises(Corrupt) as caught:
        parse_receipt(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Receipt(-1, (), NOTE), "RECEIPT_INDEX"),
        (lambda: Receipt(2**63 - 1, (), NOTE), "RECEIPT_INDEX"),
        (lambda: Receipt(0, (bytes(31),), NOTE), "RECEIPT_PATH"),
        (lambda: Receipt(0, (bytes(32),) * 64, NOTE), "RECEIPT_PATH"),
        (lambda: Receipt(0, (), NOTE, bytes(MAX_EXTRA_BYTES + 1)), "RECEIPT_EXTRA"),
    ],
)
def test_wrong_receipts_are_not_made(make: Callable[[], object], reason: str) -> None:
    """What could not be read back is not handed out."""
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.reason == reason


def test_largest_receipt_is_read() -> None:
    """The longest path and the most extra data come back."""
    largest = Receipt(0, (bytes(32),) * 63, NOTE, bytes(MAX_EXTRA_BYTES))
    assert parse_receipt(largest.encode()) == largest
