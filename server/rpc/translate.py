"""Between messages and the library's values. Wrong fields are named by their path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from assign.container import parse_container_number
from assign.errors import AssignError, InvalidInput
from assign.names import OrderId, PersonId, Port, SlotId, TerminalCode, check_id, parse_terminal_name
from assign.order import Order, Slot, check_qualification
from assign.person import Person, Screening
from assign.roster import RosterEntry
from assign.v1 import resources_pb2

__all__ = [
    "MAX_ROWS",
    "check_reason",
    "last_segment",
    "to_moment",
    "to_order",
    "to_person",
    "to_roster_entry",
    "to_rows",
    "to_slot",
]

MAX_ROWS = 20_000
_MAX_ERRORS = 100
_MAX_PARTIES = 16
_LAST_SECOND = 253_402_300_799  # the end of the year 9999
_Row = TypeVar("_Row", bound=Message)
_T = TypeVar("_T")


def to_rows(rows: Sequence[_Row], field: str, convert: Callable[[_Row, str], _T]) -> list[_T]:
    """Every row converted; or InvalidInput that names every wrong row, up to a hundred, and nothing is done."""
    if len(rows) > MAX_ROWS:
        raise InvalidInput("BATCH_TOO_LARGE", f"A batch has at most {MAX_ROWS} rows; send several.", field=field)
    converted: list[_T] = []
    errors: list[AssignError] = []
    for index, row in enumerate(rows):
        try:
            converted.append(convert(row, f"{field}[{index}]"))
        except AssignError as error:
            path = error.field if error.field.startswith(field) else f"{field}[{index}]"
            errors.append(InvalidInput(error.reason, error.message, field=path))
            if len(errors) == _MAX_ERRORS:
                break
    if errors:
        first, *others = errors
        raise InvalidInput(first.reason, first.message, field=first.field, also=tuple(others))
    return converted


def last_segment(name: str, parent: str, *, field: str) -> str:
    """The id in `parent/ID`. Raises InvalidInput (NAME_FORM, ID_FORM)."""
    prefix, _, last = name.rpartition("/")
    if prefix != parent:
        raise InvalidInput("NAME_FORM", f"This resource name must have the form {parent}/*.", field=field)
    return check_id(last, field=field)


def check_reason(text: str, *, field: str) -> str:
    """A reason as one word. Raises InvalidInput (REASON_FORM)."""
    try:
        return check_id(text, field=field)
    except InvalidInput:
        raise InvalidInput("REASON_FORM", "Give a reason as one word, such as sick or no-show.", field=field) from None


def to_moment(message: Message, name: str, field: str) -> datetime:
    """A required scheduled time: aware UTC in whole seconds. Raises InvalidInput (TIME_MISSING, TIME_FRACTION)."""
    if not message.HasField(name):
        raise InvalidInput("TIME_MISSING", "This time is required.", field=field)
    return _whole_seconds(getattr(message, name), field)


def _whole_seconds(stamp: Timestamp, field: str) -> datetime:
    if stamp.nanos:
        raise InvalidInput("TIME_FRACTION", "A scheduled time is in whole seconds.", field=field)
    if not 0 <= stamp.seconds <= _LAST_SECOND:
        raise InvalidInput("TIME_RANGE", "This time is outside the years 1970 to 9999.", field=field)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=stamp.seconds)


def _to_minutes(duration: Duration, field: str) -> int:
    if duration.nanos or duration.seconds <= 0 or duration.seconds % 60:
        raise InvalidInput("SLOT_MINUTES", "An expected duration is in whole minutes.", field=field)
    return duration.seconds // 60


def _to_terminal(name: str, port: Port, field: str) -> TerminalCode:
    other, terminal = parse_terminal_name(name, field=field)
    if other != port:
        raise InvalidInput("OTHER_PORT", f"This terminal is not in {port}.", field=field)
    return terminal


def _to_qualifications(words: Sequence[str], field: str) -> frozenset[str]:
    return frozenset(check_qualification(word, field=f"{field}[{index}]") for index, word in enumerate(words))


def _to_parties(words: Sequence[str], field: str) -> frozenset[str]:
    if len(words) > _MAX_PARTIES:
        raise InvalidInput("PARTIES_TOO_MANY", f"An order has at most {_MAX_PARTIES} trade parties.", field=field)
    return frozenset(check_id(word, field=f"{field}[{index}]") for index, word in enumerate(words))


def to_person(message: resources_pb2.Person, port: Port, field: str) -> Person:
    """A person's status. Raises InvalidInput."""
    until = None
    if message.HasField("certificate_valid_until"):
        until = _whole_seconds(message.certificate_valid_until, f"{field}.certificate_valid_until")
    return Person(
        person=PersonId(last_segment(message.name, f"ports/{port}/persons", field=f"{field}.name")),
        screening=Screening(
            certificate_until=until,
            signal_open=message.screening_signal_open,
            interviewed=message.vulnerability_interview_done,
        ),
        recused_parties=frozenset(
            check_id(word, field=f"{field}.recused_parties[{index}]")
            for index, word in enumerate(message.recused_parties)
        ),
    )


