"""The tables. One schema for every engine; state and log change in one transaction.

What is secret until the close (master seeds, salts, inputs, outcomes, persons' keys) is stored sealed
under a key that is not in the database.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

__all__ = [
    "Moment",
    "Words",
    "cosigned_checkpoint",
    "escrow_key_share",
    "escrow_share",
    "exception_request",
    "handled_selection",
    "inspection_order",
    "log_entry",
    "log_tile",
    "manual_line",
    "metadata",
    "outage_sheet",
    "person",
    "person_key",
    "person_key_commitment",
    "port_log",
    "replacement",
    "request",
    "roster_entry",
    "shift",
    "slot",
    "wave",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware UTC time as microseconds since the Unix epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Aware time to integer."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Integer to aware UTC time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Words(TypeDecorator[frozenset[str]]):
    """A set of words as a sorted JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[str] | None, dialect: Dialect) -> str:
        """Set to JSON."""
        return json.dumps(sorted(value or ()), separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> frozenset[str]:
        """JSON to set."""
        return frozenset(json.loads(value or "[]"))


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_PORT = String(5)
_ID = String(63)
_NAME = String(200)

port_log = Table(
    "port_log",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
)

log_entry = Table(
    "log_entry",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

log_tile = Table(
    "log_tile",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("tile", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

request = Table(
    "request",
    metadata,
    Column("caller", _NAME, primary_key=True),
    Column("request_id", _ID, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("time", Moment, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("person", _ID, primary_key=True),
    Column("certificate_until", Moment),
    Column("signal_open", Boolean, nullable=False),
    Column("interviewed", Boolean, nullable=False),
    Column("recused_parties", Words, nullable=False),
)

person_key = Table(
    "person_key",
    metadata,
    Column("person", _ID, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

shift = Table(
    "shift",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("start", Moment, nullable=False),
    Column("end", Moment, nullable=False),
    Column("step_seconds", Integer, nullable=False),
    Column("lead_seconds", Integer, nullable=False),
    Column("margin_seconds", Integer, nullable=False),
    Column("close_time", Moment, nullable=False),
    Column("min_pool", Integer, nullable=False, server_default="3"),
    Column("beacon", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("master_sealed", LargeBinary, nullable=False),
    Column("closed", Boolean, nullable=False),
    Index(None, "port", "start"),
)

roster_entry = Table(
    "roster_entry",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("person", _ID, primary_key=True),
    Column("pseudonym", String(32), nullable=False),
    Column("terminals", Words, nullable=False),
    Column("start", Moment, nullable=False),
    Column("end", Moment, nullable=False),
    Column("qualifications", Words, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("absent_time", Moment),
    # Two shifts of one person never overlap, in whatever port.
    Index(None, "person", "start"),
)

inspection_order = Table(
    "inspection_order",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("order", _ID, primary_key=True),
    Column("container", String(11), nullable=False),
    Column("terminal", String(6), nullable=False),
    Column("tier", Integer, nullable=False),
    Column("team_size", Integer, nullable=False),
    Column("qualifications", Words, nullable=False),
    Column("parties", Words, nullable=False),
    Column("selected_by", _ID, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("slot", _ID),
    Index(None, "port", "selected_by"),
)

# History counts: a person who once handled a container's selection never inspects it.
handled_selection = Table(
    "handled_selection",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("order", _ID, primary_key=True),
    Column("person", _ID, primary_key=True),
)

slot = Table(
    "slot",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("slot", _ID, primary_key=True),
    Column("order", _ID, nullable=False),
    Column("terminal", String(6), nullable=False),
    Column("start", Moment, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("shift", _ID, nullable=False),
    Column("wave_start", Moment, nullable=False),
    Column("state", Integer, nullable=False),
    Index(None, "port", "wave_start"),
    Index(None, "port", "terminal", "slot"),
)

wave = Table(
    "wave",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("start", Moment, primary_key=True),
    Column("state", Integer, nullable=False),
    Column("freeze_time", Moment, nullable=False),
    Column("draw_time", Moment, nullable=False),
    Column("beacon_round", BigInteger, nullable=False),
    Column("freeze_index", BigInteger),
    Column("freeze_data", LargeBinary),
    Column("draw_index", BigInteger),
    Column("salt_sealed", LargeBinary),
    Column("inputs_sealed", LargeBinary),
    Column("outcome_sealed", LargeBinary),
    Column("key_sealed", LargeBinary),
    Column("slot_count", Integer, nullable=False),
    Column("small_pool_count", Integer, nullable=False),
    Column("left_over_count", Integer, nullable=False),
    UniqueConstraint("port", "start"),
    Index(None, "port", "state", "freeze_time"),
)

replacement = Table(
    "replacement",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("replacement", _ID, primary_key=True),
    Column("shift", _ID, nullable=False),
    Column("wave_start", Moment, nullable=False),
    Column("absent", _ID, nullable=False),
    Column("reason", _ID, nullable=False),
    Column("requested_by", _ID, nullable=False),
    Column("approved_by", _ID),
    Column("approved_time", Moment),
    # What follows from the draw once approved: order, position in its team, who takes over (null: nobody).
    Column("substitutions_sealed", LargeBinary),
    Index(None, "port", "wave_start"),
)

# A master seed in shares, each encrypted to one custodian: none of them opens under any key of the server.
escrow_share = Table(
    "escrow_share",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("recipient", _NAME, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# The key file in shares, each encrypted to one custodian.
escrow_key_share = Table(
    "escrow_key_share",
    metadata,
    Column("key_id", _ID, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("threshold", Integer, nullable=False),
    Column("recipient", _NAME, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Checkpoints that witnesses cosigned, each with all their signatures. Nothing here is believed unverified.
cosigned_checkpoint = Table(
    "cosigned_checkpoint",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("first_time", Moment, nullable=False),
    Column("note", LargeBinary, nullable=False),
)

# What one person asked for and another one has to confirm: to open a sheet, to work a wave by hand, to erase a person.
exception_request = Table(
    "exception_request",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("request", _ID, primary_key=True),
    Column("action", String(20), nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("reason", _ID, nullable=False),
    Column("claimed_time", Moment),
    Column("requested_by", _ID, nullable=False),
    Column("requested_time", Moment, nullable=False),
    Column("approved_by", _ID),
    Column("approved_time", Moment),
)

# A sealed sheet: salt and order open only under the key that is not in the database.
outage_sheet = Table(
    "outage_sheet",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("sheet", Integer, primary_key=True, autoincrement=False),
    Column("terminal", String(6), nullable=False),
    Column("qualifications", Words, nullable=False),
    Column("person_count", Integer, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("void", Boolean, nullable=False),
    Column("open_time", Moment),
)

# A sheet as it was worked: each line hands out an order, or says why its person was passed over.
manual_line = Table(
    "manual_line",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("shift", _ID, primary_key=True),
    Column("sheet", Integer, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("pseudonym", String(32), nullable=False),
    Column("time", Moment, nullable=False),
    Column("order", _ID),
    Column("wave_start", Moment),
    Column("why", _ID),
    Index(None, "port", "wave_start"),
)

# The keys that the log has a commitment of, and the port whose log it is.
person_key_commitment = Table(
    "person_key_commitment",
    metadata,
    Column("port", _PORT, primary_key=True),
    Column("person", _ID, primary_key=True),
    Column("commitment", LargeBinary, nullable=False),
)
