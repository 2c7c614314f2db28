# cython: language_level=3
"""The compiled core: keystream, shuffle and the constrained draw. `docs/draw.md` is its specification.

Everything a caller can get wrong is refused here with InvalidInput; below this door nothing checks.
"""

from typing import NamedTuple

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from assign._intake cimport (
    CAPACITY_NEGATIVE,
    EDGE_DUPLICATE,
    FINE,
    INDPTR_END,
    INDPTR_ORDER,
    INDPTR_START,
    PERSON_OUT_OF_RANGE,
    TEAM_LARGER_THAN_POOL,
    TEAM_SIZE,
    Fault,
    begin,
    check_orders,
    lay_out_inputs,
    lay_out_work,
    take_edges,
)
from assign._plan cimport STEPS_A_SEAT, Health, mix, open_stream, order_teams_by_key, permute, set_turn, start
from assign._start cimport move_along, search
from assign._state cimport (
    ASSIGN_BATCH,
    NOBODY,
    State,
    assign_allocate,
    assign_chacha20,
    assign_chacha20_blocks,
    assign_chacha20_init,
    assign_free,
    assign_path_available,
    assign_places,
    assign_select_path,
    assign_stream,
    assign_stream_init,
    assign_wipe,
    get_person,
)

from assign.errors import InvalidInput

cnp.import_array()

ALGORITHM = "frozen-chair-walk/v1"

_PATHS = ("portable", "avx2", "avx512")

cdef enum:
    BLOCK_BYTES = 64
    KEY_BYTES = 32

cdef int64_t MAX_KEYSTREAM_BYTES = <int64_t>64 << 32  # the block counter has 32 bits
cdef int64_t MAX_SHUFFLE = (<int64_t>1 << 32) - 1
cdef int64_t MAX_ITEMS = (<int64_t>1 << 31) - 1


class Draw(NamedTuple):
    """One draw's outcome and how it was reached.

    Attributes:
        seats: int32[seats], person of each seat, orders in turn; -1 on every seat of an order left over.
        service_order: int32[n], the orders in the turn in which they were served or refused.
        walks, steps, undone: mixing walks, their steps, and walks that were too long and undone.
        pilot_walks, pilot_steps: the same of the pilot that fixed the number of walks.
        searches: seats for which others had to be moved, or could not be.
    """

    seats: object
    service_order: object
    walks: int
    steps: int
    undone: int
    pilot_walks: int
    pilot_steps: int
    searches: int


def available_paths():
    """The ways of computing the keystream that this processor has, slowest first."""
    return tuple(name for number, name in enumerate(_PATHS) if assign_path_available(number))


def select_path(name):
    """Compute the keystream this way from now on, in the whole process. The bytes are the same on each.

    Raises:
        InvalidInput: CORE_PATH (unknown, or this processor does not have it).
    """
    if name not in available_paths():
        raise InvalidInput("CORE_PATH", f"This processor has the paths {', '.join(available_paths())}.")
    assign_select_path(_PATHS.index(name))


select_path(next(reversed(available_paths())))


# -- keystream and shuffle -----------------------------------------------------------------------


cdef const uint8_t *key_bytes(object key) except NULL:
    if type(key) is not bytes or len(<bytes>key) != KEY_BYTES:
        raise InvalidInput("DRAW_KEY", "A draw key is bytes of length 32.", field="key")
    return <const uint8_t *><const char *><bytes>key


cdef int64_t whole_number(object value, int64_t largest, str reason, str field) except -1:
    if type(value) is not int or not 0 <= value <= largest:
        raise InvalidInput(reason, f"This must be an integer within 0..{largest}.", field=field)
    return value


def keystream(key, length):
    """The first `length` bytes of ChaCha20 (RFC 8439) under `key`, nonce 0, counter 0.

    Raises:
        InvalidInput: DRAW_KEY, KEYSTREAM_LENGTH (over 2^38 bytes, or not an integer).
    """
    cdef const uint8_t *secret = key_bytes(key)
    cdef int64_t size = whole_number(length, MAX_KEYSTREAM_BYTES, "KEYSTREAM_LENGTH", "length")
    cdef int64_t whole = size // BLOCK_BYTES
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size)
    cdef uint8_t *out = <uint8_t *><char *>result
    cdef uint8_t last[BLOCK_BYTES]
    cdef uint8_t nonce[12]
    cdef assign_chacha20 cipher
    with nogil:
        memset(nonce, 0, sizeof(nonce))
        assign_chacha20_init(&cipher, secret, nonce)
        assign_chacha20_blocks(&cipher, out, whole)
        if size % BLOCK_BYTES:
            assign_chacha20_blocks(&cipher, last, 1)
            memcpy(out + whole * BLOCK_BYTES, last, size % BLOCK_BYTES)
            assign_wipe(last, sizeof(last))
        assign_wipe(&cipher, sizeof(cipher))
    return result


