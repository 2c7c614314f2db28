"""The `local` beacon: k parties, each revealing a hash chain that it committed to beforehand.

A chain is fixed by its terms and one secret. With `LP` and `H` (SHA-256) of `assign.encoding`:

    context      = H(LP("beacon/v1", "chain", name, u64be(period_seconds),
                        u64be(genesis_unix), u64be(length)))
    x[length]    = 32 secret bytes from the operating system
    x[r - 1]     = H(LP("beacon/v1", "step", context, u64be(r), x[r]))      for r = length .. 1
    anchor       = x[0], published before any round; x[r] is released at the time of round r
    evidence(r)  = LP(x[r] of every party, in the pinned order)
    chain_hash   = H(LP("beacon/v1", "local", u64be(period_seconds), u64be(genesis_unix),
                        u64be(length), name 1, anchor 1, ..., name k, anchor k))

Nobody can change a value: x[r] is the preimage of what is public already. Predicting a round needs
the secrets of all k parties; any one of them can withhold, and is then named.

The context ties a chain to its party: one that copies another's anchor can never open it, so two
names are two secrets. The round in every step makes each step a function of its own, which keeps
long chains as hard to invert as one hash (Kogan, Manohar, Boneh, "T/Key", CCS 2017).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from assign.draw.beacon_info import BeaconInfo, EvidenceVerifier, parse_hex, require_round
from assign.encoding import (
    Json,
    canonical_json,
    lp,
    parse_canonical_json,
    parse_lp,
    parse_rfc3339,
    rfc3339,
    sha256,
    u64be,
)
from assign.errors import AssignError, Corrupt, InvalidInput

__all__ = [
    "ELEMENT_BYTES",
    "MAX_LENGTH_ROUNDS",
    "MAX_PARTIES",
    "ChainCommitment",
    "LocalBeacon",
    "LocalVerifier",
    "Party",
    "chain_context",
    "combine_commitments",
    "read_party",
    "walk",
]

ELEMENT_BYTES = 32
MAX_PARTIES = 16
# Twelve years of 3 s rounds. A verifier hashes the whole chain at worst: a hostile pin may cost it a
# minute, not a day.
MAX_LENGTH_ROUNDS = 2**27

_DOMAIN = "beacon/v1"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_COMMITMENT_KEYS = {"anchor", "genesis", "length_rounds", "name", "period_seconds"}


def chain_context(*, name: str, period_seconds: int, genesis_unix: int, length_rounds: int) -> bytes:
    """The 32 bytes that tie every step of a chain to its party and its schedule."""
    return sha256(lp(_DOMAIN, "chain", name, u64be(period_seconds), u64be(genesis_unix), u64be(length_rounds)))


def walk(context: bytes, element: bytes, *, from_round: int, to_round: int) -> bytes:
    """x[to_round] of a chain from its x[from_round], `to_round <= from_round`: one hash a round."""
    # The step of the module's head, laid out once: the fields before the round, the round, x's length.
    prefix = lp(_DOMAIN, "step", context, u64be(0))[:-8]
    length = ELEMENT_BYTES.to_bytes(4, "big")
    step = struct.Struct(f">{len(prefix)}sQ4s{ELEMENT_BYTES}s").pack
    hash_ = hashlib.sha256
    for round_number in range(from_round, to_round, -1):
        element = hash_(step(prefix, round_number, length, element)).digest()
    return element


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One party of a local beacon: its name and its chain's x[0], 32 bytes.

    Raises InvalidInput for a name that is not 1 to 63 of `a-z 0-9 . -`, or another length of anchor.
    """

    name: str
    anchor: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput("BEACON_PARTY_NAME", "A party's name is 1 to 63 of a-z, 0-9, '.' and '-'.")
        if len(self.anchor) != ELEMENT_BYTES:
            raise InvalidInput("BEACON_ANCHOR", "An anchor has 32 bytes.")


@dataclass(frozen=True, kw_only=True)
class LocalBeacon(BeaconInfo):
    """A pinned local beacon: 1 to 16 parties with different names, all on one schedule.

    `length_rounds` is the last round of every chain, at most 2^27.
    """

    scheme: ClassVar[str] = "local-hash-chain/v1"

    length_rounds: int
    parties: tuple[Party, ...]

    def __post_init__(self) -> None:
        BeaconInfo.__post_init__(self)
        if not 1 <= len(self.parties) <= MAX_PARTIES:
            raise InvalidInput("BEACON_PARTIES", f"A local beacon has 1 to {MAX_PARTIES} parties.")
        if len({party.name for party in self.parties}) != len(self.parties):
            raise InvalidInput("BEACON_PARTIES", "Two parties of one beacon have the same name.")
        if not 1 <= self.length_rounds <= min(MAX_LENGTH_ROUNDS, self.calendar_rounds):
            raise InvalidInput("BEACON_LENGTH", "A chain has 1 to 2^27 rounds and ends before year 10000.")

    @cached_property
    def last_round(self) -> int:
        """The chains' length."""
        return self.length_rounds

    @cached_property
    def chain_hash(self) -> bytes:
        """See the head of this module."""
        names_and_anchors = [field for party in self.parties for field in (party.name, party.anchor)]
        schedule = (u64be(self.period_seconds), u64be(self.genesis_unix), u64be(self.length_rounds))
        return sha256(lp(_DOMAIN, "local", *schedule, *names_and_anchors))

    def verifier(self) -> EvidenceVerifier:
        """A LocalVerifier that knows the anchors only."""
        return LocalVerifier(self)

    def key_fields(self) -> dict[str, Json]:
        """The parties and the length."""
        parties: list[Json] = [{"name": party.name, "anchor": party.anchor.hex()} for party in self.parties]
        return {"length_rounds": self.length_rounds, "parties": parties}


