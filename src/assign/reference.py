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

from assign.reference_stream import NONCE_PLAIN, Stream, keystream, nonce, permute, shuffle

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

# One tag for each use of the draw key: no two uses share keystream.
TURN, SEAT, PILOT, WALK, TEAM, RESERVE = b"turn", b"seat", b"pilt", b"walk", b"team", b"rsrv"

PRICE_BITS = 12  # prices and pulls are fixed-point: 1 is 2^12
SEAT_BITS = 24  # expected loads are too: one seat is 2^24
PRICE_PASSES = 2
STEPS_A_SEAT = 8  # mixing: steps for each seat ...
STEPS_AT_LEAST = 2048  # ... and for the draw as a whole, so that small draws mix fully too
WALKS_AT_LEAST = 16
PILOT_WALKS = 16  # the pilot walks at least this often and takes one step for each seat, ...
PILOT_STEPS_AT_LEAST = 64  # ... and at least so many
LIMIT_A_NODE = 16  # a walk longer than this times (seats + persons) ...
LIMIT_AT_LEAST = 1024  # ... plus this is undone

NOBODY = -1


def reserve_orders(indptr: Sequence[int], indices: Sequence[int], key: bytes) -> list[int]:
    """Each order's eligible persons in a uniform order of its own: the rows of `indices`, permuted."""
    result: list[int] = []
    for order in range(len(indptr) - 1):
        row = list(indices[indptr[order] : indptr[order + 1]])
        result += permute(row, Stream(key, nonce(RESERVE, order)), 32)
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


