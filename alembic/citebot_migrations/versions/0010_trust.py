"""How far a source can be trusted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("source", sa.Column("trust", sa.String(length=16), nullable=True))
    op.execute("UPDATE source SET trust = 'curated' WHERE type = 'curated'")


def downgrade() -> None:
    """Undo."""
    op.drop_column("source", "trust")
