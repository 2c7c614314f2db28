"""A witness cosigns what appends to what it saw, and nothing else; each refusal has the status C2SP gives it."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from witness_site import COSIGNER, LOG, NOON, ORIGIN, Desk, Log

from assign.errors import Conflict, Corrupt, InvalidInput, Unavailable
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner, Policy, cosigned_at
from assign.log.lines import encode_base64
from assign.log.note import Note, NoteSigner, Signature, add_signatures, parse_note, sign_note
from server.witness.judge import Judge, Refused
from server.witness.request import AddCheckpoint, origin_hash
from server.witness.state import Seen, WitnessState

SMALL, LARGE = 5, 12
LOG_A = Log(20)
FORKED = Log(20, twist=b"!")
STRANGER = NoteSigner("stranger.example/log", b"S" * 32)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A witness that has cosigned five entries."""
    desk = Desk(tmp_path / "w.db")
    desk.judge.cosign(LOG_A.request(0, SMALL))
    return desk


def refuse(desk: Desk, body: bytes) -> Refused:
    """How a request is refused; what is remembered must not change by it."""
    before = desk.state.seen(ORIGIN)
    with pytest.raises(Refused) as caught:
        desk.judge.cosign(body)
    assert desk.state.seen(ORIGIN) == before
    return caught.value


def request(old: int, proof: tuple[bytes, ...], note: bytes) -> bytes:
    """A request put together by hand."""
    return AddCheckpoint(old, proof, parse_note(note)).encode()


def test_growth_is_cosigned(desk: Desk) -> None:
    """From nothing, then from what was cosigned, with the witness's own time."""
    desk.clock.advance_to(NOON + timedelta(seconds=1.9))
    line = desk.judge.cosign(LOG_A.request(SMALL, LARGE))
    assert cosigned_at(line.value) == int(NOON.timestamp()) + 1
    assert COSIGNER.witness().verify(LOG_A.checkpoint(LARGE).encode(), line.value)
    seen = desk.state.seen(ORIGIN)
    assert seen is not None
    assert (seen.size, seen.root) == (LARGE, LOG_A.checkpoint(LARGE).root)


def test_every_size_to_every_larger_size(tmp_path: Path) -> None:
    """Each honest proof is taken; the same checkpoint again is cosigned again."""
    for old in range(9):
        desk = Desk(tmp_path / f"{old}.db")
        desk.judge.cosign(LOG_A.request(0, old))
        for new in range(old, 9):
            desk.judge.cosign(LOG_A.request(old, new))
            old = new  # noqa: PLW2901 - what is cosigned is the next old size


def test_same_checkpoint_again(desk: Desk) -> None:
    """Nothing to prove, a new time: a log that lost the answer asks again."""
    desk.clock.advance_to(NOON + timedelta(seconds=30))
    line = desk.judge.cosign(LOG_A.request(SMALL, SMALL))
    assert cosigned_at(line.value) == int(NOON.timestamp()) + 30


def test_fork_is_refused(desk: Desk) -> None:
    """Another history from the same beginning, larger or of the same size, whatever proof it brings."""
    for size in (SMALL, SMALL + 1, LARGE):
        for proof in (FORKED.proof(SMALL, size), LOG_A.proof(SMALL, size), ()):
            assert refuse(desk, request(SMALL, proof, FORKED.note(size))).status == 422


def test_roll_back_is_refused(desk: Desk) -> None:
    """A smaller tree is never cosigned after a larger one, and the answer says what was seen."""
    for old, new in ((0, 3), (3, 4), (3, LARGE), (0, LARGE), (4, 4)):
        refused = refuse(desk, LOG_A.request(old, new))
        assert (refused.status, refused.size) == (409, SMALL)
    assert refuse(desk, request(SMALL, (), LOG_A.note(3))).status == 400


def test_replay_is_refused(desk: Desk) -> None:
    """A request that was answered once is stale afterwards."""
    body = LOG_A.request(SMALL, LARGE)
    desk.judge.cosign(body)
    refused = refuse(desk, body)
    assert (refused.status, refused.size) == (409, LARGE)


def test_bad_proofs(desk: Desk) -> None:
    """Too short, too long, in another order, from another size: 422."""
    proof = LOG_A.proof(SMALL, LARGE)
    for bad in (proof[1:], (*proof, bytes(32)), proof[::-1], LOG_A.proof(6, LARGE), ()):
        assert refuse(desk, request(SMALL, bad, LOG_A.note(LARGE))).status == 422
    assert refuse(desk, request(SMALL, (bytes(32),), LOG_A.note(SMALL))).status == 422


