"""the smallest pool of a shift"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("shift", sa.Column("min_pool", sa.Integer(), nullable=False, server_default="3"))


def downgrade() -> None:
    """Undo."""
    op.drop_column("shift", "min_pool")
