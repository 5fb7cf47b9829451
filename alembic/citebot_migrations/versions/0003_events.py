"""What servers tell us by webhook: documents to fetch at once, and the events already seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("todo", sa.Column("urgent", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_todo_urgent",
        "todo",
        ["source_id", "external_id"],
        sqlite_where=sa.text("urgent > 0"),
        postgresql_where=sa.text("urgent > 0"),
    )
    op.create_table(
        "seen_event",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_seen_event_source_id_source"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "digest", name=op.f("pk_seen_event")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("seen_event")
    op.drop_index("ix_todo_urgent", table_name="todo")
    with op.batch_alter_table("todo", schema=None) as batch_op:
        batch_op.drop_column("urgent")
