"""What was drawn, as persons: sealed in the store from the draw on, with the replacements that followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from assign.encoding import Json, canonical_json, lp, parse_canonical_json
from assign.errors import Corrupt
from assign.names import OrderId, PersonId, WaveName
from server.keyring import Keyring
from server.storage.waves import StoredReplacement, StoredWave, replacements_of

__all__ = [
    "Outcome",
    "Substituted",
    "apply_replacements",
    "load_drawn",
    "load_outcome",
    "load_substituted",
    "parse_outcome",
    "room_for_outcome",
    "seal_context",
    "seal_outcome",
    "seal_substitutions",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Who inspects what in one wave.

    Attributes:
        teams: each served order with its persons; a place nobody is left for is gone from the team.
    """

    teams: Mapping[OrderId, tuple[PersonId, ...]]

    def orders_of(self, person: PersonId) -> list[OrderId]:
        """The orders a person inspects, by id."""
        return sorted(order for order, team in self.teams.items() if person in team)


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituted:
    """One place in one team: who takes it over; None where nobody is left."""

    order: OrderId
    substitute: PersonId | None


def seal_context(kind: str, wave: WaveName) -> bytes:
    """What a sealed secret of a wave is bound to, so that ciphertexts cannot be swapped."""
    return lp("wave-secret", kind, str(wave))


def room_for_outcome(team_sizes: Mapping[OrderId, int], persons: Iterable[PersonId]) -> int:
    """How many bytes an outcome of these orders takes at most, whoever of `persons` is drawn."""
    longest = max(persons, key=len, default=PersonId(""))
    return len(_encode(Outcome(teams={order: (longest,) * size for order, size in team_sizes.items()})))


def seal_outcome(keyring: Keyring, wave: WaveName, outcome: Outcome, *, room: int = 0) -> bytes:
    """The outcome as drawn, sealed. It is filled up to `room` bytes: its length must not tell who was drawn."""
    return keyring.seal(_encode(outcome).ljust(room), context=seal_context("outcome", wave))


def parse_outcome(data: bytes) -> Json:
    """What was sealed, as JSON: the persons of each order. Raises Corrupt."""
    parsed: Json = parse_canonical_json(data.rstrip(b" "))
    return parsed


def _encode(outcome: Outcome) -> bytes:
    return canonical_json({order: [*team] for order, team in outcome.teams.items()})


def seal_substitutions(keyring: Keyring, wave: WaveName, replacement: str, substituted: list[Substituted]) -> bytes:
    """What followed from one approved replacement, sealed."""
    rows: list[Json] = [[one.order, one.substitute] for one in substituted]
    return keyring.seal(canonical_json(rows), context=seal_context(f"substitutions/{replacement}", wave))


def load_outcome(connection: Connection, keyring: Keyring, wave: StoredWave) -> Outcome:
    """The outcome of a drawn wave as it stands, with every approved replacement. Raises Corrupt."""
    return apply_replacements(connection, keyring, wave.name, load_drawn(keyring, wave))


def apply_replacements(connection: Connection, keyring: Keyring, name: WaveName, drawn: Outcome) -> Outcome:
    """`drawn` with every approved replacement of the wave, in the order of approval. Raises Corrupt."""
    replacements = replacements_of(connection, name)
    if not replacements:
        return drawn
    teams = dict(drawn.teams)
    for stored in replacements:
        for one in load_substituted(keyring, stored):
            others = [person for person in teams[one.order] if person != stored.absent]
            teams[one.order] = tuple(others if one.substitute is None else [*others, one.substitute])
    return Outcome(teams=teams)


def load_drawn(keyring: Keyring, wave: StoredWave) -> Outcome:
    """The outcome of a drawn wave as it was drawn. Raises Corrupt."""
    if wave.outcome_sealed is None:
        raise Corrupt("OUTCOME_MISSING", "A drawn wave has no outcome; restore from a backup and audit.")
    drawn: Any = parse_outcome(keyring.open(wave.outcome_sealed, context=seal_context("outcome", wave.name)))
    return Outcome(teams={order: tuple(team) for order, team in drawn.items()})


def load_substituted(keyring: Keyring, stored: StoredReplacement) -> list[Substituted]:
    """What followed from a replacement; nothing until it is approved. Raises Corrupt."""
    if stored.substitutions_sealed is None:
        return []
    context = seal_context(f"substitutions/{stored.replacement}", stored.wave)
    rows = parse_canonical_json(keyring.open(stored.substitutions_sealed, context=context))
    return [Substituted(order=order, substitute=substitute) for order, substitute in rows]
