"""Questions that people were asked, and answers that people wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "inquiry",
        sa.Column("answer_id", sa.String(length=32), nullable=False),
        sa.Column("asker", sa.Text(), nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("resolved_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answer.id"], name=op.f("fk_inquiry_answer_id_answer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_inquiry")),
    )
    op.create_index("ix_inquiry_place", "inquiry", ["platform", "tenant", "conversation", "thread"])
    op.create_index("ix_inquiry_asker", "inquiry", ["asker", "created_at"])
    op.create_table(
        "curated_answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("answer_id", sa.String(length=32), nullable=True),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("readers", sa.JSON(), nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curated_answer")),
        sa.UniqueConstraint("answer_id", name=op.f("uq_curated_answer_answer_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_curated_answer_message", "curated_answer", ["platform", "tenant", "conversation", "message_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_curated_answer_message", table_name="curated_answer")
    op.drop_table("curated_answer")
    op.drop_index("ix_inquiry_asker", table_name="inquiry")
    op.drop_index("ix_inquiry_place", table_name="inquiry")
    op.drop_table("inquiry")
