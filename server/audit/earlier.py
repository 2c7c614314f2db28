"""Checkpoints that were seen before: the log as it is now must contain the log as it was then.

All that a store says of itself can be set back together; only what was kept elsewhere shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy.engine import Connection

from assign.errors import AssignError
from assign.log.checkpoint import Checkpoint, parse_checkpoint
from assign.log.note import NoteVerifier, parse_note
from assign.log.tiles import root_at
from assign.names import Port
from server.audit.findings import Code, Findings
from server.audit.log_check import LogCheck, check_checkpoint
from server.storage.ledger import tile_reader

__all__ = ["check_earlier", "find_port"]


def find_port(note: bytes, verifiers: Mapping[Port, NoteVerifier]) -> Port | None:
    """The port whose log a checkpoint names as its origin. Raises Corrupt for what is not a checkpoint."""
    origin = parse_checkpoint(parse_note(note).text).origin
    return next((port for port, verifier in verifiers.items() if verifier.name == origin), None)


def check_earlier(
    connection: Connection,
    checked: LogCheck,
    note: bytes,
    verifier: NoteVerifier,
    findings: Findings,
    *,
    table: str = "",
    row: str = "",
) -> Checkpoint | None:
    """Whether the log of `checked` only appends to that of `note`; the note's checkpoint, if the log signed it."""

    def add(code: Code, message: str, position: int | None = None) -> None:
        findings.add(code, message, table=table, row=row, position=position)

    try:
        earlier = check_checkpoint(note, verifier.name, verifier)
    except AssignError as error:
        add(Code.LOG_CHECKPOINT, f"An earlier checkpoint does not hold: {error.message}")
        return None
    if earlier.size > checked.edge.size:
        message = f"The log had {earlier.size} entries before, and has {checked.edge.size} now: it was set back."
        add(Code.ROLLED_BACK, message, checked.edge.size)
    elif _root_at(tile_reader(connection, checked.port), earlier.size) != earlier.root:
        message = f"The first {earlier.size} entries are not those that the log signed before: it was forked."
        add(Code.FORKED, message, earlier.size)
    return earlier


def _root_at(read_tile: Callable[[int, int, int], bytes], size: int) -> bytes:
    try:
        return root_at(size, read_tile)
    except AssignError:  # a tile is missing or short, which was found before
        return b""
