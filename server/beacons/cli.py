"""`assign beacon`: make a party's chain, serve it, pin the parties of a beacon."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import Progress

from assign.draw.beacon import ChainCommitment, combine_commitments
from assign.draw.beacon_local import ELEMENT_BYTES
from assign.encoding import parse_rfc3339
from assign.errors import AlreadyExists, AssignError, InvalidInput
from server.beacons.chain_state import grow_chain, write_state
from server.beacons.party import run_party
from server.clock import Clock, SteeredClock, SystemClock

__all__ = ["app"]

app = typer.Typer(
    help="The local beacon: randomness that its parties committed to and reveal round by round.",
    no_args_is_help=True,
)

_YEAR_OF_3_SECONDS = 10_512_000


@app.command()
def init(
    state: Annotated[Path, typer.Option(help="File to make for the chain. Keep it secret; keep a copy.")],
    name: Annotated[str, typer.Option(help="Name of this party in the pin, such as 'customs' or 'port'.")],
    genesis: Annotated[str, typer.Option(help="Time of round 1, UTC: 2026-11-24T06:00:00Z.")],
    period_seconds: Annotated[int, typer.Option(help="Seconds between two rounds.")] = 3,
    length_rounds: Annotated[int, typer.Option(help="How many rounds; a year by default.")] = _YEAR_OF_3_SECONDS,
) -> None:
    """Make a new chain and print its public commitment as JSON."""
    with _told(), Progress(console=Console(stderr=True), transient=True) as progress:
        # write_state refuses too, but only after the hashing.
        if state.exists():
            raise AlreadyExists("BEACON_STATE_EXISTS", f"{state} exists; a chain is never overwritten.")
        task = progress.add_task("hashing the chain", total=length_rounds)
        chain = grow_chain(
            name=name,
            period_seconds=period_seconds,
            genesis=parse_rfc3339(genesis),
            length_rounds=length_rounds,
            secret=secrets.token_bytes(ELEMENT_BYTES),
            progress=lambda rounds: progress.advance(task, rounds),
        )
        write_state(state, chain)
    typer.echo(chain.commitment.to_json().decode())


@app.command()
def serve(
    state: Annotated[Path, typer.Option(help="The chain that init made.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
    clock_file: Annotated[Path | None, typer.Option(help="Simulated time, for demos and tests only.")] = None,
) -> None:
    """Serve the chain: each round over HTTP, once its time has come."""
    with _told():
        host, port = _split_address(listen)
        clock: Clock = SteeredClock(clock_file) if clock_file else SystemClock()
        if clock_file:
            typer.echo("Time is simulated: whoever steers the clock file gets every round early.", err=True)
        try:
            run_party(state, clock=clock, host=host, port=port, announce=_announce)
        except OSError as error:
            raise InvalidInput("LISTEN_ADDRESS", f"Cannot listen on {listen}: {error.strerror}.") from None


@app.command()
def pin(
    commitments: Annotated[list[Path], typer.Argument(help="What init printed, one file a party, in order.")],
) -> None:
    """Combine the parties' commitments and print the beacon's pin as JSON."""
    with _told():
        try:
            parties = [ChainCommitment.from_json(path.read_bytes().strip()) for path in commitments]
        except OSError as error:
            raise InvalidInput("FILE_UNREADABLE", f"{error.filename}: {error.strerror}.") from None
        typer.echo(combine_commitments(parties).to_json().decode())


def _announce(line: str) -> None:
    typer.echo(line)


def _split_address(listen: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != listen:
        raise InvalidInput("LISTEN_ADDRESS", "An address is HOST:PORT, such as 127.0.0.1:8201 or [::1]:8201.")
    return host, port


@contextmanager
def _told() -> Iterator[None]:
    """Say what went wrong in one line on stderr and exit with status 1."""
    try:
        yield
    except AssignError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
