"""The draw's working state: plain C structs, pointers into one workspace owned by `_core`."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "core/stream.h" nogil:
    ctypedef struct assign_chacha20:
        pass
    ctypedef struct assign_stream:
        pass
    void assign_chacha20_init(assign_chacha20 *cipher, const uint8_t *key, const uint8_t *nonce)
    void assign_chacha20_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks)
    void assign_wipe(void *memory, size_t size)
    void assign_stream_init(assign_stream *stream, const uint8_t *key, const uint8_t *nonce)
    uint32_t assign_below32(assign_stream *stream, uint32_t bound)
    uint64_t assign_below64(assign_stream *stream, uint64_t bound)

    enum:
        ASSIGN_BATCH
    uint32_t assign_places(assign_stream *stream, uint64_t last, uint32_t *places)

cdef extern from "core/workspace.h" nogil:
    void *assign_allocate(size_t size)
    void assign_free(void *memory)
    void assign_prefetch(const void *memory)

cdef extern from "core/chacha20_paths.h" nogil:
    enum:
        ASSIGN_PATHS
    bint assign_path_available(int path)
    void assign_select_path(int path)

cdef enum:
    NOBODY = -1

# A seat on its chair: all that a step of a walk waits for. `choice` is the chair it will go for next;
# `degree` is negative for a seat of a team.
cdef struct Sitter:
    int32_t row
    int32_t degree
    int32_t seat
    int32_t choice

# Where a person's chairs lie among `sitters`, and how many there are.
cdef struct Place:
    int32_t first
    int32_t load

cdef struct State:
    int32_t orders
    int32_t persons
    int32_t seats
    int64_t *row            # [orders + 1] first edge of each order
    int32_t *degree         # [orders] edges of each order; fewer once loads are frozen
    void *eligible          # [edges] persons, an order's edges in a row; see get_person
    int32_t *first_seat     # [orders + 1]
    int32_t *order_of       # [seats]
    int32_t *person_of      # [seats]
    int32_t *mate           # [seats] the other seat of a team, or NOBODY
    int32_t *turn           # [orders] service order
    int32_t *choosing       # [orders] seating order
    uint8_t *served         # [orders]
    # start
    int32_t *room           # [persons]
    int64_t *base           # [persons + 1] first chair of each person
    int32_t *filled         # [persons]
    int32_t *chairs         # [base[persons]] seats
    int32_t *chair_of       # [seats] absolute chair of each seat
    uint32_t *price         # [persons] how far a person is left to others: PRICE_ONE, less if sought after
    uint64_t *demand        # [persons] expected seats under these prices, in 1 / SEAT_ONE
    uint32_t *pull          # [persons] weight of a person whose chairs are all free
    uint32_t *weight        # [persons] weight now; 0 without room
    uint64_t *running       # [persons] running sums of an order's weights
    uint8_t *closed         # [persons]
    int32_t *narrow         # [persons]
    int32_t narrow_count
    int32_t searches
    # search: stamps spare clearing
    int32_t stamp
    int32_t *entered        # [persons] stamp of the search that entered this person
    int32_t *entered_by     # [persons] seat
    int32_t *expanded       # [orders] stamp
    int32_t *queue          # [persons]
    # walks
    Place *place            # [persons]
    int32_t *owner          # [seated] person of each chair
    Sitter *sitters         # [seated]
    int32_t seated
    int64_t limit
    int32_t *journal        # [limit] chairs in the order in which they changed hands


cdef enum:
    SHORT_PERSONS = 65536


cdef inline int32_t get_person(const State *s, int64_t edge) noexcept nogil:
    """The person at `edge`, in two bytes where they suffice: what a walk waits for is memory."""
    if s.persons <= SHORT_PERSONS:
        return (<const uint16_t *>s.eligible)[edge]
    return (<const int32_t *>s.eligible)[edge]


cdef inline void put_person(State *s, int64_t edge, int32_t person) noexcept nogil:
    if s.persons <= SHORT_PERSONS:
        (<uint16_t *>s.eligible)[edge] = <uint16_t>person
    else:
        (<int32_t *>s.eligible)[edge] = person


cdef inline int32_t mate_person(const State *s, int32_t seat) noexcept nogil:
    """Who sits on the other seat of this seat's order, or NOBODY."""
    cdef int32_t mate = s.mate[seat]
    return s.person_of[mate] if mate >= 0 else <int32_t>NOBODY
