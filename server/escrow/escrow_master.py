"""A shift is opened: its master seed goes to the custodians in shares, in the same transaction."""

from __future__ import annotations

from server.escrow.shares import Secret, SecretKind, seal_shares
from server.storage.escrow import StoredShare, add_shares
from server.storage.shifts import StoredShift
from server.storage.unit import Unit

__all__ = ["escrow_master", "secret_of"]


def secret_of(origin: str, stored: StoredShift) -> Secret:
    """What the shares of a shift's master seed say that they belong to."""
    return Secret(kind=SecretKind.MASTER_SEED, origin=origin, subject=str(stored.name), commitment=stored.commitment)


def escrow_master(unit: Unit, stored: StoredShift, master: bytes) -> None:
    """Store one encrypted share a custodian; nothing where the server has no escrow."""
    config = unit.services.escrow
    if config is None:
        return
    secret = secret_of(unit.config(stored.name.port).origin, stored)
    files = seal_shares(master, secret, config, unit.services.entropy)
    add_shares(
        unit.connection,
        stored.name,
        [
            StoredShare(number=number, recipient=recipient, data=data)
            for number, (recipient, data) in enumerate(zip(config.recipients, files, strict=True), start=1)
        ],
    )
