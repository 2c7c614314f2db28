"""`assign outage`: sealed sheets before an outage, opening them in one, typing in what was handed out after it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from assign.draw.sheets import parse_sheet_name
from assign.encoding import parse_rfc3339
from assign.errors import InvalidInput
from assign.names import parse_shift_name
from assign.v1 import outage_service_pb2 as pb2
from assign.v1.outage_service_pb2_grpc import OutageServiceStub
from server.actions.print_sheets import PrintedSheet, print_sheets
from server.auth.cli_errors import shown_errors
from server.auth.private_files import write_new
from server.config import load_config
from server.escrow.process_memory import forbid_core_dumps
from server.outage.beside import run_beside
from server.outage.paper import sheet_pdf, sheet_text
from server.outage.remote import Authority, Certificate, Key, Server, ask, connection, new_request_id, pages
from server.outage.typed_lines import read_typed_lines

__all__ = ["app"]

app = typer.Typer(
    help="Manual mode: sealed sheets, waves worked by hand, and what was handed out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

_Reason = Annotated[str, typer.Option(help="One word, such as no-network or beacon-down.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _show(message: Message, *, as_json: bool, words: str) -> None:
    typer.echo(json.dumps(MessageToDict(message, preserving_proto_field_name=True)) if as_json else words)


@app.command()
def commit(
    shift: Annotated[str, typer.Option(help="ports/NLRTM/shifts/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    copies: Annotated[int, typer.Option(help="Sheets of each kind.")] = 3,
    as_json: _Json = False,
) -> None:
    """Make the sealed sheets of a shift, and log their hashes."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.CommitSheetsRequest(parent=shift, copies=copies, request_id=new_request_id())
        made = ask(OutageServiceStub(channel).CommitSheets, request)
        _show(made, as_json=as_json, words="\n".join(map(_in_words, made.sheets)))


@app.command(name="list")
def list_all(
    shift: Annotated[str, typer.Option(help="ports/NLRTM/shifts/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """List the sheets of a shift; their orders stay sealed."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        for page in pages(OutageServiceStub(channel).ListSheets, pb2.ListSheetsRequest(parent=shift)):
            _show(page, as_json=as_json, words="\n".join(map(_in_words, page.sheets)))


def _in_words(sheet: Any) -> str:
    state = "open" if sheet.HasField("open_time") else "void" if sheet.void else "sealed"
    words = ", ".join(sheet.qualifications) or "-"
    terminal = sheet.terminal.rpartition("/")[2]
    return (
        f"{sheet.name}  {terminal:<6} {words:<20} {sheet.person_count:>4} persons  {state:<6}  {sheet.commitment.hex()}"
    )


@app.command(name="print")
def print_all(
    config: Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)],
    shift: Annotated[str, typer.Option(help="ports/NLRTM/shifts/…", show_default=False)],
    out: Annotated[Path, typer.Option(help="A directory; made if it is not there.", show_default=False)],
    sheet: Annotated[list[int] | None, typer.Option(help="Only this number; give the option once each.")] = None,
) -> None:
    """Write the sealed sheets for printing, on the server's machine: a PDF and a text each. It is on record."""
    forbid_core_dumps()
    with shown_errors():
        name, _ = parse_shift_name(shift, field="shift")
        loaded = load_config(config)
        printed = asyncio.run(run_beside(loaded, lambda unit: print_sheets(unit, name, only=sheet or ())))
        for path in _write(out, printed):
            typer.echo(path)


def _write(out: Path, printed: list[PrintedSheet]) -> list[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("FILE_NOT_WRITABLE", f"Cannot make {out}: {error.strerror}.") from None
    written: list[Path] = []
    for one in printed:
        stem = f"sheet-{one.sheet.number:04}"
        for path, data in ((out / f"{stem}.pdf", sheet_pdf(one)), (out / f"{stem}.txt", sheet_text(one).encode())):
            write_new(path, data)
            written.append(path)
    return written


@app.command(name="request-open")
def request_open(
    sheet: Annotated[str, typer.Argument(help="ports/NLRTM/shifts/…/sheets/7", show_default=False)],
    reason: _Reason,
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    opened: Annotated[str, typer.Option(help="When: 2026-11-24T06:00:00Z; now by default.")] = "",
    as_json: _Json = False,
) -> None:
    """Say that a sheet was opened, or has to be: the first of two persons."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.RequestSheetOpeningRequest(name=sheet, reason=reason, request_id=new_request_id())
        if opened:
            request.open_time.FromDatetime(parse_rfc3339(opened))
        asked = ask(OutageServiceStub(channel).RequestSheetOpening, request)
        _show(asked, as_json=as_json, words=f"{asked.name}\nAnother supervisor: assign outage open {asked.name}")


@app.command(name="open")
def open_one(
    name: Annotated[str, typer.Argument(help="ports/NLRTM/exceptionRequests/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Confirm that a sheet was opened: the second of two persons."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.OpenSheetRequest(name=name, request_id=new_request_id())
        opened = ask(OutageServiceStub(channel).OpenSheet, request)
        _show(opened, as_json=as_json, words=_in_words(opened))


@app.command()
def order(
    sheet: Annotated[str, typer.Argument(help="ports/NLRTM/shifts/…/sheets/7", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Show the order on an opened sheet. Each look is on record."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        found = ask(OutageServiceStub(channel).GetSheetOrder, pb2.GetSheetOrderRequest(name=sheet))
        lines = (f"{at:>4}  {person.rpartition('/')[2]}" for at, person in enumerate(found.persons, start=1))
        _show(found, as_json=as_json, words="\n".join(lines))


@app.command(name="request-manual")
def request_manual(
    wave: Annotated[str, typer.Argument(help="ports/NLRTM/shifts/…/waves/…", show_default=False)],
    reason: _Reason,
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Ask that a wave is worked by hand: the first of two persons."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.RequestManualWaveRequest(name=wave, reason=reason, request_id=new_request_id())
        asked = ask(OutageServiceStub(channel).RequestManualWave, request)
        words = f"{asked.name}\nAnother supervisor: assign outage confirm-manual {asked.name}"
        _show(asked, as_json=as_json, words=words)


@app.command(name="confirm-manual")
def confirm_manual(
    name: Annotated[str, typer.Argument(help="ports/NLRTM/exceptionRequests/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Confirm that a wave is worked by hand: the second of two persons. It is never drawn after."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.ConfirmManualWaveRequest(name=name, request_id=new_request_id())
        wave = ask(OutageServiceStub(channel).ConfirmManualWave, request)
        _show(wave, as_json=as_json, words=f"{wave.name} is worked by hand")


@app.command(name="import")
def import_lines(
    sheet: Annotated[str, typer.Argument(help="ports/NLRTM/shifts/…/sheets/7", show_default=False)],
    lines: Annotated[Path, typer.Option(help="CSV with line,person,time,slot,why.", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Type in what was handed out from a sheet: every line of it, or nothing where one does not follow the sheet."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        shift, _ = parse_shift_name(parse_sheet_name(sheet)[0])
        try:
            data = lines.read_bytes()
        except OSError as error:
            raise InvalidInput("FILE_UNREADABLE", f"Cannot read {lines}: {error.strerror}.") from None
        request = pb2.BatchImportManualAssignmentsRequest(
            parent=sheet, lines=read_typed_lines(data, shift.port), request_id=new_request_id()
        )
        answer = ask(OutageServiceStub(channel).BatchImportManualAssignments, request)
        _show(answer, as_json=as_json, words=f"{answer.imported_count} lines follow the sheet")
