"""The database: tables, transactions and one module of functions per table. The only importer of sqlalchemy."""

from __future__ import annotations

from citebot.storage.database import Database, Transaction

__all__ = ["Database", "Transaction"]
