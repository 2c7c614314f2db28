"""Receipts (C2SP tlog-proof): one text that proves offline that an entry is in a log.

c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJw…
— witness1.example mJirIklj…
"""

from __future__ import annotations

from dataclasses import dataclass

from assign.errors import Corrupt, InvalidInput
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Policy, WitnessedCheckpoint
from assign.log.lines import encode_base64, parse_base64, parse_decimal
from assign.log.merkle import HASH_BYTES, MAX_PATH, MAX_SIZE, verify_inclusion
from assign.log.note import MAX_NOTE_BYTES, parse_note

__all__ = ["MAX_EXTRA_BYTES", "MAX_PROOF_BYTES", "Receipt", "parse_receipt", "verify_receipt"]

MAX_EXTRA_BYTES = 65_536
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What proves one entry, given its bytes.

    Attributes:
        index: the entry's place in the log, from 0.
        path: its inclusion proof, at most 63 hashes of 32 bytes, the leaf's sibling first.
        checkpoint: the signed and cosigned note, verbatim.
        extra: at most 65,536 bytes that the application gave along; **nothing vouches for them**.

    Raises InvalidInput RECEIPT_INDEX, RECEIPT_PATH, RECEIPT_EXTRA; Corrupt for a malformed checkpoint.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_SIZE:
            raise InvalidInput("RECEIPT_INDEX", "An index is zero or more and below 2^63-1.")
        if len(self.path) > MAX_PATH or any(len(item) != HASH_BYTES for item in self.path):
            raise InvalidInput("RECEIPT_PATH", f"A path has at most {MAX_PATH} hashes of {HASH_BYTES} bytes.")
        if len(self.extra) > MAX_EXTRA_BYTES:
            raise InvalidInput("RECEIPT_EXTRA", f"Extra data has at most {MAX_EXTRA_BYTES} bytes.")
        parse_checkpoint(parse_note(self.checkpoint).text)

    def encode(self) -> bytes:
        """The `.tlog-proof` text."""
        lines = [_HEADER]
        if self.extra:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(encode_base64, self.path)
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """The receipt of `Receipt.encode` output, checked for form only.

    Raises Corrupt RECEIPT_MALFORMED, RECEIPT_TOO_LONG, DECIMAL_MALFORMED, BASE64_MALFORMED, the reasons of
    Receipt, and those of `parse_note` and `parse_checkpoint`.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise Corrupt("RECEIPT_TOO_LONG", f"A receipt has at most {MAX_PROOF_BYTES} bytes.")
    head, separator, checkpoint = data.partition(b"\n\n")
    header, *lines = head.decode("ascii", "replace").split("\n")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = parse_base64(lines.pop(0).removeprefix("extra "))
    if header != _HEADER or not separator or not lines or not lines[0].startswith("index "):
        raise Corrupt("RECEIPT_MALFORMED", f"Not a receipt of the form {_HEADER}.")
    index = parse_decimal(lines[0].removeprefix("index "))
    path = tuple(parse_base64(line) for line in lines[1:])
    try:
        return Receipt(index, path, checkpoint, extra)
    except InvalidInput as error:
        raise Corrupt(error.reason, error.message) from None


def verify_receipt(
    receipt: bytes | Receipt, *, leaf: bytes, policy: Policy, before_seconds: int | None = None
) -> WitnessedCheckpoint:
    """The checkpoint that proves the entry of leaf hash `leaf` (32 bytes, of the entry's own bytes).

    Checks the log's signature, the policy's quorum (`before_seconds` as in `Policy.verify`) and the inclusion
    path. Raises Corrupt as `parse_receipt`, `Policy.verify` and `verify_inclusion`.
    """
    parsed = receipt if isinstance(receipt, Receipt) else parse_receipt(receipt)
    witnessed = policy.verify(parsed.checkpoint, before_seconds=before_seconds)
    verify_inclusion(
        index=parsed.index,
        size=witnessed.checkpoint.size,
        leaf=leaf,
        proof=parsed.path,
        root=witnessed.checkpoint.root,
    )
    return witnessed
