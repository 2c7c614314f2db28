"""The draw in plain Python: the specification that the compiled core must match byte for byte.

`docs/draw.md` states the same algorithm in words. Nothing here is fast, and nothing here is needed
at run time: tests compare `assign._core` with it, and a second implementer can read it. Inputs are
taken as valid; `assign._core` is the door that refuses bad ones.

All randomness is ChaCha20 keystream (RFC 8439) turned into bounded integers by Lemire's unbiased
method (Lemire 2019, arXiv 1805.10941). The mixing walk is a reversible chain of the family of Broder
(STOC 1986) and Jerrum and Sinclair (SIAM J. Comput. 18, 1989).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "ALGORITHM",
    "NONCE_PLAIN",
    "Draw",
    "Stream",
    "draw",
    "draw_detailed",
    "hall_certificate",
    "keystream",
    "nonce",
    "reserve_orders",
    "shuffle",
]

ALGORITHM = "frozen-chair-walk/v1"

# One nonce for each use of the draw key, so that no two uses share keystream.
NONCE_PLAIN = bytes(12)
SERVICE, START, PILOT, WALK, TEAM, RESERVE = b"srvc", b"strt", b"pilt", b"walk", b"team", b"rsrv"

STEPS_A_SEAT = 16  # mixing: steps for each seat ...
STEPS_AT_LEAST = 2048  # ... and for the draw as a whole, so that small draws mix fully too
WALKS_AT_LEAST = 16
PILOT_WALKS = 8  # the pilot walks at least this often ...
PILOT_STEPS_AT_LEAST = 64  # ... and takes at least so many steps, ...
PILOT_SEATS_A_STEP = 2  # ... and one step for this many seats
LIMIT_A_NODE = 16  # a walk longer than this times (seats + persons) ...
LIMIT_AT_LEAST = 1024  # ... plus this is undone

NOBODY = -1


def nonce(tag: bytes, index: int = 0) -> bytes:
    """The 12-byte nonce of a stream: a 4-byte tag, then `index` as 8 bytes little-endian."""
    return tag + index.to_bytes(8, "little")


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


def _quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for p, q, r, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & 0xFFFFFFFF
        x[r] = _rotate(x[r] ^ x[p], bits)


def _block(key: bytes, nonce: bytes, counter: int) -> bytes:
    """One ChaCha20 block, RFC 8439 section 2.3."""
    parts = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
    start = [int.from_bytes(parts[i : i + 4], "little") for i in range(0, 64, 4)]
    x = list(start)
    for _ in range(10):
        for column in range(4):
            _quarter_round(x, column, column + 4, column + 8, column + 12)
        for diagonal in range(4):
            _quarter_round(x, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return b"".join(((x[i] + start[i]) & 0xFFFFFFFF).to_bytes(4, "little") for i in range(16))


class Stream:
    """Keystream of one key and nonce, read front to back as little-endian words."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._key, self._nonce, self._counter, self._bytes = key, nonce, 0, b""

    def read(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self._bytes) < length:
            self._bytes += _block(self._key, self._nonce, self._counter)
            self._counter += 1
        taken, self._bytes = self._bytes[:length], self._bytes[length:]
        return taken

    def below(self, bound: int, bits: int = 32) -> int:
        """A uniform integer in 0 .. bound-1 from words of `bits` bits (Lemire's method)."""
        rejected = 2**bits % bound
        while True:
            product = int.from_bytes(self.read(bits // 8), "little") * bound
            if product % 2**bits >= rejected:
                return product >> bits


def keystream(key: bytes, length: int) -> bytes:
    """The first `length` bytes of ChaCha20 under `key`, nonce 0, counter 0."""
    return Stream(key, NONCE_PLAIN).read(length)


def _permute(items: list[int], stream: Stream, bits: int) -> list[int]:
    """Fisher-Yates from the last place down, in place."""
    for last in range(len(items) - 1, 0, -1):
        other = stream.below(last + 1, bits)
        items[last], items[other] = items[other], items[last]
    return items


def shuffle(n: int, key: bytes) -> list[int]:
    """A uniform permutation of 0 .. n-1, from 64-bit words of `keystream(key, ...)`."""
    return _permute(list(range(n)), Stream(key, NONCE_PLAIN), 64)


def reserve_orders(indptr: Sequence[int], indices: Sequence[int], key: bytes) -> list[int]:
    """Each order's eligible persons in a uniform order of its own: the rows of `indices`, permuted."""
    result: list[int] = []
    for order in range(len(indptr) - 1):
        row = list(indices[indptr[order] : indptr[order + 1]])
        result += _permute(row, Stream(key, nonce(RESERVE, order)), 32)
    return result


class Draw(NamedTuple):
    """One draw's outcome and how it was reached.

    Attributes:
        seats: person of each seat, orders in turn; -1 on every seat of an order left over.
        service_order: the orders in the turn in which they were served or refused.
        walks, steps, undone: mixing walks, their steps, and walks that were too long and undone.
        pilot_walks, pilot_steps: the same of the pilot that fixed the number of walks.
        searches: seats for which others had to be moved, or could not be.
    """

    seats: list[int]
    service_order: list[int]
    walks: int
    steps: int
    undone: int
    pilot_walks: int
    pilot_steps: int
    searches: int


class _Instance:
    """Seats, rows and the state shared by the start and the walks."""

    def __init__(self, indptr: Sequence[int], indices: Sequence[int], team_size: Sequence[int]) -> None:
        self.rows = [list(indices[indptr[i] : indptr[i + 1]]) for i in range(len(indptr) - 1)]
        self.order_of = [order for order, size in enumerate(team_size) for _ in range(size)]
        self.seats_of: list[list[int]] = [[] for _ in self.rows]
        for seat, order in enumerate(self.order_of):
            self.seats_of[order].append(seat)
        self.person_of = [NOBODY] * len(self.order_of)

    def mate_person(self, seat: int) -> int:
        """Who sits on the other seat of this seat's order, or NOBODY."""
        for other in self.seats_of[self.order_of[seat]]:
            if other != seat:
                return self.person_of[other]
        return NOBODY


class _Left(NamedTuple):
    """Where a seat was before a move; NOBODY for the seat that had no place yet."""

    seat: int
    person: int
    chair: int


class _Start:
    """Step 1: serve orders one by one; every order served stays served."""

    def __init__(self, instance: _Instance, capacity: Sequence[int], stream: Stream) -> None:
        self.instance, self.stream = instance, stream
        self.room = list(capacity)
        self.chairs: list[list[int]] = [[] for _ in capacity]
        self.closed = [False] * len(capacity)  # no search that enters here can end well, ever
        self.narrow = [0] * len(capacity)  # the last search for a second seat that died here
        self.narrow_count = 0
        self.searches = 0

    def serve(self, order: int) -> None:
        """Seat `order`, moving others if need be, or leave it over and everything as it was."""
        seats = self.instance.seats_of[order]
        if len(seats) == 2 and self._is_known_narrow(order):
            return
        moves = self._seat(seats[0], first=True)
        if moves and len(seats) == 2 and not self._seat(seats[1], first=False):
            self._undo(moves)

    def _is_known_narrow(self, order: int) -> bool:
        """Whether every open person of the order lies where one seat, but not two, could be had."""
        open_marks = {self.narrow[p] for p in self.instance.rows[order] if not self.closed[p]}
        return len(open_marks) == 1 and 0 not in open_marks

    def _seat(self, seat: int, first: bool) -> list[_Left]:
        """Seat one seat. Returns what moved, the newly filled chair first; nothing if there is no way."""
        row = self.instance.rows[self.instance.order_of[seat]]
        mate = self.instance.mate_person(seat)
        roomy = [person for person in row if self.room[person] > 0 and person != mate]
        if roomy:
            return self._move_along([(seat, roomy[self.stream.below(len(roomy))])])
        self.searches += 1
        path = self._search(seat, first)
        return self._move_along(path) if path else []

    def _search(self, seat: int, first: bool) -> list[tuple[int, int]]:
        """Breadth first over persons. Returns the (seat, person) moves that end in a free chair, last first."""
        entered_by: dict[int, int] = {}
        expanded: set[int] = set()  # orders: each is expanded once
        queue: deque[int] = deque()
        found = self._expand(seat, entered_by, expanded, queue)
        while found == NOBODY and queue:
            for mover in self.chairs[queue.popleft()]:
                if found == NOBODY and self.instance.order_of[mover] not in expanded:
                    found = self._expand(mover, entered_by, expanded, queue)
        if found == NOBODY:
            self._close(list(entered_by), first)
            return []
        path = [(entered_by[found], found)]
        while path[-1][0] != seat:
            left = self.instance.person_of[path[-1][0]]
            path.append((entered_by[left], left))
        return path

    def _expand(self, mover: int, entered_by: dict[int, int], expanded: set[int], queue: deque[int]) -> int:
        """Enter whom `mover` could go to, its list read from a random place on. Returns one with room."""
        order = self.instance.order_of[mover]
        expanded.add(order)
        row, mate = self.instance.rows[order], self.instance.mate_person(mover)
        turn = self.stream.below(len(row)) if row else 0
        for person in row[turn:] + row[:turn]:
            if person == mate or self.closed[person] or person in entered_by:
                continue
            entered_by[person] = mover
            if self.room[person] > 0:
                return person
            queue.append(person)
        return NOBODY

    def _close(self, persons: list[int], first: bool) -> None:
        if not first:
            self.narrow_count += 1
        for person in persons:
            if first:
                self.closed[person] = True
            else:
                self.narrow[person] = self.narrow_count

    def _move_along(self, path: list[tuple[int, int]]) -> list[_Left]:
        """Seat each (seat, person) of `path`: the first in a new chair, each next one in the chair just left."""
        self.room[path[0][1]] -= 1
        self.chairs[path[0][1]].append(NOBODY)
        chair = len(self.chairs[path[0][1]]) - 1
        moves = []
        for seat, person in path:
            left = self.instance.person_of[seat]
            moves.append(_Left(seat, left, self.chairs[left].index(seat) if left != NOBODY else NOBODY))
            self.chairs[person][chair] = seat
            self.instance.person_of[seat] = person
            chair = moves[-1].chair
        return moves

    def _undo(self, moves: list[_Left]) -> None:
        last = self.instance.person_of[moves[0].seat]
        self.chairs[last].pop()
        self.room[last] += 1
        for seat, person, chair in moves:
            self.instance.person_of[seat] = person
            if person != NOBODY:
                self.chairs[person][chair] = seat


class _Walker:
    """Steps 2 and 3: loads are frozen, seats change places by walks from a lifted seat to its chair."""

    def __init__(self, instance: _Instance, persons: int) -> None:
        self.instance = instance
        seated = [seat for seat, person in enumerate(instance.person_of) if person != NOBODY]
        self.chairs = sorted(seated, key=lambda seat: instance.person_of[seat])
        self.load = [0] * persons
        for seat in seated:
            self.load[instance.person_of[seat]] += 1
        self.first_chair = [sum(self.load[:person]) for person in range(persons)]
        self.rows = [[person for person in row if self.load[person] > 0] for row in instance.rows]
        self.limit = LIMIT_A_NODE * (len(seated) + persons) + LIMIT_AT_LEAST
        self.walks = self.steps = self.undone = 0

    def walk(self, stream: Stream) -> None:
        """Lift a uniform seat and let it and whom it displaces choose until the empty chair is taken."""
        chairs, person_of = self.chairs, self.instance.person_of
        before = list(chairs), list(person_of)
        empty = stream.below(len(chairs))
        hand = chairs[empty]
        home = person_of[hand]
        self.walks += 1
        for _ in range(self.limit):
            self.steps += 1
            row = self.rows[self.instance.order_of[hand]]
            person = row[stream.below(len(row))]
            if person == self.instance.mate_person(hand):
                continue
            if person == home:
                chairs[empty], person_of[hand] = hand, home
                return
            chair = self.first_chair[person] + stream.below(self.load[person])
            person_of[hand] = person
            chairs[chair], hand = hand, chairs[chair]
        self.undone += 1
        self.chairs[:], self.instance.person_of[:] = before


def draw_detailed(
    indptr: Sequence[int],
    indices: Sequence[int],
    team_size: Sequence[int],
    capacity: Sequence[int],
    tier: Sequence[int],
    key: bytes,
) -> Draw:
    """The draw, with what a supervisor or a test wants to know about it. See `docs/draw.md`."""
    instance = _Instance(indptr, indices, team_size)
    service_order = _permute(list(range(len(team_size))), Stream(key, nonce(SERVICE)), 32)
    service_order.sort(key=lambda order: tier[order])  # stable: random within a tier
    start = _Start(instance, capacity, Stream(key, nonce(START)))
    for order in service_order:
        start.serve(order)
    pilot, walker = _mix(instance, len(capacity), key)
    _order_teams(instance, Stream(key, nonce(TEAM)))
    return Draw(
        seats=instance.person_of,
        service_order=service_order,
        walks=walker.walks,
        steps=walker.steps,
        undone=walker.undone,
        pilot_walks=pilot.walks,
        pilot_steps=pilot.steps,
        searches=start.searches,
    )


def _mix(instance: _Instance, persons: int, key: bytes) -> tuple[_Walker, _Walker]:
    """A pilot fixes the number of walks, its moves are taken back, then exactly so many are walked."""
    begin = list(instance.person_of)
    pilot, walker = _Walker(instance, persons), _Walker(instance, persons)
    seated = len(pilot.chairs)
    if seated == 0:
        return pilot, walker
    stream = Stream(key, nonce(PILOT))
    least_steps = max(PILOT_STEPS_AT_LEAST, -(-seated // PILOT_SEATS_A_STEP))
    while pilot.walks < PILOT_WALKS or pilot.steps < least_steps:
        pilot.walk(stream)
    instance.person_of[:] = begin
    wanted_steps = STEPS_A_SEAT * seated + STEPS_AT_LEAST
    walks = max(WALKS_AT_LEAST, -(-wanted_steps * pilot.walks // pilot.steps))
    stream = Stream(key, nonce(WALK))
    for _ in range(walks):
        walker.walk(stream)
    return pilot, walker


def _order_teams(instance: _Instance, stream: Stream) -> None:
    """Which of a team's two persons is named first is a coin toss: walks alone need not mix it."""
    for seats in instance.seats_of:
        if len(seats) == 2 and instance.person_of[seats[0]] != NOBODY and stream.below(2):
            first, second = seats
            persons = instance.person_of
            persons[first], persons[second] = persons[second], persons[first]


def draw(
    indptr: Sequence[int],
    indices: Sequence[int],
    team_size: Sequence[int],
    capacity: Sequence[int],
    tier: Sequence[int],
    key: bytes,
) -> list[int]:
    """The person of each seat, orders in turn; -1 on every seat of an order left over."""
    return draw_detailed(indptr, indices, team_size, capacity, tier, key).seats


def hall_certificate(
    indptr: Sequence[int],
    indices: Sequence[int],
    team_size: Sequence[int],
    capacity: Sequence[int],
    outcome: Draw,
    order: int,
) -> tuple[list[int], list[int]]:
    """Why `order` was left over: orders and persons, both ascending, that prove it by counting.

    The orders (`order` itself and some served before it) must take from these persons, each order,
    its team size less its eligible persons elsewhere; together that is more than the persons'
    capacities. It is the smallest such set, and depends on the inputs and on who was served before, not
    on who sits where.
    """
    instance = _Instance(indptr, indices, team_size)
    start = _Start(instance, capacity, Stream(bytes(32), NONCE_PLAIN))
    rank = {other: place for place, other in enumerate(outcome.service_order)}
    for seat, person in enumerate(outcome.seats):
        if person != NOBODY and rank[instance.order_of[seat]] < rank[order]:
            start._move_along([(seat, person)])
    for number, seat in enumerate(instance.seats_of[order]):
        if not start._seat(seat, first=number == 0):
            break
    marked = start.closed if instance.person_of[instance.seats_of[order][0]] == NOBODY else start.narrow
    persons = [person for person, mark in enumerate(marked) if mark]
    seated = {instance.order_of[seat] for person in persons for seat in start.chairs[person]}
    return sorted(seated | {order}), persons
