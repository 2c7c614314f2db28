"""`assign receipt verify`: offline, with the library alone; hostile files end in one line and a status."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assign.encoding import sha256
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.note import NoteSigner, add_signatures, parse_note
from assign.log.proof import Receipt, parse_receipt
from assign.receipt_cli import app

_SIGNER = NoteSigner("assign.example/NLRTM", sha256(b"key"))
_WITNESSES = [Cosigner(f"witness.example/{number}", sha256(b"%d" % number)) for number in (1, 2)]
_ENTRIES = [b"entry %d" % number for number in range(2)]


def _receipt(*cosigned_by: Cosigner) -> Receipt:
    leaves = [leaf_hash(entry) for entry in _ENTRIES]
    checkpoint = Checkpoint(_SIGNER.name, 2, RightEdge().extend(leaves).root())
    note = sign_checkpoint(checkpoint, _SIGNER)
    if cosigned_by:
        note = add_signatures(note, *(one.cosign(checkpoint, time_seconds=1_000) for one in cosigned_by))
    return Receipt(1, (leaves[0],), note)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A receipt that holds, its entry, and the log's key."""
    (tmp_path / "proof").write_bytes(_receipt().encode())
    (tmp_path / "entry").write_bytes(_ENTRIES[1])
    (tmp_path / "key").write_text(_SIGNER.verifier().vkey() + "\n")
    return tmp_path


def _run(files: Path, *more: str, key: str = "") -> tuple[int, str]:
    arguments = ["verify", str(files / "proof"), "--key", key or str(files / "key"), "--entry", str(files / "entry")]
    done = CliRunner().invoke(app, [*arguments, *more])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_a_good_receipt_holds(files: Path) -> None:
    """With the key as a file, and as text."""
    assert _run(files)[0] == 0
    status, output = _run(files, key=_SIGNER.verifier().vkey())
    assert status == 0
    assert "OK: entry 1 of the log assign.example/NLRTM, in its first 2 entries." in output


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("entry", b"entry 2", "ROOT_MISMATCH"),
        ("entry", b"", "ROOT_MISMATCH"),
        ("entry", bytes(70_000), "ROOT_MISMATCH"),
        ("proof", replace(_receipt(), index=0).encode(), "ROOT_MISMATCH"),
        ("proof", replace(_receipt(), path=()).encode(), "PROOF_LENGTH"),
        ("key", NoteSigner(_SIGNER.name, bytes(32)).verifier().vkey().encode(), "NOTE_UNSIGNED"),
        ("key", NoteSigner("other.example", _SIGNER.seed).verifier().vkey().encode(), "NOTE_UNSIGNED"),
    ],
)
def test_what_is_not_proved_is_status_1(files: Path, name: str, content: bytes, reason: str) -> None:
    """Another entry, place, path or key."""
    (files / name).write_bytes(content)
    status, output = _run(files, "--json")
    assert (status, json.loads(output)["error"]["reason"], json.loads(output)["is_sound"]) == (1, reason, False)


@pytest.mark.parametrize("at", range(0, len(_receipt().encode()), 3))
def test_every_flipped_byte_is_refused(files: Path, at: int) -> None:
    """Whatever is changed in a receipt, it proves nothing any more, or is none any more."""
    flipped = bytearray((files / "proof").read_bytes())
    flipped[at] ^= 1
    (files / "proof").write_bytes(flipped)
    assert _run(files)[0] in (1, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [("proof", b""), ("proof", b"\xff" * 10), ("proof", bytes(2_000_000)), ("key", b""), ("key", b"\x00\xff" * 5000)],
)
def test_what_cannot_be_read_is_status_2(files: Path, name: str, content: bytes) -> None:
    """Not a receipt, not a key."""
    (files / name).write_bytes(content)
    status, output = _run(files)
    assert status == 2
    assert output.startswith("Cannot be checked. ")
    assert output.count("\n") == 1


def test_missing_files_are_status_2(files: Path) -> None:
    """Named, in one line."""
    (files / "entry").unlink()
    status, output = _run(files)
    assert (status, "FILE_UNREADABLE" in output, "entry" in output) == (2, True, True)


def test_a_quorum_of_witnesses_can_be_asked_for(files: Path) -> None:
    """All that are named, unless told otherwise; a receipt without them proves less, and says so."""
    named = [part for one in _WITNESSES for part in ("--witness", one.witness().vkey())]
    assert "none asked for" in _run(files)[1]
    assert _run(files, *named)[0] == 1
    (files / "proof").write_bytes(_receipt(_WITNESSES[0]).encode())
    assert _run(files, *named)[0] == 1
    status, output = _run(files, *named, "--quorum", "1", "--json")
    assert (status, json.loads(output)["cosignatures"]) == (0, [{"time": 1000, "witness": "witness.example/1"}])
    (files / "proof").write_bytes(_receipt(*_WITNESSES).encode())
    assert _run(files, *named)[0] == 0
    assert _run(files, *named, "--quorum", "3")[0] == 2


def test_nothing_in_an_entry_reaches_the_terminal_raw(files: Path) -> None:
    """An entry that is not one of ours is called unknown, and never printed."""
    (files / "entry").write_bytes(b"\x1b[31mred")
    leaves = [leaf_hash(_ENTRIES[0]), leaf_hash(b"\x1b[31mred")]
    note = sign_checkpoint(Checkpoint(_SIGNER.name, 2, RightEdge().extend(leaves).root()), _SIGNER)
    (files / "proof").write_bytes(Receipt(1, (leaves[0],), note).encode())
    status, output = _run(files)
    assert (status, "\x1b" in output, "unknown" in output) == (0, False, True)


def test_the_command_needs_the_library_alone() -> None:
    """No server, no gRPC: it runs where only the verifier is installed."""
    import assign.receipt_cli as command

    tree = ast.parse(Path(command.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {module.split(".")[0] for module in modules} <= {"__future__", "assign", "collections", "pathlib", "typing"}
    assert parse_checkpoint(parse_note(parse_receipt(_receipt().encode()).checkpoint).text).size == 2
