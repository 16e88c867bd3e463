"""The servers that are measured: Prefect on SQLite and on PostgreSQL, emptied in place between repetitions.

To empty a server, its tables are given back the rows they had when it was new; so the ids of
what every server makes by itself stay the same, and recorded requests can be sent again.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

import httpx

from bundle import servers

_KEY = {"PREFECT_SERVER_ENCRYPTION_KEY": "eGZlci10ZXN0cy14ZmVyLXRlc3RzLXhmZXItdGVzdHM="}
_WAIT_SECONDS = 30.0


class Place:
    """A running server and the way to empty it."""

    def __init__(self, name: str, server: servers.Server, restore: Callable[[], None]) -> None:
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
                servers.start(self._directory / name, settings=_KEY, database=self._pristine)
            )
            if self._pristine is None:
                self._pristine = server.snapshot(self._directory / "pristine.db")
            pristine = self._pristine
            self._places[name] = Place("SQLite", server, lambda: _replace_rows(server.database, pristine))
        return self._places[name]

    def postgresql(self) -> Place | None:
        """The PostgreSQL server, None where PostgreSQL is not installed."""
        commands = _commands()
        if commands is None:
            return None
        if "postgresql" not in self._places:
            base = self._stack.enter_context(_cluster(commands, self._directory / "pg"))
            settings = {**_KEY, "PREFECT_SERVER_DATABASE_CONNECTION_URL": base.url("postgresql+asyncpg")}
            server = self._stack.enter_context(servers.start(self._directory / "on-postgresql", settings=settings))
            base.keep_rows()
            self._places["postgresql"] = Place("PostgreSQL", server, base.restore_rows)
        return self._places["postgresql"]


def _replace_rows(live: Path, other: Path) -> None:
    with closing(sqlite3.connect(live, timeout=30, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS other", [str(other)])
        query = "SELECT name FROM other.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = [name for (name,) in connection.execute(query)]
        connection.execute("BEGIN IMMEDIATE")
        for table in tables:
            connection.execute(f'DELETE FROM main."{table}"')
            connection.execute(f'INSERT INTO main."{table}" SELECT * FROM other."{table}"')
        connection.execute("COMMIT")


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


class _Cluster:
    """A PostgreSQL of our own on loopback."""

    def __init__(self, commands: Path, port: int) -> None:
        self._commands = commands
        self._port = port

    def url(self, scheme: str) -> str:
        return f"{scheme}://postgres@{servers.HOST}:{self._port}/postgres"

    def run(self, statement: str) -> None:
        """Run SQL.

        Raises:
            CalledProcessError: PostgreSQL refused it.
        """
        command = [str(self._commands / "psql"), "-qXv", "ON_ERROR_STOP=1", "-d", self.url("postgresql")]
        subprocess.run(command, input=statement, text=True, check=True, capture_output=True)

    def keep_rows(self) -> None:
        self.run(_KEEP)

    def restore_rows(self) -> None:
        self.run(_RESTORE)


def _commands() -> Path | None:
    """Where ``initdb`` and the others are: on the PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].resolve().parent if found else None


@contextmanager
def _cluster(commands: Path, directory: Path) -> Iterator[_Cluster]:
    directory.mkdir(mode=0o700)
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user, user)
    with socket.socket() as free:
        free.bind((servers.HOST, 0))
        port = free.getsockname()[1]
    create = [str(commands / "initdb"), "-A", "trust", "-U", "postgres", "-D", str(directory)]
    subprocess.run(create, user=user, cwd="/", check=True, capture_output=True)
    options = ["-D", str(directory), "-h", servers.HOST, "-p", str(port), "-k", str(directory)]
    process = subprocess.Popen([str(commands / "postgres"), *options], user=user, cwd="/", stderr=subprocess.DEVNULL)
    try:
        cluster = _Cluster(commands, port)
        _await(cluster)
        yield cluster
    finally:
        process.terminate()
        process.wait()


def _await(cluster: _Cluster) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            cluster.run("SELECT 1")
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