def test_proof_from_nothing_is_refused(tmp_path: Path) -> None:
    """Every tree extends the empty one: a proof there is 422."""
    desk = Desk(tmp_path / "w.db")
    assert refuse(desk, request(0, (bytes(32),), LOG_A.note(SMALL))).status == 422


def test_empty_tree(tmp_path: Path) -> None:
    """Its root is fixed; another one is 422, yet only of a known log that signed it."""
    desk = Desk(tmp_path / "w.db")
    text = f"{ORIGIN}\n0\n{encode_base64(bytes(32))}\n".encode()
    assert refuse(desk, request(0, (), sign_note(text, LOG))).status == 422
    assert refuse(desk, request(0, (), sign_note(text, NoteSigner(ORIGIN, b"X" * 32)))).status == 403
    foreign = text.replace(ORIGIN.encode(), STRANGER.name.encode())
    assert refuse(desk, request(0, (), sign_note(foreign, STRANGER))).status == 404
    desk.judge.cosign(LOG_A.request(0, 0))
    desk.judge.cosign(LOG_A.request(0, SMALL))


def test_unknown_origin_is_404(desk: Desk) -> None:
    """Another log, even one that signs properly, or has this log's key as well."""
    assert refuse(desk, Log(3, signer=STRANGER).request(0, 3)).status == 404
    text = replace(LOG_A.checkpoint(LARGE), origin="other.example").encode()
    assert refuse(desk, request(SMALL, LOG_A.proof(SMALL, LARGE), sign_note(text, LOG))).status == 404


def test_wrong_key_is_403(desk: Desk) -> None:
    """No signature of a trusted key, or one that does not hold beside one that does."""
    proof, checkpoint = LOG_A.proof(SMALL, LARGE), LOG_A.checkpoint(LARGE)
    other = sign_checkpoint(checkpoint, NoteSigner(ORIGIN, b"X" * 32))
    assert refuse(desk, request(SMALL, proof, other)).status == 403
    cosigned = sign_note(checkpoint.encode(), STRANGER)
    assert refuse(desk, request(SMALL, proof, cosigned)).status == 403
    own = COSIGNER.cosign(checkpoint, time_seconds=1)
    assert refuse(desk, request(SMALL, proof, Note(checkpoint.encode(), (own,)).encode())).status == 403
    broken = Signature(LOG.name, LOG.key_id, bytes(64))
    assert refuse(desk, request(SMALL, proof, add_signatures(LOG_A.note(LARGE), broken))).status == 403


def test_unknown_signatures_beside_the_logs_are_ignored_and_not_kept(desk: Desk) -> None:
    """Other witnesses' cosignatures may be there; what is served has the log's and our own alone."""
    stranger = Cosigner("other.example/w", b"O" * 32).cosign(LOG_A.checkpoint(LARGE), time_seconds=5)
    note = add_signatures(LOG_A.note(LARGE), stranger)
    desk.judge.cosign(request(SMALL, LOG_A.proof(SMALL, LARGE), note))
    served = desk.judge.latest(origin_hash(ORIGIN))
    assert served is not None
    assert [item.name for item in parse_note(served).signatures] == [ORIGIN, COSIGNER.name]
    policy = Policy((LOG.verifier(),), (COSIGNER.witness(),), 1)
    assert policy.verify(served).checkpoint.size == LARGE


def test_two_keys_of_one_log(tmp_path: Path) -> None:
    """While a log replaces its key either is enough, and what was seen is one history."""
    new = NoteSigner(ORIGIN, b"N" * 32)
    desk = Desk(tmp_path / "w.db", logs=(LOG, new))
    desk.judge.cosign(LOG_A.request(0, SMALL))
    desk.judge.cosign(Log(20, signer=new).request(SMALL, LARGE))
    assert refuse(desk, LOG_A.request(SMALL, LARGE)).status == 409
    assert desk.judge.origins == (ORIGIN,)


def test_logs_do_not_mix(tmp_path: Path) -> None:
    """Each log has a memory of its own."""
    desk = Desk(tmp_path / "w.db", logs=(LOG, STRANGER))
    desk.judge.cosign(LOG_A.request(0, LARGE))
    desk.judge.cosign(Log(4, signer=STRANGER, twist=b"x").request(0, 4))
    assert desk.judge.sizes() == {ORIGIN: LARGE, STRANGER.name: 4}


def test_clock_that_was_set_back(desk: Desk) -> None:
    """Nothing is cosigned with an earlier time than before; once the clock is right, all is well."""
    desk.clock.jump(NOON - timedelta(seconds=1))
    with pytest.raises(Unavailable, match="WITNESS_CLOCK"):
        desk.judge.cosign(LOG_A.request(SMALL, LARGE))
    desk.clock.jump(NOON)
    desk.judge.cosign(LOG_A.request(SMALL, LARGE))


