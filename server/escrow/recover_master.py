"""A master seed comes back from its custodians: checked against the log, recorded, sealed anew."""

from __future__ import annotations

from collections.abc import Sequence

from assign.draw.commitment import commit_master
from assign.errors import Conflict, Corrupt
from assign.log.entries import Kind
from assign.names import ShiftName, parse_shift_name
from server.escrow.shares import Recovered, SecretKind, Share, recover_secret, require_kind
from server.storage.escrow import logged_commitment, replace_master
from server.storage.secrets import seal_master
from server.storage.shifts import load_shift
from server.storage.unit import Unit

__all__ = ["combine_master", "record_recovery", "shift_of"]


def shift_of(recovered: Recovered) -> ShiftName:
    """The shift that the recovered seed belongs to."""
    return parse_shift_name(recovered.secret.subject)[0]


def combine_master(shares: Sequence[Share]) -> Recovered:
    """The master seed that has the commitment in its shares.

    Raises as `recover_secret`, and Conflict (ESCROW_OTHER_KIND) for shares of a key file.
    """
    require_kind(shares, SecretKind.MASTER_SEED)

    def commit(master: bytes) -> bytes:
        return commit_master(shares[0].secret.origin, shares[0].secret.subject, master)

    return recover_secret(shares, commit)


def record_recovery(unit: Unit, recovered: Recovered, *, reseal: bool) -> None:
    """Check a recovered seed against the log, record its use there and, if asked to, seal it under today's key.

    Raises Corrupt (ESCROW_NOT_COMMITTED) for a seed that the log did not commit to, Conflict (SHIFT_CLOSED),
    NotFound (SHIFT_UNKNOWN, SHIFT_NOT_LOGGED, PORT_UNKNOWN).
    """
    name = shift_of(recovered)
    stored = load_shift(unit.connection, name)
    origin = unit.config(name.port).origin
    master = bytes(recovered.value)
    # The log is the judge, not what the shares say of themselves.
    if commit_master(origin, str(name), master) != logged_commitment(unit.connection, name, origin):
        raise Corrupt(
            "ESCROW_NOT_COMMITTED",
            f"The shares agree on a seed, but it is not the one that the log committed to when {name} opened.",
        )
    if stored.is_closed:
        raise Conflict("SHIFT_CLOSED", f"{name} is closed: its master seed is in the log, nothing needs recovering.")
    unit.record(name.port, Kind.KEY_USE, {"purpose": "recover", "wave": str(name)})
    if reseal:
        replace_master(unit.connection, name, seal_master(unit, name, master))
