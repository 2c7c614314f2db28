"""Checkpoints (C2SP tlog-checkpoint): the signed statement that a log has this root at this size.

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

The text is signed as a note, by a key whose name is the log's origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assign.errors import Corrupt, InvalidInput
from assign.log.lines import encode_base64, parse_base64, parse_decimal
from assign.log.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from assign.log.note import MAX_NOTE_BYTES, NoteSigner, NoteVerifier, sign_note, verify_note

__all__ = ["Checkpoint", "parse_checkpoint", "sign_checkpoint", "verify_checkpoint"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree head of a log.

    Attributes:
        origin: the log's identity, one non-empty line, such as `example.com/log42`.
        size: leaves in the tree, 0 to 2^63-1.
        root: 32 bytes, the Merkle tree hash (RFC 6962 section 2.1) at that size.
        extensions: further lines, opaque and not empty; best left out, since nobody audits them.

    Raises InvalidInput CHECKPOINT_LINE, CHECKPOINT_SIZE, HASH_LENGTH or EMPTY_TREE_ROOT.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or any(char < " " or "\ud800" <= char <= "\udfff" for char in line):
                raise InvalidInput("CHECKPOINT_LINE", "A line of a checkpoint is not empty and has no controls.")
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidInput("CHECKPOINT_SIZE", f"A tree has 0 to {MAX_SIZE} leaves.")
        if len(self.root) != HASH_BYTES:
            raise InvalidInput("HASH_LENGTH", f"A root hash has {HASH_BYTES} bytes.")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise InvalidInput("EMPTY_TREE_ROOT", "This is not the root hash of an empty tree.")

    def encode(self) -> bytes:
        """The text of the note, to be signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint of `Checkpoint.encode` output, the text of a note.

    Raises Corrupt CHECKPOINT_MALFORMED, DECIMAL_MALFORMED, BASE64_MALFORMED and the reasons of Checkpoint.
    """
    try:
        lines = text.decode().split("\n") if len(text) <= MAX_NOTE_BYTES else []
    except UnicodeDecodeError:
        lines = []
    if len(lines) < 4 or lines.pop():
        raise Corrupt("CHECKPOINT_MALFORMED", "A checkpoint is three lines or more of UTF-8.")
    origin, size, root, *extensions = lines
    try:
        return Checkpoint(origin, parse_decimal(size), parse_base64(root), tuple(extensions))
    except InvalidInput as error:
        raise Corrupt(error.reason, error.message) from None


def sign_checkpoint(checkpoint: Checkpoint, *signers: NoteSigner) -> bytes:
    """The signed note of `checkpoint`. Raises InvalidInput SIGNER_ORIGIN for a key of another name."""
    for signer in signers:
        if signer.name != checkpoint.origin:
            raise InvalidInput("SIGNER_ORIGIN", "A log's key bears the name of its origin.")
    return sign_note(checkpoint.encode(), *signers)


def verify_checkpoint(note: bytes, log_keys: Iterable[NoteVerifier]) -> Checkpoint:
    """The checkpoint in `note`, signed by one of `log_keys` under its own origin. Ignores cosignatures.

    Raises Corrupt as `verify_note` and `parse_checkpoint`, or ORIGIN_MISMATCH.
    """
    verified = verify_note(note, log_keys)
    checkpoint = parse_checkpoint(verified.text)
    if any(signature.name != checkpoint.origin for signature in verified.signatures):
        raise Corrupt("ORIGIN_MISMATCH", "This checkpoint is signed by the key of another log.")
    return checkpoint
