"""A port whose freezes two witnesses must see: what happens when they do, when one is down, when a store is forked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bundle_surgery import join, split
from e2e.port import CALL_SECONDS, ORIGIN, PARENT, PARTIES, PLANNERS, Duty, Site, eventually
from witness_site import WitnessProcess

from assign.encoding import canonical_json
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Policy
from assign.log.entries import Entry, Kind
from assign.log.note import NoteVerifier, parse_note
from assign.v1 import resources_pb2, slot_service_pb2
from server.demo.processes import run_assign, run_assign_verify

MISSED, DRAWN = resources_pb2.Wave.STATE_MISSED, resources_pb2.Wave.STATE_DRAWN

# It remembers at once, and lets the log wait for its answer.
_SLOW_TO_ANSWER = """
import time
from server.witness.judge import Judge
cosign = Judge.cosign
def cosign_slowly(self, body):
    line = cosign(self, body)
    time.sleep(1.5)
    return line
Judge.cosign = cosign_slowly
"""


@dataclass
class Port:
    """A site and its two witnesses."""

    site: Site
    witnesses: list[WitnessProcess]
    is_strict: bool = True
    log_key: NoteVerifier = field(init=False)

    def __post_init__(self) -> None:
        self.log_key = NoteVerifier.from_vkey((self.site.directory / "log.vkey").read_text())

    @property
    def policy(self) -> Policy:
        """Both must have cosigned."""
        return Policy((self.log_key,), tuple(one.cosigner.witness() for one in self.witnesses), 2)

    def be_strict(self, wanted: bool) -> Port:
        """Restart the server unless it is as strict as wanted."""
        if wanted != self.is_strict:
            self.is_strict = wanted
            self.site.stop()
            self.site._settings = settings(self.witnesses, strict=wanted)
            self.site.start_server()
        return self

    def freeze(self, duty: Duty, index: int = 0, *, witnessed: bool = True) -> None:
        """Let a wave freeze; if `witnessed`, go on only when both witnesses have seen it."""
        self.site.advance(duty.freeze_time(index))
        if witnessed:
            self.wait_for_quorum(self.freeze_index(duty, index))

    def freeze_index(self, duty: Duty, index: int = 0) -> int:
        """Where the freeze is in the log."""
        return self.site.wait_for(duty.wave(index), resources_pb2.Wave.STATE_FROZEN).freeze_index

    def wait_for_quorum(self, index: int) -> None:
        """Until a stored checkpoint that covers the entry has both cosignatures."""

        def look() -> bool | None:
            rows = self.site.rows("SELECT note FROM cosigned_checkpoint WHERE size > ?", index)
            return any(len(parse_note(row[0]).signatures) == 3 for row in rows) or None

        eventually(look)

    def entries(self, kind: Kind) -> list[Entry]:
        """The entries of a kind."""
        return [entry for entry in self.site.entries() if entry.kind is kind]

    def events(self, name: str = "server") -> list[dict[str, Any]]:
        """What the server told its operator."""
        return [json.loads(line) for line in self.site.output(name).splitlines() if line.startswith("{")]

    def wait_for_event(self, text: str, name: str = "server", **values: object) -> dict[str, Any]:
        """The first event whose text begins so and that has these values."""

        def look() -> dict[str, Any] | None:
            for event in self.events(name):
                if event["event"].startswith(text) and all(event.get(key) == value for key, value in values.items()):
                    return event
            return None

        found: dict[str, Any] = eventually(look)
        return found

    def states(self, slots: list[resources_pb2.Slot]) -> set[int]:
        """The states of slots."""
        names = {slot.name for slot in slots}
        request = slot_service_pb2.ListSlotsRequest(parent=f"{PARENT}/terminals/RWG", page_size=1000)
        listed = self.site.client(PLANNERS["RWG"]).slots.ListSlots(request, timeout=CALL_SECONDS).slots
        return {slot.state for slot in listed if slot.name in names}


def settings(witnesses: list[WitnessProcess], *, strict: bool) -> str:
    """The section of the configuration."""
    lines = ["[witnesses]", "quorum = 2", f"strict = {str(strict).lower()}", "interval_seconds = 3600"]
    for witness in witnesses:
        lines += ["[[witnesses.members]]", f'vkey = "{witness.vkey}"', f'url = "{witness.url}"']
    return "\n".join(lines)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    """A site with two witnesses of its log, for all tests."""
    directory = tmp_path_factory.mktemp("witnessed")
    site = Site(directory)
    vkey = (directory / "log.vkey").read_text()
    witnesses = [WitnessProcess(directory, name, logs=[vkey]) for name in ("w1", "w2")]
    try:
        for witness in witnesses:
            witness.start(clock_file=directory / "clock")
        site._settings = settings(witnesses, strict=True)
        site.start()
        port = Port(site, witnesses)
        _play_day(port)
        yield port
    finally:
        site.close()
        for witness in witnesses:
            witness.stop()


def _play_day(port: Port) -> None:
    """A shift of two waves that both witnesses see, closed and exported, with the witnesses' word and without."""
    site, directory = port.site, port.site.directory
    duty = site.open_shift(waves=2)
    site.book_orders([duty.start(), duty.start(), duty.start(1)])
    for index in (0, 1):
        port.freeze(duty, index)
        site.advance(duty.draw_time(index))
        site.reveal(duty, duty.people[0], index)
    site.close_shift(duty)
    site.export(directory / "day.bundle")
    records = [(name, body) for name, body in split((directory / "day.bundle").read_bytes()) if name != "cosigned"]
    manifest = json.loads(records[0][1])
    manifest["records"] = [item for item in manifest["records"] if item["name"] != "cosigned"]
    records[0] = ("manifest", canonical_json(manifest))
    (directory / "bare.bundle").write_bytes(join(records))
    (directory / "w2.vkey").write_text(port.witnesses[1].vkey)


