from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALGORITHM: str

class Draw(NamedTuple):
    seats: NDArray[np.int32]
    service_order: NDArray[np.int32]
    walks: int
    steps: int
    undone: int
    pilot_walks: int
    pilot_steps: int
    searches: int

def available_paths() -> tuple[str, ...]: ...
def select_path(name: str) -> None: ...
def keystream(key: bytes, length: int) -> bytes: ...
def shuffle(n: int, key: bytes) -> NDArray[np.uint32]: ...
def draw(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    team_size: NDArray[np.uint8],
    capacity: NDArray[np.int32],
    tier: NDArray[np.int32],
    key: bytes,
) -> NDArray[np.int32]: ...
def draw_detailed(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    team_size: NDArray[np.uint8],
    capacity: NDArray[np.int32],
    tier: NDArray[np.int32],
    key: bytes,
    *,
    steps_a_seat: int = 8,
) -> Draw: ...
def reserve_orders(indptr: NDArray[np.int64], indices: NDArray[np.int32], key: bytes) -> NDArray[np.int32]: ...
def hall_certificate(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    team_size: NDArray[np.uint8],
    capacity: NDArray[np.int32],
    outcome: Draw,
    order: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
