"""Writes the golden vectors beside it from the plain Python specification, not from the compiled core.

    python tests/vectors/core/make_vectors.py

Vectors of a released algorithm id never change: a changed stream is a new id with a file of its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

from assign import reference

HERE = Path(__file__).parent
KEYS = [bytes(32), bytes(range(32)), bytes([255]) * 32, hashlib.sha256(b"assign core vectors").digest()]


def keystreams() -> list[dict[str, Any]]:
    """The first bytes, and a hash over several kilobytes."""
    return [
        {
            "key": key.hex(),
            "first_100_bytes": reference.keystream(key, 100).hex(),
            "sha256_of_5000_bytes": hashlib.sha256(reference.keystream(key, 5000)).hexdigest(),
        }
        for key in KEYS
    ]


def shuffles() -> list[dict[str, Any]]:
    """Short permutations in full, a longer one by the hash of its little-endian uint32."""
    return [
        {
            "key": key.hex(),
            "n_10": reference.shuffle(10, key),
            "n_100": reference.shuffle(100, key),
            "sha256_of_n_2000": hashlib.sha256(
                b"".join(place.to_bytes(4, "little") for place in reference.shuffle(2000, key))
            ).hexdigest(),
        }
        for key in KEYS
    ]


def draws() -> list[dict[str, Any]]:
    """Instances of each kind with everything that is drawn from a key."""
    return [draw_vector(seed, key) for seed in range(8) for key in KEYS[:3]]


def draw_vector(seed: int, key: bytes) -> dict[str, Any]:
    """One instance: its arrays, the outcome with its health figures, and the reserve orders."""
    random = Random(seed)
    persons = random.randint(3, 7)
    rows = [random.sample(range(persons), random.randint(1, persons)) for _ in range(random.randint(3, 10))]
    arrays: dict[str, list[int]] = {
        "indptr": [sum(len(row) for row in rows[:order]) for order in range(len(rows) + 1)],
        "indices": [person for row in rows for person in row],
        "team_size": [random.randint(1, 2) if len(row) > 1 else 1 for row in rows],
        "capacity": [random.randint(0, 3) for _ in range(persons)],
        "tier": [random.randint(0, seed % 3) for _ in rows],
    }
    outcome = reference.draw_detailed(**arrays, key=key)
    reserves = reference.reserve_orders(arrays["indptr"], arrays["indices"], key)
    return {"key": key.hex(), **arrays, "outcome": outcome._asdict(), "reserve_orders": reserves}


def make() -> dict[str, Any]:
    """Every file's content by its name."""
    return {
        "keystream.json": {"cipher": "ChaCha20, RFC 8439, nonce 0, counter 0", "vectors": keystreams()},
        "shuffle.json": {"vectors": shuffles()},
        "frozen-chair-walk-v1.json": {"algorithm": reference.ALGORITHM, "vectors": draws()},
    }


def main() -> None:
    for name, content in make().items():
        (HERE / name).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
