"""cosigned checkpoints"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "cosigned_checkpoint",
        sa.Column("port", sa.String(length=5), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_time", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("port", "size", name=op.f("pk_cosigned_checkpoint")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("cosigned_checkpoint")
