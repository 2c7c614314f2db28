"""The register of terminals."""

from datetime import date

import pytest

from assign.errors import Corrupt, InvalidInput
from server.demo.port_day import DEFAULT_TERMINALS
from server.terminals import TerminalRegister

HEADER = (
    "UNLOCODE,Alternative UNLOCODE,Terminal Code,Terminal Facility Name,Terminal Company Name,Last Change,"
    "Valid From,Valid Until,Terminal Website,Terminal Address,Remarks,Coordinates\n"
)


@pytest.fixture(scope="module")
def register() -> TerminalRegister:
    return TerminalRegister.shipped()


def test_shipped_list_knows_the_demonstration_terminals(register):
    """Every terminal of the demonstration is a real one, valid on its day, with a name."""
    assert len(register) > 1_200
    for code in DEFAULT_TERMINALS:
        assert register.check("NLRTM", code, on=date(2026, 11, 24)).name
    assert register.check("NLRTM", "RWG").name == "ROTTERDAM WORLD GATEWAY"


@pytest.mark.parametrize(
    ("port", "terminal", "reason"),
    [
        ("NLRTM", "XXX", "UNKNOWN_TERMINAL"),
        ("NLAMS", "RWG", "UNKNOWN_TERMINAL"),
        ("NLRTM", "rwg", "TERMINAL_FORM"),
        ("NLRTM", "", "TERMINAL_FORM"),
        ("Rotterdam", "RWG", "PORT_FORM"),
    ],
)
def test_unknown_terminal_is_refused_with_its_field(register, port, terminal, reason):
    with pytest.raises(InvalidInput) as caught:
        register.check(port, terminal, field="orders[3].terminal")
    assert (caught.value.reason, caught.value.field) == (reason, "orders[3].terminal")


def test_ended_code_is_known_but_not_valid_any_more(register):
    """A code that ended stays known, and is refused on a day after its end."""
    ended = register.check("KRPUS", "DPCT", on=date(2025, 9, 30))
    assert ended.valid_until == date(2025, 9, 30)
    with pytest.raises(InvalidInput, match="TERMINAL_ENDED"):
        register.check("KRPUS", "DPCT", on=date(2025, 10, 1))
    with pytest.raises(InvalidInput, match="TERMINAL_ENDED"):
        register.check("NLRTM", "HPD2", on=date(2022, 1, 18))


def test_of_port_is_sorted_by_code(register):
    codes = [terminal.code for terminal in register.of_port("NLRTM")]
    assert codes == sorted(codes)
    assert set(DEFAULT_TERMINALS) <= set(codes)
    assert register.of_port("NLXXX") == []


def test_of_two_lines_for_one_code_the_longer_valid_counts():
    text = HEADER + "USJAX,,B,OLD,,,2020-01-01,2021-01-01,,,,\nUSJAX,,B,NEW,,,2021-01-02,,,,,\n"
    swapped = HEADER + "USJAX,,B,NEW,,,2021-01-02,,,,,\nUSJAX,,B,OLD,,,2020-01-01,2021-01-01,,,,\n"
    for one in (text, swapped):
        assert TerminalRegister.from_csv(one).check("USJAX", "B").name == "NEW"


@pytest.mark.parametrize(
    "row",
    ["NLRTM,,RWG,NAME,,,,,,,,", "nl,,RWG,N,,,2020-01-01,,,,,", "NLRTM,,RWG,N,,,2020-01-01,soon,,,,", "NLRTM"],
)
def test_malformed_list_names_the_line(row):
    with pytest.raises(Corrupt, match="Line 2"):
        TerminalRegister.from_csv(HEADER + row + "\n")