class LocalVerifier:
    """Verifies evidence of one local beacon, remembering each party's latest verified element.

    A round after the remembered one costs as many hashes as rounds lie between; an earlier one as many
    as to the nearer of the anchor and the remembered element. A failed verification changes nothing.
    Threads may share one.
    """

    def __init__(self, info: LocalBeacon) -> None:
        self.info = info
        self._contexts = [
            chain_context(
                name=party.name,
                period_seconds=info.period_seconds,
                genesis_unix=info.genesis_unix,
                length_rounds=info.length_rounds,
            )
            for party in info.parties
        ]
        self._known = [(0, party.anchor) for party in info.parties]

    def verify(self, round_number: int, evidence: bytes) -> None:
        """Raise Corrupt unless `evidence` opens `round_number` of every party, in the pinned order."""
        require_round(self.info, round_number)
        elements = _split_evidence(evidence, len(self.info.parties))
        for index, element in enumerate(elements):
            self.verify_party(index, round_number, element)

    def verify_party(self, index: int, round_number: int, element: bytes) -> None:
        """Raise Corrupt unless `element` is x[round_number] of the party at `index` (from 0)."""
        require_round(self.info, round_number)
        if len(element) != ELEMENT_BYTES:
            raise Corrupt("BEACON_EVIDENCE_MALFORMED", "A chain's element has 32 bytes.")
        context, (known_round, known) = self._contexts[index], self._known[index]
        if round_number >= known_round:
            opens = walk(context, element, from_round=round_number, to_round=known_round) == known
        elif round_number > known_round - round_number:
            opens = walk(context, known, from_round=known_round, to_round=round_number) == element
        else:
            opens = self._opens_anchor(index, round_number, element)
        if not opens:
            raise Corrupt(
                "BEACON_PARTY_FORGED",
                f"Beacon party {self.info.parties[index].name} gave a value for round {round_number} "
                "that is not the one it committed to.",
            )
        if round_number > known_round:
            self._known[index] = (round_number, element)

    def _opens_anchor(self, index: int, round_number: int, element: bytes) -> bool:
        anchor = self.info.parties[index].anchor
        return walk(self._contexts[index], element, from_round=round_number, to_round=0) == anchor


def _split_evidence(evidence: bytes, count: int) -> list[bytes]:
    try:
        elements = parse_lp(evidence, max_fields=count)
    except Corrupt:
        elements = []
    if len(elements) != count:
        raise Corrupt("BEACON_EVIDENCE_MALFORMED", f"The evidence of this beacon is {count} fields of 32 bytes.")
    return elements


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCommitment:
    """What one party publishes before any round: the terms of its chain and the chain's anchor.

    Raises InvalidInput on construction where they could be no beacon's.
    """

    party: Party
    period_seconds: int
    genesis: datetime
    length_rounds: int

    def __post_init__(self) -> None:
        self.as_beacon()

    def as_beacon(self) -> LocalBeacon:
        """The beacon that has this party alone."""
        return LocalBeacon(
            period_seconds=self.period_seconds,
            genesis=self.genesis,
            length_rounds=self.length_rounds,
            parties=(self.party,),
        )

    def to_json(self) -> bytes:
        """Canonical JSON, handed to whoever pins the beacon."""
        return canonical_json(
            {
                "name": self.party.name,
                "anchor": self.party.anchor.hex(),
                "period_seconds": self.period_seconds,
                "genesis": rfc3339(self.genesis),
                "length_rounds": self.length_rounds,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> ChainCommitment:
        """Read `to_json` output. Raises Corrupt for anything else."""
        value = parse_canonical_json(data)
        malformed = Corrupt("BEACON_COMMITMENT_MALFORMED", "This is not the commitment of a beacon party.")
        if not isinstance(value, dict) or value.keys() != _COMMITMENT_KEYS:
            raise malformed
        if type(value["period_seconds"]) is not int or type(value["length_rounds"]) is not int:
            raise malformed
        try:
            return cls(
                party=read_party({"name": value["name"], "anchor": value["anchor"]}),
                period_seconds=value["period_seconds"],
                genesis=parse_rfc3339(value["genesis"]),
                length_rounds=value["length_rounds"],
            )
        except AssignError:
            raise malformed from None


def read_party(value: Json) -> Party:
    """One party of a JSON pin. Raises Corrupt or InvalidInput."""
    if not isinstance(value, dict) or value.keys() != {"name", "anchor"}:
        raise Corrupt("BEACON_INFO_MALFORMED", "A party is a name and an anchor.")
    name = value["name"]
    if not isinstance(name, str):
        raise Corrupt("BEACON_INFO_MALFORMED", "A party's name is a text.")
    return Party(name=name, anchor=parse_hex(value["anchor"], ELEMENT_BYTES, "anchor"))


def combine_commitments(commitments: Sequence[ChainCommitment]) -> LocalBeacon:
    """The beacon of these parties in this order. Raises InvalidInput unless all share one schedule."""
    schedules = {(c.period_seconds, c.genesis, c.length_rounds) for c in commitments}
    if len(schedules) != 1:
        raise InvalidInput("BEACON_SCHEDULES_DIFFER", "All parties need the same period, genesis and length.")
    period_seconds, genesis, length_rounds = schedules.pop()
    parties = tuple(commitment.party for commitment in commitments)
    return LocalBeacon(period_seconds=period_seconds, genesis=genesis, length_rounds=length_rounds, parties=parties)
