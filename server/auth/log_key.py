"""The file of a log's signing key: one line, the secret text form of C2SP signed-note (`PRIVATE+KEY+…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from assign.errors import InvalidInput
from assign.log.note import NoteSigner
from server.auth.private_files import read_private, write_new
from server.entropy import Entropy

__all__ = ["create_log_key", "load_log_key"]

_SEED_BYTES: Final = 32


def create_log_key(path: Path, name: str, *, entropy: Entropy) -> NoteSigner:
    """Make an Ed25519 key with the name `name` (the log's origin) in the file `path`, mode 0600.

    Raises AlreadyExists FILE_EXISTS, InvalidInput FILE_NOT_WRITABLE or KEY_NAME.
    """
    signer = NoteSigner(name, entropy.bytes(_SEED_BYTES))
    write_new(path, f"{signer.skey()}\n".encode())
    return signer


def load_log_key(path: Path) -> NoteSigner:
    """The key in the file `path`. Raises as `read_private`, and InvalidInput KEY_*, never showing the text."""
    try:
        text = read_private(path).decode()
    except UnicodeDecodeError:
        raise InvalidInput("KEY_MALFORMED", f"{path} is not a signing key file.") from None
    return NoteSigner.from_skey(text.removesuffix("\n"))
