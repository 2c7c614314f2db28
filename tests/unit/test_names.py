"""Resource names: one spelling each, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from assign.errors import InvalidInput
from assign.names import (
    AssignmentName,
    PersonId,
    Port,
    ShiftId,
    ShiftName,
    WaveName,
    check_id,
    check_port,
    check_terminal,
    parse_assignment_name,
    parse_port_name,
    parse_shift_name,
    parse_terminal_name,
    parse_wave_name,
)

SHIFT = ShiftName(Port("NLRTM"), ShiftId("2026-11-24-A"))
WAVE = WaveName(SHIFT, datetime(2026, 11, 24, 6, tzinfo=UTC))


def test_names_are_written_and_read() -> None:
    """Parsing undoes writing."""
    assert str(WAVE) == "ports/NLRTM/shifts/2026-11-24-A/waves/20261124T060000Z"
    assert parse_wave_name(str(WAVE)) == WAVE
    assert parse_shift_name(str(SHIFT)) == (SHIFT, None)
    assert parse_shift_name("ports/NLRTM/terminals/RWG/shifts/2026-11-24-A") == (SHIFT, "RWG")
    assert parse_port_name("ports/NLRTM") == "NLRTM"
    assert parse_terminal_name("ports/NLRTM/terminals/RWG") == ("NLRTM", "RWG")
    name = AssignmentName(WAVE, PersonId("i-0042"))
    assert parse_assignment_name(str(name)) == name


def test_wave_is_named_in_utc_wherever_its_start_was_written() -> None:
    """One moment has one name."""
    amsterdam = WAVE.start.astimezone(timezone(timedelta(hours=1)))
    assert str(WaveName(SHIFT, amsterdam)) == str(WAVE)


@pytest.mark.parametrize(
    "start",
    [
        "",
        "20261124T060000",
        "20261124T0600Z",
        "2026-11-24T06:00:00Z",
        "20261124T060000+0000",
        "20261124T060000+0100",
        "20261324T060000Z",
        "20261124T240000Z",
        "20261124T060000.5Z",
        "2026W482T060000Z",
        "20261124t060000z",
        "20261124 060000Z",
        "\u0662\u0660\u0662\u06661124T060000Z",
    ],
)
def test_other_spellings_of_a_start_are_refused(start: str) -> None:
    """Names are hashed: a wave has exactly one."""
    with pytest.raises(InvalidInput) as caught:
        parse_wave_name(f"{SHIFT}/waves/{start}", field="name")
    assert caught.value.reason == "WAVE_FORM"
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    "text", ["", "ports", "ports/NLRTM/", "/ports/NLRTM", "ports/NLRTM/x", "Ports/NLRTM", "ports//NLRTM"]
)
def test_other_forms_of_a_port_name(text: str) -> None:
    """The pattern is in the message."""
    with pytest.raises(InvalidInput, match=r"ports/\*") as caught:
        parse_port_name(text)
    assert caught.value.reason == "NAME_FORM"


@pytest.mark.parametrize("text", ["NLRT", "NLRTMX", "nlrtm", "NL1TM", "NLRT0", "N1RTM", "NLRT\n"])
def test_ports_are_locodes(text: str) -> None:
    """Two letters, then three letters or digits 2 to 9."""
    with pytest.raises(InvalidInput, match="PORT_FORM"):
        check_port(text)


def test_locode_with_digits() -> None:
    """UN/LOCODE allows 2 to 9 in the place code."""
    assert check_port("US2AB") == "US2AB"


@pytest.mark.parametrize("text", ["", "ABCDEFG", "rwg", "RW G", "RWG\n"])
def test_terminals_are_smdg_codes(text: str) -> None:
    """Up to six capitals and digits."""
    with pytest.raises(InvalidInput, match="TERMINAL_FORM"):
        check_terminal(text)


@pytest.mark.parametrize("text", ["", ".hidden", "-x", "a/b", "a b", "x" * 64, "é", "a\n", "../../etc"])
def test_ids_are_plain(text: str) -> None:
    """Nothing that a path, a shell or a log line would take for something else."""
    with pytest.raises(InvalidInput, match="ID_FORM"):
        check_id(text, field="person")


@pytest.mark.parametrize("text", ["x", "0", "i-0042", "a.b_c-D", "x" * 63])
def test_ids_that_are_taken(text: str) -> None:
    """Up to 63 characters."""
    assert check_id(text) == text


@pytest.mark.parametrize("text", ["ports/NLRTM/shifts/A/waves/20261124T060000Z", f"{WAVE}/assignments/", "x"])
def test_other_forms_of_an_assignment(text: str) -> None:
    """A wave's name is not an assignment's."""
    with pytest.raises(InvalidInput):
        parse_assignment_name(text)


def test_shift_ids_are_checked() -> None:
    """In both forms of the name."""
    for text in ("ports/NLRTM/shifts/a b", "ports/NLRTM/terminals/rwg/shifts/A", "ports/NLRTM/terminals/RWG/shifts/-"):
        with pytest.raises(InvalidInput):
            parse_shift_name(text)


def test_names_sort_by_port_shift_and_start() -> None:
    """Waves in the order of their starts."""
    later = WaveName(SHIFT, WAVE.start + timedelta(minutes=15))
    assert sorted([later, WAVE]) == [WAVE, later]
