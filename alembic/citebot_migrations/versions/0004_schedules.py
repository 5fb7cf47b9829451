"""How often each source is read, and how long its listings take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sweep_began_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("poll", sa.Float(), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("source", schema=None) as batch_op:
        for name in ("poll", "sweep_began_at"):
            batch_op.drop_column(name)
