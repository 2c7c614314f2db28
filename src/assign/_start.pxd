"""Steps 1 and 2 of the draw: who is served, and a random seating from which each person's load is read."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from assign._state cimport (
    NOBODY,
    SHORT_PERSONS,
    State,
    assign_below32,
    assign_below64,
    assign_prefetch,
    assign_stream,
    get_person,
    mate_person,
)


cdef inline void clear_seats(State *s) noexcept nogil:
    """Nobody is seated; `room` is the capacities again."""
    cdef int32_t seat, person
    for person in range(s.persons):
        s.room[person] += s.filled[person]
        s.filled[person] = 0
    for seat in range(s.seats):
        s.person_of[seat] = NOBODY


cdef inline void move_along(State *s, int32_t seat, int32_t person) noexcept nogil:
    """Seat at `person`, who has room, who came from there, and so on back to `seat`.

    Follows `entered_by`; each one takes the chair that the one before it left.
    """
    cdef int32_t mover, left
    cdef int32_t chair = <int32_t>(s.base[person] + s.filled[person]), left_chair
    s.room[person] -= 1
    s.filled[person] += 1
    while True:
        mover = s.entered_by[person]
        left = s.person_of[mover]
        left_chair = s.chair_of[mover]
        s.chairs[chair] = mover
        s.chair_of[mover] = chair
        s.person_of[mover] = person
        if mover == seat:
            return
        person = left
        chair = left_chair


cdef inline void unseat(State *s, int32_t seat) noexcept nogil:
    """Free the chair of `seat`; the person's last seat moves up."""
    cdef int32_t person = s.person_of[seat], chair = s.chair_of[seat], last
    s.filled[person] -= 1
    s.room[person] += 1
    last = s.chairs[s.base[person] + s.filled[person]]
    s.chairs[chair] = last
    s.chair_of[last] = chair
    s.person_of[seat] = NOBODY


cdef inline int32_t expand(
    State *s, assign_stream *stream, int32_t mover, int32_t *queued
) noexcept nogil:
    """Enter whom `mover` could go to, its list read from a random place on. Returns one with room."""
    cdef int32_t order = s.order_of[mover], degree = s.degree[order], mate = mate_person(s, mover)
    cdef int32_t i, person, at = 0
    cdef int64_t row = s.row[order]
    s.expanded[order] = s.stamp
    if stream != NULL and degree > 0:
        at = <int32_t>assign_below32(stream, degree)
    for i in range(degree):
        person = get_person(s, row + at)
        at += 1
        if at == degree:
            at = 0
        if person == mate or s.closed[person] or s.entered[person] == s.stamp:
            continue
        s.entered[person] = s.stamp
        s.entered_by[person] = mover
        if s.room[person] > 0:
            return person
        s.queue[queued[0]] = person
        queued[0] += 1
    return NOBODY


cdef inline int32_t search(
    State *s, assign_stream *stream, int32_t seat, int32_t *queued
) noexcept nogil:
    """Breadth first over persons. Returns one with room, or NOBODY; `queue` holds all who were entered.

    Without a stream lists are read from their beginning.
    """
    cdef int32_t found, head = 0, person, mover
    cdef int64_t chair
    queued[0] = 0
    s.stamp += 1
    found = expand(s, stream, seat, queued)
    while found == NOBODY and head < queued[0]:
        person = s.queue[head]
        head += 1
        for chair in range(s.base[person], s.base[person] + s.filled[person]):
            mover = s.chairs[chair]
            if s.expanded[s.order_of[mover]] != s.stamp:
                found = expand(s, stream, mover, queued)
                if found != NOBODY:
                    break
    return found


# -- step 1: who is served -----------------------------------------------------------------------


cdef inline void close_persons(State *s, bint is_second, int32_t queued) noexcept nogil:
    """After a failed search: no later one can end well in here, or not for two seats of one order."""
    cdef int32_t i
    s.narrow_count += is_second
    for i in range(queued):
        if is_second:
            s.narrow[s.queue[i]] = s.narrow_count
        else:
            s.closed[s.queue[i]] = 1


cdef inline bint is_known_narrow(const State *s, int32_t order) noexcept nogil:
    """Whether every open person of the order lies where one seat, but not two, could be had."""
    cdef int32_t i, person, mark = 0
    cdef int64_t row = s.row[order]
    for i in range(s.degree[order]):
        person = get_person(s, row + i)
        if s.closed[person]:
            continue
        if s.narrow[person] == 0 or (mark and s.narrow[person] != mark):
            return False
        mark = s.narrow[person]
    return mark != 0


cdef inline bint serve(State *s, int32_t order) noexcept nogil:
    """Seat `order`, moving others if need be; False if there is no way. Marks spare hopeless searches."""
    cdef int32_t first = s.first_seat[order], end = s.first_seat[order + 1], seat, person, queued
    if end - first == 2 and is_known_narrow(s, order):
        return False
    for seat in range(first, end):
        person = search(s, NULL, seat, &queued)
        if person == NOBODY:
            close_persons(s, seat != first, queued)
            if seat != first:
                unseat(s, first)
            return False
        move_along(s, seat, person)
    return True


