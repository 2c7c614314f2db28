"""The witness as a real process: killed, asked by many at once, held up by clients that never finish."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx2
import pytest
from typer.testing import CliRunner
from witness_site import LOG, ORIGIN, Log, WitnessProcess

from assign.log.cosignature import Policy, Witness
from assign.log.note import add_signatures, parse_signatures
from server.cli import app

LOG_A, FORKED = Log(40), Log(40, twist=b"!")
# The state is on disk and the answer not yet on its way: the worst moment to die.
_DIE_BEFORE_REPLY = """
import os, signal
from server.witness.state import WitnessState
advance = WitnessState.advance
def advance_and_die(self, origin, decide):
    seen = advance(self, origin, decide)
    if seen.size == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return seen
WitnessState.advance = advance_and_die
"""
# Nothing is on disk yet, but everything is decided and signed.
_DIE_BEFORE_COMMIT = """
import os, signal
from server.witness.state import WitnessState
swap = WitnessState._swap
def swap_and_die(self, origin, before, after):
    swap(self, origin, before, after)
    if after.size == 7:
        os.kill(os.getpid(), signal.SIGKILL)
WitnessState._swap = swap_and_die
"""


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    """A witness that is not started yet."""
    with WitnessProcess(tmp_path, "w1", logs=[LOG.verifier().vkey()]) as process:
        yield process


def _lose_answer(witness: WitnessProcess, code: str) -> None:
    witness.start(code=code)
    assert witness.post(LOG_A.request(0, 5)).status_code == 200
    with pytest.raises(httpx2.TransportError):
        witness.post(LOG_A.request(5, 7))
    assert witness.wait() == -9
    witness.start()


def test_killed_between_remembering_and_answering(witness: WitnessProcess) -> None:
    """It knows the size that it never told, refuses a fork from before it, and cosigns the same tree again."""
    _lose_answer(witness, _DIE_BEFORE_REPLY)
    assert witness.size() == 7
    for fork in (FORKED.request(5, 7), FORKED.request(0, 9)):
        answer = witness.post(fork)
        assert (answer.status_code, answer.content) == (409, b"7\n")
    assert witness.post(FORKED.request(7, 9)).status_code == 422
    again = witness.post(LOG_A.request(7, 7))
    assert again.status_code == 200
    note = add_signatures(LOG_A.note(7), *parse_signatures(again.content))
    policy = Policy((LOG.verifier(),), (Witness.from_vkey(witness.vkey),), 1)
    assert policy.verify(note).checkpoint.size == 7


def test_killed_before_remembering(witness: WitnessProcess) -> None:
    """Nothing was answered, nothing is remembered, and either history may still go on from before."""
    _lose_answer(witness, _DIE_BEFORE_COMMIT)
    assert witness.size() == 5
    assert witness.post(LOG_A.request(5, 9)).status_code == 200


def test_killed_at_any_moment_never_forks(witness: WitnessProcess) -> None:
    """Two histories race it while it is killed and started again: all that it ever cosigned is of one."""
    witness.start()
    assert witness.post(LOG_A.request(0, 1)).status_code == 200  # both begin with the same entry
    winners: set[str] = set()
    for size in range(2, 5):
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(_race, witness, number, size) for number in range(8)]
            time.sleep(0.02 * size)
            witness.kill()
        winners |= {task.result() for task in asked}
        witness.start()
    for name, log in (("honest", LOG_A), ("forked", FORKED)):
        if witness.post(log.request(witness.size(), 30)).status_code == 200:
            winners.add(name)
    assert len(winners - {""}) == 1


def _race(witness: WitnessProcess, number: int, size: int) -> str:
    name, log = ("forked", FORKED) if number % 2 else ("honest", LOG_A)
    try:
        for old in (size - 1, *range(1, size)):
            if witness.post(log.request(old, size)).status_code == 200:
                return name
    except httpx2.TransportError:
        pass
    return ""


def test_many_at_once_over_two_processes(tmp_path: Path, witness: WitnessProcess) -> None:
    """Two processes share one state: of sixteen requests for two histories, one wins and fifteen hear of it."""
    witness.start()
    twin = WitnessProcess(tmp_path, "w2", logs=[LOG.verifier().vkey()])
    for suffix in ("key", "db"):  # the same key, and another name for the same file
        (tmp_path / f"w2.{suffix}").unlink(missing_ok=True)
        (tmp_path / f"w2.{suffix}").symlink_to(f"w1.{suffix}")
    with twin:
        twin.start()
        for old, new in ((0, 4), (4, 9), (9, 30)):
            with ThreadPoolExecutor(16) as threads:
                asked = [
                    threads.submit((witness, twin)[number % 2].post, (LOG_A, FORKED)[number // 2 % 2].request(old, new))
                    for number in range(16)
                ]
            statuses = sorted(task.result().status_code for task in asked)
            # Once a history has won, the proofs of the other are wrong as well as late.
            assert statuses.count(200) == 1
            assert set(statuses) <= {200, 409, 422}


def test_clients_that_never_finish(witness: WitnessProcess) -> None:
    """Connections that send nothing, half a head or half a body keep nobody else out, and end."""
    witness.start(code="from server.witness import app as a\na._HEAD_SECONDS = a._BODY_SECONDS = 0.5")
    address = urlsplit(witness.url)
    sockets = [socket.create_connection((address.hostname or "", address.port or 0)) for _ in range(60)]
    for number, client in enumerate(sockets):
        head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n"
        client.sendall((b"", head, head + b"\r\nold 5\n")[number % 3])
    assert witness.post(LOG_A.request(0, 5)).status_code == 200
    for client in sockets:
        client.settimeout(15)
        rest = client.recv(4096)  # a refusal or the end, in time
        assert rest == b"" or rest.startswith(b"HTTP/1.1 408")
        client.close()


def test_answer_is_one_answer(witness: WitnessProcess) -> None:
    """Head and body leave together: the body does not wait 40 ms for the other side to acknowledge the head."""
    witness.start()
    with httpx2.Client(trust_env=False) as client:
        seconds = []
        for _ in range(15):
            begin = time.perf_counter()
            assert client.post(f"{witness.url}/add-checkpoint", content=b"old").status_code == 400
            seconds.append(time.perf_counter() - begin)
    assert median(seconds) < 0.03


def test_bytes_that_are_not_http(witness: WitnessProcess) -> None:
    """Refused, and the next request is answered."""
    witness.start()
    address = urlsplit(witness.url)
    for garbage in (b"\x00" * 64 + b"\r\n\r\n", b"GET\r\n\r\n", b"POST /add-checkpoint\r\n\r\n"):
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=15) as client:
            client.sendall(garbage)
            assert client.recv(4096).startswith(b"HTTP/1.1 400")
    assert witness.post(LOG_A.request(0, 5)).status_code == 200


def test_first_start_says_that_it_remembers_nothing(witness: WitnessProcess) -> None:
    """A witness that lost its memory must not go unnoticed; later starts are quiet."""
    witness.start()
    assert "NEW STATE" in witness.output
    assert witness.vkey in witness.output
    assert ORIGIN in witness.output
    witness.stop()
    witness.start()
    assert "NEW STATE" not in witness.output


def test_command_line_makes_a_key_and_tells_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`assign witness keys` prints what to publish; every mistake is one line with a reason and status 1."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    made = run(app, ["witness", "keys", "w.key", "--name", "witness.example/customs-union"])
    assert made.exit_code == 0
    assert Witness.from_vkey(made.stdout.strip()).name == "witness.example/customs-union"
    assert Path("w.key").stat().st_mode & 0o077 == 0
    vkey = LOG.verifier().vkey()
    serve = ["witness", "serve", "--key", "w.key", "--state", "w.db", "--log"]
    Path("other.key").write_text(LOG.skey())
    Path("other.key").chmod(0o600)
    cases = {
        "FILE_EXISTS": ["witness", "keys", "w.key", "--name", "again"],
        "KEY_NAME": ["witness", "keys", "x.key", "--name", "two words"],
        "FILE_MISSING": ["witness", "serve", "--key", "none", "--state", "w.db", "--log", vkey],
        "KEY_TYPE": ["witness", "serve", "--key", "other.key", "--state", "w.db", "--log", vkey],
        "KEY_MALFORMED": [*serve, "hello"],
        "LISTEN_ADDRESS": [*serve, vkey, "--listen", "8080"],
        "CLOCK_FILE_MISSING": [*serve, vkey, "--clock-file", "none"],
        "WITNESS_STATE": [*serve[:-2], "none/w.db", "--log", vkey],
    }
    for reason, arguments in cases.items():
        result = run(app, arguments)
        assert (result.exit_code, reason in result.stderr) == (1, True), (reason, result.output)


def test_needs_nothing_of_the_server() -> None:
    """The witness's own module loads neither gRPC nor the server's database layer."""
    code = "import sys, server.witness.cli; print(sorted({'grpc', 'google.protobuf', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done.stderr