@pytest.fixture
def strict(port: Port) -> Port:
    """Nothing is drawn that was not witnessed."""
    return port.be_strict(True)


@pytest.fixture
def lenient(port: Port) -> Port:
    """What was not witnessed is drawn, and the log says so."""
    return port.be_strict(False)


def test_a_day_is_sound_for_an_auditor_who_wants_both_witnesses(port: Port) -> None:
    """`assign verify --witness … --quorum 2`: sound with the cosignatures, wrong without them, at the freezes."""
    auditor = ["--key", "log.vkey", "--witness", port.witnesses[0].vkey, "--witness", "w2.vkey", "--quorum", "2"]
    sound = run_assign("verify", "day.bundle", *auditor, cwd=port.site.directory)
    assert sound.status == 0, sound.output + sound.errors
    assert "both witnesses whom you named" in " ".join(sound.output.split())
    assert "2  freezes that 2 of 2 witnesses saw before their beacon round" in sound.output
    bare = run_assign_verify("bare.bundle", *auditor, "--json", cwd=port.site.directory)
    report = json.loads(bare.output)
    assert bare.status == 1
    (shift,) = report["shifts"]
    expected = [["FREEZE_UNWITNESSED", wave["freeze_index"]] for wave in shift["waves"]]
    assert [[finding["code"], finding["leaf_index"]] for finding in report["findings"]] == expected
    unasked = run_assign_verify("bare.bundle", "--key", "log.vkey", cwd=port.site.directory)
    assert unasked.status == 0
    assert "no witness has cosigned this log" in " ".join(unasked.output.split())


