"""The checked instance: where the draw's arrays lie, and what may be in them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from assign._state cimport NOBODY, SHORT_PERSONS, Place, Sitter, State, put_person
from assign._walk cimport LIMIT_A_NODE, LIMIT_AT_LEAST

cdef inline void *place(char **cursor, int64_t items, size_t item_bytes) noexcept nogil:
    """The next cache-aligned part of a workspace that begins at `cursor`."""
    cdef char *here = cursor[0]
    cursor[0] = here + ((<size_t>items * item_bytes + 63) & ~(<size_t>63))
    return here


cdef inline char *lay_out_inputs(State *s, char *cursor, int64_t edges) noexcept nogil:
    """Where the checked copies lie. Returns the end: with NULL as the start, the size."""
    s.row = <int64_t *>place(&cursor, s.orders + <int64_t>1, sizeof(int64_t))
    s.degree = <int32_t *>place(&cursor, s.orders, sizeof(int32_t))
    s.eligible = place(&cursor, edges, sizeof(uint16_t) if s.persons <= SHORT_PERSONS else sizeof(int32_t))
    s.first_seat = <int32_t *>place(&cursor, s.orders + <int64_t>1, sizeof(int32_t))
    s.room = <int32_t *>place(&cursor, s.persons, sizeof(int32_t))
    s.base = <int64_t *>place(&cursor, s.persons + <int64_t>1, sizeof(int64_t))
    s.entered = <int32_t *>place(&cursor, s.persons, sizeof(int32_t))
    return cursor


cdef inline char *lay_out_work(State *s, char *cursor) noexcept nogil:
    """Where the working arrays lie; `base` is known by now."""
    cdef int64_t persons = s.persons, seats = s.seats
    s.order_of = <int32_t *>place(&cursor, seats, sizeof(int32_t))
    s.person_of = <int32_t *>place(&cursor, seats, sizeof(int32_t))
    s.mate = <int32_t *>place(&cursor, seats, sizeof(int32_t))
    s.turn = <int32_t *>place(&cursor, s.orders, sizeof(int32_t))
    s.choosing = <int32_t *>place(&cursor, s.orders, sizeof(int32_t))
    s.served = <uint8_t *>place(&cursor, s.orders, sizeof(uint8_t))
    s.filled = <int32_t *>place(&cursor, persons, sizeof(int32_t))
    s.chairs = <int32_t *>place(&cursor, s.base[persons], sizeof(int32_t))
    s.chair_of = <int32_t *>place(&cursor, seats, sizeof(int32_t))
    s.price = <uint32_t *>place(&cursor, persons, sizeof(uint32_t))
    s.demand = <uint64_t *>place(&cursor, persons, sizeof(uint64_t))
    s.pull = <uint32_t *>place(&cursor, persons, sizeof(uint32_t))
    s.weight = <uint32_t *>place(&cursor, persons, sizeof(uint32_t))
    s.running = <uint64_t *>place(&cursor, persons, sizeof(uint64_t))
    s.closed = <uint8_t *>place(&cursor, persons, sizeof(uint8_t))
    s.narrow = <int32_t *>place(&cursor, persons, sizeof(int32_t))
    s.entered_by = <int32_t *>place(&cursor, persons, sizeof(int32_t))
    s.expanded = <int32_t *>place(&cursor, s.orders, sizeof(int32_t))
    s.queue = <int32_t *>place(&cursor, persons, sizeof(int32_t))
    s.owner = <int32_t *>place(&cursor, seats, sizeof(int32_t))
    s.place = <Place *>place(&cursor, persons, sizeof(Place))
    s.sitters = <Sitter *>place(&cursor, seats, sizeof(Sitter))
    # Walks write only as far as the longest of them goes: the rest never becomes resident.
    s.journal = <int32_t *>place(
        &cursor, LIMIT_A_NODE * (seats + persons) + LIMIT_AT_LEAST, sizeof(int32_t)
    )
    return cursor


cdef enum Fault:
    FINE
    INDPTR_START
    INDPTR_ORDER
    INDPTR_END
    TEAM_SIZE
    TEAM_LARGER_THAN_POOL
    CAPACITY_NEGATIVE
    PERSON_OUT_OF_RANGE
    EDGE_DUPLICATE


cdef inline Fault check_orders(State *s, int64_t edges, const uint8_t *team, int64_t *at) noexcept nogil:
    """Check `row` and the team sizes; fill `degree` and `first_seat`."""
    cdef int64_t i, degree
    cdef int32_t seats = 0
    at[0] = 0
    if s.row[0] != 0:
        return INDPTR_START
    for i in range(s.orders):
        at[0] = i
        degree = s.row[i + 1] - s.row[i]
        if s.row[i + 1] < s.row[i]:
            return INDPTR_ORDER
        if s.row[i + 1] > edges:
            return INDPTR_END
        if team[i] != 1 and team[i] != 2:
            return TEAM_SIZE
        if team[i] == 2 and degree < 2:
            return TEAM_LARGER_THAN_POOL
        s.degree[i] = <int32_t>degree
        s.first_seat[i] = seats
        seats += team[i]
        if seats > s.seats:
            return TEAM_SIZE
    at[0] = s.orders
    s.first_seat[s.orders] = seats
    return FINE if s.row[s.orders] == edges else INDPTR_END


cdef inline Fault take_edges(State *s, const int32_t *eligible, int64_t *at) noexcept nogil:
    """Check capacities and edges; fill `eligible` and `base`: as many chairs as a person can use."""
    cdef int64_t order, edge, chairs = 0
    cdef int32_t person
    for person in range(s.persons):
        at[0] = person
        if s.room[person] < 0:
            return CAPACITY_NEGATIVE
        s.entered[person] = 0
        s.base[person] = 0
    for order in range(s.orders):
        for edge in range(s.row[order], s.row[order + 1]):
            at[0] = edge
            person = eligible[edge]
            if person < 0 or person >= s.persons:
                return PERSON_OUT_OF_RANGE
            if s.entered[person] == order + 1:
                return EDGE_DUPLICATE
            s.entered[person] = <int32_t>(order + 1)
            s.base[person] += 1
            put_person(s, edge, person)
    for person in range(s.persons):
        s.room[person] = min(s.room[person], <int32_t>s.base[person])
        s.base[person] = chairs
        chairs += s.room[person]
    s.base[s.persons] = chairs
    return FINE


cdef inline void begin(State *s) noexcept nogil:
    """Nobody is seated."""
    cdef int32_t order, seat
    for order in range(s.orders):
        for seat in range(s.first_seat[order], s.first_seat[order + 1]):
            s.order_of[seat] = order
            s.person_of[seat] = NOBODY
            s.mate[seat] = NOBODY
        if s.first_seat[order + 1] - s.first_seat[order] == 2:
            seat = s.first_seat[order]
            s.mate[seat] = seat + 1
            s.mate[seat + 1] = seat
    memset(s.filled, 0, s.persons * sizeof(int32_t))
    memset(s.closed, 0, s.persons)
    memset(s.narrow, 0, s.persons * sizeof(int32_t))
    memset(s.entered, 0, s.persons * sizeof(int32_t))
    memset(s.expanded, 0, s.orders * sizeof(int32_t))
    s.narrow_count = s.searches = s.stamp = 0
