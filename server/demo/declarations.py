"""Customs declarations from a CSV file: the sea freight rows become inspection orders.

Only six columns are read. Files differ from one another in what they leave blank; a row that cannot
become an order is left out and counted with its reason, and a file that cannot is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from assign.encoding import lp, sha256
from assign.errors import InvalidInput, NotFound
from assign.names import OrderId, check_id

__all__ = [
    "Declaration",
    "DeclarationFile",
    "LeftOut",
    "parse_declarations",
    "read_declarations",
    "shipped_declarations",
]

_SEA = "10"
_COLUMNS = ("Declaration ID", "Mode of Transport", "Declarant ID", "Importer ID", "HS6 Code", "Fraud", "Critical Fraud")
_SHIPPED = "kcs-declarations-2021q1.csv"
# An order's id is also part of its slot's id, which has 63 characters.
_MAX_ORDER_ID = 40
_HS_DIGITS = 6

TIER_CRITICAL, TIER_FINDING, TIER_ROUTINE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an order needs of one declaration.

    Attributes:
        line: where it stands in the file.
        chapter: the two digits of the Harmonized System chapter, "" where the code is missing.
        tier: 0 to 2, from the finding; the finding itself goes no further than this.
        parties: importer and declarant as opaque ids; none where both are blank.
    """

    order: OrderId
    line: int
    chapter: str
    tier: int
    parties: frozenset[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows that did not become declarations, by reason.

    Attributes:
        count: how many.
        first_line: where the first one stands.
    """

    reason: str
    count: int
    first_line: int

    def __str__(self) -> str:
        rows = "row" if self.count == 1 else "rows"
        return f"{self.count:,} {rows} left out: {self.reason} (first on line {self.first_line})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationFile:
    """The sea freight declarations of one file, in its order; no two with the same order id."""

    name: str
    row_count: int
    declarations: tuple[Declaration, ...]
    left_out: tuple[LeftOut, ...]


class _Unusable(Exception):
    """Why one row is left out."""


def shipped_declarations() -> DeclarationFile:
    """The declarations that ship with the project."""
    data = resources.files("server").joinpath("data", _SHIPPED).read_bytes()
    return parse_declarations(data, name=_SHIPPED)


def read_declarations(path: Path) -> DeclarationFile:
    """The declarations in the file `path`. Raises NotFound or what `parse_declarations` raises."""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"Cannot read {path}: {error.strerror}."
        raise NotFound("DECLARATIONS_UNREADABLE", message, field="declarations") from None
    return parse_declarations(data, name=path.name)


def parse_declarations(data: bytes, *, name: str) -> DeclarationFile:
    """The sea freight declarations in `data`, CSV in UTF-8 with or without a byte-order mark.

    Raises InvalidInput naming the line or the column: DECLARATIONS_ENCODING, DECLARATIONS_CSV,
    DECLARATIONS_COLUMNS, DECLARATIONS_NO_SEA.
    """
    rows = _rows(_decode(data, name), name)
    found: dict[OrderId, Declaration] = {}
    left_out: dict[str, LeftOut] = {}
    row_count = 0
    for line, row in rows:
        row_count += 1
        if _whole(row["Mode of Transport"]) != _SEA:
            continue
        try:
            declaration = _declaration(line, row)
            if declaration.order in found:
                raise _Unusable("its declaration id occurred before")
            found[declaration.order] = declaration
        except _Unusable as why:
            reason = str(why)
            earlier = left_out.get(reason, LeftOut(reason, 0, line))
            left_out[reason] = LeftOut(reason, earlier.count + 1, earlier.first_line)
    if not found:
        message = f"{name} has {row_count:,} rows and none of them is a usable sea freight row (10)."
        raise InvalidInput("DECLARATIONS_NO_SEA", message, field="Mode of Transport")
    return DeclarationFile(
        name=name, row_count=row_count, declarations=tuple(found.values()), left_out=tuple(left_out.values())
    )


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{name} is not UTF-8 text: line {line} has a byte that cannot be read."
        raise InvalidInput("DECLARATIONS_ENCODING", message, field=f"line {line}") from None


def _rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the wanted columns of every row; a row that is too short has blanks."""
    head = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    try:
        header = [column.strip().casefold() for column in next(reader, [])]
        missing = [column for column in _COLUMNS if column.casefold() not in header]
        if missing:
            message = f"{name} has no column {missing[0]!r}; it needs {', '.join(_COLUMNS)}."
            raise InvalidInput("DECLARATIONS_COLUMNS", message, field=missing[0])
        positions = {column: header.index(column.casefold()) for column in _COLUMNS}
        for row in reader:
            if any(cell.strip() for cell in row):
                cells = {column: row[at].strip() if at < len(row) else "" for column, at in positions.items()}
                yield reader.line_num, cells
    except csv.Error as error:
        message = f"{name} is not CSV from line {reader.line_num} on: {error}."
        raise InvalidInput("DECLARATIONS_CSV", message, field=f"line {reader.line_num}") from None


def _declaration(line: int, row: dict[str, str]) -> Declaration:
    parties = (_party(row[column]) for column in ("Importer ID", "Declarant ID") if row[column])
    return Declaration(
        order=_order_id(row["Declaration ID"]),
        line=line,
        chapter=_chapter(row["HS6 Code"]),
        tier=_tier(_whole(row["Fraud"]), _whole(row["Critical Fraud"])),
        parties=frozenset(parties),
    )


def _order_id(text: str) -> OrderId:
    """The declaration's id where it can be a resource id, else one made from it."""
    if not text:
        raise _Unusable("it has no declaration id")
    try:
        if len(text) <= _MAX_ORDER_ID:
            return OrderId(check_id(text))
    except InvalidInput:
        pass
    return OrderId(f"d-{_digest('declaration', text)}")


def _party(text: str) -> str:
    return f"party-{_digest('party', text)}"


def _digest(kind: str, text: str) -> str:
    return sha256(lp("demo/v1", kind, text)).hex()[:16]


def _chapter(code: str) -> str:
    # Spreadsheets drop a leading zero and may write a number as 71080.0.
    digits = _whole(code).replace(".", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        return ""
    return digits.zfill(_HS_DIGITS)[:2]


def _tier(fraud: str, critical: str) -> int:
    if any(text not in ("", "0", "1", "2") for text in (fraud, critical)):
        raise _Unusable("its finding is not 0, 1 or 2")
    if critical == "2":
        return TIER_CRITICAL
    return TIER_FINDING if {fraud, critical} - {"", "0"} else TIER_ROUTINE


def _whole(text: str) -> str:
    return text.removesuffix(".0")
