"""One custodian's share: what is in it, how it is encrypted to him, and how shares give the secret back.

The plaintext is canonical JSON, so that a custodian can read with `age -d` what he holds:

    {"commitment": hex, "count": n, "format": "escrow-share/v1", "number": 1..n, "origin": …, "recipient": "age1…",
     "secret": "master-seed" or "key-file", "share": hex, "subject": …, "threshold": k}

`subject` is the shift's name for a master seed and the key id for a key file. `commitment` is what the log
holds since the shift opened, or a hash of the key; no shares are believed that do not reproduce it. age
authenticates to the recipient, not from the sender: whoever can write to the store can put another share
there, but not one that leads to a secret with the logged commitment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyrage

from assign.encoding import canonical_json, parse_canonical_json
from assign.errors import Conflict, Corrupt, InvalidInput
from server.entropy import Entropy
from server.escrow.custodians import EscrowConfig, Identity, check_recipient
from server.escrow.sharing import combine, split, wipe

__all__ = [
    "FORMAT",
    "Recovered",
    "Secret",
    "SecretKind",
    "Share",
    "open_share",
    "recover_secret",
    "require_kind",
    "seal_shares",
]

FORMAT = "escrow-share/v1"
_NO_KEY = "No matching keys found"
_MOST_SUBSETS = 5000
Commit = Callable[[bytes], bytes]


class SecretKind(StrEnum):
    """What was split."""

    MASTER_SEED = "master-seed"
    KEY_FILE = "key-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Which secret a share belongs to; nothing in it is secret.

    Attributes:
        origin: the log's name; empty for a key file.
        subject: the shift's resource name, or the id of the key.
        commitment: 32 bytes that fix the secret.
    """

    kind: SecretKind
    origin: str
    subject: str
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One opened share. `repr` does not show the value.

    Attributes:
        number: 1 to `count`: whose it is, by the place in the configuration.
        source: where it came from, for messages.
    """

    secret: Secret
    threshold: int
    count: int
    number: int
    recipient: str
    value: bytearray = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A secret that has the commitment. The caller wipes `value`.

    Attributes:
        wrong: sources of shares that do not belong to it: forged, or damaged before they were encrypted.
    """

    value: bytearray = field(repr=False)
    secret: Secret
    used: tuple[str, ...]
    wrong: tuple[str, ...]


def seal_shares(value: bytes | bytearray, secret: Secret, config: EscrowConfig, entropy: Entropy) -> list[bytes]:
    """Split `value` and encrypt each share to its custodian: armored age files, in the order of the recipients."""
    count = len(config.recipients)
    files = []
    shares = split(value, threshold=config.threshold, count=count, entropy=entropy)
    for number, (share, recipient) in enumerate(zip(shares, config.recipients, strict=True), start=1):
        text = canonical_json(
            {
                "commitment": secret.commitment.hex(),
                "count": count,
                "format": FORMAT,
                "number": number,
                "origin": secret.origin,
                "recipient": recipient,
                "secret": secret.kind,
                "share": share.hex(),
                "subject": secret.subject,
                "threshold": config.threshold,
            }
        )
        files.append(pyrage.encrypt(text, [check_recipient(recipient)], armored=True))
        wipe(share)
    return files


def open_share(data: bytes, identities: Sequence[Identity], *, source: str) -> Share:
    """Decrypt one share with whichever identity fits.

    Raises InvalidInput (ESCROW_NOT_YOURS) where none fits, Corrupt (ESCROW_DAMAGED) for a file that was
    changed, cut or never one, Corrupt (ESCROW_FORM) for a content that is no share.
    """
    try:
        text = pyrage.decrypt(data, list(identities))
    except pyrage.DecryptError as error:
        if _NO_KEY in str(error):
            message = f"{source} is encrypted to another custodian: none of the identities given opens it."
            raise InvalidInput("ESCROW_NOT_YOURS", message) from None
        raise Corrupt("ESCROW_DAMAGED", f"{source} was changed or cut short, or is no age file.") from None
    try:
        return _read(parse_canonical_json(text), source)
    except (KeyError, TypeError, ValueError, AttributeError, Corrupt):
        # Not the value, and not the parser's words: both may hold the secret part.
        raise Corrupt("ESCROW_FORM", f"{source} opens, but what is in it is no {FORMAT}.") from None


