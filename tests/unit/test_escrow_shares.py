"""Custodians' shares: encrypted each to one, bound to one secret, refused clearly when they do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pyrage.x25519 import Identity
from seeded_entropy import SeededEntropy

from assign.draw.commitment import commit_master
from assign.encoding import Json, canonical_json
from assign.errors import AlreadyExists, AssignError, Conflict, Corrupt, InvalidInput
from server.escrow.custodians import EscrowConfig, check_recipient, create_identity, load_identities
from server.escrow.key_file import commit_key, recover_key_file, split_key_file
from server.escrow.recover_master import combine_master
from server.escrow.shares import Secret, SecretKind, Share, open_share, require_kind, seal_shares
from server.keyring import Keyring, create_key_file

ORIGIN = "assign.example/NLRTM"
SHIFT = "ports/NLRTM/shifts/2026-11-24-A"
MASTER = bytes(range(32))
IDENTITIES = [Identity.generate() for _ in range(3)]
RECIPIENTS = tuple(str(identity.to_public()) for identity in IDENTITIES)
CONFIG = EscrowConfig(threshold=2, recipients=RECIPIENTS)


def _secret(master: bytes = MASTER, shift: str = SHIFT, origin: str = ORIGIN) -> Secret:
    return Secret(
        kind=SecretKind.MASTER_SEED, origin=origin, subject=shift, commitment=commit_master(origin, shift, master)
    )


def _files(master: bytes = MASTER, shift: str = SHIFT, origin: str = ORIGIN, seed: int = 0) -> list[bytes]:
    return seal_shares(master, _secret(master, shift, origin), CONFIG, SeededEntropy(seed))


FILES = _files()


def _open(files: list[bytes]) -> list[Share]:
    return [open_share(data, IDENTITIES, source=f"file {number}") for number, data in enumerate(files, start=1)]


def _content(data: bytes) -> dict[str, Json]:
    content: dict[str, Json] = json.loads(pyrage.decrypt(data, list(IDENTITIES)))
    return content


def _forge(number: int, **changes: Json) -> bytes:
    """A share that anybody who knows the custodian's public key can encrypt to him."""
    content = _content(_files()[number - 1]) | changes
    return pyrage.encrypt(canonical_json(content), [check_recipient(RECIPIENTS[number - 1])])


@pytest.mark.parametrize("chosen", [(0, 1), (0, 2), (1, 2), (2, 0), (0, 1, 2)])
def test_any_two_of_three_custodians_recover_the_seed(chosen: tuple[int, ...]) -> None:
    """Whichever two come, and all three as well; nothing is called wrong."""
    shares = _open(_files())
    recovered = combine_master([shares[index] for index in chosen])
    assert bytes(recovered.value) == MASTER
    assert recovered.wrong == ()


def test_share_says_what_it_belongs_to() -> None:
    """A custodian who opens his file with `age -d` reads the log, the shift, the commitment and his number."""
    content = _content(_files()[1])
    assert content["origin"] == ORIGIN
    assert content["subject"] == SHIFT
    assert content["commitment"] == commit_master(ORIGIN, SHIFT, MASTER).hex()
    assert (content["number"], content["threshold"], content["count"]) == (2, 2, 3)
    assert content["recipient"] == RECIPIENTS[1]


def test_each_file_opens_for_its_custodian_alone() -> None:
    """Two of three cannot read the third one's share."""
    for number, data in enumerate(_files()):
        assert open_share(data, [IDENTITIES[number]], source="it").number == number + 1
        others = [identity for other, identity in enumerate(IDENTITIES) if other != number]
        with pytest.raises(InvalidInput, match="ESCROW_NOT_YOURS"):
            open_share(data, others, source="it")


def test_one_share_is_not_enough() -> None:
    """Nor is the same one twice."""
    shares = _open(_files())
    for few in ([], shares[:1], [shares[0], shares[0]]):
        with pytest.raises(InvalidInput, match="ESCROW_TOO_FEW"):
            combine_master(few)


