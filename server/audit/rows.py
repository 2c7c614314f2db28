"""Rows as they lie in the store, and the comparison with what they must be.

SQLite keeps whatever type it is given, so nothing is taken on trust: a value that the column's type would not
have written is a finding, not an exception.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, Text, select, type_coerce
from sqlalchemy.engine import Connection
from sqlalchemy.types import NullType

from server.audit.findings import Code, Findings
from server.storage.schema import Moment, Words

__all__ = ["Key", "Row", "compare_rows", "key_text", "read_rows"]

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]

_KEY_CHARACTERS = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _text(value: object) -> object:
    if type(value) is not str:
        raise TypeError
    value.encode()  # a ValueError for what is not Unicode
    return value


def _integer(value: object) -> object:
    if type(value) is not int:
        raise TypeError
    return value


def _boolean(value: object) -> object:
    if value not in (0, 1):
        raise ValueError
    return bool(value)


def _binary(value: object) -> object:
    if not isinstance(value, bytes | memoryview):
        raise TypeError
    return bytes(value)


def _moment(value: object) -> object:
    if type(value) is not int:
        raise TypeError
    return _EPOCH + timedelta(microseconds=value)


def _words(value: object) -> object:
    words = json.loads(value) if isinstance(value, str) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError
    "".join(words).encode()
    if json.dumps(sorted(set(words)), separators=(",", ":")) != value:
        raise ValueError
    return frozenset(words)


# The first that fits: a `BigInteger` is an `Integer`, and a `Text` a `String`.
_READERS: tuple[tuple[type, Callable[[object], object]], ...] = (
    (Moment, _moment),
    (Words, _words),
    (Boolean, _boolean),
    (BigInteger, _integer),
    (Integer, _integer),
    (Text, _text),
    (String, _text),
    (LargeBinary, _binary),
)


def _decode(column: Column[Any], value: object) -> object:
    if value is None:
        if not column.nullable:
            raise ValueError
        return None
    return next(read for kind, read in _READERS if isinstance(column.type, kind))(value)


def key_text(key: Key) -> str:
    """A row's key for people to read, without anything that a terminal would obey."""
    return " ".join(str(part) for part in key).encode("ascii", "backslashreplace").decode()[:_KEY_CHARACTERS]


def read_rows(connection: Connection, table: Table, findings: Findings) -> Iterator[tuple[Key, Row]]:
    """Every row of `table` by primary key, decoded; what cannot be is a finding, and its row is left out."""
    columns = [*table.columns]
    primary = [*table.primary_key.columns]
    statement = select(*(type_coerce(column, NullType()).label(column.name) for column in columns)).order_by(*primary)
    for values in connection.execute(statement):
        raw = dict(zip((column.name for column in columns), values, strict=True))
        row: Row = {}
        for column in columns:
            try:
                row[column.name] = _decode(column, raw[column.name])
            except (ValueError, TypeError, OverflowError, RecursionError):
                findings.add(
                    Code.ROW_UNREADABLE,
                    f"This software never wrote what is in `{column.name}` here.",
                    table=table.name,
                    row=key_text(tuple(raw[one.name] for one in primary)),
                )
                break
        else:
            yield tuple(row[one.name] for one in primary), row


def compare_rows(
    table: Table, found: Mapping[Key, Row], expected: Mapping[Key, Mapping[str, object]], findings: Findings
) -> None:
    """Compare rows with what they must be, column by column; columns that `expected` leaves out are not looked at."""
    for key, values in expected.items():
        row = found.get(key)
        if row is None:
            message = "The log says that this row is there, and it is not."
            findings.add(Code.ROW_MISSING, message, table=table.name, row=key_text(key))
            continue
        for name, value in values.items():
            if row[name] != value or type(row[name]) is not type(value):
                message = f"`{name}` is not what follows from the log."
                findings.add(Code.VALUE_CHANGED, message, table=table.name, row=key_text(key))
    for key in found:
        if key not in expected:
            message = "Nothing in the log accounts for this row."
            findings.add(Code.ROW_EXTRA, message, table=table.name, row=key_text(key))
