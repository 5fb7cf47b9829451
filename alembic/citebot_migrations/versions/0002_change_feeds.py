"""Change feeds of sources, and an admin's word that many documents have really gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.add_column(sa.Column("swept_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("feed", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("feed_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("removals_allowed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("source", schema=None) as batch_op:
        for name in ("removals_allowed", "feed_at", "feed", "swept_at"):
            batch_op.drop_column(name)
