"""Sheets on paper, and what is typed in from them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from simulation.whole_service import OFFICER, Beacon, Service, open_small_shift, utc

from assign.draw.sheets import Group, Sheet, commit_sheet
from assign.errors import InvalidInput
from assign.log.entries import Entry, Kind
from assign.names import PersonId, Port, TerminalCode
from assign.person import Pseudonym
from server.actions.commit_sheets import commit_sheets
from server.actions.print_sheets import PrintedSheet
from server.outage.paper import sheet_pdf, sheet_text
from server.outage.typed_lines import read_typed_lines
from server.privacy.hourly import hourly_commitments
from server.storage.ledger import read_entries, read_head

PORT = Port("NLRTM")
HEAD = b"line,person,time,slot,why\n"


def printed(count: int, *, name: str = "inspector") -> PrintedSheet:
    """A sheet with so many people."""
    sheet = Sheet(
        origin="assign.example/NLRTM",
        shift="ports/NLRTM/shifts/A",
        number=7,
        group=Group(TerminalCode("RWG"), ("dog", "reefer")),
        persons=tuple(Pseudonym(f"{number:032x}") for number in range(count)),
    )
    return PrintedSheet(
        sheet=sheet,
        salt=b"s" * 32,
        commitment=commit_sheet(b"s" * 32, sheet),
        persons=tuple(PersonId(f"{name}-{number:03}") for number in range(count)),
    )


def test_the_outside_of_an_envelope_names_nobody() -> None:
    """Number, kind and hash are outside; the order and the salt are behind it, twice around."""
    one = printed(5)
    outside, _, inside = sheet_text(one).partition("\f")
    assert one.commitment.hex() in outside
    assert all(person not in outside for person in one.persons)
    assert one.salt.hex() not in outside
    assert one.salt.hex() in inside
    lines = [line.split()[:2] for line in inside.splitlines() if line[:4].strip().isdecimal()]
    assert lines == [[str(at), one.persons[(at - 1) % 5]] for at in range(1, 11)]


@pytest.mark.parametrize("count", [1, 5, 60])
def test_a_sheet_is_a_pdf_whose_first_page_is_the_outside(count: int) -> None:
    """As many pages as it needs, and the same bytes each time."""
    one = printed(count)
    data = sheet_pdf(one)
    assert data.startswith(b"%PDF-")
    assert data == sheet_pdf(one)
    pages = data.count(b"/Type /Page\n")
    assert pages >= 2
    assert count < 10 or pages > 2


def test_the_longest_names_fit() -> None:
    """An id has up to 63 characters."""
    assert sheet_pdf(printed(2, name="n" * 59)).startswith(b"%PDF-")


def test_lines_are_read_from_a_file() -> None:
    """In whatever order of columns, with or without a byte order mark."""
    data = b"\xef\xbb\xbfperson,line,slot,why,time\ni-1,1,s-1,,2026-11-24T06:00:00Z\ni-2,2,,BUSY,2026-11-24T06:01:00Z\n"
    first, second = read_typed_lines(data, PORT)
    assert (first.line, first.person, first.slot) == (1, "ports/NLRTM/persons/i-1", "ports/NLRTM/slots/s-1")
    assert first.assign_time.ToDatetime(UTC) == datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert (second.slot, second.skip_reason) == ("", "BUSY")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"line,person\n",
        b"line,person,time,slot,why,line\n",
        HEAD + b"one,i-1,2026-11-24T06:00:00Z,s-1,\n",
        HEAD + b"0,i-1,2026-11-24T06:00:00Z,s-1,\n",
        HEAD + b"1,i 1,2026-11-24T06:00:00Z,s-1,\n",
        HEAD + b"1,i-1,06:00,s-1,\n",
        HEAD + b"1,i-1,2026-11-24T06:00:00Z,,\n",
        HEAD + b"1,i-1,2026-11-24T06:00:00Z,s-1,BUSY\n",
        HEAD + b"1,i-1,2026-11-24T06:00:00Z,s-1,,more\n",
        HEAD + b'1,"i-1,2026\n',
        HEAD + b"\xff\n",
        b" " * (4 * 2**20 + 1),
    ],
)
def test_files_that_are_no_lines(data: bytes) -> None:
    """The line that is wrong is named."""
    with pytest.raises(InvalidInput, match="LINES_FILE"):
        read_typed_lines(data, PORT)


def test_keys_are_committed_to_by_the_hour(tmp_path: Path) -> None:
    """While the server runs, whoever is new gets his commitment without being asked for."""

    async def run() -> None:
        start = utc(2026, 11, 24, 6)
        beacon = Beacon(start - timedelta(hours=1), days=1)
        service = Service(tmp_path / "assign.db", start=start, beacon=beacon, seed=1)
        async with service.running():
            name = await open_small_shift(service, start=start + timedelta(hours=2), waves=1, people=["i-1", "i-2"])
            await service.act(lambda unit: commit_sheets(unit, OFFICER, name, 1))
            async with hourly_commitments(service.sequencer, period_seconds=0.01):
                async with asyncio.timeout(30):
                    while await _last(service) is not Kind.PERSON_KEYS:  # noqa: ASYNC110 - real time
                        await asyncio.sleep(0.01)

    asyncio.run(run())


async def _last(service: Service) -> Kind:
    """The kind of the newest entry."""

    def read(connection):
        size = read_head(connection, PORT)[0].size
        return Entry.from_bytes(read_entries(connection, PORT, size - 1, size)[0]).kind

    return await service.reader.run(read)
