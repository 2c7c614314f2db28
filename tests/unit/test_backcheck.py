"""Back-checks: chosen by the draw key with exactly the tier's share, and never done by who was there first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assign.draw.backcheck import ALGORITHM, NEVER, Share, bar_from, choose_back_checks, is_checked_again
from assign.draw.inputs import WaveInputs
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.errors import InvalidInput
from assign.names import OrderId
from assign.person import Pseudonym
from assign.selftest.golden import key_of
from assign.selftest.known_answers import sample_wave

ORIGIN = "assign.example/NLRTM"
WAVE = "ports/NLRTM/shifts/2026-11-24-A/waves/20261124T060000Z"
KEY = bytes(range(32))
ALWAYS, FIFTH = Share(1, 1), Share(1, 5)
SUBSTITUTE = Pseudonym("cc" * 16)


def _is_checked(order: str, share: Share = FIFTH, key: bytes = KEY, wave: str = WAVE) -> bool:
    return is_checked_again(key, origin=ORIGIN, wave=wave, order=OrderId(order), share=share)


@pytest.fixture(scope="module")
def wave() -> tuple[WaveInputs, Transcript]:
    """A whole wave with teams of one and two, in two tiers."""
    inputs = sample_wave()
    return inputs, replay_wave(inputs, key_of("wave"))


def test_published_choice_is_kept() -> None:
    """The algorithm id stands for this very choice, which an implementation apart from this one found as well."""
    assert ALGORITHM == "back-check/v1"
    assert [number for number in range(40) if _is_checked(f"o-{number:02d}")] == [3, 4, 7, 8, 15, 17, 21, 35]


def test_share_of_nothing_and_of_everything() -> None:
    """0 is never, 1 is always: exactly."""
    for number in range(200):
        assert not _is_checked(f"o-{number}", NEVER)
        assert not _is_checked(f"o-{number}", Share(0, 2**32 - 1))
        assert _is_checked(f"o-{number}", ALWAYS)
        assert _is_checked(f"o-{number}", Share(7, 7))


def test_larger_share_checks_the_same_orders_and_more() -> None:
    """With one denominator, nobody gets out by a share that is raised."""
    few = {number for number in range(300) if _is_checked(f"o-{number}", Share(1, 10))}
    more = {number for number in range(300) if _is_checked(f"o-{number}", Share(3, 10))}
    assert few < more


def test_key_and_wave_decide() -> None:
    """Another wave, or another key, is another choice."""
    orders = [f"o-{number}" for number in range(100)]
    chosen = [_is_checked(order) for order in orders]
    assert chosen != [_is_checked(order, key=bytes(32)) for order in orders]
    assert chosen != [_is_checked(order, wave=WAVE.replace("06", "07")) for order in orders]


def test_only_served_orders_of_listed_tiers(wave: tuple[WaveInputs, Transcript]) -> None:
    """By tier; an order left over had no inspection; by order id."""
    inputs, transcript = wave
    key = key_of("wave")
    every = choose_back_checks(inputs, transcript, key, shares={0: ALWAYS, 1: ALWAYS}, inspected_by={})
    served = [order for order, team in zip(transcript.orders, transcript.teams, strict=True) if team]
    assert [check.order for check in every] == served
    first = choose_back_checks(inputs, transcript, key, shares={0: ALWAYS}, inspected_by={})
    assert {check.order for check in first} == {order.order for order in inputs.orders if order.tier == 0} & {*served}
    unserved = replace(transcript, teams=((), *transcript.teams[1:]))
    rest = choose_back_checks(inputs, unserved, key, shares={0: ALWAYS, 1: ALWAYS}, inspected_by={})
    assert [check.order for check in rest] == [order for order in served if order != transcript.orders[0]]
    assert choose_back_checks(inputs, transcript, key, shares={}, inspected_by={}) == ()


def test_whoever_was_there_is_barred(wave: tuple[WaveInputs, Transcript]) -> None:
    """The drawn team, whoever took over, and whoever handled the selection; nobody else."""
    inputs, transcript = wave
    order = next(one for one, team in zip(transcript.orders, transcript.teams, strict=True) if team)
    checks = choose_back_checks(
        inputs,
        transcript,
        key_of("wave"),
        shares={0: ALWAYS, 1: ALWAYS},
        inspected_by={order: [SUBSTITUTE]},
    )
    for check in checks:
        place = transcript.orders.index(check.order)
        expected = {*transcript.teams[place], *inputs.orders[place].handled_by}
        assert check.barred == expected | ({SUBSTITUTE} if check.order == order else set())


def test_rules_refuse_the_barred_in_the_later_wave(wave: tuple[WaveInputs, Transcript]) -> None:
    """The order of a back-check, as an input of a later wave, has nobody of the first inspection in its pool."""
    inputs, transcript = wave
    checks = choose_back_checks(inputs, transcript, key_of("wave"), shares={0: ALWAYS, 1: ALWAYS}, inspected_by={})
    barred = {check.order: check.barred for check in checks}
    later = WaveInputs.assemble(
        origin=inputs.origin,
        shift=inputs.shift,
        wave=inputs.wave,
        draw_algorithm=inputs.draw_algorithm,
        code_version=inputs.code_version,
        min_pool=inputs.min_pool,
        orders=[bar_from(order, barred.get(order.order, ())) for order in inputs.orders],
        persons=[*inputs.persons],
    )
    persons = [person.candidate.person for person in later.persons]
    for order, row in zip(later.orders, later.verdicts, strict=True):
        eligible = {person for person, letter in zip(persons, row, strict=True) if letter == "+"}
        assert eligible.isdisjoint(barred.get(order.order, ()))
    second = replay_wave(later, key_of("another wave"))
    for order_id, person in second.seats():
        assert person not in barred.get(order_id, ())


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(-1, 2), (3, 2), (0, 0), (1, 2**32), (True, 2), (1, True), (0.5, 1)]
)
def test_share_is_a_fraction_of_integers(numerator: int, denominator: int) -> None:
    """Nothing outside 0 to 1, no float, no truth value."""
    with pytest.raises(InvalidInput, match="SHARE_RANGE"):
        Share(numerator, denominator)


def test_unknown_tier_and_foreign_transcript_are_refused(wave: tuple[WaveInputs, Transcript]) -> None:
    """A share for a tier that cannot exist would be a check that never happens."""
    inputs, transcript = wave
    with pytest.raises(InvalidInput, match="SHARE_TIER"):
        choose_back_checks(inputs, transcript, KEY, shares={10: ALWAYS}, inspected_by={})
    with pytest.raises(InvalidInput, match="BACK_CHECK_WAVE"):
        choose_back_checks(inputs, replace(transcript, wave="other"), KEY, shares={}, inspected_by={})
