"""Cosignatures: those of real witnesses, the exact bytes, and policies of k witnesses of n."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosignature, Cosigner, Policy, Witness, cosigned_at
from assign.log.lines import encode_base64
from assign.log.note import NoteSigner, NoteVerifier, Signature, add_signatures, sign_note, verify_note

NOTES = json.loads((Path(__file__).parents[1] / "vectors" / "log" / "notes.json").read_text())
LOG = NoteSigner("example.com/log", b"L" * 32)
CHECKPOINT = Checkpoint(LOG.name, 5, b"r" * 32)
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
COSIGNERS = [Cosigner(f"witness{number}.example", bytes([number]) * 32) for number in range(1, 4)]
WITNESSES = tuple(cosigner.witness() for cosigner in COSIGNERS)
LINES = [cosigner.cosign(CHECKPOINT, time_seconds=100 + at) for at, cosigner in enumerate(COSIGNERS)]
TWO_OF_THREE = Policy((LOG.verifier(),), WITNESSES, 2)


def test_real_witnesses() -> None:
    """Four public witnesses cosigned this checkpoint of a public log: all four count."""
    case = NOTES["witnessed"]
    witnesses = tuple(Witness.from_vkey(vkey) for vkey in case["witness_vkeys"])
    policy = Policy((NoteVerifier.from_vkey(case["log_vkey"]),), witnesses, 4)
    verified = policy.verify(case["note"].encode())
    assert verified.checkpoint.size == case["size"]
    assert verified.cosignatures == tuple(Cosignature(item.name, case["time_seconds"]) for item in witnesses)
    assert [witness.vkey() for witness in witnesses] == case["witness_vkeys"]
    with pytest.raises(Corrupt, match="SIGNATURE_INVALID"):
        policy.verify(case["note"].replace("1432088532", "1432088533").encode())


def test_bytes_of_a_cosignature() -> None:
    """Eight bytes of time, then Ed25519 over header, time line and the whole text."""
    line = COSIGNERS[0].cosign(CHECKPOINT, time_seconds=1679315147)
    assert line.value[:8] == (1679315147).to_bytes(8, "big")
    assert cosigned_at(line.value) == 1679315147
    message = b"cosignature/v1\ntime 1679315147\n" + CHECKPOINT.encode()
    assert WITNESSES[0].check(message, line.value[8:])
    assert WITNESSES[0].verify(CHECKPOINT.encode(), line.value)
    assert Cosigner.from_skey(COSIGNERS[0].skey()) == COSIGNERS[0]


def test_a_cosignature_covers_extension_lines() -> None:
    """They are part of the text that an Ed25519 cosignature signs."""
    extended = Checkpoint(LOG.name, 5, b"r" * 32, ("extension",))
    line = COSIGNERS[0].cosign(extended, time_seconds=7)
    assert WITNESSES[0].verify(extended.encode(), line.value)
    assert not WITNESSES[0].verify(CHECKPOINT.encode(), line.value)


@pytest.mark.parametrize("time_seconds", [0, -1, 2**63])
def test_times_that_are_refused(time_seconds: int) -> None:
    """A cosignature without a time, or with one past 2^63-1, is neither made nor believed."""
    with pytest.raises(InvalidInput, match="COSIGNATURE_TIME"):
        COSIGNERS[0].cosign(CHECKPOINT, time_seconds=time_seconds)
    if time_seconds >= 0:
        message = b"cosignature/v1\ntime %d\n" % time_seconds + CHECKPOINT.encode()
        value = time_seconds.to_bytes(8, "big") + COSIGNERS[0].sign_raw(message)
        assert not WITNESSES[0].verify(CHECKPOINT.encode(), value)


@pytest.mark.parametrize("length", [0, 7, 8, 64, 71, 73])
def test_cosignatures_of_another_length(length: int) -> None:
    """A cosignature has exactly 72 bytes."""
    assert not WITNESSES[0].verify(CHECKPOINT.encode(), (LINES[0].value + b"\x00")[:length])


def test_plain_signature_is_no_cosignature() -> None:
    """The same key under a plain note signature does not count: the time is not signed there."""
    plain = COSIGNERS[0].sign_raw(CHECKPOINT.encode())
    assert not WITNESSES[0].verify(CHECKPOINT.encode(), (100).to_bytes(8, "big") + plain)
    assert not NoteVerifier("a", WITNESSES[0].public_key).verify(CHECKPOINT.encode(), LINES[0].value[8:])


def test_quorum() -> None:
    """Two of three witnesses are needed: one is not enough, two are, three too; strangers do not count."""
    stranger = Cosigner("stranger.example", b"s" * 32).cosign(CHECKPOINT, time_seconds=100)
    for lines, enough in (
        ([], False),
        ([LINES[0]], False),
        ([LINES[0], LINES[0], stranger], False),
        ([LINES[2], LINES[0]], True),
        ([*LINES, stranger], True),
    ):
        note = add_signatures(SIGNED, *lines)
        if enough:
            verified = TWO_OF_THREE.verify(note)
            assert verified.checkpoint == CHECKPOINT
            assert len(verified.cosignatures) == len(set(lines) - {stranger})
        else:
            with pytest.raises(Corrupt, match="QUORUM_NOT_MET"):
                TWO_OF_THREE.verify(note)
    assert Policy((LOG.verifier(),)).verify(SIGNED).cosignatures == ()


def test_one_witness_twice_is_one_witness() -> None:
    """Two cosignatures of one witness count once, with the earlier time."""
    later = COSIGNERS[0].cosign(CHECKPOINT, time_seconds=500)
    with pytest.raises(Corrupt, match="QUORUM_NOT_MET"):
        TWO_OF_THREE.verify(add_signatures(SIGNED, later, LINES[0]))
    one = Policy((LOG.verifier(),), WITNESSES, 1)
    for lines in ((later, LINES[0]), (LINES[0], later)):
        verified = one.verify(add_signatures(SIGNED, *lines), before_seconds=101)
        assert verified.cosignatures == (Cosignature(WITNESSES[0].name, 100),)


def test_only_earlier_cosignatures_count() -> None:
    """What was cosigned at the moment asked about, or after it, proves nothing about before."""
    note = add_signatures(SIGNED, *LINES)  # at 100, 101 and 102
    assert len(TWO_OF_THREE.verify(note, before_seconds=103).cosignatures) == 3
    assert len(TWO_OF_THREE.verify(note, before_seconds=102).cosignatures) == 2
    with pytest.raises(Corrupt, match="QUORUM_NOT_MET"):
        TWO_OF_THREE.verify(note, before_seconds=101)


def test_the_log_itself_must_have_signed() -> None:
    """Witnesses alone make no checkpoint: a witness cosigns only what the log signed."""
    note = sign_note(CHECKPOINT.encode(), NoteSigner("stranger", b"s" * 32))
    with pytest.raises(Corrupt, match="LOG_UNSIGNED"):
        TWO_OF_THREE.verify(add_signatures(note, *LINES))


def test_another_log() -> None:
    """A checkpoint of another origin is refused, even signed by this log's key."""
    other = Checkpoint("example.com/other", 5, b"r" * 32)
    lines = [cosigner.cosign(other, time_seconds=100) for cosigner in COSIGNERS]
    with pytest.raises(Corrupt, match="ORIGIN_MISMATCH"):
        TWO_OF_THREE.verify(add_signatures(sign_note(other.encode(), LOG), *lines))


