"""The draw as a whole: which stream serves which step, and in what order the steps run."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from assign._start cimport clear_seats, expect, seat_at_random, serve, set_pulls
from assign._state cimport State, assign_below32, assign_stream, assign_stream_init, assign_wipe
from assign._walk cimport freeze_loads, leave_chairs, order_teams, take_chairs, walk

cdef enum:
    STEPS_A_SEAT = 8
    STEPS_AT_LEAST = 2048
    WALKS_AT_LEAST = 16
    PILOT_WALKS = 16
    PILOT_STEPS_AT_LEAST = 64
    AHEAD = 4  # orders whose lists are fetched ahead of their turn


cdef struct Health:
    int64_t walks
    int64_t steps
    int64_t undone
    int64_t pilot_walks
    int64_t pilot_steps


cdef inline void open_stream(assign_stream *stream, const uint8_t *key, const char *tag, int64_t index) noexcept nogil:
    """The stream of one use of the key: its nonce is `tag` and `index`, little-endian."""
    cdef uint8_t nonce[12]
    cdef int i
    memcpy(nonce, tag, 4)
    for i in range(8):
        nonce[4 + i] = <uint8_t>(index >> (8 * i))
    assign_stream_init(stream, key, nonce)


cdef inline void permute(int32_t *items, int64_t size, assign_stream *stream) noexcept nogil:
    """Fisher-Yates from the last place down, in 32-bit words."""
    cdef int64_t last
    cdef int32_t item
    cdef uint32_t other
    for last in range(size - 1, 0, -1):
        other = assign_below32(stream, <uint32_t>(last + 1))
        item = items[last]
        items[last] = items[other]
        items[other] = item


cdef inline void sort_stable(int32_t *items, int32_t *spare, int64_t count, const int32_t *rank) noexcept nogil:
    """Radix sort of `items` by `rank[item]` (0 or more), a byte at a time, bytes all alike passed over."""
    cdef int32_t *source = items
    cdef int32_t *target = spare
    cdef int32_t *swap
    cdef int64_t first[257]
    cdef int64_t i
    cdef int32_t shift, byte
    for shift in range(0, 32, 8):
        memset(first, 0, sizeof(first))
        for i in range(count):
            first[(rank[items[i]] >> shift & 255) + 1] += 1
        if count and first[(rank[items[0]] >> shift & 255) + 1] == count:
            continue
        for i in range(256):
            first[i + 1] += first[i]
        for i in range(count):
            byte = rank[source[i]] >> shift & 255
            target[first[byte]] = source[i]
            first[byte] += 1
        swap = source
        source = target
        target = swap
    if source != items:
        memcpy(items, source, count * sizeof(int32_t))


cdef inline void set_turn(State *s, const uint8_t *key, const int32_t *tier) noexcept nogil:
    """The service order: by tier, keyed random within a tier."""
    cdef assign_stream stream
    cdef int32_t i
    for i in range(s.orders):
        s.turn[i] = i
    open_stream(&stream, key, b"turn", 0)
    permute(s.turn, s.orders, &stream)
    assign_wipe(&stream, sizeof(stream))
    sort_stable(s.turn, s.expanded, s.orders, tier)
    memset(s.expanded, 0, s.orders * sizeof(int32_t))


cdef inline bint seat_all(State *s, const uint8_t *key) noexcept nogil:
    """Step 2: seat whoever is served, in a random order. False if that is not possible."""
    cdef assign_stream stream
    cdef int32_t i, order
    cdef bint is_seated = True
    clear_seats(s)
    set_pulls(s)
    s.searches = 0
    open_stream(&stream, key, b"seat", 0)
    for i in range(s.orders):
        s.choosing[i] = i
    permute(s.choosing, s.orders, &stream)
    for i in range(s.orders):
        if i + AHEAD < s.orders:
            expect(s, s.choosing[i + AHEAD])
        order = s.choosing[i]
        if s.served[order] and not seat_at_random(s, &stream, order):
            is_seated = False
            break
    assign_wipe(&stream, sizeof(stream))
    return is_seated


cdef inline void start(State *s, const uint8_t *key) noexcept nogil:
    """Steps 1 and 2. Most often all can be served, and then step 2 alone shows it."""
    cdef int64_t chairs = 0
    cdef int32_t i
    memset(s.served, 1, s.orders)
    for i in range(s.persons):
        chairs += s.room[i]
    if chairs >= s.seats and seat_all(s, key):
        return
    clear_seats(s)
    for i in range(s.orders):
        s.served[s.turn[i]] = serve(s, s.turn[i])
    memset(s.closed, 0, s.persons)
    seat_all(s, key)


cdef inline void mix(State *s, const uint8_t *key, int64_t steps_a_seat, Health *health) noexcept nogil:
    """Steps 2 and 3: a pilot fixes the number of walks, is taken back, then exactly so many are walked."""
    cdef assign_stream stream
    cdef int64_t least_steps, wanted_steps, pilot_undone = 0, walks
    freeze_loads(s)
    if s.seated == 0 or steps_a_seat == 0:
        return
    open_stream(&stream, key, b"pilt", 0)
    take_chairs(s, &stream)
    least_steps = max(<int64_t>PILOT_STEPS_AT_LEAST, <int64_t>s.seated)
    while health.pilot_walks < PILOT_WALKS or health.pilot_steps < least_steps:
        health.pilot_steps += walk(s, &stream, &pilot_undone)
        health.pilot_walks += 1
    wanted_steps = steps_a_seat * s.seated + STEPS_AT_LEAST
    # ceil(wanted_steps * pilot_walks / pilot_steps), in parts so that no product overflows.
    walks = wanted_steps % health.pilot_steps * health.pilot_walks + health.pilot_steps - 1
    walks = wanted_steps // health.pilot_steps * health.pilot_walks + walks // health.pilot_steps
    health.walks = max(<int64_t>WALKS_AT_LEAST, walks)
    restore_start(s)
    open_stream(&stream, key, b"walk", 0)
    take_chairs(s, &stream)
    for walks in range(health.walks):
        health.steps += walk(s, &stream, &health.undone)
    leave_chairs(s)
    assign_wipe(&stream, sizeof(stream))


cdef inline void restore_start(State *s) noexcept nogil:
    """Seat everyone where the start's chairs have them."""
    cdef int32_t person, chair
    for person in range(s.persons):
        for chair in range(s.place[person].load):
            s.person_of[s.chairs[s.base[person] + chair]] = person


cdef inline void order_teams_by_key(State *s, const uint8_t *key) noexcept nogil:
    cdef assign_stream stream
    open_stream(&stream, key, b"team", 0)
    order_teams(s, &stream)
    assign_wipe(&stream, sizeof(stream))
