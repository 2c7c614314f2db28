"""Container numbers, with python-stdnum's ISO 6346 as oracle."""

from __future__ import annotations

import pytest
from stdnum import iso6346

from assign.container import ContainerNumber, check_digit, has_ambiguous_check_digit, parse_container_number
from assign.errors import InvalidInput


@pytest.mark.parametrize("text", ["CSQU3054383", "csqu3054383", "CSQU 305438 3", "CSQU-305438-3", " CSQU3054383 "])
def test_spellings_of_one_number(text: str) -> None:
    """The number is read however it is written on the box or on paper."""
    assert parse_container_number(text) == "CSQU3054383"


@pytest.mark.parametrize(
    "text",
    ["", "CSQU305438", "CSQU30543833", "CSQA3054383", "CS1U3054383", "CSQU30543B3", "ÇSQU3054383", "CSQU\uff13054383"],
)
def test_other_forms_are_refused(text: str) -> None:
    """Owner code, U, J or Z, seven ASCII digits, nothing else."""
    with pytest.raises(InvalidInput) as caught:
        parse_container_number(text, field="orders[3].container")
    assert caught.value.reason == "CONTAINER_FORM"
    assert caught.value.field == "orders[3].container"


@pytest.mark.parametrize("digit", [digit for digit in range(10) if digit != 3])
def test_every_wrong_check_digit_is_refused(digit: int) -> None:
    """Only one of ten digits is right."""
    with pytest.raises(InvalidInput) as caught:
        parse_container_number(f"CSQU305438{digit}", field="container")
    assert (caught.value.reason, caught.value.field) == ("CONTAINER_CHECK_DIGIT", "container")


def test_check_digits_agree_with_the_oracle() -> None:
    """A thousand prefixes of each category."""
    for number in range(0, 1_000_000, 997):
        for category in "UJZ":
            prefix = f"MS{chr(65 + number % 26)}{category}{number:06d}"
            assert str(check_digit(prefix)) == iso6346.calc_check_digit(prefix)


def test_remainder_ten_is_flagged_and_not_refused() -> None:
    """ISO 6346 advises against such numbers; boxes with them exist."""
    ambiguous = next(
        f"MSKU{number:06d}"
        for number in range(1000)
        if has_ambiguous_check_digit(ContainerNumber(f"MSKU{number:06d}0"))
    )
    number = parse_container_number(ambiguous + "0")
    assert has_ambiguous_check_digit(number)
    assert iso6346.is_valid(number)
    assert not has_ambiguous_check_digit(ContainerNumber("CSQU3054383"))


@pytest.mark.parametrize("prefix", ["CSQU30543", "CSQX305438", "csqu305438"])
def test_check_digit_of_no_prefix(prefix: str) -> None:
    """Four capitals and six digits have a check digit."""
    with pytest.raises(InvalidInput, match="CONTAINER_FORM"):
        check_digit(prefix)
