"""Step 1 of the draw: serve orders one by one; every order served stays served."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from assign._state cimport NOBODY, Left, State, assign_below32, assign_stream, mate_person


cdef inline void move_along(State *s, int32_t seat, int32_t person, int32_t *moved) noexcept nogil:
    """Seat `seat` at `person`, who has room, and then, chair by chair, those who made way for it.

    Follows `entered_by` back from `person`; `s.left[0:moved]` says what moved.
    """
    cdef int32_t count = 0, mover
    cdef int64_t chair
    s.room[person] -= 1
    chair = s.base[person] + s.filled[person]
    s.filled[person] += 1
    while True:
        mover = s.entered_by[person]
        s.left[count].seat = mover
        s.left[count].person = s.person_of[mover]
        s.left[count].chair = s.chair_of[mover]
        s.chairs[chair] = mover
        s.chair_of[mover] = <int32_t>chair
        s.person_of[mover] = person
        person = s.left[count].person
        chair = s.left[count].chair
        count += 1
        if mover == seat:
            moved[0] = count
            return


cdef inline void undo(State *s, int32_t moved) noexcept nogil:
    """Take back `move_along`."""
    cdef int32_t i, person = s.person_of[s.left[0].seat]
    cdef Left was
    s.filled[person] -= 1
    s.room[person] += 1
    for i in range(moved):
        was = s.left[i]
        s.person_of[was.seat] = was.person
        if was.person != NOBODY:
            s.chairs[was.chair] = was.seat
            s.chair_of[was.seat] = was.chair


cdef inline int32_t expand(
    State *s, assign_stream *stream, int32_t mover, int32_t *queued
) noexcept nogil:
    """Enter whom `mover` could go to, its list read from a random place on. Returns one with room."""
    cdef int32_t order = s.order_of[mover], degree = s.degree[order], mate = mate_person(s, mover)
    cdef int32_t i, person
    cdef const int32_t *row = s.eligible + s.row[order]
    cdef int32_t turn = 0
    s.expanded[order] = s.stamp
    if degree > 0:
        turn = <int32_t>assign_below32(stream, degree)
    for i in range(degree):
        person = row[turn]
        turn += 1
        if turn == degree:
            turn = 0
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
    """Breadth first over persons. Returns one with room, or NOBODY; `queue` holds all who were entered."""
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


cdef inline void close_persons(State *s, bint first, int32_t queued) noexcept nogil:
    """After a failed search: no later one can end well in here, or not for two seats of one order."""
    cdef int32_t i
    if not first:
        s.narrow_count += 1
    for i in range(queued):
        if first:
            s.closed[s.queue[i]] = 1
        else:
            s.narrow[s.queue[i]] = s.narrow_count


cdef inline int32_t random_roomy(State *s, assign_stream *stream, int32_t seat) noexcept nogil:
    """A uniform eligible person with room who is not the mate, or NOBODY."""
    cdef int32_t order = s.order_of[seat], mate = mate_person(s, seat), i, person, roomy = 0
    cdef const int32_t *row = s.eligible + s.row[order]
    for i in range(s.degree[order]):
        person = row[i]
        if s.room[person] > 0 and person != mate:
            s.queue[roomy] = person
            roomy += 1
    return s.queue[assign_below32(stream, roomy)] if roomy else <int32_t>NOBODY


cdef inline int32_t seat_one(State *s, assign_stream *stream, int32_t seat, bint first) noexcept nogil:
    """Seat one seat. Returns how many seats moved (`s.left` says which); 0 if there is no way."""
    cdef int32_t queued = 0, moved = 0, person = random_roomy(s, stream, seat)
    if person != NOBODY:
        s.entered_by[person] = seat
    else:
        s.searches += 1
        person = search(s, stream, seat, &queued)
        if person == NOBODY:
            close_persons(s, first, queued)
            return 0
    move_along(s, seat, person, &moved)
    return moved


cdef inline bint is_known_narrow(const State *s, int32_t order) noexcept nogil:
    """Whether every open person of the order lies where one seat, but not two, could be had."""
    cdef int32_t i, person, mark = 0
    cdef const int32_t *row = s.eligible + s.row[order]
    for i in range(s.degree[order]):
        person = row[i]
        if s.closed[person]:
            continue
        if s.narrow[person] == 0 or (mark and s.narrow[person] != mark):
            return False
        mark = s.narrow[person]
    return mark != 0


cdef inline void serve(State *s, assign_stream *stream, int32_t order) noexcept nogil:
    """Seat `order`, moving others if need be, or leave it over and everything as it was."""
    cdef int32_t seat = s.first_seat[order], moved
    cdef bint is_team = s.first_seat[order + 1] - seat == 2
    if is_team and is_known_narrow(s, order):
        return
    moved = seat_one(s, stream, seat, True)
    if moved and is_team and not seat_one(s, stream, seat + 1, False):
        undo(s, moved)
