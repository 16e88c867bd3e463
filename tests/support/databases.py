"""Gives a running server on SQLite other content, in one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def replace_rows(live: Path, other: Path) -> None:
    """Make every table of a live database hold the rows of another one of the same version."""
    with closing(sqlite3.connect(live, timeout=30, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS other", [str(other)])
        query = "SELECT name FROM other.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = [name for (name,) in connection.execute(query)]
        connection.execute("BEGIN IMMEDIATE")
        for table in tables:
            connection.execute(f'DELETE FROM main."{table}"')
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM other."{table}"')
        connection.execute("COMMIT")