@pytest.mark.parametrize(
    "other",
    [
        {"shift": "ports/NLRTM/shifts/2026-11-24-B"},
        {"origin": "assign.example/BEANR"},
        {"master": bytes(32)},
    ],
)
def test_share_of_another_shift_is_refused(other: dict[str, object]) -> None:
    """Another shift, another log, or another seed of the same shift: named with its file."""
    mixed = [_open(_files())[0], _open(_files(**other))[1]]  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"ESCROW_OTHER_SECRET.*file 2"):
        combine_master(mixed)


def test_shares_of_two_splits_do_not_mix() -> None:
    """The same seed split twice: one share of each gives a seed that nobody committed to."""
    mixed = [_open(_files(seed=1))[0], _open(_files(seed=2))[1]]
    with pytest.raises(Corrupt, match="ESCROW_WRONG_SHARE"):
        combine_master(mixed)


def test_forged_share_never_passes() -> None:
    """Whoever writes to the store can encrypt a share to a custodian, but not lead to the committed seed."""
    forged = open_share(_forge(2, share="11" * 32 + "02"), IDENTITIES, source="the forged one")
    with pytest.raises(Corrupt, match="ESCROW_WRONG_SHARE"):
        combine_master([_open(_files())[0], forged])


def test_third_custodian_names_the_forged_share() -> None:
    """Two genuine shares of three give the seed all the same, and the wrong one is named."""
    genuine = _open(_files())
    for place in range(3):
        forged = open_share(
            _forge(place + 1, share="11" * 32 + f"{place + 1:02x}"), IDENTITIES, source="the forged one"
        )
        recovered = combine_master([*genuine[:place], forged, *genuine[place + 1 :]])
        assert bytes(recovered.value) == MASTER
        assert recovered.wrong == ("the forged one",)
        assert "the forged one" not in recovered.used


def test_two_versions_of_one_share() -> None:
    """The genuine one is found among them."""
    genuine = _open(_files())
    forged = open_share(_forge(1, share="11" * 32 + "01"), IDENTITIES, source="the forged one")
    recovered = combine_master([forged, genuine[0], genuine[2]])
    assert bytes(recovered.value) == MASTER
    assert recovered.wrong == ("the forged one",)


def test_damaged_file_is_refused() -> None:
    """Every character of an age file counts, and so does its end."""
    data = _files()[0]
    for place in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[place] = ord("A") if damaged[place] != ord("A") else ord("B")
        with pytest.raises(AssignError) as refused:
            open_share(bytes(damaged), IDENTITIES, source="it")
        # A changed recipient line reads as a file for somebody else.
        assert refused.value.reason in {"ESCROW_DAMAGED", "ESCROW_NOT_YOURS"}
    for broken in (b"", b"no age file", data[: len(data) // 2], data + b"more"):
        with pytest.raises(Corrupt, match="ESCROW_DAMAGED"):
            open_share(broken, IDENTITIES, source="it")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "escrow-share/v2"},
        {"more": 1},
        {"number": 3},
        {"number": True},
        {"threshold": 1},
        {"threshold": 4},
        {"count": 0},
        {"share": "zz"},
        {"share": ""},
        {"commitment": "00"},
        {"secret": "password"},
        {"origin": 7},
    ],
)
def test_content_that_is_no_share_is_refused(changes: dict[str, Json]) -> None:
    """Another format, fields of wrong types or ranges: refused without showing what was in it."""
    content = _content(_files()[0]) | changes
    data = pyrage.encrypt(canonical_json(content), [check_recipient(RECIPIENTS[0])])
    with pytest.raises(Corrupt, match="ESCROW_FORM") as refused:
        open_share(data, IDENTITIES, source="it")
    assert str(_content(_files()[0])["share"])[:16] not in str(refused.value)


def test_nothing_secret_is_shown() -> None:
    """Not in `repr` of a share or of what was recovered, not in an error with its causes."""
    shares = _open(_files())
    recovered = combine_master(shares[:2])
    for shown in (repr(shares), repr(recovered), repr(IDENTITIES)):
        assert MASTER.hex() not in shown
        assert repr(MASTER)[2:20] not in shown
        assert "AGE-SECRET-KEY" not in shown
        assert not any(share.value.hex() in shown or repr(bytes(share.value))[2:20] in shown for share in shares)
    changed = replace(shares[1], value=bytearray(b"\x55" * 32 + b"\x02"))
    with pytest.raises(Corrupt) as refused:
        combine_master([shares[0], changed])
    assert refused.value.__cause__ is None
    assert "55555555" not in str(refused.value)