class _Seating:
    """Who sits on whose chairs. Without a stream every choice is the first possible one."""

    def __init__(self, instance: _Instance, capacity: Sequence[int], stream: Stream | None) -> None:
        self.instance, self.stream = instance, stream
        asked_for = [0] * len(capacity)  # nobody needs more chairs than orders list him
        for row in instance.rows:
            for person in row:
                asked_for[person] += 1
        self.capacity = [min(pair) for pair in zip(capacity, asked_for, strict=True)]
        self.room = list(self.capacity)
        self.chairs: list[list[int]] = [[] for _ in capacity]
        self.pull = [1] * len(capacity)
        self.searches = 0
        instance.person_of[:] = [NOBODY] * len(instance.person_of)

    def seat_order(self, order: int) -> bool:
        """Seat `order`, moving others if need be. If there is no way for all its seats, seat none."""
        for seat in self.instance.seats_of[order]:
            path = self.path(seat)
            if not path:
                self._unseat(order)
                return False
            self.move_along(path)
        return True

    def path(self, seat: int) -> list[tuple[int, int]]:
        """Moves (seat, person) that seat `seat`; the first goes to a person with room, the last is its own.

        A random eligible person with room if there is one; else the end of a search for others to move.
        """
        roomy = self._random_roomy(seat)
        if roomy != NOBODY:
            return [(seat, roomy)]
        self.searches += 1
        found, entered_by = self.search(seat)
        if found == NOBODY:
            return []
        path = [(entered_by[found], found)]
        while path[-1][0] != seat:
            left = self.instance.person_of[path[-1][0]]
            path.append((entered_by[left], left))
        return path

    def _random_roomy(self, seat: int) -> int:
        """An eligible person with room who is not the mate, by weight, or NOBODY."""
        mate = self.instance.mate_person(seat)
        row = [person for person in self.instance.rows[self.instance.order_of[seat]] if person != mate]
        weights = [self._weight(person) for person in row]
        if sum(weights) == 0:
            return NOBODY
        mark = self._below(sum(weights), bits=64)
        for person, weight in zip(row, weights, strict=True):
            if mark < weight:
                return person
            mark -= weight
        raise AssertionError("a mark below the sum lies in one of its parts")

    def _weight(self, person: int) -> int:
        """The pull in proportion to the free share of the person's chairs, at least 1 where there is room."""
        if self.room[person] == 0:
            return 0
        return max(1, self.pull[person] * self.room[person] // self.capacity[person])

    def search(self, seat: int) -> tuple[int, dict[int, int]]:
        """Breadth first over persons: one with room, or NOBODY, and by which seat each was entered."""
        entered_by: dict[int, int] = {}
        expanded: set[int] = set()  # orders: each is expanded once
        queue: deque[int] = deque()
        found = self._expand(seat, entered_by, expanded, queue)
        while found == NOBODY and queue:
            for mover in self.chairs[queue.popleft()]:
                if found == NOBODY and self.instance.order_of[mover] not in expanded:
                    found = self._expand(mover, entered_by, expanded, queue)
        return found, entered_by

    def _expand(self, mover: int, entered_by: dict[int, int], expanded: set[int], queue: deque[int]) -> int:
        """Enter whom `mover` could go to, its list read from a random place on. Returns one with room."""
        order = self.instance.order_of[mover]
        expanded.add(order)
        row, mate = self.instance.rows[order], self.instance.mate_person(mover)
        turn = self._below(len(row)) if row else 0
        for person in row[turn:] + row[:turn]:
            if person == mate or person in entered_by:
                continue
            entered_by[person] = mover
            if self.room[person] > 0:
                return person
            queue.append(person)
        return NOBODY

    def _below(self, bound: int, bits: int = 32) -> int:
        return self.stream.below(bound, bits) if self.stream else 0

    def move_along(self, path: list[tuple[int, int]]) -> None:
        """Seat each (seat, person) of `path`: the first in a new chair, each next one in the chair just left."""
        self.room[path[0][1]] -= 1
        self.chairs[path[0][1]].append(NOBODY)
        chair = len(self.chairs[path[0][1]]) - 1
        for seat, person in path:
            left = self.instance.person_of[seat]
            left_chair = self.chairs[left].index(seat) if left != NOBODY else NOBODY
            self.chairs[person][chair] = seat
            self.instance.person_of[seat] = person
            chair = left_chair

    def _unseat(self, order: int) -> None:
        for seat in self.instance.seats_of[order]:
            person = self.instance.person_of[seat]
            if person != NOBODY:
                self.chairs[person].remove(seat)
                self.room[person] += 1
                self.instance.person_of[seat] = NOBODY


class _Walker:
    """Step 3: loads are frozen, seats change places by walks from a lifted seat to its empty chair.

    Each seat carries its next choice, a chair of a random eligible person, made when the one before it
    was used. The law is that of choosing when lifted; but a machine need not wait for the choice.
    """

    def __init__(self, instance: _Instance, persons: int, stream: Stream) -> None:
        self.instance, self.stream = instance, stream
        seated = [seat for seat, person in enumerate(instance.person_of) if person != NOBODY]
        self.chairs = sorted(seated, key=lambda seat: instance.person_of[seat])
        self.owner = [instance.person_of[seat] for seat in self.chairs]
        self.load = [self.owner.count(person) for person in range(persons)]
        self.first_chair = [sum(self.load[:person]) for person in range(persons)]
        self.rows = [[person for person in row if self.load[person] > 0] for row in instance.rows]
        self.limit = LIMIT_A_NODE * (len(seated) + persons) + LIMIT_AT_LEAST
        self.walks = self.steps = self.undone = 0
        self.choice = [NOBODY] * len(instance.person_of)
        for seat in self.chairs:
            self._choose(seat)

    def _choose(self, seat: int) -> None:
        """A uniform eligible person, then a uniform one of that person's chairs."""
        row = self.rows[self.instance.order_of[seat]]
        person = row[self.stream.below(len(row))]
        self.choice[seat] = self.first_chair[person] + self.stream.below(self.load[person])

    def walk(self) -> None:
        """Lift a uniform seat and let it, and whom it displaces, move until the empty chair is taken."""
        chairs, person_of = self.chairs, self.instance.person_of
        before = list(chairs), list(person_of)
        empty = self.stream.below(len(chairs))
        hand = chairs[empty]
        self.walks += 1
        for _ in range(self.limit):
            self.steps += 1
            chair = self.choice[hand]
            self._choose(hand)
            person = self.owner[chair]
            if person == self.instance.mate_person(hand):
                continue
            if person == self.owner[empty]:
                chairs[empty], person_of[hand] = hand, person
                return
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
    service_order = permute(list(range(len(team_size))), Stream(key, nonce(TURN)), 32)
    service_order.sort(key=lambda order: tier[order])  # stable: random within a tier
    served = _served(instance, capacity, service_order)
    stream = Stream(key, nonce(SEAT))
    seating = _Seating(instance, capacity, stream)
    seating.pull = _pulls(instance, seating.capacity, served)
    for order in permute(list(range(len(team_size))), stream, 32):
        if order in served:
            seating.seat_order(order)  # always possible: all of `served` can be seated together
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
        searches=seating.searches,
    )