cdef extern from "Python.h":
    bytes PyBytes_FromStringAndSize(const char *source, Py_ssize_t size)


def shuffle(n, key):
    """A uniform permutation of 0 .. n-1 as uint32[n].

    Fisher-Yates from the last place down, each index from 64-bit words of `keystream(key, ...)` by
    Lemire's unbiased method (arXiv 1805.10941).

    Raises:
        InvalidInput: DRAW_KEY, SHUFFLE_SIZE (over 2^32 - 1, or not an integer).
    """
    cdef const uint8_t *secret = key_bytes(key)
    cdef int64_t size = whole_number(n, MAX_SHUFFLE, "SHUFFLE_SIZE", "n")
    cdef cnp.npy_intp length = size
    result = cnp.PyArray_SimpleNew(1, &length, cnp.NPY_UINT32)
    cdef uint32_t *items = <uint32_t *>cnp.PyArray_DATA(result)
    cdef uint8_t nonce[12]
    cdef assign_stream stream
    with nogil:
        memset(nonce, 0, sizeof(nonce))
        assign_stream_init(&stream, secret, nonce)
        fisher_yates(items, size, &stream)
        assign_wipe(&stream, sizeof(stream))
    return result


cdef void fisher_yates(uint32_t *items, int64_t size, assign_stream *stream) noexcept nogil:
    cdef uint32_t places[ASSIGN_BATCH]
    cdef int64_t last = size - 1, i
    cdef uint32_t count, k, item
    for i in range(size):
        items[i] = <uint32_t>i
    while last > 0:
        count = assign_places(stream, last, places)
        for k in range(count):
            item = items[last]
            items[last] = items[places[k]]
            items[places[k]] = item
            last -= 1


# -- the door: arrays in -------------------------------------------------------------------------


cdef object checked(object array, object dtype, str name):
    """`array` itself if it is a plain one-dimensional array of exactly this type."""
    if not isinstance(array, np.ndarray):
        raise InvalidInput("ARRAY_TYPE", f"`{name}` must be a NumPy array.", field=name)
    if array.dtype != dtype:
        raise InvalidInput("ARRAY_DTYPE", f"`{name}` must be {np.dtype(dtype).name}.", field=name)
    if array.ndim != 1:
        raise InvalidInput("ARRAY_SHAPE", f"`{name}` must have one dimension.", field=name)
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise InvalidInput("ARRAY_LAYOUT", f"`{name}` must be contiguous and aligned.", field=name)
    if array.shape[0] > MAX_ITEMS:
        raise InvalidInput("ARRAY_TOO_LONG", f"`{name}` has over 2^31 - 1 items.", field=name)
    return array


cdef object of_length(object array, int64_t length, str name):
    if array.shape[0] != length:
        message = f"`{name}` has {array.shape[0]} items where the other arrays need {length}."
        raise InvalidInput("ARRAY_SHAPE", message, field=name)
    return array


FAULTS = {
    INDPTR_START: ("INDPTR_START", "indptr", "`indptr` must begin with 0."),
    INDPTR_ORDER: ("INDPTR_ORDER", "indptr", "`indptr` must never fall."),
    INDPTR_END: ("INDPTR_END", "indptr", "`indptr` must end with the number of `indices`."),
    TEAM_SIZE: ("TEAM_SIZE", "team_size", "An order needs one or two persons."),
    TEAM_LARGER_THAN_POOL: (
        "TEAM_LARGER_THAN_POOL",
        "team_size",
        "A team of two needs at least two eligible persons; widen the pool or take the order out.",
    ),
    CAPACITY_NEGATIVE: ("CAPACITY_NEGATIVE", "capacity", "A capacity is zero or more."),
    PERSON_OUT_OF_RANGE: ("PERSON_OUT_OF_RANGE", "indices", "An eligible person is not in `capacity`."),
    EDGE_DUPLICATE: ("EDGE_DUPLICATE", "indices", "A person is listed twice for one order."),
}


cdef void raise_fault(Fault fault, int64_t at) except *:
    reason, name, message = FAULTS[fault]
    raise InvalidInput(reason, message, field=f"{name}[{at}]")


