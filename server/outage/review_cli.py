"""`assign review`: what supervisors and auditors look at after the fact."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from assign.v1 import review_service_pb2 as pb2
from assign.v1.review_service_pb2_grpc import ReviewServiceStub
from server.auth.cli_errors import shown_errors
from server.outage.remote import Authority, Certificate, Key, Server, connection, pages

__all__ = ["app"]

app = typer.Typer(
    help="Who looked at what, told from the log.", no_args_is_help=True, pretty_exceptions_show_locals=False
)


@app.callback()
def review() -> None:
    """Who looked at what, told from the log."""


@app.command()
def reads(
    wave: Annotated[str, typer.Option(help="ports/NLRTM/shifts/…/waves/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    before_start: Annotated[bool, typer.Option("--before-start", help="Only looks before the wave's start.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line a look.")] = False,
) -> None:
    """Who saw what of a wave, and when; what came before its start is marked."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.ListReadsRequest(parent=wave, before_start_only=before_start, page_size=1000)
        found = [_values(one) for page in pages(ReviewServiceStub(channel).ListReads, request) for one in page.reads]
    if as_json:
        for values in found:
            typer.echo(json.dumps(values))
        return
    table = Table("entry", "time (UTC)", "before start", "kind", "who", "what", title=f"{wave}: {len(found)} looks")
    for values in found:
        mark = "before" if values["before_start"] else ""
        cells = (values["log_index"], values["time"], mark, values["kind"], values["reader"], values["subject"])
        table.add_row(*map(str, cells))
    Console(width=None).print(table)


def _values(one: Any) -> dict[str, Any]:
    return {
        "before_start": one.before_start,
        "kind": one.kind,
        "log_index": one.log_index,
        "reader": one.reader or "the server",
        "subject": one.subject,
        "time": one.read_time.ToDatetime(UTC).isoformat(timespec="seconds"),
    }