def _served(instance: _Instance, capacity: Sequence[int], service_order: list[int]) -> set[int]:
    """Step 1: each order in turn is served if it can be added, moving others and unserving none.

    The set depends on the service order alone, not on who is seated where on the way.
    """
    seating = _Seating(instance, capacity, stream=None)
    return {order for order in service_order if seating.seat_order(order)}


def _pulls(instance: _Instance, capacity: list[int], served: set[int]) -> list[int]:
    """How strongly each person draws seats, so that loads follow an even demand that fits the capacities.

    Each order shares its seats among its persons in proportion to their prices; who is sought beyond
    his capacity has his price cut. A person who takes seats at a rate `pull * free chairs / capacity`
    ends with about `capacity * (1 - exp(-pull))`, which is the demand if `pull = -ln(1 - r)`, with r =
    demand / capacity. Relative to r that is close to (6 - 3r) / (6 - 6r + r^2), which is finite at 1.
    """
    one = 1 << PRICE_BITS
    prices, demand = [one] * len(capacity), [0] * len(capacity)
    for _ in range(PRICE_PASSES):
        demand = [0] * len(capacity)
        for order in served:
            row, size = instance.rows[order], len(instance.seats_of[order])
            share = (size << SEAT_BITS + PRICE_BITS) // sum(prices[person] for person in row)
            for person in row:
                demand[person] += share * prices[person] >> PRICE_BITS
        for person, chairs in enumerate(capacity):
            ratio = min((chairs << SEAT_BITS) // max(1, demand[person] >> PRICE_BITS), 1 << 40)
            prices[person] = max(1, min(one, prices[person] * ratio >> PRICE_BITS))
    pulls = []
    for price, wanted, chairs in zip(prices, demand, capacity, strict=True):
        r = min(one, wanted // (max(1, chairs) << SEAT_BITS - PRICE_BITS))
        pulls.append((price * (6 * one - 3 * r) << PRICE_BITS) // (6 * one * one - 6 * one * r + r * r))
    return pulls


def _mix(instance: _Instance, persons: int, key: bytes) -> tuple[_Walker, _Walker]:
    """A pilot fixes the number of walks, its moves are taken back, then exactly so many are walked."""
    begin = list(instance.person_of)
    pilot = _Walker(instance, persons, Stream(key, nonce(PILOT)))
    seated = len(pilot.chairs)
    while seated and (pilot.walks < PILOT_WALKS or pilot.steps < max(PILOT_STEPS_AT_LEAST, seated)):
        pilot.walk()
    instance.person_of[:] = begin
    walker = _Walker(instance, persons, Stream(key, nonce(WALK)))
    if seated:
        wanted_steps = STEPS_A_SEAT * seated + STEPS_AT_LEAST
        for _ in range(max(WALKS_AT_LEAST, -(-wanted_steps * pilot.walks // pilot.steps))):
            walker.walk()
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
    seating = _Seating(instance, capacity, stream=None)
    rank = {other: place for place, other in enumerate(outcome.service_order)}
    for seat, person in enumerate(outcome.seats):
        if person != NOBODY and rank[instance.order_of[seat]] < rank[order]:
            seating.move_along([(seat, person)])
    entered_by: dict[int, int] = {}
    for seat in instance.seats_of[order]:
        path = seating.path(seat)
        if not path:
            entered_by = seating.search(seat)[1]
            break
        seating.move_along(path)
    seated = {instance.order_of[seat] for person in entered_by for seat in seating.chairs[person]}
    return sorted(seated | {order}), sorted(entered_by)