cdef class Instance:
    """A checked instance and its workspace. Each input is read once, and what was checked is what is used:
    no other thread can change it in between."""

    cdef State s
    cdef void *inputs
    cdef void *work

    def __cinit__(self, indptr, indices, team_size, capacity):
        cdef const int64_t[::1] row = checked(indptr, np.int64, "indptr")
        cdef const int32_t[::1] eligible = checked(indices, np.int32, "indices")
        cdef const uint8_t[::1] team = checked(team_size, np.uint8, "team_size")
        cdef const int32_t[::1] room = checked(capacity, np.int32, "capacity")
        cdef State *s = &self.s
        cdef int64_t edges = eligible.shape[0], orders = team.shape[0], seats, at = 0
        cdef Fault fault
        of_length(indptr, orders + 1, "indptr")
        seats = np.sum(team_size, dtype=np.int64)
        if seats > MAX_ITEMS:
            raise InvalidInput("ARRAY_TOO_LONG", "There are over 2^31 - 1 seats.", field="team_size")
        s.orders, s.persons, s.seats = <int32_t>orders, <int32_t>room.shape[0], <int32_t>seats
        self.inputs = allocate(<size_t>lay_out_inputs(s, NULL, edges))
        with nogil:
            lay_out_inputs(s, <char *>self.inputs, edges)
            memcpy(s.row, &row[0], (orders + 1) * sizeof(int64_t))
            if s.persons:
                memcpy(s.room, &room[0], s.persons * sizeof(int32_t))
            fault = check_orders(s, edges, &team[0] if orders else NULL, &at)
            if fault == FINE:
                fault = take_edges(s, &eligible[0] if edges else NULL, &at)
        if fault != FINE:
            raise_fault(fault, at)
        self.work = allocate(<size_t>lay_out_work(s, NULL))
        with nogil:
            lay_out_work(s, <char *>self.work)
            begin(s)

    def __dealloc__(self):
        assign_free(self.inputs)
        assign_free(self.work)


cdef void *allocate(size_t size) except NULL:
    cdef void *memory = assign_allocate(size)
    if memory == NULL:
        raise MemoryError
    return memory


# -- the draw ------------------------------------------------------------------------------------


def draw_detailed(indptr, indices, team_size, capacity, tier, key, *, steps_a_seat=STEPS_A_SEAT):
    """The draw, with what a supervisor or a test wants to know about it; arguments as for `draw`."""
    cdef const uint8_t *secret = key_bytes(key)
    cdef Instance instance = Instance(indptr, indices, team_size, capacity)
    cdef State *s = &instance.s
    checked(tier, np.int32, "tier")
    of_length(tier, s.orders, "tier")
    tier = np.array(tier)
    if s.orders and tier.min() < 0:
        raise InvalidInput("TIER_NEGATIVE", "A tier is zero or more; 0 is served first.", field="tier")
    cdef const int32_t[::1] tiers = tier
    cdef int64_t mixing = whole_number(steps_a_seat, 1 << 20, "STEPS_A_SEAT", "steps_a_seat")
    cdef Health health = Health(0, 0, 0, 0, 0)
    with nogil:
        if s.orders:
            set_turn(s, secret, &tiers[0])
            start(s, secret)
            mix(s, secret, mixing, &health)
            order_teams_by_key(s, secret)
    return Draw(
        seats=copied(s.person_of, s.seats),
        service_order=copied(s.turn, s.orders),
        walks=health.walks,
        steps=health.steps,
        undone=health.undone,
        pilot_walks=health.pilot_walks,
        pilot_steps=health.pilot_steps,
        searches=s.searches,
    )


cdef object copied(const int32_t *items, int64_t count):
    result = np.empty(count, dtype=np.int32)
    cdef int32_t[::1] view = result
    if count:
        memcpy(&view[0], items, count * sizeof(int32_t))
    return result


def draw(indptr, indices, team_size, capacity, tier, key):
    """The person of each seat, orders in turn: int32[sum(team_size)].

    -1 on every seat of an order left over: a team of two is served whole or not at all.

    Args:
        indptr: int64[n + 1], where each order's eligible persons begin in `indices` (CSR).
        indices: int32[edges], persons 0 .. m-1, no person twice for one order.
        team_size: uint8[n], 1 or 2; a team's persons are different.
        capacity: int32[m], seats each person can take, zero or more.
        tier: int32[n], zero or more; tier 0 is served first.
        key: 32 bytes.

    Raises:
        InvalidInput: the arrays are not of these types and shapes, or contradict each other.
    """
    return draw_detailed(indptr, indices, team_size, capacity, tier, key).seats


