"""The servers that are measured: Prefect on SQLite and on PostgreSQL, emptied in place between repetitions.

To empty a server, its tables are given back the rows they had when it was new; so the ids of
what every server makes by itself stay the same, and recorded requests can be sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx

from bundle.server import processes
from support.databases import replace_rows
from support.postgresql import cluster

_KEY = {"PREFECT_SERVER_ENCRYPTION_KEY": "eGZlci10ZXN0cy14ZmVyLXRlc3RzLXhmZXItdGVzdHM="}


class Place:
    """A running server and the way to empty it."""

    def __init__(self, name: str, server: processes.Server, restore: Callable[[], None]) -> None:
        self.name = name
        self.server = server
        self._restore = restore

    @property
    def url(self) -> str:
        return self.server.url

    def empty(self) -> str:
        """Take the server back to what it was when new, and give its URL."""
        httpx.delete(f"{self.url}/admin/storage", trust_env=False, timeout=60).raise_for_status()
        self._restore()
        return self.url


class Places:
    """Starts servers on demand; leaving the ``with`` block stops them all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._pristine: Path | None = None
        self._places: dict[str, Place] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def sqlite(self, name: str) -> Place:
        """The SQLite server of this name, as it was left."""
        if name not in self._places:
            server = self._stack.enter_context(
                processes.start(self._directory / name, settings=_KEY, database=self._pristine)
            )
            if self._pristine is None:
                self._pristine = server.snapshot(self._directory / "pristine.db")
            pristine = self._pristine
            self._places[name] = Place("SQLite", server, lambda: replace_rows(server.database, pristine))
        return self._places[name]

    def postgresql(self) -> Place:
        """The PostgreSQL server, as it was left."""
        if "postgresql" not in self._places:
            base = self._stack.enter_context(cluster())
            settings = {**_KEY, "PREFECT_SERVER_DATABASE_CONNECTION_URL": base.url("postgresql+asyncpg")}
            server = self._stack.enter_context(processes.start(self._directory / "on-postgresql", settings=settings))
            base.run(_KEEP)
            self._places["postgresql"] = Place("PostgreSQL", server, lambda: base.run(_RESTORE))
        return self._places["postgresql"]


# PostgreSQL

_KEEP = """
DO $$ DECLARE t text; BEGIN
  CREATE SCHEMA kept;
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', t, t);
  END LOOP;
END $$
"""
_RESTORE = """
SET session_replication_role = replica;
DO $$ DECLARE names text; t text; columns text; BEGIN
  SELECT string_agg(format('public.%I', tablename), ', ') INTO names FROM pg_tables WHERE schemaname = 'public';
  EXECUTE 'TRUNCATE ' || names;
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'kept' LOOP
    SELECT string_agg(quote_ident(column_name), ', ') INTO columns FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = t AND is_generated = 'NEVER';
    EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM kept.%I', t, columns, columns, t);
  END LOOP;
END $$
"""