def test_memory_survives(desk: Desk) -> None:
    """A new process over the same file refuses what the old one would have."""
    desk.state.close()
    again = Desk(desk.path)
    assert not again.state.is_new
    assert refuse(again, FORKED.request(0, LARGE)).size == SMALL
    again.judge.cosign(LOG_A.request(SMALL, LARGE))


def test_state_of_another_key_or_program(tmp_path: Path) -> None:
    """A state belongs to one key; a file that is none is not touched."""
    Desk(tmp_path / "w.db").state.close()
    with pytest.raises(Conflict, match="WITNESS_OTHER_KEY"):
        WitnessState(tmp_path / "w.db", vkey=Cosigner("other", b"o" * 32).witness().vkey())
    (tmp_path / "text").write_text("not a database, and long enough to be told from one" * 9)
    with pytest.raises(Corrupt, match="WITNESS_STATE"):
        WitnessState(tmp_path / "text", vkey="v")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE guests (name TEXT)")
    other.close()
    with pytest.raises(Corrupt, match="WITNESS_STATE"):
        WitnessState(tmp_path / "other.db", vkey="v")
    with pytest.raises(Unavailable, match="WITNESS_STATE"):
        WitnessState(tmp_path / "none" / "w.db", vkey="v")


def test_state_is_private(desk: Desk) -> None:
    """Nobody else may write what the witness remembers."""
    assert desk.path.stat().st_mode & 0o077 == 0


def test_of_two_histories_at_once_only_one_is_cosigned(tmp_path: Path) -> None:
    """Eight threads over four connections, two histories: whatever order they come in, all winners are of one."""
    for attempt in range(5):
        desks = [Desk(tmp_path / f"{attempt}.db") for _ in range(4)]
        barrier = threading.Barrier(8)

        def ask(number: int, desks: list[Desk] = desks, barrier: threading.Barrier = barrier) -> str:
            log = FORKED if number % 2 else LOG_A
            barrier.wait()
            try:
                desks[number % 4].judge.cosign(log.request(0, LARGE))
            except Refused as refused:
                return f"{refused.status} {refused.size}"
            return "forked" if number % 2 else "honest"

        with ThreadPoolExecutor(8) as threads:
            answers = Counter(threads.map(ask, range(8)))
        assert answers.pop(f"409 {LARGE}") == 7
        assert answers in ({"honest": 1}, {"forked": 1})
        for desk in desks:
            desk.state.close()


def test_swap_compares_even_without_the_lock(desk: Desk) -> None:
    """Were the lock lost between reading and writing, the comparison would still refuse."""

    def decide(seen: Seen | None) -> Seen:
        assert seen is not None
        # What another writer would do, on the same connection since the lock keeps others out.
        desk.state._connection.execute("UPDATE seen SET size = 7")
        return replace(seen, size=LARGE)

    with pytest.raises(Unavailable, match="Another request came first"):
        desk.state.advance(ORIGIN, decide)
    seen = desk.state.seen(ORIGIN)
    assert seen is not None
    assert seen.size == SMALL


def test_smaller_tree_never_replaces_a_larger_one(desk: Desk) -> None:
    """Whatever a caller decides, the file itself does not shrink."""
    with pytest.raises(Unavailable):
        desk.state.advance(ORIGIN, lambda seen: Seen(size=3, root=bytes(32), time_seconds=1, note=b""))


def test_witness_without_logs_or_with_its_own_key(tmp_path: Path) -> None:
    """A log that witnesses itself proves nothing."""
    state = WitnessState(tmp_path / "w.db", vkey=COSIGNER.witness().vkey())
    twin = NoteSigner(ORIGIN, COSIGNER.seed)
    for logs in ([], [twin.verifier()]):
        with pytest.raises(InvalidInput, match="WITNESS_LOGS"):
            Judge(COSIGNER, logs, state, Desk(tmp_path / "v.db").clock)


def test_extension_lines_are_cosigned_with_the_rest(desk: Desk) -> None:
    """They are part of the text that is signed."""
    checkpoint = Checkpoint(ORIGIN, LARGE, LOG_A.checkpoint(LARGE).root, ("extension",))
    line = desk.judge.cosign(request(SMALL, LOG_A.proof(SMALL, LARGE), sign_checkpoint(checkpoint, LOG)))
    assert COSIGNER.witness().verify(checkpoint.encode(), line.value)