def test_forged_cosignature_of_a_known_witness() -> None:
    """One known witness whose signature fails spoils the note, though enough others hold."""
    forged = Signature(LINES[0].name, LINES[0].key_id, LINES[0].value[:8] + LINES[1].value[8:])
    with pytest.raises(Corrupt, match="SIGNATURE_INVALID"):
        TWO_OF_THREE.verify(add_signatures(SIGNED, forged, LINES[1], LINES[2]))


def test_changed_time_of_a_cosignature() -> None:
    """The time is signed: an earlier one cannot be put in its place."""
    earlier = Signature(LINES[0].name, LINES[0].key_id, (1).to_bytes(8, "big") + LINES[0].value[8:])
    with pytest.raises(Corrupt, match="SIGNATURE_INVALID"):
        TWO_OF_THREE.verify(add_signatures(SIGNED, earlier))


def test_log_key_rotation() -> None:
    """While a log replaces its key, either key is enough."""
    new = NoteSigner(LOG.name, b"N" * 32)
    policy = Policy((LOG.verifier(), new.verifier()))
    for signers in ((LOG,), (new,), (LOG, new)):
        assert policy.verify(sign_checkpoint(CHECKPOINT, *signers)).checkpoint == CHECKPOINT


def ml_dsa_44() -> str:
    data = b"\x06" + bytes(1312)
    return f"w.example+{sha256(b'w.example' + bytes([10]) + data).hexdigest()[:8]}+{encode_base64(data)}"


def test_ml_dsa_44_is_refused_in_keys_and_ignored_in_notes() -> None:
    """Its type is known but not supported yet, and says so; a note that carries one is still read."""
    for parse in (Witness.from_vkey, NoteVerifier.from_vkey):
        with pytest.raises(InvalidInput) as caught:
            parse(ml_dsa_44())
        assert caught.value.reason == "KEY_TYPE_NOT_SUPPORTED"
        assert "ML-DSA-44" in caught.value.message
    note = add_signatures(SIGNED, Signature(WITNESSES[0].name, b"\x01\x02\x03\x04", bytes(8 + 2420)))
    assert verify_note(note, [LOG.verifier(), *WITNESSES]).text == CHECKPOINT.encode()


TWIN = Witness("twin.example", WITNESSES[0].public_key)
NAMESAKE = Witness(WITNESSES[0].name, WITNESSES[1].public_key)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Policy(()), "POLICY_LOG"),
        (lambda: Policy((LOG.verifier(), NoteVerifier("other", WITNESSES[0].public_key))), "POLICY_LOG"),
        (lambda: Policy((LOG.verifier(), LOG.verifier())), "POLICY_WITNESSES"),
        (lambda: Policy((LOG.verifier(),), (WITNESSES[0], WITNESSES[0]), 1), "POLICY_WITNESSES"),
        (lambda: Policy((LOG.verifier(),), (WITNESSES[0], TWIN), 2), "POLICY_WITNESSES"),
        (lambda: Policy((LOG.verifier(),), (WITNESSES[0], NAMESAKE), 2), "POLICY_WITNESSES"),
        (lambda: Policy((LOG.verifier(),), (Witness("w", LOG.public_key),), 1), "POLICY_WITNESSES"),
        (lambda: Policy((LOG.verifier(),), WITNESSES, 4), "POLICY_QUORUM"),
        (lambda: Policy((LOG.verifier(),), WITNESSES, -1), "POLICY_QUORUM"),
    ],
)
def test_policies_that_would_count_double(make: Callable[[], object], reason: str) -> None:
    """A policy in which one key could count twice, or that nobody could meet, is refused."""
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.reason == reason