def to_roster_entry(
    message: resources_pb2.RosterEntry, port: Port, terminals: Sequence[str], only: TerminalCode | None, field: str
) -> RosterEntry:
    """A roster entry. `terminals` are the port's; `only` is the terminal the roster is for. Raises InvalidInput."""
    served = frozenset(
        _to_terminal(name, port, f"{field}.terminals[{index}]") for index, name in enumerate(message.terminals)
    )
    for terminal in served:
        if terminal not in terminals:
            raise InvalidInput(
                "UNKNOWN_TERMINAL", f"{terminal} is not a terminal of {port} here.", field=f"{field}.terminals"
            )
    if only is not None and only not in served:
        raise InvalidInput("OTHER_TERMINAL", f"This entry does not serve {only}.", field=f"{field}.terminals")
    person = PersonId(last_segment(message.person, f"ports/{port}/persons", field=f"{field}.person"))
    if message.name and message.name.rpartition("/")[2] != person:
        raise InvalidInput("NAME_OTHER_PERSON", "The name of this entry is another person's.", field=f"{field}.name")
    return RosterEntry(
        person=person,
        terminals=served,
        start=to_moment(message, "start_time", f"{field}.start_time"),
        end=to_moment(message, "end_time", f"{field}.end_time"),
        qualifications=_to_qualifications(message.qualifications, f"{field}.qualifications"),
        capacity=message.wave_capacity or 1,
    )


def to_order(message: resources_pb2.Order, port: Port, field: str) -> Order:
    """An order, not salted yet. Raises InvalidInput."""
    return Order(
        order=OrderId(last_segment(message.name, f"ports/{port}/orders", field=f"{field}.name")),
        container=parse_container_number(message.container_number, field=f"{field}.container_number"),
        terminal=_to_terminal(message.terminal, port, f"{field}.terminal"),
        tier=message.tier,
        team_size=message.team_size or 1,
        qualifications=_to_qualifications(message.qualifications, f"{field}.qualifications"),
        parties=_to_parties(message.parties, f"{field}.parties"),
        selected_by=PersonId(last_segment(message.selected_by, f"ports/{port}/persons", field=f"{field}.selected_by")),
        salt=b"",
    )


def to_slot(message: resources_pb2.Slot, port: Port, field: str) -> Slot:
    """A slot to book. Raises InvalidInput."""
    return Slot(
        slot=SlotId(last_segment(message.name, f"ports/{port}/slots", field=f"{field}.name")),
        order=OrderId(last_segment(message.order, f"ports/{port}/orders", field=f"{field}.order")),
        terminal=_to_terminal(message.terminal, port, f"{field}.terminal"),
        start=to_moment(message, "start_time", f"{field}.start_time"),
        minutes=_to_minutes(message.expected_duration, f"{field}.expected_duration"),
    )
