"""Whatever order logs, forks and old requests come in, what a witness cosigns is one history that only grows."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from witness_site import COSIGNER, ORIGIN, Desk, Log

from assign.log.checkpoint import parse_checkpoint
from assign.log.merkle import root_of
from assign.log.note import parse_note
from server.witness.judge import Refused
from server.witness.request import AddCheckpoint

SIZE = 11
HISTORIES = {b"": Log(SIZE), b"a": Log(SIZE, twist=b"a"), b"b": Log(SIZE, twist=b"b")}
_SIZES = st.integers(0, SIZE)
# Of which history, from which size (None: from what the witness says), to which, with the proof of which history.
_STEPS = st.tuples(st.sampled_from([*HISTORIES]), st.none() | _SIZES, _SIZES, st.sampled_from([*HISTORIES]))


@settings(max_examples=150, deadline=None)
@given(st.lists(_STEPS, max_size=25))
def test_one_history(steps: list[tuple[bytes, int | None, int, bytes]]) -> None:
    """Every two checkpoints that were ever cosigned are beginnings of one log, and the later one is no smaller."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder) / "w.db")
        cosigned: list[tuple[int, bytes]] = []
        for name, old, new, proving in steps:
            log, known = HISTORIES[name], desk.judge.sizes()[ORIGIN]
            base = known if old is None else old
            proof = HISTORIES[proving].proof(base, new) if 0 < base <= new else ()
            body = AddCheckpoint(base, proof, parse_note(log.note(new))).encode()
            try:
                line = desk.judge.cosign(body)
            except Refused as refused:
                assert refused.status in {400, 409, 422}  # noqa: PT017 - a refusal is one of two good outcomes
                continue
            assert COSIGNER.witness().verify(log.checkpoint(new).encode(), line.value)
            checkpoint = parse_checkpoint(parse_note(log.note(new)).text)
            cosigned.append((checkpoint.size, checkpoint.root))
        desk.state.close()
    assert [size for size, _ in cosigned] == sorted(size for size, _ in cosigned)
    assert any(all(root == root_of(log.leaves[:size]) for size, root in cosigned) for log in HISTORIES.values())
