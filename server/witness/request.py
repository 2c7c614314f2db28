"""The body of an `add-checkpoint` request (C2SP tlog-witness), written and read.

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5…

The form alone is checked here: nothing is verified.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from assign.errors import Corrupt, InvalidInput
from assign.log.lines import encode_base64, parse_base64, parse_decimal
from assign.log.merkle import HASH_BYTES, MAX_PATH, MAX_SIZE
from assign.log.note import Note, parse_note

__all__ = ["MAX_REQUEST_BYTES", "SIZE_TYPE", "AddCheckpoint", "origin_hash", "parse_request"]

# 63 proof lines of 45 bytes, and room for 25 post-quantum signatures of 3.4 kB in base64.
MAX_REQUEST_BYTES = 96 * 1024
SIZE_TYPE = "text/x.tlog.size"
"""The media type of a refusal with 409: the size that the witness last cosigned, and a newline."""

_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign a checkpoint.

    Attributes:
        old_size: what the witness cosigned last, as the sender believes; 0: nothing yet.
        proof: the consistency proof from there, at most 63 hashes of 32 bytes.
        note: the signed checkpoint.

    Raises InvalidInput REQUEST_SIZE or REQUEST_PROOF.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def __post_init__(self) -> None:
        if not 0 <= self.old_size <= MAX_SIZE:
            raise InvalidInput("REQUEST_SIZE", f"A tree has 0 to {MAX_SIZE} leaves.")
        if len(self.proof) > MAX_PATH or any(len(item) != HASH_BYTES for item in self.proof):
            raise InvalidInput("REQUEST_PROOF", f"A proof has at most {MAX_PATH} hashes of {HASH_BYTES} bytes.")

    def encode(self) -> bytes:
        """The body of the request."""
        lines = (f"{_OLD}{self.old_size}", *map(encode_base64, self.proof), "")
        return "".join(f"{line}\n" for line in lines).encode() + self.note.encode()


def parse_request(body: bytes) -> AddCheckpoint:
    """The request of `AddCheckpoint.encode` output, of at most MAX_REQUEST_BYTES.

    Raises Corrupt REQUEST_MALFORMED, REQUEST_TOO_LONG, REQUEST_PROOF, DECIMAL_MALFORMED, BASE64_MALFORMED,
    and the reasons of `parse_note`.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise Corrupt("REQUEST_TOO_LONG", f"A request has at most {MAX_REQUEST_BYTES} bytes.")
    head, separator, note = body.partition(b"\n\n")
    old, *proof = head.decode("ascii", "replace").split("\n")
    if not separator or not old.startswith(_OLD):
        raise Corrupt("REQUEST_MALFORMED", "A request is `old SIZE`, the proof, an empty line and a checkpoint.")
    try:
        return AddCheckpoint(parse_decimal(old.removeprefix(_OLD)), tuple(map(parse_base64, proof)), parse_note(note))
    except InvalidInput as error:
        raise Corrupt(error.reason, error.message) from None


def origin_hash(origin: str) -> str:
    """The name of a log in a witness's URLs: SHA-256 of the origin in lower-case hexadecimal."""
    return hashlib.sha256(origin.encode()).hexdigest()
