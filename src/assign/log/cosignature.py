"""Cosignatures (C2SP tlog-cosignature, Ed25519 `cosignature/v1`) and the policy of k witnesses of n.

A witness that found a checkpoint consistent with all it saw before signs, with the time, this message:

    cosignature/v1
    time 1679315147
    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

ML-DSA-44 cosignatures have their type number in `keys`, are ignored in notes as any unknown key's, and
refused in keys with KEY_TYPE_NOT_SUPPORTED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from assign.encoding import u64be
from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import Checkpoint, parse_checkpoint
from assign.log.keys import COSIGNATURE_ED25519, SignerKey, VerifierKey
from assign.log.note import Note, NoteVerifier, Signature, verify_note

__all__ = ["Cosignature", "Cosigner", "Policy", "Witness", "WitnessedCheckpoint", "cosigned_at"]

_TIME_BYTES = 8
_MAX_TIME = 2**63 - 1


class Witness(VerifierKey):
    """The public key of a witness (type 0x04), which verifies its cosignatures in a note."""

    kind: ClassVar[int] = COSIGNATURE_ED25519

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (8 bytes of time, 64 of Ed25519) is this witness's on the checkpoint `text`.

        A time of 0 or over 2^63-1 is refused: tlog-witness and tlog-cosignature forbid them.
        """
        seconds = cosigned_at(signature)
        return 0 < seconds <= _MAX_TIME and self.check(_message(text, seconds), signature[_TIME_BYTES:])


class Cosigner(SignerKey):
    """The private key of a witness (type 0x04)."""

    kind: ClassVar[int] = COSIGNATURE_ED25519

    def cosign(self, checkpoint: Checkpoint, *, time_seconds: int) -> Signature:
        """The cosignature on `checkpoint` as of `time_seconds` since 1970 (1 to 2^63-1).

        The caller has verified before that the log signed it and that it only appends. Raises InvalidInput
        COSIGNATURE_TIME.
        """
        if not 0 < time_seconds <= _MAX_TIME:
            raise InvalidInput("COSIGNATURE_TIME", "The time of a cosignature is 1 to 2^63-1 seconds.")
        signed = self.sign_raw(_message(checkpoint.encode(), time_seconds))
        return Signature(self.name, self.key_id, u64be(time_seconds) + signed)

    def witness(self) -> Witness:
        """The public half."""
        return Witness(self.name, self.public_key)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """That the witness of this name saw the checkpoint no later than `time_seconds` since 1970."""

    witness: str
    time_seconds: int


@dataclass(frozen=True, slots=True)
class WitnessedCheckpoint:
    """A checkpoint that met a policy, and the earliest cosignature of each witness that counted."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose word is enough: the keys of one log, the witnesses, and how many of them must have cosigned.

    Attributes:
        log_keys: one or more (while a key is being replaced), all named as the log's origin.
        witnesses: distinct ones: no two share a name or a public key, none is a key of the log.
        quorum: k, from 0 to the number of witnesses.

    Raises InvalidInput POLICY_LOG, POLICY_WITNESSES or POLICY_QUORUM.
    """

    log_keys: tuple[NoteVerifier, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        if len({key.name for key in self.log_keys}) != 1:
            raise InvalidInput("POLICY_LOG", "A policy is about one log: one key or more of one name.")
        keys = [key.public_key for key in (*self.log_keys, *self.witnesses)]
        names = [witness.name for witness in self.witnesses]
        if len(set(keys)) != len(keys) or len(set(names)) != len(names):
            raise InvalidInput("POLICY_WITNESSES", "Each key and each witness counts once: one is repeated.")
        if not 0 <= self.quorum <= len(self.witnesses):
            raise InvalidInput("POLICY_QUORUM", f"The quorum is 0 to {len(self.witnesses)} witnesses here.")

    @property
    def origin(self) -> str:
        """The origin of the log that this policy is about."""
        return self.log_keys[0].name

    def verify(self, note: bytes | Note, *, before_seconds: int | None = None) -> WitnessedCheckpoint:
        """The checkpoint in `note`, once the log signed it and a quorum of witnesses cosigned it.

        With `before_seconds` (since 1970) only cosignatures of an earlier time count. Raises Corrupt as
        `verify_note` and `parse_checkpoint`, ORIGIN_MISMATCH, LOG_UNSIGNED or QUORUM_NOT_MET.
        """
        verified = verify_note(note, (*self.log_keys, *self.witnesses))
        checkpoint = parse_checkpoint(verified.text)
        if checkpoint.origin != self.origin:
            raise Corrupt("ORIGIN_MISMATCH", "This checkpoint belongs to another log.")
        log_ids = {key.key_id for key in self.log_keys}
        if not any(item.name == self.origin and item.key_id in log_ids for item in verified.signatures):
            raise Corrupt("LOG_UNSIGNED", "The log itself did not sign this checkpoint.")
        counted = self._cosignatures(verified.signatures, before_seconds)
        if len(counted) < self.quorum:
            raise Corrupt("QUORUM_NOT_MET", f"{len(counted)} of {self.quorum} witnesses needed cosigned this.")
        return WitnessedCheckpoint(checkpoint, counted)

    def _cosignatures(self, signatures: Sequence[Signature], before: int | None) -> tuple[Cosignature, ...]:
        counted: list[Cosignature] = []
        for witness in self.witnesses:
            times = [
                cosigned_at(item.value)
                for item in signatures
                if (item.name, item.key_id) == (witness.name, witness.key_id)
            ]
            if times and (before is None or min(times) < before):
                counted.append(Cosignature(witness.name, min(times)))
        return tuple(counted)


def cosigned_at(value: bytes) -> int:
    """The time in a cosignature's bytes, seconds since 1970; not to be believed before it is verified."""
    return int.from_bytes(value[:_TIME_BYTES], "big")


def _message(text: bytes, time_seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time_seconds + text
