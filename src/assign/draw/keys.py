"""The key schedule of `draw/v1`: HKDF-SHA256 (RFC 5869) from the shift's master seed to each wave's draw."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assign.draw.commitment import PROTOCOL
from assign.encoding import lp, u64be
from assign.errors import InvalidInput

__all__ = ["KEY_BYTES", "draw_key", "reserve_key", "transcript_blind", "wave_seed"]

KEY_BYTES = 32


def _hkdf(*, salt: bytes, ikm: bytes, info: bytes) -> bytes:
    if len(ikm) != KEY_BYTES:
        raise InvalidInput("KEY_LENGTH", f"Key material has {KEY_BYTES} bytes.")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(ikm)


def wave_seed(master: bytes, origin: str, shift: str, wave: str) -> bytes:
    """`S = HKDF(salt="", ikm=M, info=LP("draw/v1","slot-seed",origin,shift,wave))`: 32 bytes."""
    return _hkdf(salt=b"", ikm=master, info=lp(PROTOCOL, "slot-seed", origin, shift, wave))


def draw_key(
    *,
    beacon_value: bytes,
    seed: bytes,
    origin: str,
    wave: str,
    leaf: bytes,
    chain_hash: bytes,
    beacon_round: int,
) -> bytes:
    """`K = HKDF(salt=H(sig_R), ikm=S, info=LP("draw/v1","draw-key",origin,wave,leaf,chain_hash,u64be(R)))`.

    Args:
        beacon_value: `H(sig_R)`, 32 bytes, computed from verified evidence, never taken from a relay.
        leaf: the freeze's leaf hash, which binds the key to one entry of one log.
    """
    info = lp(PROTOCOL, "draw-key", origin, wave, leaf, chain_hash, u64be(beacon_round))
    return _hkdf(salt=beacon_value, ikm=seed, info=info)


def reserve_key(key: bytes, origin: str, wave: str, order: str) -> bytes:
    """The key of one order's reserve order, on its own stream: `info=LP("draw/v1","reserve",origin,wave,order)`."""
    return _hkdf(salt=b"", ikm=key, info=lp(PROTOCOL, "reserve", origin, wave, order))


def transcript_blind(key: bytes, origin: str, wave: str) -> bytes:
    """The 32 bytes that hide a transcript behind its hash: `info=LP("draw/v1","transcript-blind",origin,wave)`."""
    return _hkdf(salt=b"", ikm=key, info=lp(PROTOCOL, "transcript-blind", origin, wave))
