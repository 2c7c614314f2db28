"""Who witnesses the logs, and how many of them must have cosigned a freeze before its draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import httpx2
from pydantic import BaseModel, ConfigDict, Field, model_validator

from assign.errors import AssignError
from assign.log.cosignature import Policy, Witness
from assign.log.note import NoteVerifier

__all__ = ["WitnessMember", "WitnessPolicy", "WitnessesConfig"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WitnessMember(_Strict):
    """One witness: its verifier key (signature type 0x04), and the URL prefix that takes `/add-checkpoint`."""

    vkey: str
    url: str

    @property
    def witness(self) -> Witness:
        """The key. Raises InvalidInput KEY_*."""
        return Witness.from_vkey(self.vkey)

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            Witness.from_vkey(self.vkey)
        except AssignError as error:
            raise ValueError(error.message) from None
        try:
            url = httpx2.URL(self.url)
        except (httpx2.InvalidURL, TypeError):
            raise ValueError("the URL of a witness is malformed") from None
        # No name or password: what is asked for is public, and URLs end up in logs.
        if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment or url.userinfo:
            raise ValueError("the URL of a witness is http(s)://host[:port][/path]")
        return self


class WitnessesConfig(_Strict):
    """The section `[witnesses]` of the configuration.

    Attributes:
        quorum: how many of the members must have cosigned a checkpoint that covers a freeze before the time of its
            beacon round.
        strict: a wave that is not covered in time is not drawn; otherwise it is drawn and the log says so.
        interval_seconds: a log that has grown is shown to the witnesses at least this often.
        deadline_seconds: for one request to one witness, as a whole.
    """

    quorum: Annotated[int, Field(ge=1)]
    strict: bool
    members: Annotated[tuple[WitnessMember, ...], Field(min_length=1, max_length=32)]
    interval_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    deadline_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quorum > len(self.members):
            raise ValueError("quorum is larger than the number of members")
        keys = [member.witness.public_key for member in self.members]
        names = [member.witness.name for member in self.members]
        if len(set(keys)) != len(keys) or len(set(names)) != len(names):
            raise ValueError("each witness counts once: a name or a key is listed twice")
        return self

    def policy(self, log: NoteVerifier) -> Policy:
        """What a checkpoint of `log` must have. Raises InvalidInput POLICY_WITNESSES if a witness has the log's key."""
        return Policy((log,), tuple(member.witness for member in self.members), self.quorum)

    def in_words(self) -> str:
        """For the banner: `2 of 3 witnesses`."""
        return f"{self.quorum} of {len(self.members)} witnesses"


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """What holds for one port's log: whose cosignatures, how many, and what follows without them."""

    policy: Policy
    is_strict: bool