def _read(value: dict[str, Any], source: str) -> Share:
    secret = Secret(
        kind=SecretKind(value["secret"]),
        origin=_text(value["origin"]),
        subject=_text(value["subject"]),
        commitment=bytes.fromhex(value["commitment"]),
    )
    share = Share(
        secret=secret,
        threshold=_number(value["threshold"]),
        count=_number(value["count"]),
        number=_number(value["number"]),
        recipient=_text(value["recipient"]),
        value=bytearray.fromhex(value["share"]),
        source=source,
    )
    if value["format"] != FORMAT or len(value) != 10 or len(secret.commitment) != 32:
        raise ValueError("form")
    if not 2 <= share.threshold <= share.count or not 1 <= share.number <= share.count:
        raise ValueError("numbers")
    if len(share.value) < 2 or share.value[-1] != share.number:
        raise ValueError("share")
    return share


def recover_secret(shares: Sequence[Share], commit: Commit) -> Recovered:
    """The secret that enough of `shares` agree on and that has their commitment.

    Args:
        commit: computes the commitment of a candidate.

    Raises InvalidInput (ESCROW_OTHER_SECRET) for shares of different secrets, InvalidInput (ESCROW_TOO_FEW),
    Corrupt (ESCROW_WRONG_SHARE) where no `threshold` of them reproduce the commitment.
    """
    first = _require_same(shares)
    # A share given twice counts once; two versions of one share are both tried.
    distinct = [*{(share.number, bytes(share.value)): share for share in shares}.values()]
    given = len({share.number for share in distinct})
    if given < first.threshold:
        raise InvalidInput(
            "ESCROW_TOO_FEW",
            f"{first.threshold} shares of different custodians are needed, and {given} "
            f"{'is' if given == 1 else 'are'} there.",
        )
    for chosen in itertools.islice(itertools.combinations(distinct, first.threshold), _MOST_SUBSETS):
        if len({share.number for share in chosen}) < first.threshold:
            continue
        value = combine([share.value for share in chosen])
        if commit(bytes(value)) == first.secret.commitment:
            wrong = tuple(share.source for share in distinct if not _lies_on(share, chosen))
            return Recovered(
                value=value, secret=first.secret, used=tuple(share.source for share in chosen), wrong=wrong
            )
        wipe(value)
    raise Corrupt(
        "ESCROW_WRONG_SHARE",
        f"These shares do not reproduce the secret that was committed to for {first.secret.subject}: at least one "
        "of them is not genuine. With a further custodian's share the wrong one can be named.",
    )


def _require_same(shares: Sequence[Share]) -> Share:
    if not shares:
        raise InvalidInput("ESCROW_TOO_FEW", "No share was given.")
    first = shares[0]
    for share in shares[1:]:
        if share.secret != first.secret or (share.threshold, share.count) != (first.threshold, first.count):
            raise InvalidInput(
                "ESCROW_OTHER_SECRET",
                f"{share.source} is a share for {_named(share)}, and {first.source} is one for {_named(first)}: "
                "they do not belong together.",
            )
    return first


def _named(share: Share) -> str:
    secret = share.secret
    what = f"{secret.subject} in the log {secret.origin}" if secret.origin else f"the key {secret.subject}"
    return f"{what} ({share.threshold} of {share.count}, commitment {secret.commitment.hex()[:8]}…)"


def _lies_on(share: Share, chosen: Sequence[Share]) -> bool:
    """Whether `share` is on the polynomial of `chosen`: in place of another share it gives the same secret."""
    for one in chosen:
        if one.number == share.number:
            return one.value == share.value
    return combine([share.value, *(one.value for one in chosen[1:])]) == combine([one.value for one in chosen])


def require_kind(shares: Sequence[Share], kind: SecretKind) -> None:
    """Raises Conflict (ESCROW_OTHER_KIND) for shares of another kind of secret."""
    for share in shares:
        if share.secret.kind is not kind:
            raise Conflict("ESCROW_OTHER_KIND", f"{share.source} is a share of a {share.secret.kind}, not of a {kind}.")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 255:
        raise ValueError("number")
    return value
