"""The file that a shift leader's sheet is typed into: CSV with a line for each line of the sheet."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assign.encoding import parse_rfc3339
from assign.errors import AssignError, InvalidInput
from assign.names import Port, check_id
from assign.v1 import outage_service_pb2 as pb2

__all__ = ["COLUMNS", "read_typed_lines"]

COLUMNS = ("line", "person", "time", "slot", "why")
_MAX_BYTES = 4 * 2**20
_MAX_LINE = 10**6


def read_typed_lines(data: bytes, port: Port) -> list[pb2.SheetLine]:
    """The lines of a CSV file with a header of COLUMNS, in any order.

    Raises InvalidInput (LINES_FILE) naming the first line of the file that is wrong.
    """
    if len(data) > _MAX_BYTES:
        raise InvalidInput("LINES_FILE", "This file is too long for a sheet.")
    try:
        text = data.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if set(reader.fieldnames or ()) != set(COLUMNS) or len(reader.fieldnames or ()) != len(COLUMNS):
            raise InvalidInput("LINES_FILE", f"The first line of the file names the columns: {', '.join(COLUMNS)}.")
        return [_line(row, port, number) for number, row in enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput("LINES_FILE", f"This file is no CSV in UTF-8: {error}.") from None


def _line(row: dict[str, str | None], port: Port, number: int) -> pb2.SheetLine:
    values = {column: (row.get(column) or "").strip() for column in COLUMNS}
    try:
        if None in row or not values["line"].isdecimal() or not values["line"].isascii():
            raise InvalidInput("LINES_FILE", "has too many fields, or no number")
        if not 1 <= int(values["line"][:7]) <= _MAX_LINE or bool(values["slot"]) == bool(values["why"]):
            raise InvalidInput("LINES_FILE", "has either a slot or a reason why not")
        return pb2.SheetLine(
            line=int(values["line"][:7]),
            person=f"ports/{port}/persons/{check_id(values['person'])}",
            assign_time=_stamp(parse_rfc3339(values["time"])),
            slot=f"ports/{port}/slots/{check_id(values['slot'])}" if values["slot"] else "",
            skip_reason=check_id(values["why"]) if values["why"] else "",
        )
    except AssignError as error:
        raise InvalidInput("LINES_FILE", f"Line {number} of the file is wrong: {error.message}") from None


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
