"""`assign keys`: the server's own secrets, each in a file of mode 0600."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.auth.cli_errors import shown_errors
from server.auth.log_key import create_log_key, load_log_key
from server.entropy import SystemEntropy
from server.keyring import Keyring, create_key_file

__all__ = ["app"]

app = typer.Typer(
    help="Make the server's key-encryption key and a log's signing key. Neither is ever overwritten or shown.",
    no_args_is_help=True,
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The key file.", show_default=False)]


@app.command()
def encryption(path: _File) -> None:
    """Make a key-encryption key. Keep a copy apart from the database: without it no open shift can be drawn."""
    with shown_errors():
        entropy = SystemEntropy()
        create_key_file(path, entropy=entropy)
        typer.echo(f"Key {Keyring.load(path, entropy=entropy).key_id}: {path}")


@app.command()
def log(
    path: _File,
    origin: Annotated[str, typer.Option(help="The log's name, such as assign.example/NLRTM.", show_default=False)],
) -> None:
    """Make a log's signing key, and show the verifier key to publish."""
    with shown_errors():
        typer.echo(create_log_key(path, origin, entropy=SystemEntropy()).verifier().vkey())


@app.command()
def verifier(path: _File) -> None:
    """Show the verifier key of a log's signing key."""
    with shown_errors():
        typer.echo(load_log_key(path).verifier().vkey())
