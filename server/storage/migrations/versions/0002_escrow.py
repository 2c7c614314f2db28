"""escrowed shares of master seeds and of key files"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "escrow_share",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("shift", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", "shift", "number", name=op.f("pk_escrow_share")),
    )
    op.create_table(
        "escrow_key_share",
        sa.Column("key_id", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "number", name=op.f("pk_escrow_key_share")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("escrow_key_share")
    op.drop_table("escrow_share")
