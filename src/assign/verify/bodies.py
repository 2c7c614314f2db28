"""The form of every entry's body, as `docs/log-entries.md` gives it: exactly these fields, of these types.

Checked before anything else looks at a body, so that whatever reads one afterwards may rely on its types.
A field that is not in the list is refused too: nobody audits what nobody reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from assign.encoding import parse_rfc3339
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind

__all__ = ["check_body"]

_Check = Callable[[object], bool]

_MAX_TEXT = 1024
_MAX_SECONDS = 10**8
_MAX_SHEET = 10**6
_MAX_NUMBER = 2**53 - 1
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ACTOR = re.compile(r"[0-9a-f]{32}|systems/[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT


def _matches(pattern: re.Pattern[str]) -> _Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _hex(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _digest(value: object) -> bool:
    return _hex(value) and len(str(value)) == 64


def _time(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_rfc3339(value) is not None
    except Corrupt:
        return False


def _integer(low: int, high: int) -> _Check:
    # bool is an int in Python, and `true` is no number.
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*words: str) -> _Check:
    return lambda value: value in words


def _list(item: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(item, value))


def _object(fields: Mapping[str, _Check]) -> _Check:
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == fields.keys()
        and all(check(value[name]) for name, check in fields.items())
    )


def _each_of(names: tuple[str, ...], check: _Check) -> _Check:
    return _object(dict.fromkeys(names, check))


def _nullable(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


_pseudonym = _matches(_PSEUDONYM)
_actor = _matches(_ACTOR)
_count = _integer(0, _MAX_NUMBER)
_seconds = _integer(0, _MAX_SECONDS)
_number = _integer(1, _MAX_SHEET)

_CONFIRMED: dict[str, _Check] = {"by": _actor, "requested_by": _actor, "request": _text, "reason": _text}
_RETAINED = ("answers", "assignments", "exceptions", "rosters", "screening", "selections")

_SHAPES: dict[Kind, _Check] = {
    Kind.SERVER_START: _object({"code": _text, "clock": _one_of("system", "steered", "manual"), "store": _text}),
    Kind.ACCESS_FILE: _object({"digest": _digest}),
    Kind.PERSONS_IMPORT: _object({"by": _actor, "count": _count, "digest": _digest}),
    Kind.SHIFT_OPEN: _object(
        {
            "by": _actor,
            "shift": _text,
            "commit_master": _digest,
            "calendar": _object(
                {
                    "start": _time,
                    "end": _time,
                    "step_seconds": _seconds,
                    "lead_seconds": _seconds,
                    "margin_seconds": _seconds,
                }
            ),
            "beacon": lambda value: isinstance(value, dict),
            "embargo_seconds": _seconds,
            "min_pool": _integer(0, _MAX_SECONDS),
            "draw": _text,
            "rules": _text,
        }
    ),
    Kind.ROSTER_IMPORT: _object(
        {
            "by": _actor,
            "shift": _text,
            "entries": _list(
                _object(
                    {
                        "person": _pseudonym,
                        "terminals": _list(_text),
                        "start": _time,
                        "end": _time,
                        "qualifications": _list(_text),
                        "capacity": _count,
                    }
                )
            ),
        }
    ),
    Kind.ABSENCE: _object({"by": _actor, "shift": _text, "person": _pseudonym, "reason": _text}),
    Kind.ORDERS_IMPORT: _object({"by": _actor, "orders": _list(_object({"order": _text, "digest": _digest}))}),
    Kind.SLOTS_BOOK: _object(
        {
            "by": _actor,
            "slots": _list(
                _object({"slot": _text, "order": _text, "terminal": _text, "start": _time, "minutes": _count})
            ),
        }
    ),
    Kind.SLOT_CANCEL: _object({"by": _actor, "slot": _text, "reason": _text}),
    Kind.KEY_USE: _object({"wave": _text, "purpose": _one_of("freeze", "draw", "recover", "sheets")}),
    Kind.DRAW: _object({"wave": _text, "round": _count, "evidence": _hex, "transcript": _digest}),
    Kind.WAVE_MISSED: _object({"wave": _text, "reason": _text}),
    Kind.UNWITNESSED: _object({"wave": _text, "witnesses": _count, "quorum": _count}),
    Kind.REVEAL: _object({"wave": _text, "person": _pseudonym}),
    Kind.READ: _object({"by": _actor, "what": _text}),
    Kind.REPLACEMENT_REQUEST: _object({"by": _actor, "wave": _text, "absent": _pseudonym, "reason": _text}),
    Kind.REPLACEMENT_APPROVE: _object(
        {
            "by": _actor,
            "requested_by": _actor,
            "wave": _text,
            "absent": _pseudonym,
            "substitutions": _list(
                _object(
                    {
                        "order": _text,
                        "substitute": _nullable(_pseudonym),
                        "passed_over": _list(_object({"person": _pseudonym, "why": _text})),
                    }
                )
            ),
        }
    ),
    Kind.REFUSAL: _object({"by": _text, "method": _text, "reason": _text}),
    Kind.CLOSE: _object({"shift": _text, "master": _digest, "salts": _list(_object({"wave": _text, "salt": _digest}))}),
    Kind.SHEETS_COMMIT: _object(
        {
            "by": _actor,
            "shift": _text,
            "first": _number,
            "copies": _number,
            "sheets": _list(
                _object(
                    {
                        "sheet": _number,
                        "terminal": _text,
                        "qualifications": _list(_text),
                        "persons": _count,
                        "hash": _digest,
                    }
                )
            ),
        }
    ),
    Kind.SHEETS_PRINT: _object({"shift": _text, "sheets": _list(_number)}),
    Kind.EXCEPTION_REQUEST: _object(
        {
            "by": _actor,
            "request": _text,
            "action": _one_of("sheet-open", "wave-manual", "person-erase"),
            "what": _text,
            "reason": _text,
            "time": _nullable(_time),
        }
    ),
    Kind.SHEET_OPEN: _object({**_CONFIRMED, "shift": _text, "sheet": _number, "opened": _time}),
    Kind.WAVE_MANUAL: _object({**_CONFIRMED, "wave": _text}),
    Kind.MANUAL_ASSIGNMENT: _object(
        {
            "by": _actor,
            "shift": _text,
            "sheet": _number,
            "lines": _list(
                _object(
                    {
                        "line": _number,
                        "person": _pseudonym,
                        "time": _time,
                        "order": _nullable(_text),
                        "wave": _nullable(_text),
                        "why": _nullable(_text),
                    }
                )
            ),
        }
    ),
    Kind.PERSON_KEYS: _object({"commitments": _list(_digest)}),
    Kind.PERSON_ERASED: _object(
        {**_CONFIRMED, "commitment": _digest, "opening": _digest, "pseudonyms": _count, "rows": _count}
    ),
    Kind.RETENTION: _object({"cutoffs": _each_of(_RETAINED, _time), "removed": _each_of(_RETAINED, _count)}),
}


def check_body(entry: Entry) -> bool:
    """Whether this verifier knows what such an entry means: its kind is one of those above.

    Raises Corrupt (ENTRY_BODY) unless the body has exactly the form of the entry's kind.
    """
    shape = _SHAPES.get(entry.kind)
    if shape is not None and not shape(entry.body):
        raise Corrupt("ENTRY_BODY", f"The body of this {entry.kind} entry does not have its documented form.")
    return shape is not None
