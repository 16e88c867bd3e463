"""Real Prefect servers for tests: booted once, handed out empty or filled as often as asked.

A boot takes seconds, so a server is never thrown away: between tests its
database is replaced in place, in one transaction, by a copy of an empty or a
filled one. That takes less than a tenth of a second; emptying a small
environment over the API takes seconds, a restart five.
"""

from __future__ import annotations

import importlib.metadata
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest

from bundle.server import processes
from bundle.server.process import Server
from support.databases import replace_rows
from support.emulator import Cloud, Rules
from support.environment import Canaries, Size, seed
from support.fake_prefect.promises import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How long anything takes says nothing on a machine that runs servers beside the tests.
hypothesis.settings.register_profile("xfer", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("xfer")

PREFECT = importlib.metadata.version("prefect")
"""The version of the servers, unless a test asks for another."""
SETTINGS = {
    # Any server can read the blocks in any database: the key is not made up by each.
    "PREFECT_SERVER_ENCRYPTION_KEY": "eGZlci10ZXN0cy14ZmVyLXRlc3RzLXhmZXItdGVzdHM=",
}


PASSWORD = "admin:pa:ss word"
HARDENED = {
    "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_API_BASE_PATH": "/tools/prefect/v1",
    "PREFECT_SERVER_API_DEFAULT_LIMIT": "50",
}


class ServerPool:
    """The servers of a test session, and the databases they can start from.

    All are of one version: that of the Prefect beside this Python, or of the ``prefect`` command given.
    """

    def __init__(
        self, directory: Path, cache: Path, *, prefect: Path | None = None, version: str | None = None
    ) -> None:
        self._directory = directory
        self._cache = cache
        self._prefect = prefect
        self._version = version or PREFECT
        self._stack = ExitStack()
        self._free: list[Server] = []
        self._booted = 0
        self._databases: dict[Size, Path] = {}
        self.canaries: dict[Size, Canaries] = {}

    def take(self, content: Size | None = None) -> Server:
        """A server that holds nothing, or the seeded environment of a size."""
        database = self.empty_database if content is None else self.filled_database(content)
        server = self._free.pop() if self._free else self._boot()
        self.load(server, database)
        return server

    def give_back(self, server: Server) -> None:
        """Allow a server to be taken again, whatever it holds now."""
        if server.is_running:
            self._free.append(server)

    def load(self, server: Server, database: Path) -> None:
        """Give a running server the content of a database that ``snapshot`` made."""
        # The pointer to the result storage is the one thing that the server remembers outside its database.
        answer = httpx.delete(f"{server.url}/admin/storage", trust_env=False)
        if answer.status_code != httpx.codes.NOT_FOUND:  # servers before 3.7 have no such route
            answer.raise_for_status()
        replace_rows(server.database, database)

    @property
    def empty_database(self) -> Path:
        """A fresh database, kept between sessions: to make one takes longer than all else of a boot."""
        file = self._cache / f"prefect-{self._version}.db"
        if not file.exists():
            draft = self._directory / "draft.db"
            server = processes.start(self._new_directory(), settings=SETTINGS, prefect=self._prefect)
            self._stack.enter_context(server).snapshot(draft)
            # Renamed at the end: another session may be looking for it.
            draft.replace(file)
            self._free.append(server)
        return file

    def filled_database(self, size: Size) -> Path:
        """The database of the environment of a size; seeded once a session."""
        if size not in self._databases:
            self.canaries[size] = Canaries()
            server = self.take()
            seed(server.url, size=size, canaries=self.canaries[size])
            self._databases[size] = server.snapshot(self._directory / f"{size.value}.db")
            self.give_back(server)
        return self._databases[size]

    def close(self) -> None:
        self._stack.close()

    def _boot(self) -> Server:
        empty = self.empty_database
        server = processes.start(self._new_directory(), settings=SETTINGS, prefect=self._prefect, database=empty)
        return self._stack.enter_context(server)

    def _new_directory(self) -> Path:
        self._booted += 1
        return self._directory / f"server-{self._booted}"


@pytest.fixture(autouse=True)
def isolation(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the caller's Prefect, proxies or home is visible to a test."""
    for name in os.environ:
        if name.startswith("PREFECT_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PREFECT_HOME", str(home / ".prefect"))


@pytest.fixture(autouse=True)
def promises() -> Iterator[None]:
    """What xfer promises of each of its writes was kept, whatever became of the exception that said otherwise."""
    BROKEN.clear()
    yield
    assert BROKEN == []


@pytest.fixture(scope="session")
def server_pool(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ServerPool]:
    """The servers of this session; none is booted before a test needs it."""
    directory = tmp_path_factory.mktemp("servers")
    cache = getattr(request.config, "cache", None)
    pool = ServerPool(directory, cache.mkdir("servers") if cache else directory)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def hardened_server(server_pool: ServerPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password, CSRF protection, a path of its own, and pages of 50."""
    settings = {**SETTINGS, **HARDENED}
    directory = tmp_path_factory.mktemp("hardened")
    with processes.start(directory, settings=settings, database=server_pool.empty_database) as server:
        yield server


@pytest.fixture(scope="session")
def source_server(server_pool: ServerPool) -> Iterator[Server]:
    """A server with one of everything (``Size.SMALL``); tests only read it."""
    server = server_pool.take(Size.SMALL)
    yield server
    server_pool.give_back(server)


@pytest.fixture(scope="session")
def canaries(source_server: Server, server_pool: ServerPool) -> Canaries:
    """What is planted in ``source_server``."""
    assert source_server.is_running
    return server_pool.canaries[Size.SMALL]


@pytest.fixture
def server_factory(server_pool: ServerPool) -> Iterator[Callable[[Size | None], Server]]:
    """Servers for one test, to change at will: ``server_factory(None)`` is empty, a ``Size`` comes seeded."""
    taken: list[Server] = []

    def make(content: Size | None = None) -> Server:
        taken.append(server_pool.take(content))
        return taken[-1]

    yield make
    for server in taken:
        server_pool.give_back(server)


@pytest.fixture
def cloud_factory(
    server_factory: Callable[[Size | None], Server],
) -> Iterator[Callable[[Rules | None], Cloud]]:
    """Emulated Cloud workspaces for one test, each empty, by the rules that they keep."""
    with ExitStack() as stack:
        yield lambda rules: stack.enter_context(Cloud(server_factory(None).url, rules))


@pytest.fixture
def destination_server(server_factory: Callable[[Size | None], Server]) -> Server:
    """An empty server for one test."""
    return server_factory(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs a server."""
    for item in items:
        if "server_pool" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")
