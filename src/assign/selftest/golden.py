"""The golden vectors of the installed algorithm, made by the specification; `python -m assign.selftest.golden`
writes them. They change only with the algorithm id: a changed stream is another algorithm.
"""

from __future__ import annotations

import hashlib
import json
import sys

from assign import reference
from assign.encoding import Json

__all__ = ["INSTANCES", "Instance", "golden_vectors", "key_of"]

Instance = dict[str, list[int]]

INSTANCES: dict[str, Instance] = {
    # Everybody is needed, and nobody can be placed without looking at the others.
    "tight": {
        "indptr": [0, 3, 5, 8, 10, 13],
        "indices": [0, 1, 2, 0, 1, 1, 2, 3, 0, 3, 2, 3, 4],
        "team_size": [1, 1, 1, 1, 1],
        "capacity": [1, 1, 1, 1, 1],
        "tier": [0, 0, 0, 0, 0],
    },
    # A team of two among single orders, and one person who can be in two places' worth of work.
    "team": {
        "indptr": [0, 4, 6, 8, 10],
        "indices": [0, 1, 2, 3, 0, 1, 1, 2, 2, 3],
        "team_size": [2, 1, 1, 1],
        "capacity": [1, 2, 1, 1],
        "tier": [0, 0, 0, 0],
    },
    # Six orders want the same three persons; the first tier comes first.
    "left-over": {
        "indptr": [0, 3, 6, 9, 12, 15],
        "indices": [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2],
        "team_size": [1, 1, 1, 1, 1],
        "capacity": [1, 1, 1],
        "tier": [0, 1, 1, 1, 1],
    },
    # More people than work: who stays free is chance as well.
    "spare": {
        "indptr": [0, 4, 8, 11],
        "indices": [0, 1, 2, 3, 0, 1, 4, 5, 2, 4, 5],
        "team_size": [2, 1, 1],
        "capacity": [1, 1, 1, 1, 1, 1],
        "tier": [0, 0, 0],
    },
}


def key_of(purpose: str) -> bytes:
    """A fixed key of 32 bytes, from SHA-256 and not from the keystream that is being tested."""
    return hashlib.sha256(b"assign selftest/v1 " + purpose.encode()).digest()


def golden_vectors() -> Json:
    """Draws, service orders and reserve orders of `INSTANCES`, a shuffle and the start of its keystream."""
    draws: list[Json] = []
    for name, instance in INSTANCES.items():
        key = key_of(name)
        drawn = reference.draw_detailed(**instance, key=key)
        draws.append(
            {
                "instance": name,
                "key": key.hex(),
                "reserve_orders": [*reference.reserve_orders(instance["indptr"], instance["indices"], key)],
                "seats": [*drawn.seats],
                "service_order": [*drawn.service_order],
                "steps": drawn.steps,
                "walks": drawn.walks,
            }
        )
    key = key_of("shuffle")
    return {
        "algorithm": reference.ALGORITHM,
        "draws": draws,
        "keystream": reference.keystream(key, 64).hex(),
        "shuffle": [*reference.shuffle(52, key)],
        "shuffle_key": key.hex(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(golden_vectors(), indent=1) + "\n")
