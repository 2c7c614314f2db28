"""Signed notes (C2SP signed-note): a text, a blank line, then a line for each signature.

    This is an example message.

    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1…

A parsed note encodes to the very bytes it came from. Notes are evidence: what is wrong in one that is read
raises Corrupt; what is wrong in one that is being made raises InvalidInput.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from assign.errors import Corrupt, InvalidInput
from assign.log.keys import KEY_ID_BYTES, NOTE_ED25519, SignerKey, VerifierKey, check_name
from assign.log.lines import encode_base64, parse_base64

__all__ = [
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "Note",
    "NoteSigner",
    "NoteVerifier",
    "Signature",
    "Signer",
    "VerifiedNote",
    "Verifier",
    "add_signatures",
    "parse_note",
    "parse_signatures",
    "sign_note",
    "verify_note",
]

# The limits of Go's sumdb/note, so that whatever one accepts the other does. C2SP asks for at least 16
# signatures, of which post-quantum ones take 5 kB each.
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100

_DASH = "\u2014 "
_FORBIDDEN = re.compile(rb"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who signed, with which key, and the bytes, whose meaning the key's type gives.

    Attributes:
        name: the key's name.
        key_id: 4 bytes.
        value: at least 1 byte: 64 of Ed25519, or 8 of time and 64 of Ed25519 in a cosignature.

    Raises InvalidInput KEY_NAME or SIGNATURE_LENGTH.
    """

    name: str
    key_id: bytes
    value: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.value:
            raise InvalidInput("SIGNATURE_LENGTH", "A note signature is a key id of 4 bytes and more.")

    def encode(self) -> bytes:
        """The line, newline included."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.value)}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A note that is well-formed; its signatures have not been checked.

    Attributes:
        text: what was signed: UTF-8, no ASCII control but newlines, the last byte a newline.
        signatures: 1 to MAX_SIGNATURES, in the note's order.

    Raises InvalidInput NOTE_TEXT, NOTE_SIGNATURES or NOTE_TOO_LONG.
    """

    text: bytes
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _check_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise InvalidInput("NOTE_SIGNATURES", f"A note has 1 to {MAX_SIGNATURES} signatures.")
        if len(self.encode()) > MAX_NOTE_BYTES:
            raise InvalidInput("NOTE_TOO_LONG", f"A note has at most {MAX_NOTE_BYTES} bytes.")

    def encode(self) -> bytes:
        """The bytes of the note, which `parse_note` reads."""
        return self.text + b"\n" + b"".join(signature.encode() for signature in self.signatures)


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """The text of a note and those of its signatures, at least one, that known keys made."""

    text: bytes
    signatures: tuple[Signature, ...]


class Signer(Protocol):
    """Signs the text of a note."""

    @property
    def name(self) -> str: ...

    def sign(self, text: bytes) -> Signature: ...


class Verifier(Protocol):
    """Knows one key, by name and id, and whether it made a signature on the text of a note."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes: ...

    def verify(self, text: bytes, signature: bytes) -> bool: ...


class NoteVerifier(VerifierKey):
    """Plain Ed25519 (type 0x01): 64 bytes over the text of the note."""

    kind: ClassVar[int] = NOTE_ED25519

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `text`."""
        return self.check(text, signature)


class NoteSigner(SignerKey):
    """Plain Ed25519 (type 0x01): 64 bytes over the text of the note."""

    kind: ClassVar[int] = NOTE_ED25519

    def sign(self, text: bytes) -> Signature:
        """The signature over `text`, the whole text of a note."""
        return Signature(self.name, self.key_id, self.sign_raw(text))

    def verifier(self) -> NoteVerifier:
        """The public half."""
        return NoteVerifier(self.name, self.public_key)


def sign_note(text: bytes, *signers: Signer) -> bytes:
    """A note over `text` with one signature of each signer, in order.

    Raises InvalidInput NOTE_TEXT, NOTE_SIGNATURES or NOTE_TOO_LONG.
    """
    _check_text(text)
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()


