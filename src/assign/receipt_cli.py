"""`assign receipt`: checks offline that an entry is in a log. Needs the library alone: no server, no network.

Where only the library is installed: `python -m assign.receipt_cli verify …`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from assign.draw.commitment import Freeze, is_freeze
from assign.encoding import Json, canonical_json
from assign.errors import AssignError, Corrupt, InvalidInput
from assign.log.cosignature import Policy, Witness, WitnessedCheckpoint
from assign.log.entries import Entry
from assign.log.merkle import leaf_hash
from assign.log.note import NoteVerifier
from assign.log.proof import MAX_PROOF_BYTES, Receipt, parse_receipt, verify_receipt
from assign.log.tiles import MAX_ENTRY_BYTES

__all__ = ["app", "main", "verify"]

_HOLDS, _FAILS, _UNREADABLE = 0, 1, 2
_MAX_KEY_BYTES = 4096

app = typer.Typer(
    help="Receipts: one text that proves offline that an entry is in a port's log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    """Receipts: one text that proves offline that an entry is in a port's log."""


@app.command(
    epilog=(
        "Exit status: 0, the entry is in the log that the key signs; 1, the receipt does not prove it; 2, a file "
        "cannot be read as what it should be."
    )
)
def verify(
    receipt: Annotated[Path, typer.Argument(help="The `.tlog-proof` file.", metavar="FILE")],
    key: Annotated[
        str,
        typer.Option(
            metavar="VKEY",
            help="The log's verifier key, or a file with it, as you know it from elsewhere.",
            show_default=False,
        ),
    ],
    entry: Annotated[
        Path, typer.Option(metavar="FILE", help="The entry's bytes, as they came with the receipt.", show_default=False)
    ],
    witness: Annotated[
        list[str] | None, typer.Option(metavar="VKEY", help="A witness's key, or a file with it; may be repeated.")
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(help="How many of the witnesses must have cosigned; all of them by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check a receipt against the log's key, and say what the entry is."""
    try:
        policy = _policy(key, witness or [], quorum)
        parsed = parse_receipt(_read(receipt, MAX_PROOF_BYTES))
        data = _read(entry, MAX_ENTRY_BYTES)
    except AssignError as error:
        _fail(error, _UNREADABLE, as_json=as_json)
    except OSError as error:
        unreadable = InvalidInput("FILE_UNREADABLE", f"{error.filename}: {error.strerror or error}")
        _fail(unreadable, _UNREADABLE, as_json=as_json)
    try:
        witnessed = verify_receipt(parsed, leaf=leaf_hash(data), policy=policy)
    except AssignError as error:
        _fail(error, _FAILS, as_json=as_json)
    _print(parsed, data, witnessed, as_json=as_json)


def main() -> None:
    """Entry point of `python -m assign.receipt_cli`."""
    app()


def _policy(key: str, witnesses: Sequence[str], quorum: int | None) -> Policy:
    known = tuple(Witness.from_vkey(_key_text(text)) for text in witnesses)
    log_key = NoteVerifier.from_vkey(_key_text(key))
    return Policy((log_key,), known, len(known) if quorum is None else quorum)


def _key_text(text: str) -> str:
    """A verifier key is `<name>+<id>+<base64>`; what has no two pluses is the name of a file with one."""
    path = Path(text)
    if text.count("+") >= 2 and not path.is_file():
        return text
    return _read(path, _MAX_KEY_BYTES).decode("utf-8", "replace").strip()


def _read(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a file and one more, which whoever parses them refuses."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def describe_entry(data: bytes) -> dict[str, Json]:
    """What kind of entry these bytes are, when and with what body, as far as they say so."""
    try:
        if is_freeze(data):
            freeze = Freeze.from_bytes(data)
            return {"kind": "freeze", "body": {"round": freeze.beacon_round, "wave": freeze.wave}}
        entry = Entry.from_bytes(data)
    except Corrupt:
        return {"kind": "unknown to this software", "body": {}}
    return {"kind": str(entry.kind), "time": entry.time.isoformat(), "body": entry.body}


def _print(receipt: Receipt, data: bytes, witnessed: WitnessedCheckpoint, *, as_json: bool) -> None:
    checkpoint = witnessed.checkpoint
    described = describe_entry(data)
    result: dict[str, Any] = {
        "cosignatures": [{"time": one.time_seconds, "witness": one.witness} for one in witnessed.cosignatures],
        "entry": described,
        "index": receipt.index,
        "is_sound": True,
        "origin": checkpoint.origin,
        "root": checkpoint.root.hex(),
        "tree_size": checkpoint.size,
    }
    if as_json:
        typer.echo(json.dumps(result, indent=1, sort_keys=True))
        return
    when = f" of {described['time']}" if "time" in described else ""
    typer.echo(f"Entry    {described['kind']}{when}, {_plain(canonical_json(described['body']).decode())}")
    for one in witnessed.cosignatures:
        typer.echo(f"Witness  {_plain(one.witness)} saw the checkpoint at {one.time_seconds} s since 1970 or before")
    if not witnessed.cosignatures:
        typer.echo("Witness  none asked for: that everybody is shown the same log, this receipt does not prove")
    typer.echo(
        f"OK: entry {receipt.index} of the log {_plain(checkpoint.origin)}, in its first {checkpoint.size} entries."
    )


def _plain(text: str) -> str:
    """`text` without anything that a terminal would obey."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _fail(error: AssignError, status: int, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": {"message": error.message, "reason": error.reason}, "is_sound": False}))
    else:
        head = "NOT PROVED" if status == _FAILS else "Cannot be checked"
        typer.echo(f"{head}. {error.reason}: {_plain(error.message)}", err=True)
    raise typer.Exit(status)


if __name__ == "__main__":
    main()