def reserve_orders(indptr, indices, key):
    """Each order's eligible persons in a uniform order of its own, independent of the draw.

    Args:
        indptr: int64[n + 1], indices: int32[edges]: CSR as for `draw`.
        key: the draw's 32 bytes; the streams are separate from the draw's own.

    Returns:
        int32[edges], the rows of `indices`, each one permuted.

    Raises:
        InvalidInput: DRAW_KEY, or the arrays are not of these types and shapes.
    """
    cdef const uint8_t *secret = key_bytes(key)
    checked(indptr, np.int64, "indptr")
    checked(indices, np.int32, "indices")
    cdef int64_t orders = indptr.shape[0] - 1, order
    if orders < 0 or indptr[0] != 0:
        raise_fault(INDPTR_START, 0)
    row = np.array(indptr)
    if orders and np.diff(row).min() < 0:
        raise_fault(INDPTR_ORDER, int(np.argmin(np.diff(row))))
    if row[orders] != indices.shape[0]:
        raise_fault(INDPTR_END, orders)
    result = np.array(indices)
    cdef const int64_t[::1] rows = row
    cdef int32_t[::1] view = result
    cdef assign_stream stream
    with nogil:
        for order in range(orders):
            if rows[order + 1] - rows[order] > 1:
                open_stream(&stream, secret, b"rsrv", order)
                permute(&view[rows[order]], rows[order + 1] - rows[order], &stream)
        assign_wipe(&stream, sizeof(stream))
    return result


def hall_certificate(indptr, indices, team_size, capacity, outcome, order):
    """Why `order` was left over: orders and persons that prove it by counting.

    The orders (`order` itself and some served before it) must take from these persons, each order,
    its team size less its eligible persons elsewhere; together that is more than the persons'
    capacities. It is the smallest such set, and depends on the inputs and on who was served before,
    not on who sits where.

    Args:
        outcome: the `Draw` of the same arrays.
        order: an order left over in it.

    Returns:
        (int32[...] orders, int32[...] persons), both ascending.

    Raises:
        InvalidInput: ORDER_SERVED, OUTCOME_MISMATCH, or the arrays are bad as for `draw`.
    """
    cdef Instance instance = Instance(indptr, indices, team_size, capacity)
    cdef State *s = &instance.s
    cdef int32_t wanted = <int32_t>whole_number(order, s.orders - 1, "ORDER_OUT_OF_RANGE", "order")
    cdef const int32_t[::1] seats = of_length(checked(outcome.seats, np.int32, "outcome.seats"), s.seats, "outcome.seats")
    cdef const int32_t[::1] turn = of_length(
        checked(outcome.service_order, np.int32, "outcome.service_order"), s.orders, "outcome.service_order"
    )
    if seats[s.first_seat[wanted]] != NOBODY:
        raise InvalidInput("ORDER_SERVED", "This order was served: there is nothing to explain.", field="order")
    cdef int32_t place, other, seat, person, queued = 0
    for place in range(s.orders):
        other = turn[place]
        if other == wanted:
            break
        if not seat_again(s, other, &seats[0]):
            raise InvalidInput("OUTCOME_MISMATCH", "This outcome is not of these arrays.", field="outcome")
    with nogil:
        seat = s.first_seat[wanted]
        person = search(s, NULL, seat, &queued)
        if person != NOBODY and s.mate[seat] != NOBODY:
            move_along(s, seat, person)
            person = search(s, NULL, seat + 1, &queued)
    if person != NOBODY:
        raise InvalidInput("OUTCOME_MISMATCH", "This order could have been served.", field="outcome")
    persons = np.sort(copied(s.queue, queued))
    orders = np.flatnonzero(copied(s.expanded, s.orders) == s.stamp).astype(np.int32)
    return orders, persons


cdef bint seat_again(State *s, int32_t order, const int32_t *seats) noexcept nogil:
    """Seat an order where the outcome has it; False if it cannot sit there."""
    cdef int32_t seat, person
    cdef int64_t edge
    if order < 0 or order >= s.orders:
        return False
    for seat in range(s.first_seat[order], s.first_seat[order + 1]):
        person = seats[seat]
        if person == NOBODY:
            continue
        for edge in range(s.row[order], s.row[order + 1]):
            if get_person(s, edge) == person:
                break
        else:
            return False
        if s.person_of[seat] != NOBODY or s.room[person] == 0:
            return False
        s.entered_by[person] = seat
        move_along(s, seat, person)
    return True
