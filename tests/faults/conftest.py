"""Databases by their addresses, for processes and replicas that open them themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from citebot.storage import Database, schema


@pytest.fixture
def url(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of `database`, for other processes."""
    if database.dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'citebot.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a database with our tables."""
    url = f"sqlite:///{tmp_path / 'citebot.db'}"
    opened = Database(url)
    schema.upgrade(opened)
    opened.close()
    return url
