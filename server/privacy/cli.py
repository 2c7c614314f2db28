"""`assign privacy`: the right to erasure, how long what is kept, and whether every pseudonym is accounted for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from assign.errors import NotFound
from assign.names import Port
from assign.v1 import privacy_service_pb2 as pb2
from assign.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from server.auth.cli_errors import shown_errors
from server.clock import SteeredClock, SystemClock
from server.config import Config, load_config
from server.escrow.process_memory import forbid_core_dumps
from server.outage.beside import run_beside
from server.outage.remote import Authority, Certificate, Key, Server, ask, connection, new_request_id
from server.privacy.key_register import KeyAccount, account_for
from server.privacy.retention import apply_retention, plan_retention
from server.privacy.settings import RetentionConfig
from server.storage.sqlite import open_readers, store_errors, store_exists
from server.wiring import build_services

__all__ = ["app"]

app = typer.Typer(
    help="Erasure, retention, and the account of pseudonyms.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

_Config = Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(name="request-erase")
def request_erase(
    person: Annotated[str, typer.Option(help="ports/NLRTM/persons/…", show_default=False)],
    reason: Annotated[str, typer.Option(help="One word, such as left-service.", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Ask that a person is erased: the first of two persons, a security officer."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.RequestErasureRequest(name=person, reason=reason, request_id=new_request_id())
        asked = ask(PrivacyServiceStub(channel).RequestErasure, request)
        words = f"{asked.name}\nA supervisor: assign privacy erase {asked.name}"
        typer.echo(json.dumps({"name": asked.name}) if as_json else words)


@app.command()
def erase(
    name: Annotated[str, typer.Argument(help="ports/NLRTM/exceptionRequests/…", show_default=False)],
    server: Server,
    certificate: Certificate,
    key: Key,
    authority: Authority,
    as_json: _Json = False,
) -> None:
    """Confirm it, and erase: the second of two persons, a supervisor. It cannot be undone."""
    with shown_errors(), connection(server, certificate, key, authority) as channel:
        request = pb2.ErasePersonRequest(name=name, request_id=new_request_id())
        erased = ask(PrivacyServiceStub(channel).ErasePerson, request)
        values = {
            "log_index": erased.log_index,
            "pseudonyms": erased.pseudonym_count,
            "rows": erased.row_count,
        }
        words = (
            f"Erased: {erased.row_count} rows; nobody can name {erased.pseudonym_count} pseudonyms of the log any more "
            f"(log entry {erased.log_index})."
        )
        typer.echo(json.dumps(values) if as_json else words)


@app.command()
def retention(
    config: _Config,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: _Json = False,
) -> None:
    """Remove what was kept for as long as [retention] says; from a daily timer."""
    forbid_core_dumps()
    with shown_errors():
        loaded = load_config(config)
        periods = loaded.retention or RetentionConfig()
        if dry_run:
            removed = _plan(loaded, periods)
        else:
            removed = asyncio.run(run_beside(loaded, lambda unit: apply_retention(unit, periods)))
        if as_json:
            typer.echo(json.dumps({"dry_run": dry_run, "removed": removed}))
            return
        for kind, count in removed.items():
            days = getattr(periods, f"{kind}_days")
            typer.echo(f"{kind:<12} {count:>8}  older than {days} days{' (dry run)' if dry_run else ''}")


def _plan(config: Config, periods: RetentionConfig) -> dict[str, int]:
    if not store_exists(config.store):
        raise NotFound("STORE_MISSING", f"There is no store at {config.store}; `assign serve` makes it.")
    engine = open_readers(config.store)
    try:
        with store_errors(), engine.connect() as opened:
            return plan_retention(opened, periods, _now(config))
    finally:
        engine.dispose()


def _now(config: Config) -> datetime:
    clock = SystemClock() if config.clock_file is None else SteeredClock(config.clock_file)
    return clock.now()


@app.command()
def account(config: _Config, as_json: _Json = False) -> None:
    """Recompute every pseudonym of the logs: each is some key's, or was erased on record. In numbers only.

    Exits with 1 where the account does not balance: a key is gone that no erasure names, or the wrong one was erased.
    """
    forbid_core_dumps()
    with shown_errors():
        accounts = _accounts(load_config(config))
    for one in accounts:
        typer.echo(json.dumps({**asdict(one), "is_balanced": one.is_balanced}) if as_json else _in_words(one))
    raise typer.Exit(0 if all(one.is_balanced for one in accounts) else 1)


def _accounts(config: Config) -> list[KeyAccount]:
    if not store_exists(config.store):
        raise NotFound("STORE_MISSING", f"There is no store at {config.store}; `assign serve` makes it.")
    services = build_services(config)
    engine = open_readers(config.store)
    try:
        with store_errors(), engine.connect() as opened:
            opened.exec_driver_sql("BEGIN")
            return [
                account_for(opened, services.keyring, Port(code), port.origin) for code, port in services.ports.items()
            ]
    finally:
        engine.dispose()


def _in_words(one: KeyAccount) -> str:
    verdict = "balanced" if one.is_balanced else "DOES NOT BALANCE"
    return (
        f"{one.port}: {one.pseudonyms} pseudonyms in the log = {one.live} of today's {one.keys} keys + {one.erased} "
        f"erased; {one.committed} keys are committed to; {one.other_rosters} roster rows are not their key's: {verdict}"
    )