def add_signatures(note: bytes, *signatures: Signature) -> bytes:
    """`note` with `signatures` behind its own; one that is already there is not repeated.

    They are not checked. Raises Corrupt for a malformed note, InvalidInput NOTE_SIGNATURES or NOTE_TOO_LONG.
    """
    parsed = parse_note(note)
    return Note(parsed.text, tuple(dict.fromkeys(parsed.signatures + signatures))).encode()


def parse_note(data: bytes) -> Note:
    """The note in `data`, checked for form only. Raises Corrupt NOTE_*, KEY_NAME, SIGNATURE_*, BASE64_*."""
    _check_length(data)
    split = data.rfind(b"\n\n")  # the text may have blank lines: the last one separates
    if split < 0:
        raise Corrupt("NOTE_MALFORMED", "A note has a blank line between its text and its signatures.")
    signatures = parse_signatures(data[split + 2 :])
    try:
        return Note(data[: split + 1], signatures)
    except InvalidInput as error:
        raise Corrupt(error.reason, error.message) from None


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """Signature lines alone, 1 to MAX_SIGNATURES of them, such as a witness answers with.

    Raises Corrupt NOTE_TOO_LONG, NOTE_SIGNATURES, SIGNATURE_MALFORMED, SIGNATURE_LENGTH, KEY_NAME or
    BASE64_MALFORMED.
    """
    _check_length(data)
    *lines, rest = data.split(b"\n")
    if rest or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise Corrupt("NOTE_SIGNATURES", f"Here belong 1 to {MAX_SIGNATURES} whole signature lines.")
    return tuple(_parse_signature(line) for line in lines)


def verify_note(note: bytes | Note, verifiers: Iterable[Verifier]) -> VerifiedNote:
    """The text of `note` and its signatures by `verifiers`.

    Signatures of unknown keys are ignored, also where only the name or only the id is known. Every signature
    of a known key must hold, a second one by the same key included. Raises Corrupt as `parse_note`,
    SIGNATURE_INVALID or NOTE_UNSIGNED (no known key signed), InvalidInput VERIFIER_AMBIGUOUS.
    """
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
            raise InvalidInput("VERIFIER_AMBIGUOUS", f"Two keys share the name {verifier.name!r} and the id.")
    parsed = note if isinstance(note, Note) else parse_note(note)
    verified: dict[Signature, None] = {}
    for signature in parsed.signatures:
        signed_by = known.get((signature.name, signature.key_id))
        if signed_by is None:
            continue
        if not signed_by.verify(parsed.text, signature.value):
            raise Corrupt("SIGNATURE_INVALID", f"The signature of {signature.name!r} does not hold.")
        verified[signature] = None
    if not verified:
        raise Corrupt("NOTE_UNSIGNED", "No key that is trusted here signed this note.")
    return VerifiedNote(parsed.text, tuple(verified))


def _parse_signature(line: bytes) -> Signature:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = ""
    name, _, encoded = text.removeprefix(_DASH).partition(" ")
    if not text.startswith(_DASH):
        raise Corrupt("SIGNATURE_MALFORMED", "A signature line is: em dash, name, base64.")
    data = parse_base64(encoded)
    try:
        return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])
    except InvalidInput as error:
        raise Corrupt(error.reason, error.message) from None


def _check_length(data: bytes) -> None:
    if len(data) > MAX_NOTE_BYTES:
        raise Corrupt("NOTE_TOO_LONG", f"A note has at most {MAX_NOTE_BYTES} bytes.")


def _check_text(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise InvalidInput("NOTE_TEXT", "The text of a note must be UTF-8.") from None
    if not text.endswith(b"\n") or _FORBIDDEN.search(text):
        raise InvalidInput("NOTE_TEXT", "The text of a note ends in a newline and has no other controls.")