def test_configuration_is_checked_whole() -> None:
    """A threshold nobody reaches, a custodian twice, a key that is none: refused before anything starts."""
    for values in (
        {"threshold": 4, "recipients": RECIPIENTS},
        {"threshold": 1, "recipients": RECIPIENTS},
        {"threshold": 2, "recipients": [RECIPIENTS[0]]},
        {"threshold": 2, "recipients": [RECIPIENTS[0], RECIPIENTS[0]]},
        {"threshold": 2, "recipients": [RECIPIENTS[0], "age1nobody"]},
        {"threshold": 2, "recipients": RECIPIENTS, "more": 1},
    ):
        with pytest.raises(ValidationError):
            EscrowConfig.model_validate(values)
    assert CONFIG.in_words() == "2 of 3 custodians"


def test_custodians_key_file(tmp_path: Path) -> None:
    """It is private, never overwritten, and what it holds is never shown."""
    path = tmp_path / "custodian.txt"
    recipient = create_identity(path)
    assert str(load_identities([path])[0].to_public()) == recipient
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AlreadyExists):
        create_identity(path)
    for text in ("", "nothing", "AGE-SECRET-KEY-1QQQQ"):
        other = tmp_path / "other.txt"
        other.write_text(text)
        other.chmod(0o600)
        with pytest.raises(InvalidInput, match="ESCROW_IDENTITY") as refused:
            load_identities([other])
        assert "QQQQ" not in str(refused.value)


def test_key_file_comes_back(tmp_path: Path, entropy: SeededEntropy) -> None:
    """The very same key-encryption key, from any two custodians."""
    path, again = tmp_path / "kek.key", tmp_path / "again.key"
    create_key_file(path, entropy=entropy)
    key_id, files = split_key_file(path, CONFIG, entropy)
    assert recover_key_file(_open(files)[1:], again, entropy) == (key_id, ())
    assert again.read_bytes() == path.read_bytes()
    assert again.stat().st_mode & 0o777 == 0o600
    sealed = Keyring.load(path, entropy=entropy).seal(b"value", context=b"place")
    assert Keyring.load(again, entropy=entropy).open(sealed, context=b"place") == b"value"


def test_kinds_of_secrets_do_not_mix(tmp_path: Path, entropy: SeededEntropy) -> None:
    """A share of a key file is none of a seed, and the other way round."""
    path = tmp_path / "kek.key"
    create_key_file(path, entropy=entropy)
    key_shares = _open(split_key_file(path, CONFIG, entropy)[1])
    with pytest.raises(Conflict, match="ESCROW_OTHER_KIND"):
        combine_master(key_shares)
    with pytest.raises(Conflict, match="ESCROW_OTHER_KIND"):
        recover_key_file(_open(_files()), tmp_path / "again.key", entropy)
    require_kind(key_shares, SecretKind.KEY_FILE)
    assert not (tmp_path / "again.key").exists()


def test_key_under_another_name_is_refused(tmp_path: Path, entropy: SeededEntropy) -> None:
    """Shares that agree on a key but call it another: nothing is written."""
    key = bytes(range(32))
    secret = Secret(kind=SecretKind.KEY_FILE, origin="", subject="00000000", commitment=commit_key(key))
    shares = _open(seal_shares(key, secret, CONFIG, entropy))
    with pytest.raises(InvalidInput, match="ESCROW_OTHER_SECRET"):
        recover_key_file(shares, tmp_path / "kek.key", entropy)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_bytes_are_a_share_or_refused(data: st.DataObject) -> None:
    """Whatever lies in a share file: a share that has the same value, or one of our refusals."""
    genuine = data.draw(st.sampled_from(FILES))
    start = data.draw(st.integers(0, len(genuine)))
    end = data.draw(st.integers(start, min(start + 8, len(genuine))))
    changed = genuine[:start] + data.draw(st.binary(max_size=8)) + genuine[end:]
    try:
        share = open_share(changed, IDENTITIES, source="it")
    except AssignError as error:
        found = error.reason
    else:
        found = "same" if share.value in [one.value for one in _open(FILES)] else "another"
    assert found in {"ESCROW_DAMAGED", "ESCROW_NOT_YOURS", "same"}
