"""The server's side: what witnesses answer, however wrong or late, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from simulation.whole_service import PORT, SIGNER, Beacon, Service, utc
from witness_site import Log

from assign.errors import AssignError, Conflict, Corrupt, InvalidInput
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Cosigner, Policy
from assign.log.entries import Kind
from assign.log.note import Note, add_signatures, parse_note, parse_signatures
from server.cosigning.client import WitnessClient
from server.cosigning.collector import CosignatureCollector
from server.cosigning.settings import WitnessesConfig
from server.sequencer import Sequencer
from server.storage.cosignatures import add_cosignatures, count_witnesses, list_cosigned, read_cosigned
from server.storage.migrate import migrate
from server.storage.reader import Reader
from server.storage.sqlite import open_readers, open_writer
from server.witness.app import create_witness_app
from server.witness.judge import Judge
from server.witness.state import WitnessState

NOW = utc(2026, 11, 24, 6)
LOG_A = Log(30, signer=SIGNER)
COSIGNERS = [Cosigner(f"witness.example/w{number}", bytes([number]) * 32) for number in range(1, 4)]
VKEYS = [cosigner.witness().vkey() for cosigner in COSIGNERS]

Answer = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


class Fakes(httpx2.AsyncBaseTransport):
    """Witnesses by host name, each as the test wants it."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.host)
        await request.aread()
        return await self.answers[request.url.host](request)


def honest(folder: Path, cosigner: Cosigner, service: Service | None = None) -> Answer:
    """A real witness in this process."""
    state = WitnessState(folder / f"{cosigner.seed[0]}.db", vkey=cosigner.witness().vkey())
    clock = (
        service.clock if service else Service(folder / "c.db", start=NOW, beacon=Beacon(NOW, days=0.01), seed=1).clock
    )
    app = create_witness_app(Judge(cosigner, [SIGNER.verifier()], state, clock), clock)
    return httpx2.ASGITransport(app).handle_async_request


