"""Signed notes and their keys: the published examples, and each way to be malformed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assign.errors import Corrupt, InvalidInput
from assign.log.cosignature import Cosigner, Witness
from assign.log.keys import VerifierKey
from assign.log.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSigner,
    NoteVerifier,
    Signature,
    add_signatures,
    parse_note,
    parse_signatures,
    sign_note,
    verify_note,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "log"
NOTES: dict[str, dict[str, Any]] = json.loads((VECTORS / "notes.json").read_text())
WYCHEPROOF = json.loads((VECTORS / "ed25519-wycheproof.json").read_text())["tests"]

GO = NOTES["go"]
TEXT = GO["text"].encode()
PETER_LINE, ENOCH_LINE = GO["line"].encode(), GO["other_line"].encode()
PETER, ENOCH = NoteVerifier.from_vkey(GO["vkey"]), NoteVerifier.from_vkey(GO["other_vkey"])
PETER_SIGNATURE, ENOCH_SIGNATURE = parse_signatures(PETER_LINE + ENOCH_LINE)
DASH = "\u2014 ".encode()


@pytest.mark.parametrize("name", ["c2sp_example", "go_checksum_database"])
def test_published_notes_verify(name: str) -> None:
    """What other implementations signed is verified, and encodes to the same bytes."""
    data = NOTES[name]["note"].encode()
    verifier = NoteVerifier.from_vkey(NOTES[name]["vkey"])
    verified = verify_note(data, [verifier])
    assert data.startswith(verified.text + b"\n")
    assert [(item.name, item.key_id) for item in verified.signatures] == [(verifier.name, verifier.key_id)]
    assert parse_note(data).encode() == data
    assert verifier.vkey() == NOTES[name]["vkey"]


def test_signing_makes_the_published_bytes() -> None:
    """Go's key signs Go's text to Go's note, and both keys have Go's text form."""
    signer = NoteSigner.from_skey(GO["skey"])
    assert sign_note(TEXT, signer) == TEXT + b"\n" + PETER_LINE
    assert signer.skey() == GO["skey"]
    assert signer.verifier() == PETER
    assert signer.verifier().vkey() == GO["vkey"]
    assert signer.key_id.hex() == "c74f20a3"


@pytest.mark.parametrize("case", WYCHEPROOF, ids=lambda case: f"{case[0]}-{case[1]}")
def test_wycheproof_signature(case: list[Any]) -> None:
    """Each Ed25519 vector of Wycheproof is accepted or refused as it says."""
    _, _, public_key, message, signature, valid = case
    verifier = NoteVerifier("wycheproof", bytes.fromhex(public_key))
    assert verifier.check(bytes.fromhex(message), bytes.fromhex(signature)) is valid


def test_wycheproof_is_complete() -> None:
    """A vector file that lost its cases would pass in silence."""
    assert (len(WYCHEPROOF), sum(case[5] for case in WYCHEPROOF)) == (151, 88)


def test_key_text_is_strict() -> None:
    """No part of a key's text, and none with one character changed, is a key."""
    for text, parse in ((GO["vkey"], NoteVerifier.from_vkey), (GO["skey"], NoteSigner.from_skey)):
        pieces = [text[at:end] for at in range(len(text)) for end in range(at + 1, len(text) + 1)]
        pieces.remove(text)
        pieces += [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
        for piece in (*pieces, "", text + "\n", " " + text, text.replace("c74f20a3", "C74F20A3")):
            with pytest.raises(InvalidInput) as caught:
                parse(piece)
            assert caught.value.reason.startswith("KEY_")
            assert GO["skey"][-20:] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GO["wrong_vkeys"]["key too long"], "KEY_MALFORMED"),
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEQ==", "KEY_LENGTH"),
        (GO["wrong_vkeys"]["unknown type"], "KEY_TYPE"),
        (GO["vkey"].replace("c74f20a3", "c74f20a4"), "KEY_ID"),
        (GO["vkey"].replace("Peter", "Pete"), "KEY_ID"),
        (GO["vkey"].replace("c74f20a3", "C74F20A3"), "KEY_ID"),
        (GO["vkey"].replace("TW", "TX"), "KEY_ID"),
        (GO["vkey"].replace("PeterNeumann", ""), "KEY_NAME"),
        (GO["vkey"].replace("Peter", "Peter "), "KEY_NAME"),
        ("name", "KEY_MALFORMED"),
        ("name+00000000+", "KEY_MALFORMED"),
    ],
)
def test_wrong_verifier_keys(text: str, reason: str) -> None:
    """Each way in which a verifier key is wrong has its reason."""
    with pytest.raises(InvalidInput) as caught:
        NoteVerifier.from_vkey(text)
    assert caught.value.reason == reason


