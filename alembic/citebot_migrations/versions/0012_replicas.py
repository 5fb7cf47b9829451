"""What processes that share a database tell each other, and an index for questions that are answered for now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ASIDE = sa.text("state IN ('ready', 'leased') AND substr(lane, 1, 6) = 'aside-'")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "platform_news",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_news")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_platform_news_at"), "platform_news", ["at"])
    for table in ("inbox", "outbox"):
        op.create_index(f"ix_{table}_aside", table, ["id"], sqlite_where=ASIDE, postgresql_where=ASIDE)


def downgrade() -> None:
    """Undo."""
    for table in ("inbox", "outbox"):
        op.drop_index(f"ix_{table}_aside", table_name=table)
    op.drop_table("platform_news")
