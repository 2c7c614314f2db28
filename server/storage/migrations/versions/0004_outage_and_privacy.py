"""sealed sheets, lines worked by hand, exceptions that two persons confirm, commitments to persons' keys"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "exception_request",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("request", sa.String(length=63), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=63), nullable=False),
        sa.Column("claimed_time", sa.BigInteger(), nullable=True),
        sa.Column("requested_by", sa.String(length=63), nullable=False),
        sa.Column("requested_time", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(length=63), nullable=True),
        sa.Column("approved_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("port", "request", name=op.f("pk_exception_request")),
    )
    op.create_table(
        "outage_sheet",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("sheet", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.String(length=6), nullable=False),
        sa.Column("qualifications", sa.Text(), nullable=False),
        sa.Column("person_count", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("open_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("port", "shift", "sheet", name=op.f("pk_outage_sheet")),
    )
    op.create_table(
        "manual_line",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("sheet", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("order", sa.String(length=63), nullable=True),
        sa.Column("wave_start", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(length=63), nullable=True),
        sa.PrimaryKeyConstraint("port", "shift", "sheet", "line", name=op.f("pk_manual_line")),
    )
    op.create_index(op.f("ix_manual_line_port_wave_start"), "manual_line", ["port", "wave_start"], unique=False)
    op.create_table(
        "person_key_commitment",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("person", sa.String(length=63), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", "person", name=op.f("pk_person_key_commitment")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("person_key_commitment")
    op.drop_index(op.f("ix_manual_line_port_wave_start"), table_name="manual_line")
    op.drop_table("manual_line")
    op.drop_table("outage_sheet")
    op.drop_table("exception_request")