def fixed(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Always this."""

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers=headers)

    return answer


def ask(answer: Answer, old: int, new: int, *, log: Log = LOG_A) -> tuple[WitnessClient, Any]:
    """What a client makes of a witness that answers so: its cosignature or its error."""
    fakes = Fakes()
    fakes.answers["w1"] = answer

    async def prove(size: int) -> tuple[bytes, ...]:
        return log.proof(size, new)

    async def send() -> tuple[WitnessClient, Any]:
        async with httpx2.AsyncClient(transport=fakes) as http:
            client = WitnessClient(COSIGNERS[0].witness(), "http://w1/", client=http, deadline_seconds=0.3)
            client.size = old
            try:
                return client, await client.cosign(parse_note(log.note(new)), prove)
            except AssignError as error:
                return client, error

    return asyncio.run(send())


def test_cosignature_is_verified_and_the_size_remembered(tmp_path: Path) -> None:
    """First from nothing; a client that knows nothing learns the size from the refusal."""
    witness = honest(tmp_path, COSIGNERS[0])
    for old, new in ((0, 5), (5, 9), (0, 12), (7, 12), (12, 30)):
        client, line = ask(witness, old, new)
        assert COSIGNERS[0].witness().verify(LOG_A.checkpoint(new).encode(), line.value), line
        assert client.size == new


def test_fork_and_roll_back_are_told_apart(tmp_path: Path) -> None:
    """Another history is WITNESS_FORK; a shorter one is WITNESS_AHEAD and says how far the witness is."""
    witness = honest(tmp_path, COSIGNERS[0])
    ask(witness, 0, 9)
    fork = Log(30, signer=SIGNER, twist=b"!")
    for old in (0, 9):
        client, error = ask(witness, old, 12, log=fork)
        assert isinstance(error, Corrupt)
        assert (error.reason, client.size) == ("WITNESS_FORK", 9)
    client, error = ask(witness, 0, 5)
    assert isinstance(error, Conflict)
    assert (error.reason, client.size) == ("WITNESS_AHEAD", 9)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fixed(500), "WITNESS_REFUSED"),
        (fixed(403), "WITNESS_REFUSED"),
        (fixed(302, Location="http://w1/other"), "WITNESS_REFUSED"),
        (fixed(200), "WITNESS_FORGED"),
        (fixed(200, b"\xff" * 100), "WITNESS_FORGED"),
        (fixed(200, b"x" * 2_000_000), "WITNESS_FORGED"),
        (fixed(409, b"10\n"), "WITNESS_REFUSED"),
        (fixed(409, b"10\n", **{"Content-Type": "text/plain"}), "WITNESS_REFUSED"),
        (fixed(409, b"10", **{"Content-Type": "text/x.tlog.size"}), "WITNESS_REFUSED"),
        (fixed(409, b"-5\n", **{"Content-Type": "text/x.tlog.size"}), "WITNESS_REFUSED"),
        (fixed(409, b"9" * 99 + b"\n", **{"Content-Type": "text/x.tlog.size"}), "WITNESS_REFUSED"),
        (fixed(409, b"4\n", **{"Content-Type": "text/x.tlog.size"}), "WITNESS_REFUSED"),
        (fixed(409, b"10\n", **{"Content-Type": "text/x.tlog.size"}), "WITNESS_AHEAD"),
        (fixed(422), "WITNESS_FORK"),
    ],
)
def test_answers_that_are_none(answer: Answer, reason: str) -> None:
    """Each has a reason; none is believed, followed or asked again for ever."""
    assert ask(answer, 0, 9)[1].reason == reason


def test_answer_without_end_is_cut() -> None:
    """No more is read than any answer may have: the deadline is for those that are slow."""

    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=Endless())

    assert ask(answer, 0, 9)[1].reason == "WITNESS_FORGED"


def _cosigned(cosigner: Cosigner, size: int) -> bytes:
    return cosigner.cosign(LOG_A.checkpoint(size), time_seconds=int(NOW.timestamp())).encode()


def test_only_the_witnesss_own_valid_cosignature_counts() -> None:
    """Another key's, one on another checkpoint and a broken one are refused; unknown ones beside it are ignored."""
    own, other = _cosigned(COSIGNERS[0], 9), _cosigned(COSIGNERS[1], 9)
    for body in (other, _cosigned(COSIGNERS[0], 8), SIGNER.sign(LOG_A.checkpoint(9).encode()).encode()):
        assert ask(fixed(200, body), 0, 9)[1].reason == "WITNESS_FORGED"
    for body in (own, other + own, own + other):
        assert ask(fixed(200, body), 0, 9)[1] == parse_signatures(own)[0]


def test_slow_or_dead_witness_is_silent_in_time() -> None:
    """The deadline holds for everything together."""

    async def slow(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(5)
        return httpx2.Response(200)

    async def dead(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    for answer in (slow, dead):
        assert ask(answer, 0, 9)[1].reason == "WITNESS_SILENT"


@dataclass
class Port:
    """A log with its collector, and witnesses that are fakes."""

    service: Service
    sequencer: Sequencer
    reader: Reader
    fakes: Fakes
    collector: CosignatureCollector
    policy: Policy
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def append(self, count: int = 1) -> None:
        """Let the log grow."""
        body = {"by": "unknown", "method": "x", "reason": "NONE"}
        for _ in range(count):
            await self.sequencer.run(lambda unit: unit.record(PORT, Kind.REFUSAL, dict(body)))

    async def notes(self) -> list[Note]:
        """What is stored."""
        stored = await self.reader.run(lambda connection: [*read_cosigned(connection, PORT, up_to=1000)])
        return [parse_note(note) for note in stored]

    async def until(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(10):
            while not await done():  # noqa: ASYNC110 - what is waited for is in a database
                await asyncio.sleep(0.005)

    async def has(self, size: int, count: int) -> bool:
        """Whether the checkpoint of that size has that many cosignatures."""
        return any(
            parse_checkpoint(note.text).size == size and len(note.signatures) == 1 + count
            for note in await self.notes()
        )


@asynccontextmanager
async def running(folder: Path, *, quorum: int = 2, interval: float = 60, deadline: float = 0.5) -> AsyncIterator[Port]:
    """A collector that runs, with three honest witnesses."""
    service = Service(folder / "assign.db", start=NOW, beacon=Beacon(NOW, days=0.1), seed=1)
    writer, readers = open_writer(service.url), open_readers(service.url)
    migrate(writer)
    sequencer, reader, fakes = Sequencer(writer, service.services, service.clock), Reader(readers), Fakes()
    sequencer.start()
    async with httpx2.AsyncClient(transport=fakes) as http:
        clients = []
        for number, cosigner in enumerate(COSIGNERS):
            fakes.answers[f"w{number}"] = honest(folder, cosigner, service)
            clients.append(
                WitnessClient(cosigner.witness(), f"http://w{number}", client=http, deadline_seconds=deadline)
            )
        collector = CosignatureCollector(
            PORT,
            clients,
            sequencer,
            reader,
            service.clock,
            quorum=quorum,
            interval_seconds=interval,
            deadline_seconds=deadline,
        )
        policy = Policy((SIGNER.verifier(),), tuple(one.witness() for one in COSIGNERS), quorum)
        port = Port(service, sequencer, reader, fakes, collector, policy)
        await port.append()
        port.tasks.append(asyncio.create_task(collector.run()))
        try:
            yield port
        finally:
            for task in port.tasks:
                task.cancel()
            await asyncio.gather(*port.tasks, return_exceptions=True)
            await sequencer.stop()
            reader.close()
            writer.dispose()
            readers.dispose()


def test_all_cosignatures_meet_on_one_checkpoint(tmp_path: Path) -> None:
    """Every witness signs the same one, and they are merged; a wake shows them the next."""

    async def play() -> None:
        async with running(tmp_path, quorum=3) as port:
            await port.until(lambda: port.has(1, 3))
            await port.append(4)
            port.collector.wake()
            await port.until(lambda: port.has(5, 3))
            assert await port.reader.run(lambda connection: list_cosigned(connection, PORT)) == [1, 5]
            for note in await port.notes():
                assert len(port.policy.verify(note).cosignatures) == 3
            assert port.collector.counts == {(cosigner.name, "cosigned"): 2 for cosigner in COSIGNERS}

    asyncio.run(play())


def test_log_that_grew_is_shown_without_being_told(tmp_path: Path) -> None:
    """After the interval; one that did not grow is not shown again."""

    async def play() -> None:
        async with running(tmp_path, quorum=3, interval=0.05) as port:
            await port.until(lambda: port.has(1, 3))
            asked = len(port.fakes.asked)
            await asyncio.sleep(0.3)
            assert len(port.fakes.asked) == asked
            await port.append()
            await port.until(lambda: port.has(2, 3))

    asyncio.run(play())


def test_one_that_is_slow_holds_up_nobody(tmp_path: Path) -> None:
    """With the quorum met without it the next round begins; its own late answers are kept as well."""
    go_on = asyncio.Event()

    async def play() -> None:
        async with running(tmp_path, deadline=5) as port:
            prompt = port.fakes.answers["w2"]

            async def slow(request: httpx2.Request) -> httpx2.Response:
                await go_on.wait()
                return await prompt(request)

            await port.until(lambda: port.has(1, 3))
            port.fakes.answers["w2"] = slow
            port.fakes.asked.clear()
            for size in (2, 3, 4):
                await port.append()
                port.collector.wake()
                await port.until(partial(port.has, size, 2))
            assert port.fakes.asked.count("w2") == 1
            go_on.set()
            await port.until(lambda: port.has(2, 3))

    asyncio.run(play())


def test_one_that_fails_is_named_and_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Until the quorum is met; the others are not asked for what they have cosigned."""

    async def play() -> None:
        async with running(tmp_path, quorum=3, interval=0.05) as port:
            prompt = port.fakes.answers["w1"]
            await port.until(lambda: port.has(1, 3))
            port.fakes.answers["w1"] = fixed(500)
            port.fakes.asked.clear()
            await port.append()
            port.collector.wake()
            await port.until(lambda: _counted(port, COSIGNERS[1].name, "WITNESS_REFUSED", 2))
            port.fakes.answers["w1"] = prompt
            await port.until(lambda: port.has(2, 3))
            assert port.fakes.asked.count("w0") == port.fakes.asked.count("w2") == 1

    asyncio.run(play())
    assert COSIGNERS[1].name in capsys.readouterr().out


async def _counted(port: Port, name: str, outcome: str, least: int) -> bool:
    return port.collector.counts[name, outcome] >= least


def test_witness_that_breaks_the_client_breaks_nothing_else(tmp_path: Path) -> None:
    """Not even an error that nobody foresaw."""

    async def broken(_: httpx2.Request) -> httpx2.Response:
        raise RuntimeError("unforeseen")

    async def play() -> None:
        async with running(tmp_path) as port:
            port.fakes.answers["w0"] = broken
            await port.append()
            port.collector.wake()
            await port.until(lambda: port.has(2, 2))
            assert not port.tasks[0].done()

    asyncio.run(play())


def test_settle_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    """And for nothing when nothing is."""

    async def play() -> None:
        async with running(tmp_path, deadline=5) as port:
            prompt = port.fakes.answers["w1"]
            go_on = asyncio.Event()

            async def slow(request: httpx2.Request) -> httpx2.Response:
                answer = await prompt(request)
                await go_on.wait()
                return answer

            await port.until(lambda: port.has(1, 3))
            await port.collector.settle()
            port.fakes.answers["w1"] = port.fakes.answers["w2"] = slow
            await port.append()
            port.collector.wake()
            await port.until(lambda: port.has(2, 1))
            settling = asyncio.create_task(port.collector.settle())
            await asyncio.sleep(0.05)
            assert not settling.done()
            go_on.set()
            await settling
            assert await port.has(2, 2)

    asyncio.run(play())


def test_clock_that_is_off_is_told(tmp_path: Path) -> None:
    """A witness whose clock is wrong cosigns too late, or proves less than it seems to."""

    async def play() -> None:
        async with running(tmp_path) as port:
            prompt = port.fakes.answers["w0"]

            async def later(request: httpx2.Request) -> httpx2.Response:
                port.service.clock.jump(NOW + timedelta(seconds=300))
                answer = await prompt(request)
                await answer.aread()
                port.service.clock.jump(NOW)
                return answer

            port.fakes.answers["w0"] = later
            await port.until(lambda: _counted(port, COSIGNERS[0].name, "WITNESS_CLOCK", 1))

    asyncio.run(play())


def test_coverage_counts_one_checkpoint_in_time(tmp_path: Path) -> None:
    """Only what covers the entry, was cosigned in a whole second before, and holds; two halves make no whole."""
    engine = open_writer(f"sqlite:///{tmp_path}/a.db")
    migrate(engine)
    seconds = int(NOW.timestamp())
    policy = Policy((SIGNER.verifier(),), tuple(one.witness() for one in COSIGNERS), 2)

    def lines(size: int, *times: tuple[int, int]) -> list[Any]:
        return [COSIGNERS[who].cosign(LOG_A.checkpoint(size), time_seconds=seconds + at) for who, at in times]

    with engine.connect() as connection:

        def count(index: int, before: float) -> int:
            moment = NOW + timedelta(seconds=before)
            return count_witnesses(connection, PORT, policy, index=index, before=moment)

        assert count(4, 10) == 0
        add_cosignatures(connection, PORT, 5, LOG_A.note(5), lines(5, (0, 0)))
        add_cosignatures(connection, PORT, 6, LOG_A.note(6), lines(6, (1, 1)))
        assert count(4, 10) == 1
        add_cosignatures(connection, PORT, 6, LOG_A.note(6), lines(6, (0, 3)))
        assert [count(4, before) for before in (0, 0.5, 1, 3, 3.5, 4, 10)] == [0, 0, 1, 1, 1, 2, 2]
        assert [count(index, 10) for index in (0, 4, 5, 6)] == [2, 2, 2, 0]
        add_cosignatures(connection, PORT, 8, LOG_A.note(8), lines(8, (2, 9)))
        add_cosignatures(connection, PORT, 8, LOG_A.note(8), lines(8, (0, 1), (1, 2)))
        assert [count(7, before) for before in (1, 2, 3)] == [0, 1, 2]
        fork = Log(9, signer=SIGNER, twist=b"!").note(6)
        with pytest.raises(Corrupt, match="CHECKPOINT_FORKED"):
            add_cosignatures(connection, PORT, 6, fork, lines(6, (2, 1)))
        # Rows that were edited: another size, another note, a signature that does not hold.
        edit = connection.exec_driver_sql
        edit("DELETE FROM cosigned_checkpoint WHERE size = 8")
        edit("UPDATE cosigned_checkpoint SET size = 50 WHERE size = 6")
        assert count(10, 10) == 0
        edit("UPDATE cosigned_checkpoint SET note = ? WHERE size = 5", (fork,))
        assert count(4, 10) == 2
        edit("UPDATE cosigned_checkpoint SET note = ?", (add_signatures(fork, *lines(6, (0, 0), (1, 0))),))
        assert count(4, 10) == 0
    engine.dispose()


def test_bundle_needs_what_was_cosigned_between_a_freeze_and_its_round(tmp_path: Path) -> None:
    """And the largest checkpoint of all; nothing that is beyond the bundle."""
    engine = open_writer(f"sqlite:///{tmp_path}/a.db")
    migrate(engine)
    seconds = int(NOW.timestamp())
    with engine.connect() as connection:
        for size in range(1, 20):
            line = COSIGNERS[0].cosign(LOG_A.checkpoint(size), time_seconds=seconds + size)
            add_cosignatures(connection, PORT, size, LOG_A.note(size), [line])

        def sizes(up_to: int, wanted: list[tuple[int, int]] | None) -> list[int]:
            windows = None if wanted is None else [(index, NOW + timedelta(seconds=at)) for index, at in wanted]
            notes = read_cosigned(connection, PORT, up_to=up_to, wanted=windows)
            return [parse_checkpoint(parse_note(note).text).size for note in notes]

        assert sizes(12, None) == [*range(1, 13)]
        assert sizes(12, []) == [12]
        # The entry at index 3 is in trees of 4 and more; what was cosigned at the time of the round is too late.
        assert sizes(12, [(3, 6)]) == [4, 5, 12]
        assert sizes(12, [(3, 6), (4, 7), (8, 11)]) == [4, 5, 6, 9, 10, 12]
        assert sizes(10, [(3, 6), (8, 11), (30, 90)]) == [4, 5, 9, 10]
        assert sizes(0, [(3, 6)]) == []
    engine.dispose()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quorum": 3}, "quorum is larger"),
        ({"quorum": 0}, "greater than or equal to 1"),
        ({"members": []}, "at least 1"),
        ({"members": [{"vkey": VKEYS[0], "url": "http://a"}] * 2}, "listed twice"),
        ({"members": [{"vkey": SIGNER.verifier().vkey(), "url": "http://a"}]}, "type 0x01"),
        ({"members": [{"vkey": VKEYS[0], "url": "ftp://a"}]}, "URL of a witness"),
        ({"members": [{"vkey": VKEYS[0], "url": "http://user:word@a"}]}, "URL of a witness"),
        ({"members": [{"vkey": VKEYS[0], "url": "http://a?x=1"}]}, "URL of a witness"),
        ({"strict": None}, "strict"),
        ({"other": 1}, "other"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    """Refused when the configuration is read, naming what is wrong."""
    values: dict[str, Any] = {
        "quorum": 1,
        "strict": True,
        "members": [{"vkey": vkey, "url": f"http://w{at}"} for at, vkey in enumerate(VKEYS[:2])],
    }
    assert WitnessesConfig.model_validate(values).in_words() == "1 of 2 witnesses"
    with pytest.raises(ValueError, match=says):
        WitnessesConfig.model_validate(values | changes)


def test_witness_with_the_logs_own_key_is_refused() -> None:
    """The log would witness itself."""
    twin = Cosigner("twin.example", SIGNER.seed).witness().vkey()
    settings = WitnessesConfig.model_validate(
        {"quorum": 1, "strict": True, "members": [{"vkey": twin, "url": "http://w"}]}
    )
    with pytest.raises(InvalidInput, match="POLICY_WITNESSES"):
        settings.policy(SIGNER.verifier())
