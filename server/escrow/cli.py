"""`assign escrow`: custodians who can, some of them together, open what the server keeps sealed."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from assign.errors import Conflict, InvalidInput, NotFound
from assign.names import parse_shift_name
from server.auth.cli_errors import shown_errors
from server.auth.private_files import write_new
from server.clock import SteeredClock, SystemClock
from server.config import Config, load_config
from server.entropy import SystemEntropy
from server.escrow.custodians import EscrowConfig, create_identity, load_identities
from server.escrow.drill import DrillReport, run_drill
from server.escrow.key_file import recover_key_file, split_key_file
from server.escrow.process_memory import forbid_core_dumps
from server.escrow.recover_master import combine_master, record_recovery
from server.escrow.shares import Recovered, Share, open_share
from server.escrow.sharing import wipe
from server.sequencer import Sequencer
from server.storage.escrow import escrowed_keys, escrowed_shifts, find_key_shares, shares_of
from server.storage.sqlite import open_readers, open_writer
from server.wiring import build_services

__all__ = ["app"]

app = typer.Typer(
    help="Shares of the server's secrets for custodians, and getting the secrets back from them.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

_MAX_SHARE_BYTES = 1 << 16
_Config = Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)]
_Shares = Annotated[
    list[Path], typer.Option("--share", help="A custodian's share; give the option once a file.", show_default=False)
]
_Identities = Annotated[
    list[Path],
    typer.Option("--identity", help="A custodian's secret key file; once a file.", show_default=False),
]


@app.command()
def custodian(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The new key file.", show_default=False)],
) -> None:
    """Make a custodian's age key, on his own machine, and show the public half for the configuration."""
    with shown_errors():
        typer.echo(create_identity(path))


@app.command()
def export(
    config: _Config,
    out: Annotated[Path, typer.Option(help="A directory; made if it is not there.", show_default=False)],
    shift: Annotated[str, typer.Option(help="The shift's name; every escrowed shift by default.")] = "",
) -> None:
    """Write shares, one file a custodian: of a shift's master seed, or of every shift and of the key file."""
    with shown_errors():
        readers = open_readers(load_config(config).store)
        try:
            with readers.connect() as connection:
                names = [parse_shift_name(shift)[0]] if shift else escrowed_shifts(connection)
                found = {f"{name.port}-{name.shift}": shares_of(connection, name) for name in names}
                keys = [] if shift else escrowed_keys(connection)
                found |= {f"key-{key_id}": find_key_shares(connection, key_id)[1] for key_id in keys}
        finally:
            readers.dispose()
        if not any(found.values()):
            raise NotFound("ESCROW_NONE", "Nothing was escrowed here: the shift does not exist, or had no custodians.")
        for stem, stored in found.items():
            _write_files(out, stem, [share.data for share in stored], [share.recipient for share in stored])


@app.command(name="split-key")
def split_key(
    config: _Config,
    out: Annotated[Path, typer.Option(help="A directory; made if it is not there.", show_default=False)],
) -> None:
    """Split the key file anew, without the store; `serve` does so by itself and `export` writes those shares."""
    forbid_core_dumps()
    with shown_errors():
        loaded = load_config(config)
        escrow = _require_escrow(loaded)
        key_id, files = split_key_file(loaded.key_file, escrow, SystemEntropy())
        _write_files(out, f"key-{key_id}", files, escrow.recipients)


@app.command(name="recover-key")
def recover_key(
    share: _Shares,
    identity: _Identities,
    out: Annotated[Path, typer.Option(help="The key file to make (mode 0600).", show_default=False)],
) -> None:
    """Make the lost key file again from enough custodians' shares of it."""
    forbid_core_dumps()
    with shown_errors():
        key_id, wrong = recover_key_file(_open_all(share, identity), out, SystemEntropy())
        _warn_of(wrong)
        typer.echo(f"Key {key_id}: {out}")