def test_a_witnessed_wave_is_drawn(strict: Port) -> None:
    """Both cosign a checkpoint that covers the freeze before the round; nothing else of the day changes."""
    duty = strict.site.open_shift(waves=1)
    strict.site.book_orders([duty.start()])
    strict.freeze(duty)
    index = strict.freeze_index(duty)
    strict.site.advance(duty.draw_time())
    assert strict.site.wait_for(duty.wave(), DRAWN).state == DRAWN
    row = strict.site.rows("SELECT note FROM cosigned_checkpoint WHERE size > ? ORDER BY size", index)[0]
    witnessed = strict.policy.verify(row[0], before_seconds=int(duty.draw_time().timestamp()))
    assert witnessed.checkpoint.size > index
    assert {one.time_seconds for one in witnessed.cosignatures} == {int(duty.freeze_time().timestamp())}
    assert "2 of 2 witnesses cosign each freeze before its draw, else the wave is missed" in strict.site.output()


def test_strict_a_wave_that_one_witness_did_not_see_is_missed(strict: Port) -> None:
    """It is logged with its reason, nobody learns an outcome, and the orders can be booked anew; then all goes on."""
    duty = strict.site.open_shift(waves=2)
    slots = strict.site.book_orders([duty.start()])
    strict.witnesses[1].kill()
    strict.freeze(duty, witnessed=False)
    strict.wait_for_event("witness did not cosign", witness="witness.example/w2", reason="WITNESS_SILENT")
    # Given up without the beacon: nobody there knows what would have come of it.
    strict.site.stop(PARTIES[0])
    strict.site.advance(duty.draw_time())
    assert strict.site.wait_for(duty.wave(), MISSED).state == MISSED
    strict.site.start_party(PARTIES[0])
    (missed,) = [entry.body for entry in strict.entries(Kind.WAVE_MISSED) if entry.body["wave"] == duty.wave()]
    assert missed["reason"] == "not-witnessed"
    assert not [one for one in strict.entries(Kind.DRAW) if one.body["wave"] == duty.wave()]
    assert strict.states(slots) == {resources_pb2.Slot.STATE_LEFT_OVER}
    strict.witnesses[1].start(clock_file=strict.site.directory / "clock")
    order = resources_pb2.Order(name=slots[0].order, terminal=slots[0].terminal)
    again = strict.site.slot(order, duty.start(1))
    strict.site.client(PLANNERS["RWG"]).slots.BatchBookSlots(strict.site.book([again]), timeout=CALL_SECONDS)
    strict.freeze(duty, 1)
    strict.site.advance(duty.draw_time(1))
    assert strict.site.wait_for(duty.wave(1), DRAWN).state == DRAWN
    strict.site.close_shift(duty)
    assert _states_by_the_verifier(strict, duty) == {duty.wave(): "missed", duty.wave(1): "replayed"}


def _states_by_the_verifier(port: Port, duty: Duty) -> dict[str, str]:
    """How the waves of a shift ended, in a log that is sound."""
    port.site.export(port.site.directory / "so-far.bundle")
    verified = run_assign_verify("so-far.bundle", "--key", "log.vkey", "--json", cwd=port.site.directory)
    report = json.loads(verified.output)
    assert report["findings"] == []
    (shift,) = [one for one in report["shifts"] if one["name"] == str(duty.name)]
    return {wave["name"]: wave["state"] for wave in shift["waves"]}


def test_strict_a_cosignature_at_the_round_is_too_late(strict: Port) -> None:
    """The witness comes back when the beacon value is there: its cosignature proves nothing any more."""
    duty = strict.site.open_shift(waves=1)
    strict.witnesses[0].kill()
    strict.freeze(duty, witnessed=False)
    strict.wait_for_event("too few witnesses cosigned", cosigned=1)
    strict.site.stop()
    strict.site.forget_due()
    strict.site.advance(duty.draw_time())
    strict.witnesses[0].start(clock_file=strict.site.directory / "clock")
    strict.site.start_server()
    assert strict.site.wait_for(duty.wave(), MISSED).state == MISSED
    eventually(lambda: strict.witnesses[0].size() == strict.witnesses[1].size() or None)


