"""The file of a witness's signing key: one line, the secret text form of C2SP signed-note (`PRIVATE+KEY+…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from assign.errors import InvalidInput
from assign.log.cosignature import Cosigner
from server.auth.private_files import read_private, write_new
from server.entropy import Entropy

__all__ = ["create_witness_key", "load_witness_key"]

_SEED_BYTES: Final = 32


def create_witness_key(path: Path, name: str, *, entropy: Entropy) -> Cosigner:
    """Make a witness's Ed25519 key with the name `name` in the file `path`, mode 0600.

    Raises AlreadyExists FILE_EXISTS, InvalidInput FILE_NOT_WRITABLE or KEY_NAME.
    """
    cosigner = Cosigner(name, entropy.bytes(_SEED_BYTES))
    write_new(path, f"{cosigner.skey()}\n".encode())
    return cosigner


def load_witness_key(path: Path) -> Cosigner:
    """The key in the file `path`. Raises as `read_private`, and InvalidInput KEY_*, never showing the text."""
    try:
        text = read_private(path).decode()
    except UnicodeDecodeError:
        raise InvalidInput("KEY_MALFORMED", f"{path} is not a signing key file.") from None
    return Cosigner.from_skey(text.removesuffix("\n"))
