"""The key-encryption key, what is sealed under it, and the files that hold secrets."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seeded_entropy import SeededEntropy
from typer.testing import CliRunner

from assign.errors import AlreadyExists, AssignError, Corrupt, InvalidInput, NotFound
from assign.log.note import NoteVerifier
from server.auth import key_cli
from server.auth.log_key import create_log_key, load_log_key
from server.auth.private_files import read_private, write_new
from server.entropy import SystemEntropy
from server.keyring import KEY_BYTES, SEALED_OVERHEAD_BYTES, Keyring, create_key_file

KEY = bytes(range(KEY_BYTES))
CONTEXT = b"ports/NLRTM/shifts/2026-11-24-A master"
# `seed` sealed by the first version: KEY, CONTEXT, the first nonce of SeededEntropy(1).
SEALED_V1 = "0176cbf8232542c656486046df0a793a94349b49fb3b09b6adb74813c3997c9365223ef402"


def _keyring(key: bytes = KEY, seed: int = 1) -> Keyring:
    return Keyring(key, entropy=SeededEntropy(seed))


@given(plaintext=st.binary(max_size=200), context=st.binary(max_size=50))
def test_what_is_sealed_opens_again(plaintext: bytes, context: bytes) -> None:
    """Any bytes under any context; the length says how much longer the sealed value is."""
    keyring = _keyring()
    sealed = keyring.seal(plaintext, context=context)
    assert keyring.open(sealed, context=context) == plaintext
    assert len(sealed) == len(plaintext) + SEALED_OVERHEAD_BYTES


def test_sealing_twice_shows_nothing_equal() -> None:
    """The nonce is fresh each time, and comes from the injected entropy."""
    keyring = _keyring()
    first, second = keyring.seal(b"seed", context=CONTEXT), keyring.seal(b"seed", context=CONTEXT)
    assert first[5:] != second[5:]
    assert _keyring().seal(b"seed", context=CONTEXT) == first


def test_every_flipped_bit_is_found() -> None:
    """Header, nonce, ciphertext and tag are all authenticated."""
    keyring = _keyring()
    sealed = keyring.seal(b"sixteen bytes ok", context=CONTEXT)
    for position in range(len(sealed) * 8):
        forged = bytearray(sealed)
        forged[position // 8] ^= 1 << position % 8
        with pytest.raises(Corrupt) as refused:
            keyring.open(bytes(forged), context=CONTEXT)
        assert refused.value.reason in {"SEALED_FORGED", "SEALED_OTHER_KEY"}


def test_sealed_value_moved_elsewhere_does_not_open() -> None:
    """A seed of another wave, or a salt in place of a seed, is refused."""
    keyring = _keyring()
    sealed = keyring.seal(b"seed", context=CONTEXT)
    for context in (b"", CONTEXT[:-1], CONTEXT + b" ", b"ports/NLRTM/shifts/2026-11-24-B master"):
        with pytest.raises(Corrupt, match="SEALED_FORGED"):
            keyring.open(sealed, context=context)


@pytest.mark.parametrize("length", range(SEALED_OVERHEAD_BYTES + 1))
def test_cut_value_does_not_open(length: int) -> None:
    """Every prefix is refused, the empty one included."""
    keyring = _keyring()
    with pytest.raises(Corrupt, match="SEALED_FORGED"):
        keyring.open(keyring.seal(b"seed", context=CONTEXT)[:length], context=CONTEXT)


def test_value_of_another_key_names_that_key() -> None:
    """An operator who restored the wrong key file reads which one is wanted."""
    other = _keyring(bytes(reversed(KEY)))
    sealed = other.seal(b"seed", context=CONTEXT)
    with pytest.raises(Corrupt, match=f"SEALED_OTHER_KEY.*{other.key_id}"):
        _keyring().open(sealed, context=CONTEXT)


def test_value_relabelled_as_ours_does_not_open() -> None:
    """The key id in the header is a label; what counts is the key."""
    keyring, other = _keyring(), _keyring(bytes(reversed(KEY)))
    header = keyring.seal(b"", context=CONTEXT)[:5]
    with pytest.raises(Corrupt, match="SEALED_FORGED"):
        keyring.open(header + other.seal(b"seed", context=CONTEXT)[5:], context=CONTEXT)


def test_format_of_sealed_values_is_kept() -> None:
    """Values sealed by earlier versions still open: this one is the first."""
    sealed = bytes.fromhex("01") + bytes.fromhex(_keyring().key_id)
    assert _keyring().seal(b"seed", context=CONTEXT)[:5] == sealed
    assert _keyring().open(bytes.fromhex(SEALED_V1), context=CONTEXT) == b"seed"


def test_keyring_shows_and_copies_nothing() -> None:
    """Not in logs, not in tracebacks with locals, not in a pickle."""
    keyring = _keyring()
    shown = f"{keyring!r} {keyring}"
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(keyring)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_key_of_another_length_is_refused(length: int) -> None:
    """A text file with the key in hexadecimal is not a key file."""
    with pytest.raises(InvalidInput, match="KEY_LENGTH"):
        _keyring(bytes(range(length)))


@pytest.mark.parametrize("byte", [0, 0x41, 0xFF])
def test_blank_key_is_refused(byte: int) -> None:
    """A key file that was wiped seals nothing."""
    with pytest.raises(InvalidInput, match="KEY_WEAK"):
        _keyring(bytes([byte]) * KEY_BYTES)


def test_key_file_is_private_from_its_first_moment(tmp_path: Path) -> None:
    """Mode 0600 under any umask; never overwritten."""
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        create_key_file(path, entropy=SystemEntropy())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    with pytest.raises(AlreadyExists, match="FILE_EXISTS"):
        create_key_file(path, entropy=SystemEntropy())
    assert path.read_bytes() == kept
    sealed = Keyring.load(path, entropy=SystemEntropy()).seal(b"seed", context=CONTEXT)
    assert Keyring.load(path, entropy=SystemEntropy()).open(sealed, context=CONTEXT) == b"seed"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o777])
def test_exposed_key_file_is_refused(tmp_path: Path, mode: int) -> None:
    """Whatever group or world may do with the file, it is too much."""
    path = tmp_path / "key"
    create_key_file(path, entropy=SystemEntropy())
    path.chmod(mode)
    with pytest.raises(InvalidInput, match="FILE_EXPOSED"):
        Keyring.load(path, entropy=SystemEntropy())


def test_key_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the file can change it at any time; root and the server's own user may."""
    path = tmp_path / "key"
    create_key_file(path, entropy=SystemEntropy())
    owner = path.stat().st_uid
    real = os.fstat

    def owned_by_another(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[4] = owner + 4242
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", owned_by_another)
    with pytest.raises(InvalidInput, match="FILE_EXPOSED"):
        read_private(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe and a file of another size each have their answer."""
    with pytest.raises(NotFound, match="FILE_MISSING"):
        read_private(tmp_path / "key")
    with pytest.raises(InvalidInput, match="FILE_UNREADABLE"):
        read_private(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(InvalidInput, match="FILE_UNREADABLE"):
        read_private(tmp_path / "pipe")
    write_new(tmp_path / "large", b"x" * 70_000)
    with pytest.raises(InvalidInput, match="FILE_UNREADABLE"):
        read_private(tmp_path / "large")
    with pytest.raises(InvalidInput, match="FILE_NOT_WRITABLE"):
        write_new(tmp_path / "no folder" / "key", b"")


def test_log_key_file_keeps_name_and_key(tmp_path: Path) -> None:
    """What is loaded signs as what was created, under the log's origin; the file is private."""
    path = tmp_path / "log.key"
    created = create_log_key(path, "assign.example/NLRTM", entropy=SeededEntropy(7))
    loaded = load_log_key(path)
    assert (loaded.name, loaded.public_key) == ("assign.example/NLRTM", created.public_key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert loaded.verifier().verify(b"text\n", created.sign(b"text\n").value)
    assert loaded.seed.hex() not in repr(loaded)
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="FILE_EXPOSED"):
        load_log_key(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"PRIVATE+KEY+x", b"PRIVATE+KEY+a+00000000+AAAA\n"])
def test_malformed_log_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    """The message names what is wrong, never the text."""
    write_new(tmp_path / "log.key", content)
    with pytest.raises(InvalidInput) as refused:
        load_log_key(tmp_path / "log.key")
    assert refused.value.reason.startswith("KEY_")
    assert content == b"" or content.decode(errors="replace").strip() not in str(refused.value)


def test_key_commands_make_private_files_and_show_no_secret(tmp_path: Path) -> None:
    """`assign keys` prints an id and a verifier key; a second run changes nothing and fails."""
    run = CliRunner().invoke
    made = run(key_cli.app, ["encryption", str(tmp_path / "kek")])
    signed = run(key_cli.app, ["log", str(tmp_path / "log.key"), "--origin", "assign.example/NLRTM"])
    shown = run(key_cli.app, ["verifier", str(tmp_path / "log.key")])
    assert [made.exit_code, signed.exit_code, shown.exit_code] == [0, 0, 0]
    assert (tmp_path / "kek").read_bytes().hex() not in made.output
    assert "PRIVATE" not in signed.output + shown.output
    assert NoteVerifier.from_vkey(shown.output.strip()) == load_log_key(tmp_path / "log.key").verifier()
    again = run(key_cli.app, ["encryption", str(tmp_path / "kek")])
    assert again.exit_code == 1
    assert "FILE_EXISTS" in again.output


def test_entropy_of_the_system_is_fresh() -> None:
    """As many bytes as asked for, and other ones each time."""
    entropy = SystemEntropy()
    assert [len(entropy.bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert entropy.bytes(32) != entropy.bytes(32)


def test_errors_of_this_layer_are_the_projects_own() -> None:
    """Nothing of `cryptography` leaks out."""
    for attempt in (lambda: _keyring(b""), lambda: _keyring().open(b"", context=b"")):
        with pytest.raises(AssignError):
            attempt()
