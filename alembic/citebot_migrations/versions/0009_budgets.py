"""What was spent on models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("spending", sa.Column("cost", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("spending", sa.Column("tokens", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "reservation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("question", sa.String(length=128), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("counters", sa.JSON(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("risked_cost", sa.BigInteger(), nullable=False),
        sa.Column("risked_tokens", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
    )
    op.create_index(op.f("ix_reservation_question"), "reservation", ["question"])
    op.create_index(op.f("ix_reservation_expires_at"), "reservation", ["expires_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("reservation")
    with op.batch_alter_table("spending", schema=None) as batch_op:
        batch_op.drop_column("tokens")
        batch_op.drop_column("cost")