@app.command()
def recover(
    share: _Shares,
    identity: _Identities,
    config: Annotated[
        Path | None,
        typer.Option(help="The server's configuration: check against its log, and record the use there."),
    ] = None,
    reseal: Annotated[
        bool, typer.Option("--reseal", help="Store the seed again, sealed under the configured key file.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the 32 bytes of the seed to this new file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was recovered as JSON.")] = False,
) -> None:
    """Get a shift's master seed back from enough custodians' shares. Stop the server before --config."""
    forbid_core_dumps()
    with shown_errors():
        if reseal and config is None:
            raise InvalidInput("ESCROW_CONFIG", "Sealing a seed again needs --config: whose store, under which key?")
        recovered = combine_master(_open_all(share, identity))
        try:
            _warn_of(recovered.wrong)
            if config is not None:
                asyncio.run(_record(load_config(config), recovered, reseal=reseal))
            if out is not None:
                write_new(out, bytes(recovered.value))
        finally:
            wipe(recovered.value)
        _tell(recovered, checked=config is not None, resealed=reseal, as_json=as_json)


@app.command()
def drill(
    threshold: Annotated[int, typer.Option(help="How many custodians must come together.")] = 2,
    custodians: Annotated[int, typer.Option(help="How many custodians there are.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rehearse: throw-away custodians, shift and store; the key is lost, recovered, and draws the same outcome."""
    with shown_errors(), tempfile.TemporaryDirectory(prefix="assign-drill-") as folder:
        report = run_drill(Path(folder), threshold=threshold, custodians=custodians, open_store=open_writer)
    _show_drill(report, as_json=as_json)


def _require_escrow(config: Config) -> EscrowConfig:
    if config.escrow is None:
        raise Conflict("ESCROW_NOT_CONFIGURED", "The configuration has no section [escrow]: it names the custodians.")
    return config.escrow


def _write_files(out: Path, stem: str, files: Sequence[bytes], recipients: Sequence[str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("FILE_NOT_WRITABLE", f"Cannot make {out}: {error.strerror}.") from None
    for number, (data, recipient) in enumerate(zip(files, recipients, strict=True), start=1):
        path = out / f"{stem}-custodian-{number}.age"
        write_new(path, data)
        typer.echo(f"{path}  {recipient}")


def _open_all(shares: Sequence[Path], identities: Sequence[Path]) -> list[Share]:
    keys = load_identities(identities)
    return [open_share(_read(path), keys, source=str(path)) for path in shares]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SHARE_BYTES + 1)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"Cannot read {path}: {error.strerror}.") from None
    if len(data) > _MAX_SHARE_BYTES:
        raise InvalidInput("FILE_UNREADABLE", f"{path} is too long for a share.")
    return data


async def _record(config: Config, recovered: Recovered, *, reseal: bool) -> None:
    clock = SystemClock() if config.clock_file is None else SteeredClock(config.clock_file)
    engine = open_writer(config.store)
    sequencer = Sequencer(engine, build_services(config), clock)
    sequencer.start()
    try:
        await sequencer.run(lambda unit: record_recovery(unit, recovered, reseal=reseal))
    finally:
        await sequencer.stop()
        engine.dispose()


def _warn_of(wrong: Sequence[str]) -> None:
    for source in wrong:
        typer.echo(f"Warning: {source} is not genuine: it does not belong to the committed secret.", err=True)


def _tell(recovered: Recovered, *, checked: bool, resealed: bool, as_json: bool) -> None:
    secret = recovered.secret
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "checked_against_log": checked,
                    "commit_master": secret.commitment.hex(),
                    "origin": secret.origin,
                    "resealed": resealed,
                    "shift": secret.subject,
                    "wrong_shares": [*recovered.wrong],
                }
            )
        )
        return
    typer.echo(f"The master seed of {secret.subject} ({secret.origin}) is recovered.")
    if checked:
        typer.echo("It is the seed that the log committed to; the use is on record there.")
    else:
        typer.echo(f"Compare with commit_master of the shift's opening in the log: {secret.commitment.hex()}")
    if resealed:
        typer.echo("It is stored again, sealed under the configured key file.")


def _show_drill(report: DrillReport, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=1))
    else:
        for step in report.steps:
            typer.echo(f"{'ok   ' if step.is_kept else 'WRONG'}  {step.promise}: {step.seen}")
        typer.echo(report.verdict())
    raise typer.Exit(0 if report.is_passed else 1)
