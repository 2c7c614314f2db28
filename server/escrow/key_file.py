"""The key-encryption key in shares: what brings everything back when its file is lost.

A master seed opens one shift; persons' keys, salts, inputs and outcomes are sealed under the key file. A server
with custodians therefore splits its key file among them when it first starts with it, and again when they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assign.encoding import lp, sha256
from assign.errors import InvalidInput
from server.auth.private_files import read_private, write_new
from server.entropy import Entropy
from server.escrow.custodians import EscrowConfig
from server.escrow.shares import Secret, SecretKind, Share, recover_secret, require_kind, seal_shares
from server.escrow.sharing import wipe
from server.keyring import Keyring
from server.storage.escrow import StoredShare, find_key_shares, replace_key_shares
from server.storage.unit import Unit

__all__ = ["commit_key", "escrow_key_file", "recover_key_file", "split_key_file"]


def commit_key(key: bytes) -> bytes:
    """`H(LP("escrow/v1","commit-key",key))`: says nothing about 32 random bytes, and fixes them."""
    return sha256(lp("escrow/v1", "commit-key", key))


def split_key_file(path: Path, config: EscrowConfig, entropy: Entropy) -> tuple[str, list[bytes]]:
    """The id of the key in the file `path`, and one encrypted share a custodian. Raises as `Keyring.load`."""
    key_id = Keyring.load(path, entropy=entropy).key_id
    key = bytearray(read_private(path))
    secret = Secret(kind=SecretKind.KEY_FILE, origin="", subject=key_id, commitment=commit_key(bytes(key)))
    files = seal_shares(key, secret, config, entropy)
    wipe(key)
    return key_id, files


def escrow_key_file(unit: Unit, path: Path) -> None:
    """Store the shares of the key file `path` for today's custodians, unless they are there already.

    Nothing where the server has no escrow. Raises as `Keyring.load`.
    """
    config = unit.services.escrow
    if config is None:
        return
    threshold, shares = find_key_shares(unit.connection, unit.services.keyring.key_id)
    if (threshold, [share.recipient for share in shares]) == (config.threshold, [*config.recipients]):
        return
    key_id, files = split_key_file(path, config, unit.services.entropy)
    replace_key_shares(
        unit.connection,
        key_id,
        config.threshold,
        [
            StoredShare(number=number, recipient=recipient, data=data)
            for number, (recipient, data) in enumerate(zip(config.recipients, files, strict=True), start=1)
        ],
    )


def recover_key_file(shares: Sequence[Share], path: Path, entropy: Entropy) -> tuple[str, tuple[str, ...]]:
    """Write the key that the shares give to the new file `path`; its id, and the sources of wrong shares.

    Raises as `recover_secret` and `write_new`, and Conflict (ESCROW_OTHER_KIND) for shares of a master seed.
    """
    require_kind(shares, SecretKind.KEY_FILE)
    recovered = recover_secret(shares, commit_key)
    try:
        key = bytes(recovered.value)
        key_id = Keyring(key, entropy=entropy).key_id
        if key_id != recovered.secret.subject:
            raise InvalidInput("ESCROW_OTHER_SECRET", "These shares name another key than the one they give.")
        write_new(path, key)
    finally:
        wipe(recovered.value)
    return key_id, recovered.wrong
