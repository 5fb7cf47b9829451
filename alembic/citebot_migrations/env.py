"""How Alembic reaches the database: on the transaction it is given (`citebot.storage.schema.alembic_config`)."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from citebot.errors import WrongUse
from citebot.storage.tables import metadata


def run(connection: Connection) -> None:
    """Run inside the caller's transaction: either every step is done or none."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is None:
    raise WrongUse("Run migrations with: citebot db upgrade")
run(given)
