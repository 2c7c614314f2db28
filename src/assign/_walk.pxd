"""Steps 2 and 3 of the draw: loads are frozen, seats change places by walks."""

from libc.stdint cimport int32_t, int64_t

from assign._state cimport NOBODY, Place, Sitter, State, assign_below32, assign_stream, get_person, put_person


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
    if not is_any_idle:
        return
    for order in range(s.orders):
        kept = 0
        for i in range(s.degree[order]):
            person = get_person(s, s.row[order] + i)
            put_person(s, s.row[order] + kept, person)
            kept += s.place[person].load > 0
        s.degree[order] = kept


cdef inline void take_chairs(State *s) noexcept nogil:
    """Fill the chair table: persons in turn, each one's seats ascending."""
    cdef int32_t seat, person, order
    cdef Sitter *sitter
    for person in range(s.persons):
        s.filled[person] = 0
    for seat in range(s.seats):
        person = s.person_of[seat]
        if person == NOBODY:
            continue
        order = s.order_of[seat]
        sitter = s.sitters + s.place[person].first + s.filled[person]
        s.filled[person] += 1
        sitter.row = s.row[order]
        sitter.degree = s.degree[order]
        sitter.seat = seat


cdef inline void take_back(State *s, Sitter hand, int64_t changes, int32_t empty, int32_t home) noexcept nogil:
    """Undo an unfinished walk, latest change first."""
    cdef int32_t chair
    cdef Sitter last
    while changes > 0:
        changes -= 1
        chair = s.journal[changes]
        last = s.sitters[chair]
        s.person_of[hand.seat] = s.person_of[last.seat]
        s.sitters[chair] = hand
        hand = last
    s.person_of[hand.seat] = home
    s.sitters[empty] = hand


cdef inline int64_t walk(State *s, assign_stream *stream, int64_t *undone) noexcept nogil:
    """Lift a uniform seat and let it and whom it displaces choose until the empty chair is taken.

    Returns the number of steps.
    """
    cdef int32_t empty = <int32_t>assign_below32(stream, s.seated)
    cdef Sitter hand = s.sitters[empty], next_hand
    cdef Place place
    cdef int32_t home = s.person_of[hand.seat], person, mate, chair
    cdef int64_t step, changes = 0
    for step in range(1, s.limit + 1):
        person = get_person(s, hand.row + assign_below32(stream, hand.degree))
        mate = s.mate[hand.seat]
        if mate >= 0 and s.person_of[mate] == person:
            continue
        if person == home:
            s.sitters[empty] = hand
            s.person_of[hand.seat] = home
            return step
        place = s.place[person]
        chair = place.first + <int32_t>assign_below32(stream, place.load)
        next_hand = s.sitters[chair]
        s.sitters[chair] = hand
        s.person_of[hand.seat] = person
        s.journal[changes] = chair
        changes += 1
        hand = next_hand
    take_back(s, hand, changes, empty, home)
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
