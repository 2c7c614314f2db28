"""A sealed sheet on paper: one page for the envelope, the order behind it; as PDF, and as plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from server.actions.print_sheets import PrintedSheet

__all__ = ["sheet_pdf", "sheet_text"]

_ROUNDS: Final = 2  # after the last person the first comes again
_FONT: Final = "Helvetica"
_MONO: Final = "Courier"
_WIDTHS: Final = (14, 44, 52, 26, 34, 20)
_HEADS: Final = ("line", "person", "slot handed out", "time (UTC)", "or: why not", "initials")
_ROW_MM: Final = 8
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # a sheet printed twice has the same bytes

_OUTSIDE: Final = (
    "SEALED. Two persons open this envelope, and only if there is no other way to assign.",
    "Take the envelope of this kind with the lowest number. Note time, reason and both names below.",
    "Hand each container to the next line; write down everybody who is passed over, and why.",
    "Type all lines in afterwards, none left out: `assign outage import`.",
)
_WHY: Final = "Why not: ABSENT, IN_TEAM, NOT_THERE, BUSY, NOT_CLEARED, RECUSED, HANDLED_SELECTION"


def _facts(printed: PrintedSheet) -> list[tuple[str, str]]:
    sheet = printed.sheet
    return [
        ("sheet", str(sheet.number)),
        ("shift", sheet.shift),
        ("terminal", sheet.group.terminal),
        ("qualifications", ", ".join(sheet.group.qualifications) or "none needed"),
        ("persons", str(len(sheet.persons))),
        ("log", sheet.origin),
        ("hash", printed.commitment.hex()),
    ]


def _rows(printed: PrintedSheet) -> list[tuple[str, str]]:
    return [
        (str(round_ * len(printed.persons) + at), person)
        for round_ in range(_ROUNDS)
        for at, person in enumerate(printed.persons, start=1)
    ]


def sheet_text(printed: PrintedSheet) -> str:
    """Both pages as text, with a form feed between them."""
    outside = [f"{name + ':':<16}{value}" for name, value in _facts(printed)]
    signed = [f"{name + ':':<16}{'_' * 30}" for name in ("opened at", "reason", "first person", "second person")]
    lines = [
        f"{number:>4}  {person:<32} slot {'_' * 18} at {'_' * 6} or {'_' * 12}" for number, person in _rows(printed)
    ]
    return (
        "\n".join([*outside, "", *_OUTSIDE, "", *signed])
        + "\n\f"
        + "\n".join([f"Sheet {printed.sheet.number}", "", *lines, "", _WHY, f"salt: {printed.salt.hex()}"])
        + "\n"
    )


def sheet_pdf(printed: PrintedSheet) -> bytes:
    """Both pages, A4; the second runs on over as many pages as it needs."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_EPOCH)
    pdf.set_title(f"Sheet {printed.sheet.number}")
    _outer_page(pdf, printed)
    _inner_page(pdf, printed)
    return bytes(pdf.output())


def _outer_page(pdf: FPDF, printed: PrintedSheet) -> None:
    pdf.add_page()
    pdf.set_font(_FONT, "B", 24)
    _line(pdf, 16, f"Sealed sheet {printed.sheet.number}")
    for name, value in _facts(printed):
        pdf.set_font(_FONT, "B", 10)
        pdf.cell(36, 8, name)
        pdf.set_font(_MONO, "", 9)
        pdf.multi_cell(0, 8, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(6)
    pdf.set_font(_FONT, "", 11)
    for text in _OUTSIDE:
        pdf.multi_cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(6)
    for text in ("opened at (UTC)", "reason", "first person", "second person"):
        _line(pdf, 12, f"{text}:  {'_' * 50}")


def _inner_page(pdf: FPDF, printed: PrintedSheet) -> None:
    pdf.add_page()
    pdf.set_font(_FONT, "B", 14)
    _line(pdf, 12, f"Sheet {printed.sheet.number}, {printed.sheet.group.terminal}")
    _table_row(pdf, _HEADS, style="B")
    for number, person in _rows(printed):
        if pdf.will_page_break(_ROW_MM):
            pdf.add_page()
            _table_row(pdf, _HEADS, style="B")
        _table_row(pdf, (number, person, "", "", "", ""), style="")
    pdf.ln(4)
    pdf.set_font(_FONT, "", 8)
    _line(pdf, 6, _WHY)
    pdf.set_font(_MONO, "", 7)
    _line(pdf, 6, f"salt {printed.salt.hex()}")


def _table_row(pdf: FPDF, cells: tuple[str, ...], *, style: str) -> None:
    pdf.set_font(_FONT, style, 9)
    for width, text in zip(_WIDTHS, cells, strict=True):
        # An id is up to 63 characters long: a smaller face rather than one that is cut.
        while pdf.get_string_width(text) > width - 2 and pdf.font_size_pt > 4:
            pdf.set_font(_FONT, style, pdf.font_size_pt - 0.5)
        pdf.cell(width, _ROW_MM, text, border=1)
        pdf.set_font(_FONT, style, 9)
    pdf.ln(_ROW_MM)


def _line(pdf: FPDF, height: int, text: str) -> None:
    pdf.cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
