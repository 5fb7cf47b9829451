"""Which messages of a chat platform show which answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "shown_message",
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("idempotency_key", "part", name=op.f("pk_shown_message")),
    )
    op.create_index(op.f("ix_shown_message_created_at"), "shown_message", ["created_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_shown_message_created_at"), table_name="shown_message")
    op.drop_table("shown_message")
