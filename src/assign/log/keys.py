"""Named Ed25519 keys of signed notes and their text forms (C2SP signed-note, "Verifier keys").

A key is a name, a signature type and 32 bytes; its id is 4 bytes of SHA-256 over all three, so one key used
for two signature types has two ids. Keys are configuration: what is wrong in one raises InvalidInput. No
message ever repeats the text of a signer key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assign.encoding import sha256
from assign.errors import Corrupt, InvalidInput
from assign.log.lines import encode_base64, parse_base64

__all__ = [
    "COSIGNATURE_ED25519",
    "COSIGNATURE_ML_DSA_44",
    "KEY_ID_BYTES",
    "NOTE_ED25519",
    "SignerKey",
    "VerifierKey",
    "check_name",
]

# Signature types that C2SP signed-note assigns. ML-DSA-44 has its number here but no class yet.
NOTE_ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_ML_DSA_44 = 0x06

KEY_ID_BYTES = 4

_KEY_BYTES = 32
_SIGNER_PREFIX = "PRIVATE+KEY+"
_FIELD_PRIME = 2**255 - 19
_SIGN_BIT = 1 << 255
# The y coordinate of a point of order 8; 0, 1 and -1 are those of order 4, 1 and 2.
_ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_SMALL_ORDER = {0, 1, _FIELD_PRIME - 1, _ORDER_8, _FIELD_PRIME - _ORDER_8}


def check_name(name: str) -> None:
    """Raises InvalidInput KEY_NAME unless `name` may name a key.

    Not empty, no Unicode space, no plus, no control character: it has to fit in a signature line and a vkey.
    """
    if not name or "+" in name or any(char.isspace() or char < " " for char in name):
        raise InvalidInput("KEY_NAME", "A key name is not empty and has no spaces, pluses or controls.")
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise InvalidInput("KEY_NAME", "A key name must be valid Unicode.")


@dataclass(frozen=True)
class VerifierKey:
    """An Ed25519 public key (32 bytes, RFC 8032) under a name. Subclasses fix `kind`, the signature type.

    Raises InvalidInput: KEY_NAME, KEY_LENGTH, or KEY_WEAK for a point of small order or one that is not
    encoded canonically; under such a key, signatures on texts of choice can be made by anyone.
    """

    name: str
    public_key: bytes

    kind: ClassVar[int]

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != _KEY_BYTES:
            raise InvalidInput("KEY_LENGTH", f"An Ed25519 public key has {_KEY_BYTES} bytes.")
        y = int.from_bytes(self.public_key, "little") & ~_SIGN_BIT
        if y >= _FIELD_PRIME or y in _SMALL_ORDER:
            raise InvalidInput("KEY_WEAK", "This Ed25519 public key proves nothing: anyone can sign for it.")

    @cached_property
    def key_id(self) -> bytes:
        """4 bytes: SHA-256(name ‖ newline ‖ signature type ‖ public key), cut."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key)[:KEY_ID_BYTES]

    def vkey(self) -> str:
        """`<name>+<key id in hex>+<base64 of signature type and public key>`."""
        return _key_text(self, self.public_key)

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """The key of `vkey` output of this very type. Raises InvalidInput KEY_* (see `KEY_TYPE` too)."""
        name, key_id, data = _parse_key_text(text, cls.kind)
        key = cls(name, data)
        if key.key_id.hex() != key_id:
            raise InvalidInput("KEY_ID", "The key id in this verifier key does not belong to its key.")
        return key

    def check(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes, else False) is Ed25519 by this key over exactly `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:  # also when no point on the curve has this key's encoding
            return False
        return True


@dataclass(frozen=True)
class SignerKey:
    """An Ed25519 private key (its seed of 32 bytes, RFC 8032) under a name. Subclasses fix `kind`.

    Raises InvalidInput KEY_NAME or KEY_LENGTH. Its repr does not show the seed.
    """

    name: str
    seed: bytes = field(repr=False)

    kind: ClassVar[int]

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.seed) != _KEY_BYTES:
            raise InvalidInput("KEY_LENGTH", f"The seed of an Ed25519 key has {_KEY_BYTES} bytes.")

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._private.public_key().public_bytes_raw()

    @cached_property
    def key_id(self) -> bytes:
        """As `VerifierKey.key_id` of the matching public key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key)[:KEY_ID_BYTES]

    def skey(self) -> str:
        """The secret text form, as Go's sumdb/note writes it: `PRIVATE+KEY+`, then like a vkey."""
        return _SIGNER_PREFIX + _key_text(self, self.seed)

    @classmethod
    def from_skey(cls, text: str) -> Self:
        """The key of `skey` output of this very type. Raises InvalidInput KEY_*, never naming the text."""
        if not text.startswith(_SIGNER_PREFIX):
            raise InvalidInput("KEY_MALFORMED", f"A signer key starts with {_SIGNER_PREFIX}.")
        name, key_id, data = _parse_key_text(text.removeprefix(_SIGNER_PREFIX), cls.kind)
        key = cls(name, data)
        if key.key_id.hex() != key_id:
            raise InvalidInput("KEY_ID", "The key id in this signer key does not belong to its key.")
        return key

    def sign_raw(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature over exactly `message`."""
        return self._private.sign(message)


def _key_text(key: VerifierKey | SignerKey, data: bytes) -> str:
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.kind]) + data)}"


def _parse_key_text(text: str, kind: int) -> tuple[str, str, bytes]:
    """Name, key id in hex (not checked yet) and key bytes of a text that must be of type `kind`."""
    parts = text.split("+", 2)  # base64 has pluses too: the third part keeps them
    if len(parts) != 3:
        raise InvalidInput("KEY_MALFORMED", "A key is written <name>+<key id in hex>+<base64>.")
    name, key_id, encoded = parts
    try:
        data = parse_base64(encoded)
    except Corrupt:
        raise InvalidInput("KEY_MALFORMED", "The last part of this key is not canonical base64.") from None
    if data[0] == COSIGNATURE_ML_DSA_44:
        raise InvalidInput(
            "KEY_TYPE_NOT_SUPPORTED",
            "ML-DSA-44 cosignatures (type 0x06) are not supported yet: use an Ed25519 key (type 0x04).",
        )
    if data[0] != kind:
        raise InvalidInput("KEY_TYPE", f"This key has type {data[0]:#04x}; type {kind:#04x} belongs here.")
    return name, key_id, data[1:]
