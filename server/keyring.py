"""The key-encryption key: master seeds, salts and personal keys are stored only sealed under it.

The key is 32 random bytes in a file that is not in the database, so that a copy of the database alone opens
nothing. A sealed value is `0x01 ‖ key id (4 bytes) ‖ nonce (12) ‖ AES-256-GCM-SIV ciphertext and tag (16)`
(RFC 8452); the nonce is random, and should it ever repeat (a virtual machine set back to a snapshot), GCM-SIV
gives away only that two equal values are equal.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assign.encoding import lp
from assign.errors import Corrupt, InvalidInput
from server.auth.private_files import read_private, write_new
from server.entropy import Entropy

__all__ = ["KEY_BYTES", "SEALED_OVERHEAD_BYTES", "Keyring", "create_key_file"]

KEY_BYTES: Final = 32
_DOMAIN: Final = "keyring/v1"
_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = len(_VERSION) + _KEY_ID_BYTES
SEALED_OVERHEAD_BYTES: Final = _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES


class Keyring:
    """Seals and opens values under one key-encryption key. Neither `repr` nor pickling gives the key away.

    Attributes:
        key_id: 8 hexadecimal digits that tell keys apart and say nothing about them.
    """

    __slots__ = ("_cipher", "_entropy", "_key_id", "_tag_key", "key_id")

    def __init__(self, key: bytes, *, entropy: Entropy) -> None:
        """`key`: KEY_BYTES random bytes. Raises InvalidInput KEY_LENGTH or KEY_WEAK (all bytes the same)."""
        if len(key) != KEY_BYTES:
            raise InvalidInput("KEY_LENGTH", f"A key-encryption key has {KEY_BYTES} bytes.")
        if len(set(key)) == 1:  # a file that was wiped, or never written
            raise InvalidInput("KEY_WEAK", "This key-encryption key is one byte repeated: it is no key.")
        self._cipher = AESGCMSIV(_derive(key, "seal", KEY_BYTES))
        self._key_id = _derive(key, "id", _KEY_ID_BYTES)
        self._tag_key = _derive(key, "tag", KEY_BYTES)
        self._entropy = entropy
        self.key_id = self._key_id.hex()

    @classmethod
    def load(cls, path: Path, *, entropy: Entropy) -> Keyring:
        """The keyring of a key file. Raises as `read_private`, and InvalidInput KEY_LENGTH or KEY_WEAK."""
        return cls(read_private(path), entropy=entropy)

    def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
        """`plaintext` encrypted and bound to `context` (not secret, not stored: port, shift, wave and kind).

        The result is SEALED_OVERHEAD_BYTES longer than `plaintext`, and different each time.
        """
        nonce = self._entropy.bytes(_NONCE_BYTES)
        header = _VERSION + self._key_id
        return header + nonce + self._cipher.encrypt(nonce, plaintext, lp(_DOMAIN, header, context))

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """The plaintext of `seal` output that was sealed under this key for this very `context`.

        Raises Corrupt SEALED_FORGED for anything else, Corrupt SEALED_OTHER_KEY where it names another key.
        """
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        if len(sealed) < SEALED_OVERHEAD_BYTES or header[:1] != _VERSION:
            raise Corrupt("SEALED_FORGED", "A sealed value does not have the form this software writes.")
        if header[1:] != self._key_id:
            raise Corrupt(
                "SEALED_OTHER_KEY",
                f"A value is sealed under the key {header[1:].hex()}, and this is {self.key_id}: use that key file.",
            )
        try:
            return self._cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], lp(_DOMAIN, header, context))
        except InvalidTag:
            raise Corrupt("SEALED_FORGED", "A sealed value was changed, or belongs somewhere else.") from None

    def tag(self, context: bytes) -> bytes:
        """32 bytes that belong to `context`: HMAC-SHA256 (RFC 2104) under the key, always the same.

        Whoever has the database alone can neither compute them nor tell them from random ones.
        """
        return hmac.digest(self._tag_key, lp(_DOMAIN, context), hashlib.sha256)

    def __repr__(self) -> str:
        return f"Keyring({self.key_id})"

    def __reduce__(self) -> str:
        raise TypeError("a keyring is never copied or stored")


def create_key_file(path: Path, *, entropy: Entropy) -> None:
    """Make the key file `path`, mode 0600. Raises AlreadyExists FILE_EXISTS, InvalidInput FILE_NOT_WRITABLE."""
    write_new(path, entropy.bytes(KEY_BYTES))


def _derive(key: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=lp(_DOMAIN, purpose)).derive(key)
