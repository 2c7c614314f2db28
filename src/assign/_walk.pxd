"""Steps 2 and 3 of the draw: loads are frozen, seats change places by walks."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

from assign._state cimport NOBODY, Place, Sitter, State, assign_below32, assign_stream, get_person, put_person

cdef enum:
    LIMIT_A_NODE = 16  # a walk longer than this times (seats with a person + persons) ...
    LIMIT_AT_LEAST = 1024  # ... plus this is undone


cdef inline void freeze_loads(State *s) noexcept nogil:
    """Fix each person's load, and drop from each order's list whoever has none."""
    cdef int32_t person, order, kept, i, chairs = 0
    cdef bint is_any_idle = False
    for person in range(s.persons):
        s.place[person].first = chairs
        s.place[person].load = s.filled[person]
        chairs += s.filled[person]
        is_any_idle |= s.filled[person] == 0
    s.seated = chairs
    s.limit = LIMIT_A_NODE * (<int64_t>chairs + s.persons) + LIMIT_AT_LEAST
    if not is_any_idle:
        return
    for order in range(s.orders):
        kept = 0
        for i in range(s.degree[order]):
            person = get_person(s, s.row[order] + i)
            put_person(s, s.row[order] + kept, person)
            kept += s.place[person].load > 0
        s.degree[order] = kept


cdef inline void take_chairs(State *s, assign_stream *stream) noexcept nogil:
    """Fill the chair table, persons in turn, each one's seats ascending; then each seat makes a choice."""
    cdef int32_t seat, person, order, chair
    cdef Sitter *sitter
    memset(s.filled, 0, s.persons * sizeof(int32_t))
    for seat in range(s.seats):
        person = s.person_of[seat]
        if person == NOBODY:
            continue
        order = s.order_of[seat]
        chair = s.place[person].first + s.filled[person]
        s.filled[person] += 1
        s.owner[chair] = person
        sitter = s.sitters + chair
        sitter.row = <int32_t>s.row[order]
        sitter.degree = s.degree[order] if s.mate[seat] == NOBODY else -s.degree[order]
        sitter.seat = seat
    for chair in range(s.seated):
        choose(s, stream, s.sitters + chair)


cdef inline void choose(const State *s, assign_stream *stream, Sitter *sitter) noexcept nogil:
    """A uniform eligible person, then a uniform one of that person's chairs."""
    cdef int32_t degree = sitter.degree if sitter.degree > 0 else -sitter.degree
    cdef Place place = s.place[get_person(s, sitter.row + assign_below32(stream, degree))]
    sitter.choice = place.first + <int32_t>assign_below32(stream, place.load)


cdef inline void leave_chairs(State *s) noexcept nogil:
    """Note for each seat whose chair it is on."""
    cdef int32_t chair
    for chair in range(s.seated):
        s.person_of[s.sitters[chair].seat] = s.owner[chair]


cdef inline void take_back(State *s, Sitter hand, int64_t changes, int32_t empty) noexcept nogil:
    """Undo an unfinished walk, latest change first. Choices not yet used stay with their seats."""
    cdef int32_t chair
    cdef Sitter last
    while changes > 0:
        changes -= 1
        chair = s.journal[changes]
        last = s.sitters[chair]
        s.person_of[hand.seat] = s.owner[chair]
        s.sitters[chair] = hand
        hand = last
    s.person_of[hand.seat] = s.owner[empty]
    s.sitters[empty] = hand


cdef inline int64_t walk(State *s, assign_stream *stream, int64_t *undone) noexcept nogil:
    """Lift a uniform seat and let it, and whom it displaces, move until the empty chair is taken.

    Returns the number of steps. One step waits for one load, the displaced sitter: choosing anew for the
    seat that sits down runs beside it. `person_of` is kept for teams alone.
    """
    cdef int32_t empty = <int32_t>assign_below32(stream, s.seated)
    cdef Sitter hand = s.sitters[empty], displaced
    cdef Place home = s.place[s.owner[empty]]
    cdef int32_t chair
    cdef int64_t step, changes = 0
    for step in range(1, s.limit + 1):
        chair = hand.choice
        choose(s, stream, &hand)
        if hand.degree < 0:
            if s.person_of[s.mate[hand.seat]] == s.owner[chair]:
                continue
            s.person_of[hand.seat] = s.owner[chair]
        if <uint32_t>(chair - home.first) < <uint32_t>home.load:
            s.sitters[empty] = hand
            return step
        displaced = s.sitters[chair]
        s.sitters[chair] = hand
        s.journal[changes] = chair
        changes += 1
        hand = displaced
    take_back(s, hand, changes, empty)
    undone[0] += 1
    return s.limit


cdef inline void order_teams(State *s, assign_stream *stream) noexcept nogil:
    """Which of a team's two persons is named first is a coin toss: walks alone need not mix it."""
    cdef int32_t order, seat, person
    for order in range(s.orders):
        seat = s.first_seat[order]
        if s.first_seat[order + 1] - seat == 2 and s.person_of[seat] != NOBODY:
            if assign_below32(stream, 2):
                person = s.person_of[seat]
                s.person_of[seat] = s.person_of[seat + 1]
                s.person_of[seat + 1] = person
