"""All inputs of one wave's draw as canonical bytes, and back. What is not in here cannot influence the draw.

Format `inputs/v1`, canonical JSON. Orders and persons are sorted by id, so that no order of arrival
matters. `verdicts[i][j]` is the letter of `assign.rules.eligibility.Verdict` for order i and person j; it
follows from the rest by the named rules, and is written out so that every exclusion can be read.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assign.container import ContainerNumber, parse_container_number
from assign.encoding import Json, canonical_json, parse_canonical_json, parse_rfc3339, rfc3339
from assign.errors import AssignError, Corrupt
from assign.names import OrderId, SlotId, TerminalCode, check_id, check_terminal
from assign.order import MAX_MINUTES, MAX_TIER, order_digest
from assign.person import Pseudonym, Screening
from assign.roster import MAX_CAPACITY
from assign.rules.eligibility import RULES_VERSION, Candidate, Need, Verdict
from assign.rules.verdict_table import judge_wave

__all__ = ["FORMAT", "FrozenOrder", "FrozenPerson", "WaveInputs"]

FORMAT = "inputs/v1"
MAX_POOL = 10**6
_LETTERS = frozenset(verdict.value for verdict in Verdict)
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenOrder:
    """An order with its slot, as fixed at the freeze. Fields as in `assign.order`."""

    order: OrderId
    slot: SlotId
    container: ContainerNumber
    terminal: TerminalCode
    start: datetime
    minutes: int
    tier: int
    team_size: int
    qualifications: frozenset[str]
    parties: frozenset[str]
    handled_by: frozenset[Pseudonym]
    salt: bytes

    def need(self) -> Need:
        """What the rules look at."""
        return Need(
            terminal=self.terminal,
            start=self.start,
            end=self.start + timedelta(minutes=self.minutes),
            qualifications=self.qualifications,
            parties=self.parties,
            handled_by=self.handled_by,
        )

    def digest(self) -> bytes:
        """The order's digest as it stands in the log since it arrived."""
        return order_digest(
            salt=self.salt,
            order=self.order,
            container=self.container,
            terminal=self.terminal,
            tier=self.tier,
            team_size=self.team_size,
            qualifications=self.qualifications,
            parties=self.parties,
        )

    def to_json(self) -> Json:
        """Canonical JSON object."""
        return {
            "container": self.container,
            "handled_by": [*sorted(self.handled_by)],
            "minutes": self.minutes,
            "order": self.order,
            "parties": [*sorted(self.parties)],
            "qualifications": [*sorted(self.qualifications)],
            "salt": self.salt.hex(),
            "slot": self.slot,
            "start": rfc3339(self.start),
            "team_size": self.team_size,
            "terminal": self.terminal,
            "tier": self.tier,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FrozenOrder:
        """Inverse of `to_json`. Raises KeyError, TypeError, ValueError or AssignError on any other value."""
        return cls(
            order=OrderId(check_id(value["order"])),
            slot=SlotId(check_id(value["slot"])),
            container=parse_container_number(value["container"]),
            terminal=check_terminal(value["terminal"]),
            start=parse_rfc3339(value["start"]),
            minutes=_integer(value["minutes"], 1, MAX_MINUTES),
            tier=_integer(value["tier"], 0, MAX_TIER),
            team_size=_integer(value["team_size"], 1, 2),
            qualifications=_words(value["qualifications"]),
            parties=_words(value["parties"]),
            handled_by=frozenset(map(_pseudonym, value["handled_by"])),
            salt=bytes.fromhex(value["salt"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPerson:
    """A person on the roster, as fixed at the freeze: the facts of the rules and the capacity."""

    candidate: Candidate
    capacity: int

    def to_json(self) -> Json:
        """Canonical JSON object."""
        facts = self.candidate
        until = facts.screening.certificate_until
        return {
            "absent": facts.absent,
            "busy": [[rfc3339(start), rfc3339(end)] for start, end in sorted(facts.busy)],
            "capacity": self.capacity,
            "certificate_until": None if until is None else rfc3339(until),
            "cooldown_parties": [*sorted(facts.cooldown_parties)],
            "duty": [rfc3339(facts.duty_start), rfc3339(facts.duty_end)],
            "interviewed": facts.screening.interviewed,
            "person": facts.person,
            "qualifications": [*sorted(facts.qualifications)],
            "recused_parties": [*sorted(facts.recused_parties)],
            "signal_open": facts.screening.signal_open,
            "terminals": [*sorted(facts.terminals)],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FrozenPerson:
        """Inverse of `to_json`. Raises KeyError, TypeError, ValueError or AssignError on any other value."""
        until = value["certificate_until"]
        duty_start, duty_end = value["duty"]
        candidate = Candidate(
            person=_pseudonym(value["person"]),
            terminals=frozenset(map(check_terminal, value["terminals"])),
            duty_start=parse_rfc3339(duty_start),
            duty_end=parse_rfc3339(duty_end),
            qualifications=_words(value["qualifications"]),
            absent=_boolean(value["absent"]),
            screening=Screening(
                certificate_until=None if until is None else parse_rfc3339(until),
                signal_open=_boolean(value["signal_open"]),
                interviewed=_boolean(value["interviewed"]),
            ),
            recused_parties=_words(value["recused_parties"]),
            cooldown_parties=_words(value["cooldown_parties"]),
            busy=tuple((parse_rfc3339(start), parse_rfc3339(end)) for start, end in value["busy"]),
        )
        return cls(candidate=candidate, capacity=_integer(value["capacity"], 0, MAX_CAPACITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveInputs:
    """Everything that may influence one wave's draw.

    Attributes:
        draw_algorithm: id of the draw, such as `frozen-chair-walk/v1`; old ids replay for ever.
        code_version: the software that froze the wave.
        min_pool: an order with fewer eligible persons is flagged.
        orders, persons: sorted by id; no duplicates.
        verdicts: one string an order, one letter a person.
    """

    origin: str
    shift: str
    wave: str
    draw_algorithm: str
    code_version: str
    min_pool: int
    orders: tuple[FrozenOrder, ...]
    persons: tuple[FrozenPerson, ...]
    verdicts: tuple[str, ...]

    @classmethod
    def assemble(
        cls,
        *,
        origin: str,
        shift: str,
        wave: str,
        draw_algorithm: str,
        code_version: str,
        min_pool: int,
        orders: list[FrozenOrder],
        persons: list[FrozenPerson],
    ) -> WaveInputs:
        """Sort, judge every pair and build the inputs."""
        orders = sorted(orders, key=lambda order: order.order)
        persons = sorted(persons, key=lambda person: person.candidate.person)
        return cls(
            origin=origin,
            shift=shift,
            wave=wave,
            draw_algorithm=draw_algorithm,
            code_version=code_version,
            min_pool=min_pool,
            orders=tuple(orders),
            persons=tuple(persons),
            verdicts=tuple(_judge(orders, persons)),
        )

    def rejudge(self) -> tuple[str, ...]:
        """The verdicts that the rules give for these facts; equal to `verdicts` unless somebody bent them."""
        return tuple(_judge([*self.orders], [*self.persons]))

    def small_pools(self) -> list[OrderId]:
        """Orders with fewer eligible persons than `min_pool`."""
        return [
            order.order for order, row in zip(self.orders, self.verdicts, strict=True) if row.count("+") < self.min_pool
        ]

    def to_bytes(self) -> bytes:
        """The canonical bytes that are committed to."""
        return canonical_json(
            {
                "code": self.code_version,
                "draw": self.draw_algorithm,
                "format": FORMAT,
                "min_pool": self.min_pool,
                "orders": [order.to_json() for order in self.orders],
                "origin": self.origin,
                "persons": [person.to_json() for person in self.persons],
                "rules": RULES_VERSION,
                "shift": self.shift,
                "verdicts": [*self.verdicts],
                "wave": self.wave,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> WaveInputs:
        """Inverse of `to_bytes`. Raises Corrupt unless the bytes are exactly what `to_bytes` would write."""
        try:
            value = parse_canonical_json(data)
            inputs = cls(
                origin=_word(value["origin"]),
                shift=_word(value["shift"]),
                wave=_word(value["wave"]),
                draw_algorithm=_word(value["draw"]),
                code_version=_word(value["code"]),
                min_pool=_integer(value["min_pool"], 0, MAX_POOL),
                orders=tuple(FrozenOrder.from_json(order) for order in value["orders"]),
                persons=tuple(FrozenPerson.from_json(person) for person in value["persons"]),
                verdicts=tuple(map(_word, value["verdicts"])),
            )
            same = inputs.to_bytes() == data and inputs._is_well_formed()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, AssignError):
            same = False
        if not same:
            raise Corrupt("INPUTS_MALFORMED", f"These bytes are not {FORMAT}.")
        return inputs

    def _is_well_formed(self) -> bool:
        orders = [order.order for order in self.orders]
        persons = [person.candidate.person for person in self.persons]
        return (
            all(earlier < later for earlier, later in itertools.pairwise(orders))
            and all(earlier < later for earlier, later in itertools.pairwise(persons))
            and len(self.verdicts) == len(orders)
            and all(len(row) == len(persons) and _LETTERS.issuperset(row) for row in self.verdicts)
            # A slot at the very end of the calendar's years has no end.
            and all(order.need().end > order.start for order in self.orders)
        )


def _judge(orders: list[FrozenOrder], persons: list[FrozenPerson]) -> list[str]:
    return judge_wave([order.need() for order in orders], [person.candidate for person in persons])


# What is read back has been committed to by somebody who may be hostile: the draw must be able to rely on every type.


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _words(value: list[object]) -> frozenset[str]:
    return frozenset(map(_word, value))


def _pseudonym(value: object) -> Pseudonym:
    if not _PSEUDONYM.fullmatch(_word(value)):
        raise ValueError("pseudonym")
    return Pseudonym(_word(value))


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("boolean")
    return value


def _integer(value: object, low: int, high: int) -> int:
    # bool is an int in Python, and would be written back as `true`.
    if type(value) is not int or not low <= value <= high:
        raise ValueError("integer")
    return value
