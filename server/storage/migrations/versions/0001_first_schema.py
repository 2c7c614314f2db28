"""first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "handled_selection",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("order", sa.String(length=63), nullable=False),
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.PrimaryKeyConstraint("port", "order", "person", name=op.f("pk_handled_selection")),
    )
    op.create_table(
        "inspection_order",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("order", sa.String(length=63), nullable=False),
        sa.Column("container", sa.String(length=11), nullable=False),
        sa.Column("terminal", sa.String(length=6), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("team_size", sa.Integer(), nullable=False),
        sa.Column("qualifications", sa.Text(), nullable=False),
        sa.Column("parties", sa.Text(), nullable=False),
        sa.Column("selected_by", sa.String(length=63), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("slot", sa.String(length=63), nullable=True),
        sa.PrimaryKeyConstraint("port", "order", name=op.f("pk_inspection_order")),
    )
    op.create_index(
        op.f("ix_inspection_order_port_selected_by"), "inspection_order", ["port", "selected_by"], unique=False
    )
    op.create_table(
        "log_entry",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", "position", name=op.f("pk_log_entry")),
    )
    op.create_table(
        "log_tile",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", "level", "tile", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "person",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.Column("certificate_until", sa.BigInteger(), nullable=True),
        sa.Column("signal_open", sa.Boolean(), nullable=False),
        sa.Column("interviewed", sa.Boolean(), nullable=False),
        sa.Column("recused_parties", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("port", "person", name=op.f("pk_person")),
    )
    op.create_table(
        "person_key",
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_person_key")),
    )
    op.create_table(
        "port_log",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("edge", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", name=op.f("pk_port_log")),
    )
    op.create_table(
        "replacement",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("replacement", sa.String(length=63), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("wave_start", sa.BigInteger(), nullable=False),
        sa.Column("absent", sa.String(length=63), nullable=False),
        sa.Column("reason", sa.String(length=63), nullable=False),
        sa.Column("requested_by", sa.String(length=63), nullable=False),
        sa.Column("approved_by", sa.String(length=63), nullable=True),
        sa.Column("approved_time", sa.BigInteger(), nullable=True),
        sa.Column("substitutions_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("port", "replacement", name=op.f("pk_replacement")),
    )
    op.create_index(op.f("ix_replacement_port_wave_start"), "replacement", ["port", "wave_start"], unique=False)
    op.create_table(
        "request",
        sa.Column("caller", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=63), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "request_id", name=op.f("pk_request")),
    )
    op.create_table(
        "roster_entry",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.Column("terminals", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("qualifications", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("absent_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("port", "shift", "person", name=op.f("pk_roster_entry")),
    )
    op.create_index(op.f("ix_roster_entry_person_start"), "roster_entry", ["person", "start"], unique=False)
    op.create_table(
        "shift",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("step_seconds", sa.Integer(), nullable=False),
        sa.Column("lead_seconds", sa.Integer(), nullable=False),
        sa.Column("margin_seconds", sa.Integer(), nullable=False),
        sa.Column("close_time", sa.BigInteger(), nullable=False),
        sa.Column("beacon", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("master_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("port", "shift", name=op.f("pk_shift")),
    )
    op.create_index(op.f("ix_shift_port_start"), "shift", ["port", "start"], unique=False)
    op.create_table(
        "slot",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("slot", sa.String(length=63), nullable=False),
        sa.Column("order", sa.String(length=63), nullable=False),
        sa.Column("terminal", sa.String(length=6), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("wave_start", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("port", "slot", name=op.f("pk_slot")),
    )
    op.create_index(op.f("ix_slot_port_terminal_slot"), "slot", ["port", "terminal", "slot"], unique=False)
    op.create_index(op.f("ix_slot_port_wave_start"), "slot", ["port", "wave_start"], unique=False)
    op.create_table(
        "wave",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("freeze_time", sa.BigInteger(), nullable=False),
        sa.Column("draw_time", sa.BigInteger(), nullable=False),
        sa.Column("beacon_round", sa.BigInteger(), nullable=False),
        sa.Column("freeze_index", sa.BigInteger(), nullable=True),
        sa.Column("freeze_data", sa.LargeBinary(), nullable=True),
        sa.Column("draw_index", sa.BigInteger(), nullable=True),
        sa.Column("salt_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("inputs_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("outcome_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("slot_count", sa.Integer(), nullable=False),
        sa.Column("small_pool_count", sa.Integer(), nullable=False),
        sa.Column("left_over_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("port", "shift", "start", name=op.f("pk_wave")),
        sa.UniqueConstraint("port", "start", name=op.f("uq_wave_port_start")),
    )
    op.create_index(op.f("ix_wave_port_state_freeze_time"), "wave", ["port", "state", "freeze_time"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_wave_port_state_freeze_time"), table_name="wave")
    op.drop_table("wave")
    op.drop_index(op.f("ix_slot_port_wave_start"), table_name="slot")
    op.drop_index(op.f("ix_slot_port_terminal_slot"), table_name="slot")
    op.drop_table("slot")
    op.drop_index(op.f("ix_shift_port_start"), table_name="shift")
    op.drop_table("shift")
    op.drop_index(op.f("ix_roster_entry_person_start"), table_name="roster_entry")
    op.drop_table("roster_entry")
    op.drop_table("request")
    op.drop_index(op.f("ix_replacement_port_wave_start"), table_name="replacement")
    op.drop_table("replacement")
    op.drop_table("port_log")
    op.drop_table("person_key")
    op.drop_table("person")
    op.drop_table("log_tile")
    op.drop_table("log_entry")
    op.drop_index(op.f("ix_inspection_order_port_selected_by"), table_name="inspection_order")
    op.drop_table("inspection_order")
    op.drop_table("handled_selection")