def test_strict_an_answer_on_its_way_at_the_round_is_waited_for(strict: Port) -> None:
    """What was cosigned in time counts, although it reaches the server when the beacon value exists."""
    duty = strict.site.open_shift(waves=1)
    slow = strict.witnesses[0]
    slow.stop()
    slow.start(clock_file=strict.site.directory / "clock", code=_SLOW_TO_ANSWER)
    strict.freeze(duty, witnessed=False)
    index = strict.freeze_index(duty)
    eventually(lambda: slow.size() > index or None)
    strict.site.advance(duty.draw_time())
    assert strict.site.wait_for(duty.wave(), DRAWN).state == DRAWN
    slow.stop()
    slow.start(clock_file=strict.site.directory / "clock")


def test_lenient_a_wave_that_one_witness_did_not_see_is_drawn(lenient: Port) -> None:
    """And the log says that the guarantee is weaker, of that wave and of no other."""
    duty = lenient.site.open_shift(waves=2)
    lenient.site.book_orders([duty.start(), duty.start(1)])
    lenient.freeze(duty, 0)
    lenient.site.advance(duty.draw_time(0))
    lenient.witnesses[1].kill()
    lenient.freeze(duty, 1, witnessed=False)
    lenient.site.advance(duty.draw_time(1))
    for index in (0, 1):
        assert lenient.site.wait_for(duty.wave(index), DRAWN).state == DRAWN
    lenient.witnesses[1].start(clock_file=lenient.site.directory / "clock")
    entries = [entry for entry in lenient.entries(Kind.UNWITNESSED) if entry.body["wave"].startswith(str(duty.name))]
    (entry,) = entries
    assert entry.body["wave"] == duty.wave(1)
    assert entry.body["quorum"] == 2
    assert entry.body["witnesses"] in {0, 1}


def test_rolled_back_and_forked_stores_are_refused_and_named(strict: Port) -> None:
    """An old copy of the store goes on as another server would: no witness follows it, and the operator hears why."""
    site = strict.site
    first = site.open_shift(waves=1)
    site.stop()
    copy = site.directory / "copy.db"
    shutil.copy(site.store, copy)
    site.start_server()
    strict.freeze(first)
    site.advance(first.draw_time())
    seen = strict.witnesses[0].size()
    site.stop()
    original = site.directory / "original.db"
    shutil.move(site.store, original)
    shutil.copy(copy, site.store)
    site.forget_due()
    site.start_server()
    # At first its log is shorter than what was seen, then as long, but another one.
    strict.wait_for_event("WITNESS SAW A LONGER LOG", reason="WITNESS_AHEAD", witness_size=seen)
    while site.size() <= seen:
        site.import_persons()
        site._persons_known = False
    fork = strict.wait_for_event("WITNESS SAW ANOTHER LOG", reason="WITNESS_FORK", witness="witness.example/w1")
    assert fork["witness_size"] == seen
    assert [one.size() for one in strict.witnesses] == [seen, seen]
    site.stop()
    site.store.unlink()
    shutil.move(original, site.store)
    for suffix in ("-wal", "-shm"):
        Path(f"{site.store}{suffix}").unlink(missing_ok=True)
    site.start_server()
    eventually(lambda: strict.witnesses[0].size() > seen or None)  # the honest log goes on where it was


def test_every_stored_checkpoint_is_of_one_log(strict: Port) -> None:
    """What was cosigned over the whole day has ascending sizes, one root each, and the log's own signature."""
    rows = strict.site.rows("SELECT size, note FROM cosigned_checkpoint ORDER BY size")
    assert rows
    with closing(sqlite3.connect(strict.witnesses[0].folder / "w1.db")) as state:
        assert state.execute("SELECT origin FROM seen").fetchall() == [(ORIGIN,)]
    for size, note in rows:
        assert parse_checkpoint(parse_note(note).text).size == size
        Policy(strict.policy.log_keys, strict.policy.witnesses, 1).verify(note)
