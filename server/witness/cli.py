"""`assign witness`: a witness of logs, for an organisation that does not run them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from assign.errors import InvalidInput
from assign.log.note import NoteVerifier
from server.auth.cli_errors import shown_errors
from server.clock import Clock, SteeredClock, SystemClock
from server.entropy import SystemEntropy
from server.escrow.process_memory import forbid_core_dumps
from server.witness.app import run_witness
from server.witness.judge import Judge
from server.witness.key_file import create_witness_key, load_witness_key
from server.witness.state import WitnessState

__all__ = ["app"]

app = typer.Typer(
    help="A witness: remembers how far it has seen a log grow, and cosigns only what appends to that.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.command()
def keys(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The new key file.", show_default=False)],
    name: Annotated[
        str, typer.Option(help="The witness's name, such as witness.example/customs-union.", show_default=False)
    ],
) -> None:
    """Make a witness's key, and show the verifier key to give to logs and auditors."""
    with shown_errors():
        typer.echo(create_witness_key(path, name, entropy=SystemEntropy()).witness().vkey())


@app.command()
def serve(
    key: Annotated[Path, typer.Option(help="The key file that `keys` made.", show_default=False)],
    state: Annotated[Path, typer.Option(help="What was cosigned so far; made on the first start.", show_default=False)],
    log: Annotated[
        list[str],
        typer.Option(metavar="VKEY", help="A log's verifier key; once for each key of each log.", show_default=False),
    ],
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
    clock_file: Annotated[Path | None, typer.Option(help="Simulated time, for demos and tests only.")] = None,
) -> None:
    """Cosign the checkpoints of the given logs over HTTP (C2SP tlog-witness)."""
    forbid_core_dumps()
    with shown_errors():
        host, port = _split_address(listen)
        cosigner = load_witness_key(key)
        logs = [NoteVerifier.from_vkey(text) for text in log]
        clock: Clock = SteeredClock(clock_file) if clock_file else SystemClock()
        memory = WitnessState(state, vkey=cosigner.witness().vkey())
        judge = Judge(cosigner, logs, memory, clock)
        if memory.is_new:
            typer.echo(
                f"NEW STATE {state}: nothing was cosigned before. If this key was ever used, stop now and restore "
                "the state, or make a new key: a witness that forgot cosigns whatever it is shown first."
            )
        typer.echo(f"key {cosigner.witness().vkey()}")
        typer.echo(f"logs {', '.join(judge.origins)}")
        try:
            run_witness(judge, clock=clock, host=host, port=port, announce=typer.echo)
        except OSError as error:
            raise InvalidInput("LISTEN_ADDRESS", f"Cannot listen on {listen}: {error.strerror}.") from None
        finally:
            memory.close()


def _split_address(listen: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != listen:
        raise InvalidInput("LISTEN_ADDRESS", "An address is HOST:PORT, such as 127.0.0.1:8301 or [::1]:8301.")
    return host, port


if __name__ == "__main__":
    app()
