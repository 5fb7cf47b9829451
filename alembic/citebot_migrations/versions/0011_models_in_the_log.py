"""Which model made a vector, in the log that indexes follow: two indices of two models may follow it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("index_log", sa.Column("model", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("index_log", "model")