def test_types_are_not_mixed() -> None:
    """A key for notes does not verify cosignatures nor the other way round; the ids differ too."""
    cosigner = Cosigner("PeterNeumann", NoteSigner.from_skey(GO["skey"]).seed)
    assert cosigner.key_id != PETER.key_id
    for parse, text in (
        (Witness.from_vkey, GO["vkey"]),
        (NoteVerifier.from_vkey, cosigner.witness().vkey()),
        (Cosigner.from_skey, GO["skey"]),
        (NoteSigner.from_skey, cosigner.skey()),
    ):
        with pytest.raises(InvalidInput, match="KEY_TYPE"):
            parse(text)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\u3000", "a\nb", "a\tb", "a\x00", "\ud800"]
)
def test_wrong_names(name: str) -> None:
    """A name that could not stand in a signature line names no key and no signature."""
    for make in (
        lambda: NoteVerifier(name, PETER.public_key),
        lambda: NoteSigner(name, bytes(32)),
        lambda: Signature(name, bytes(4), b"x"),
    ):
        with pytest.raises(InvalidInput, match="KEY_NAME"):
            make()


PRIME = 2**255 - 19


def square_root(square: int) -> int:
    """A square root modulo 2^255-19, or 0 where there is none."""
    root = pow(square, (PRIME + 3) // 8, PRIME)
    return next((y for y in (root, root * pow(2, PRIME // 4, PRIME) % PRIME) if y * y % PRIME == square % PRIME), 0)


def small_order_keys() -> list[bytes]:
    """Every encoding, canonical or not, of the points of order 1, 2, 4 and 8 on edwards25519."""
    # Twice a point of order 8 has y = 0, so x^2 = -y^2; with -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032 section
    # 5.1) that is d y^4 + 2 y^2 - 1 = 0.
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    roots = [square_root((sign * square_root(1 + d) - 1) * pow(d, -1, PRIME)) for sign in (1, -1)]
    ys = {0, 1, PRIME - 1} | {y for root in roots if root for y in (root, PRIME - root)}
    assert len(ys) == 5
    encodings = ys | {y + PRIME for y in ys if y + PRIME < 2**255}
    return [(y | top).to_bytes(32, "little") for y in encodings for top in (0, 1 << 255)]


def test_weak_public_keys() -> None:
    """A key of small order, for which anyone can sign anything, is not a key; neither is a second spelling."""
    encodings = small_order_keys()
    assert len(encodings) == 14
    for public_key in (*encodings, b"\xff" * 32, (PRIME + 2).to_bytes(32, "little")):
        with pytest.raises(InvalidInput, match="KEY_WEAK"):
            NoteVerifier("weak", public_key)
    assert NoteVerifier("fine", PETER.public_key)


def test_public_key_off_the_curve_verifies_nothing() -> None:
    """Half of all y have no point: such a key is no error of the verifier's, it just never signed."""
    verifier = NoteVerifier("nowhere", (2).to_bytes(32, "little"))
    assert verifier.check(TEXT, PETER_SIGNATURE.value) is False


def test_lengths_of_keys_and_signatures() -> None:
    """Keys have 32 bytes, signatures 64, key ids 4."""
    for make, reason in (
        (lambda: NoteVerifier("a", bytes(31)), "KEY_LENGTH"),
        (lambda: NoteSigner("a", bytes(33)), "KEY_LENGTH"),
        (lambda: Signature("a", bytes(3), b"x"), "SIGNATURE_LENGTH"),
        (lambda: Signature("a", bytes(4), b""), "SIGNATURE_LENGTH"),
    ):
        with pytest.raises(InvalidInput) as caught:
            make()
        assert caught.value.reason == reason
    for wrong in (b"", PETER_SIGNATURE.value[:63], PETER_SIGNATURE.value + b"\x00"):
        assert PETER.verify(TEXT, wrong) is False


def test_seed_is_not_shown() -> None:
    """A signer in a log line or a traceback does not give its key away."""
    signer = NoteSigner("log", b"\xabsecret seed of thirty-two bytes")
    assert "secret" not in repr(signer)
    with pytest.raises(InvalidInput) as caught:
        NoteSigner.from_skey(signer.skey().replace("PRIVATE", "PRIVATE ") + "=")
    assert "secret" not in str(caught.value)


def test_unknown_signatures_are_ignored() -> None:
    """Signatures of other names or of other ids neither help nor harm, valid or not."""
    data = TEXT + b"\n" + PETER_LINE + ENOCH_LINE
    assert verify_note(data, [PETER]).signatures == (PETER_SIGNATURE,)
    assert verify_note(data, [ENOCH]).signatures == (ENOCH_SIGNATURE,)
    assert verify_note(data, [PETER, ENOCH]).signatures == (PETER_SIGNATURE, ENOCH_SIGNATURE)
    same_name = Signature("PeterNeumann", ENOCH.key_id, b"nonsense")
    same_id = Signature("EnochRoot", PETER.key_id, b"nonsense")
    assert verify_note(add_signatures(data, same_name, same_id), [PETER]).signatures == (PETER_SIGNATURE,)


def test_note_without_a_trusted_signature() -> None:
    """Nothing of a note is believed when no trusted key signed it."""
    for verifiers in ([], [ENOCH]):
        with pytest.raises(Corrupt, match="NOTE_UNSIGNED"):
            verify_note(TEXT + b"\n" + PETER_LINE, verifiers)


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    """Also beside a good one by another key, and as a second one by the same key."""
    bad = Signature(PETER.name, PETER.key_id, PETER_SIGNATURE.value[:-1] + b"\x00")
    short = Signature(PETER.name, PETER.key_id, b"\x00")
    for wrong in (bad, short):
        for others in ((ENOCH_SIGNATURE,), (PETER_SIGNATURE,)):
            for signatures in ((wrong, *others), (*others, wrong)):
                with pytest.raises(Corrupt, match="SIGNATURE_INVALID"):
                    verify_note(Note(TEXT, signatures), [PETER, ENOCH])


def test_repeated_signature_counts_once() -> None:
    """A line that stands twice is one signature."""
    assert verify_note(TEXT + b"\n" + PETER_LINE * 2, [PETER]).signatures == (PETER_SIGNATURE,)
    assert add_signatures(TEXT + b"\n" + PETER_LINE, PETER_SIGNATURE) == TEXT + b"\n" + PETER_LINE


def test_ambiguous_verifiers() -> None:
    """Two keys of one name and id would make the result depend on their order."""
    with pytest.raises(InvalidInput, match="VERIFIER_AMBIGUOUS"):
        verify_note(TEXT + b"\n" + PETER_LINE, [PETER, ENOCH, NoteVerifier.from_vkey(GO["vkey"])])


def test_text_with_blank_lines_and_dashes() -> None:
    """The last blank line separates; the text may hold blank lines and what looks like signatures."""
    signer = NoteSigner.from_skey(GO["skey"])
    for text in (
        b"\n",
        b"\n\n\n",
        b"a\n\n",
        TEXT + b"\n" + PETER_LINE,
        "Ognuno sta solo\n\ned \u00e8 sera.\n".encode(),
    ):
        data = sign_note(text, signer)
        assert parse_note(data).text == text
        assert verify_note(data, [PETER]).text == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "NOTE_MALFORMED"),
        (TEXT, "NOTE_MALFORMED"),
        (TEXT + PETER_LINE, "NOTE_MALFORMED"),
        (TEXT + b"\n", "NOTE_SIGNATURES"),
        (TEXT + b"\n" + PETER_LINE[:-1], "NOTE_SIGNATURES"),
        (TEXT + b"\n" + PETER_LINE + b"\n", "NOTE_SIGNATURES"),
        (TEXT + b"\n" + PETER_LINE * (MAX_SIGNATURES + 1), "NOTE_SIGNATURES"),
        (TEXT + b"\n" + PETER_LINE + b"Unexpected line.\n", "SIGNATURE_MALFORMED"),
        (TEXT + b"\n-- PeterNeumann x08go/ZJ\n", "SIGNATURE_MALFORMED"),
        (TEXT + b"\n" + DASH[:-1] + b"PeterNeumann x08go/ZJ\n", "SIGNATURE_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann\n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann \n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"Bad Name x08go/ZJ\n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann x08go_ZJ\n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann x08go/ZJ \n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann x08go/Z\n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann x08go/Z=\n", "BASE64_MALFORMED"),
        (TEXT + b"\n" + PETER_LINE.replace(b"AM=", b"AN="), "BASE64_MALFORMED"),
        (TEXT + b"\n" + DASH + b"PeterNeumann x08goA==\n", "SIGNATURE_LENGTH"),
        (TEXT + b"\n" + DASH + b" x08go/ZJ\n", "KEY_NAME"),
        (TEXT + b"\n" + DASH + b"a+b x08go/ZJ\n", "KEY_NAME"),
        (TEXT + b"\n" + DASH + "a\u00a0b x08go/ZJ\n".encode(), "KEY_NAME"),
        (TEXT + b"\n" + DASH + b"a\x01b x08go/ZJ\n", "KEY_NAME"),
        (TEXT + b"\n" + DASH + b"a\xffb x08go/ZJ\n", "SIGNATURE_MALFORMED"),
        (b"\x01" + TEXT + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (b"\t" + TEXT + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (TEXT.replace(b"\n", b"\r\n") + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (b"\xff" + TEXT + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (b"\xc0\xaf" + TEXT + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (b"\xed\xa0\x80" + TEXT + b"\n" + PETER_LINE, "NOTE_TEXT"),
        (b"x" * MAX_NOTE_BYTES + b"\n\n" + PETER_LINE, "NOTE_TOO_LONG"),
        (b"\n" * (MAX_NOTE_BYTES + 1), "NOTE_TOO_LONG"),
    ],
)
def test_malformed_notes(data: bytes, reason: str) -> None:
    """Each way in which a note is malformed has its reason, whoever signed it."""
    with pytest.raises(Corrupt) as caught:
        verify_note(data, [PETER])
    assert caught.value.reason == reason


def test_limits_are_reached_but_not_passed() -> None:
    """A hundred signatures and a note of exactly the limit are read; making more is refused."""
    names = [Signature(f"key{number}", bytes(4), b"x") for number in range(MAX_SIGNATURES)]
    assert parse_note(Note(TEXT, tuple(names)).encode()).signatures == tuple(names)
    room = MAX_NOTE_BYTES - len(PETER_LINE) - 2
    assert len(Note(b"x" * room + b"\n", (PETER_SIGNATURE,)).encode()) == MAX_NOTE_BYTES
    for make, reason in (
        (lambda: Note(b"x" * room + b"x\n", (PETER_SIGNATURE,)), "NOTE_TOO_LONG"),
        (lambda: Note(TEXT, (PETER_SIGNATURE, *names)), "NOTE_SIGNATURES"),
        (lambda: add_signatures(TEXT + b"\n" + PETER_LINE, *names), "NOTE_SIGNATURES"),
        (lambda: sign_note(TEXT), "NOTE_SIGNATURES"),
        (lambda: sign_note(b"no newline", NoteSigner("a", bytes(32))), "NOTE_TEXT"),
        (lambda: sign_note(b"", NoteSigner("a", bytes(32))), "NOTE_TEXT"),
    ):
        with pytest.raises(InvalidInput) as caught:
            make()
        assert caught.value.reason == reason


def test_signature_lines_alone() -> None:
    """What a witness answers with is read like the end of a note."""
    assert parse_signatures(PETER_LINE + ENOCH_LINE) == (PETER_SIGNATURE, ENOCH_SIGNATURE)
    for wrong in (b"", b"\n", PETER_LINE + b"\n", b"\n" + PETER_LINE, PETER_LINE.strip(), PETER_LINE * 101):
        with pytest.raises(Corrupt):
            parse_signatures(wrong)
    with pytest.raises(Corrupt, match="NOTE_TOO_LONG"):
        parse_signatures(b"\n" * (MAX_NOTE_BYTES + 1))


def test_keys_of_two_types_are_not_equal() -> None:
    """The type is part of what a key is."""
    keys: set[VerifierKey] = {NoteVerifier("a", PETER.public_key), Witness("a", PETER.public_key)}
    assert len(keys) == 2
