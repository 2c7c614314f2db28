"""Custodians: who can, `threshold` of them together, open what the server alone keeps sealed.

A custodian is known by the public half of an age key (age-encryption.org/v1, X25519). The other half is in a
file that never comes near the server: `age-keygen` makes one, and so does `assign escrow custodian`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import pyrage
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyrage.x25519 import Identity, Recipient

from assign.errors import AssignError, InvalidInput
from server.auth.private_files import read_private, write_new

__all__ = ["EscrowConfig", "Identity", "check_recipient", "create_identity", "load_identities"]

_SECRET_KEY = re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+", re.ASCII)


class EscrowConfig(BaseModel):
    """The section `[escrow]` of the configuration: any `threshold` of the custodians open a secret.

    Attributes:
        recipients: each custodian's age public key, `age1…`. Shares are numbered by their place here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: Annotated[int, Field(ge=2, le=255)] = 2
    recipients: Annotated[tuple[str, ...], Field(min_length=2, max_length=255)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.threshold > len(self.recipients):
            raise ValueError("threshold is larger than the number of recipients")
        if len(set(self.recipients)) != len(self.recipients):
            raise ValueError("each custodian has a key of his own: a recipient is listed twice")
        try:
            for recipient in self.recipients:
                check_recipient(recipient)
        except AssignError as error:
            raise ValueError(error.message) from None
        return self

    def in_words(self) -> str:
        """For the banner: `2 of 3 custodians`."""
        return f"{self.threshold} of {len(self.recipients)} custodians"


def check_recipient(text: str) -> Recipient:
    """The recipient `age1…`. Raises InvalidInput (ESCROW_RECIPIENT)."""
    try:
        return Recipient.from_str(text)
    except pyrage.RecipientError:
        raise InvalidInput("ESCROW_RECIPIENT", f"{text[:80]} is not an age X25519 public key (age1…).") from None


def create_identity(path: Path) -> str:
    """Make a custodian's key in the file `path` (mode 0600, as `age-keygen` writes it); the public half.

    Raises AlreadyExists FILE_EXISTS, InvalidInput FILE_NOT_WRITABLE.
    """
    identity = Identity.generate()
    recipient = str(identity.to_public())
    write_new(path, f"# public key: {recipient}\n{identity}\n".encode())
    return recipient


def load_identities(paths: Sequence[Path]) -> list[Identity]:
    """The keys in the files. Raises as `read_private`, and InvalidInput (ESCROW_IDENTITY), never showing one."""
    found: list[Identity] = []
    for path in paths:
        lines = _SECRET_KEY.findall(read_private(path).decode("ascii", "replace"))
        try:
            found += [Identity.from_str(line) for line in lines]
        except pyrage.IdentityError:
            lines = []
        if not lines:
            raise InvalidInput("ESCROW_IDENTITY", f"{path} has no age secret key (AGE-SECRET-KEY-1…).")
    return found