# -- step 2: a random seating of those served ----------------------------------------------------

cdef enum:
    PRICE_BITS = 12
    SEAT_BITS = 24
    PRICE_PASSES = 2


cdef inline void add_demand(State *s, int32_t order, bint is_even) noexcept nogil:
    """Share the order's seats among its eligible persons in proportion to their prices.

    `is_even` says that all prices are still 1, so that they need not be read.
    """
    cdef int32_t i, person, degree = s.degree[order]
    cdef int64_t row = s.row[order]
    cdef uint64_t total = 0, share
    if degree == 0:
        return
    if is_even:
        total = <uint64_t>degree << PRICE_BITS
    else:
        for i in range(degree):
            total += s.price[get_person(s, row + i)]
    share = (<uint64_t>(s.first_seat[order + 1] - s.first_seat[order]) << (SEAT_BITS + PRICE_BITS)) // total
    for i in range(degree):
        person = get_person(s, row + i)
        s.demand[person] += share if is_even else share * s.price[person] >> PRICE_BITS


cdef inline bint set_prices(State *s) noexcept nogil:
    """Cut the price of whoever is wanted beyond his capacity. False if every price was 1 and stays so."""
    cdef int32_t person
    cdef uint64_t ratio, price
    cdef bint is_changed = False
    for person in range(s.persons):
        ratio = (<uint64_t>s.room[person] << SEAT_BITS) // max(<uint64_t>1, s.demand[person] >> PRICE_BITS)
        price = s.price[person] * min(ratio, <uint64_t>1 << 40) >> PRICE_BITS
        price = max(<uint64_t>1, min(<uint64_t>1 << PRICE_BITS, price))
        is_changed |= price != s.price[person]
        s.price[person] = <uint32_t>price
    return is_changed


cdef inline void set_pulls(State *s) noexcept nogil:
    """Prices that bring demand within capacity, and pulls that make expected loads follow demand.

    A person who takes seats at a rate `pull * free chairs / capacity` ends with the load
    `capacity * (1 - exp(-pull))`, which is the demand if `pull = -ln(1 - r)`, r = demand / capacity.
    Relative to r that is close to (6 - 3r) / (6 - 6r + r^2), the Pade approximant, which stays finite at 1.
    """
    cdef int32_t i, person, turn
    cdef uint64_t capacity, r
    for person in range(s.persons):
        s.price[person] = 1 << PRICE_BITS
    for turn in range(PRICE_PASSES):
        memset(s.demand, 0, s.persons * sizeof(uint64_t))
        for i in range(s.orders):
            if s.served[i]:
                add_demand(s, i, turn == 0)
        if not set_prices(s):
            break  # the next pass would find the same
    for person in range(s.persons):
        capacity = max(1, s.room[person])
        r = min(<uint64_t>1 << PRICE_BITS, s.demand[person] // (capacity << (SEAT_BITS - PRICE_BITS)))
        s.pull[person] = <uint32_t>(
            (s.price[person] * ((6 << PRICE_BITS) - 3 * r) << PRICE_BITS)
            // ((6 << 2 * PRICE_BITS) - (6 * r << PRICE_BITS) + r * r)
        )
        set_weight(s, person)


cdef inline void set_weight(State *s, int32_t person) noexcept nogil:
    """In proportion to the free share of the person's chairs, at least 1 where there is room."""
    cdef uint64_t room = s.room[person]
    cdef uint64_t weight = 0
    if room > 0:
        weight = max(<uint64_t>1, s.pull[person] * room // (room + <uint64_t>s.filled[person]))
    s.weight[person] = <uint32_t>weight


cdef inline void expect(const State *s, int32_t order) noexcept nogil:
    """Bring the order's list into the cache ahead of its turn."""
    assign_prefetch(<const char *>s.eligible + s.row[order] * (2 if s.persons <= SHORT_PERSONS else 4))


cdef inline int32_t random_roomy(State *s, assign_stream *stream, int32_t seat) noexcept nogil:
    """An eligible person with room who is not the mate, by weight, or NOBODY."""
    cdef int32_t order = s.order_of[seat], mate = mate_person(s, seat), i, person, degree = s.degree[order]
    cdef int64_t row = s.row[order]
    cdef uint64_t total = 0, mark
    for i in range(degree):
        person = get_person(s, row + i)
        if person != mate:
            total += s.weight[person]
        s.running[i] = total
    if total == 0:
        return NOBODY
    mark = assign_below64(stream, total)
    i = 0
    while s.running[i] <= mark:
        i += 1
    return get_person(s, row + i)


cdef inline bint seat_at_random(State *s, assign_stream *stream, int32_t order) noexcept nogil:
    """Seat `order` with random persons who have room, or moving others; False if there is no way."""
    cdef int32_t seat, person, queued
    for seat in range(s.first_seat[order], s.first_seat[order + 1]):
        person = random_roomy(s, stream, seat)
        if person != NOBODY:
            s.entered_by[person] = seat
        else:
            s.searches += 1
            person = search(s, stream, seat, &queued)
            if person == NOBODY:
                return False
        move_along(s, seat, person)
        set_weight(s, person)
    return True
