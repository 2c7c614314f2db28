"""Checkpoints: the published ones, the exact text, and each way to be malformed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint, verify_checkpoint
from assign.log.merkle import EMPTY_ROOT, MAX_SIZE
from assign.log.note import MAX_NOTE_BYTES, NoteSigner, NoteVerifier, parse_note, sign_note, verify_note

NOTES = json.loads((Path(__file__).parents[1] / "vectors" / "log" / "notes.json").read_text())
ROOT = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
TEXT = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LOG = NoteSigner("example.com/behind-the-sofa", b"k" * 32)


def test_published_text() -> None:
    """The example of tlog-checkpoint is read and written byte for byte."""
    checkpoint = Checkpoint("example.com/behind-the-sofa", 20852163, ROOT)
    assert parse_checkpoint(TEXT) == checkpoint
    assert checkpoint.encode() == TEXT


def test_published_checkpoints_verify() -> None:
    """Checkpoints that public logs signed hold under their keys."""
    witnessed, checksums = NOTES["witnessed"], NOTES["go_checksum_database"]
    checkpoint = verify_checkpoint(witnessed["note"].encode(), [NoteVerifier.from_vkey(witnessed["log_vkey"])])
    assert checkpoint.size == witnessed["size"]
    # This log's key is not named as its origin, so it verifies as a note but never as a log of ours.
    key = NoteVerifier.from_vkey(checksums["vkey"])
    checkpoint = parse_checkpoint(verify_note(checksums["note"].encode(), [key]).text)
    assert (checkpoint.origin, checkpoint.size) == (checksums["origin"], checksums["size"])
    with pytest.raises(Corrupt, match="ORIGIN_MISMATCH"):
        verify_checkpoint(checksums["note"].encode(), [key])


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("o", 0, EMPTY_ROOT),
        Checkpoint("o", 1, bytes(32)),
        Checkpoint("an origin with spaces + plus", MAX_SIZE, ROOT),
        Checkpoint("h\u00e9 \u2014 x", 5, ROOT, ("extension", "\u2014 another line")),
    ],
)
def test_round_trip(checkpoint: Checkpoint) -> None:
    """Whatever may be built is signed, verified and read back."""
    assert parse_checkpoint(checkpoint.encode()) == checkpoint
    if "+" not in checkpoint.origin and " " not in checkpoint.origin:
        signer = NoteSigner(checkpoint.origin, b"k" * 32)
        assert verify_checkpoint(sign_checkpoint(checkpoint, signer), [signer.verifier()]) == checkpoint


ROOT_LINE = TEXT.splitlines()[2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "CHECKPOINT_MALFORMED"),
        (b"\n", "CHECKPOINT_MALFORMED"),
        (b"o\n5\n", "CHECKPOINT_MALFORMED"),
        (TEXT[:-1], "CHECKPOINT_MALFORMED"),
        (TEXT + b"extension", "CHECKPOINT_MALFORMED"),
        (b"\xff" + TEXT, "CHECKPOINT_MALFORMED"),
        (b"\n" * (MAX_NOTE_BYTES + 1), "CHECKPOINT_MALFORMED"),
        (b"\n5\n" + ROOT_LINE + b"\n", "CHECKPOINT_LINE"),
        (TEXT + b"\n", "CHECKPOINT_LINE"),
        (TEXT + b"\nextension\n", "CHECKPOINT_LINE"),
        (TEXT + b"exten\tsion\n", "CHECKPOINT_LINE"),
        (b"o\x00\n5\n" + ROOT_LINE + b"\n", "CHECKPOINT_LINE"),
        (TEXT.replace(b"20852163", b"020852163"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"00"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b""), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"-1"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"+1"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"1_0"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b" 1"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"1\r"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"0x1"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", "\u0661".encode()), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", "\u00b2".encode()), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"9223372036854775808"), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"20852163", b"9" * 5000), "DECIMAL_MALFORMED"),
        (TEXT.replace(b"I=\n", b"J=\n"), "BASE64_MALFORMED"),
        (TEXT.replace(b"I=\n", b"I\n"), "BASE64_MALFORMED"),
        (TEXT.replace(b"I=\n", b"I= \n"), "BASE64_MALFORMED"),
        (TEXT.replace(b"CsUY", b"CsU_"), "BASE64_MALFORMED"),
        (TEXT.replace(b"CsUY", b""), "HASH_LENGTH"),
        (TEXT.replace(b"CsUY", b"CsUYCsUY"), "HASH_LENGTH"),
        (TEXT.replace(b"20852163", b"0"), "EMPTY_TREE_ROOT"),
    ],
)
def test_malformed_checkpoints(text: bytes, reason: str) -> None:
    """Each way in which a checkpoint is malformed has its reason."""
    with pytest.raises(Corrupt) as caught:
        parse_checkpoint(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Checkpoint("", 1, ROOT), "CHECKPOINT_LINE"),
        (lambda: Checkpoint("a\nb", 1, ROOT), "CHECKPOINT_LINE"),
        (lambda: Checkpoint("\ud800", 1, ROOT), "CHECKPOINT_LINE"),
        (lambda: Checkpoint("o", 1, ROOT, ("",)), "CHECKPOINT_LINE"),
        (lambda: Checkpoint("o", -1, ROOT), "CHECKPOINT_SIZE"),
        (lambda: Checkpoint("o", MAX_SIZE + 1, ROOT), "CHECKPOINT_SIZE"),
        (lambda: Checkpoint("o", 1, ROOT[:31]), "HASH_LENGTH"),
        (lambda: Checkpoint("o", 0, ROOT), "EMPTY_TREE_ROOT"),
        (lambda: sign_checkpoint(Checkpoint("another log", 1, ROOT), LOG), "SIGNER_ORIGIN"),
    ],
)
def test_wrong_checkpoints_are_not_made(make: Callable[[], object], reason: str) -> None:
    """What could not be read back is not signed in the first place."""
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.reason == reason


def test_note_that_is_no_checkpoint() -> None:
    """A log's key under another text, or another log's key under this origin, makes no checkpoint."""
    with pytest.raises(Corrupt, match="CHECKPOINT_MALFORMED"):
        verify_checkpoint(sign_note(b"hello\n", LOG), [LOG.verifier()])
    stranger = NoteSigner("example.com/other", b"s" * 32)
    with pytest.raises(Corrupt, match="ORIGIN_MISMATCH"):
        verify_checkpoint(sign_note(TEXT, stranger), [stranger.verifier(), LOG.verifier()])
    with pytest.raises(Corrupt, match="NOTE_UNSIGNED"):
        verify_checkpoint(sign_note(TEXT, LOG), [stranger.verifier()])


def test_every_bit_of_a_signed_checkpoint_counts() -> None:
    """Whichever bit is flipped, the checkpoint is refused."""
    note = sign_checkpoint(Checkpoint(LOG.name, 20852163, ROOT), LOG)
    assert parse_note(note).text == TEXT
    for at in range(len(note)):
        for bit in range(8):
            flipped = note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :]
            with pytest.raises(Corrupt):
                verify_checkpoint(flipped, [LOG.verifier()])
