"""Reads all resources of a server, kind by kind, through the ``Api``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from bundle.errors import BundleError, RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import Api, Body, Event, Json
from bundle.record.canonical import encode
from bundle.record.references import is_id

T = TypeVar("T")
OnEvent = Callable[[Event], None]
Rows = Mapping[str, list[Raw]]

_AT_ONCE = 4
_OK = 200
_BY_PATH = {kind.path: kind for kind in KINDS.values()}
_NO_SUCH_ROUTE = frozenset({404, 405})


class Reading(msgspec.Struct, frozen=True):
    """All rows of an environment by kind, and the server's own counts where they were asked for."""

    rows: dict[str, list[Raw]]
    counts: dict[str, int | None]


def ignore(_event: Event) -> None:
    """Let progress pass."""


class ApiReader:
    """Reads lists once each, a few at a time; a route that not every server has reads as empty where it is missing."""

    def __init__(self, api: Api, *, deep: bool, asks_all: bool = False) -> None:
        self._api = api
        self._lists: dict[bytes, asyncio.Task[list[Raw]]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.is_deep = deep
        self.asks_all = asks_all

    @property
    def is_cloud(self) -> bool:
        return self._api.is_cloud

    async def rows(self, path: str, body: Body | None = None) -> list[Raw]:
        """All rows of a ``/filter`` route, each id once."""
        signature = encode([path, body])
        if signature not in self._lists:
            self._lists[signature] = asyncio.create_task(self._read(path, body))
        return await self._lists[signature]

    async def _read(self, path: str, body: Body | None) -> list[Raw]:
        found: dict[str, Raw] = {}
        async with self._slots:
            async for page in _pages(self._api, path, body):
                found.update((str(row["id"]), row) for row in self.checked(path, page))
        return list(found.values())

    def checked(self, path: str, found: Json) -> list[Raw]:
        """Rows as answered; what xfer works on must have an id, and the form of its kind.

        Raises:
            RequestRejected: something in the response is not such a row.
        """
        if not isinstance(found, list):
            raise _odd(self._api, path, "something else than a list")
        kind = _kind_at(path)
        for row in found:
            if not isinstance(row, dict) or not is_id(str(row.get("id"))):
                raise _odd(self._api, path, "something without an id")
            misfit = kind.misfit_of_row(row) if kind else None
            if kind and misfit is not None:
                raise _odd(self._api, path, f"something that is not a {kind.name}: {misfit}")
        return found

    async def first(self, path: str, body: Body) -> list[Raw]:
        """The first row of a ``/filter`` route, if there is any."""
        found = await self._optional(lambda: self._api.read(path, {**body, "limit": 1}))
        return [] if found is None else self.checked(path, found)

    async def get(self, path: str) -> Json:
        """The answer of ``GET path``, None for 404."""
        return await self._optional(lambda: self._api.get(path))

    async def count(self, path: str, body: Body | None = None) -> int | None:
        """The number answered by a ``/count`` route, None where there is none."""
        found = await self._optional(lambda: self._api.read(path, body or {}))
        return found if isinstance(found, int) else None

    async def _optional(self, request: Callable[[], Awaitable[Json]]) -> Json:
        async with self._slots:
            try:
                return await request()
            except RequestRejected as error:
                if error.status in _NO_SUCH_ROUTE:
                    return None
                raise


def _kind_at(path: str) -> Kind | None:
    """The kind whose list, or part of it, is at a path."""
    return next((kind for above, kind in _BY_PATH.items() if path.startswith(f"{above}/")), None)


def _odd(api: Api, path: str, what: str) -> RequestRejected:
    return RequestRejected(
        f"{path} on {api.url} answered {what}",
        status=_OK,
        hint="this does not look like a Prefect API; check the URL and any proxy",
    )


async def rows_of(kind: Kind, reader: ApiReader) -> list[Raw]:
    """All rows of a kind; only Cloud is asked for what only Cloud has."""
    return [] if kind.cloud_only and not reader.is_cloud else await kind.read(reader)


async def _pages(api: Api, path: str, body: Body | None) -> AsyncIterator[list[Json]]:
    """Pages of a route; none where the server does not have it, and need not."""
    is_there = False
    try:
        async for page in api.pages(path, body):
            is_there = True
            yield page
    except RequestRejected as error:
        kind = _kind_at(path)
        # That a list is missing which every server has means a wrong URL, or somebody else's workspace.
        # One that breaks off is not missing: its rows would be lost without a word.
        if is_there or error.status not in _NO_SUCH_ROUTE or kind is None or kind.route_is_required:
            raise


async def read_rows(
    api: Api,
    *,
    deep: bool,
    asks_all: bool = False,
    counted: bool = False,
    on_event: OnEvent = ignore,
    kinds: Mapping[str, Kind] = KINDS,
) -> Reading:
    """Read every kind.

    Args:
        api: the server.
        deep: read also what no list shows (who owns an automation).
        asks_all: ask every deployment for it, a request each.
        counted: ask also for the server's own counts.
        on_event: called for each kind that has been read.
        kinds: which kinds to read.
    """
    reader = ApiReader(api, deep=deep, asks_all=asks_all)

    async def one(kind: Kind) -> tuple[str, list[Raw], int | None]:
        count = await kind.count(reader) if counted else None
        on_event(Event("read", kind.name, 0, count))
        rows = await rows_of(kind, reader)
        on_event(Event("read", kind.name, len(rows), len(rows)))
        return kind.name, rows, count

    results = await _together(one(kind) for kind in kinds.values())
    return Reading({name: rows for name, rows, _ in results}, {name: count for name, _, count in results})


async def changed_kinds(api: Api, before: Reading, kinds: Mapping[str, Kind] = KINDS) -> tuple[str, ...]:
    """The kinds that changed since they were read.

    Where the server sorts by update time and counts, only rows updated since
    and the count are asked for; other kinds are read again. What changes while
    things run (when a worker polled, who holds a slot) is no change.
    """
    reader = ApiReader(api, deep=False)

    async def has_changed_since(kind: Kind) -> bool:
        rows = before.rows[kind.name]
        if kind.is_sorted_by_update and rows:
            known = {str(row["id"]): _signature(kind, row) for row in rows}
            recent = await _recent(api, kind, reader, max(str(row.get("updated")) for row in rows))
            count = await kind.count(reader)
            return count not in {None, len(rows)} or any(
                known.get(str(row["id"])) != _signature(kind, row) for row in recent
            )
        return {_signature(kind, row) for row in await rows_of(kind, reader)} != {_signature(kind, row) for row in rows}

    moved = await _together(has_changed_since(kind) for kind in kinds.values())
    return tuple(sorted(name for name, has_changed in zip(kinds, moved, strict=True) if has_changed))


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, in order; the first failure that is expected is raised as itself and ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as failures:
        expected, rest = failures.split(BundleError)
        if expected is None or rest is not None:
            raise
        raise _first(expected) from failures
    return [task.result() for task in tasks]


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


async def _recent(api: Api, kind: Kind, reader: ApiReader, newest: str) -> list[Raw]:
    """Rows updated after ``newest``, the latest update that was seen.

    One row shows whether there are any; a page of deployments takes a server as long as all the rest of this.
    """
    path, order = f"{kind.path}/filter", {"sort": "UPDATED_DESC"}
    if all(str(row.get("updated")) <= newest for row in await reader.first(path, order)):
        return []
    recent: list[Raw] = []
    async for page in _pages(api, path, order):
        later = [row for row in reader.checked(path, page) if str(row.get("updated")) > newest]
        recent += later
        if len(later) < len(page):
            break
    return recent


def _signature(kind: Kind, row: Raw) -> bytes:
    passing = kind.ignored | kind.deep_fields | {"updated"}
    return encode({name: value for name, value in row.items() if name not in passing})


async def check(api: Api) -> None:
    """Ask something small that every Prefect answers to whoever may read.

    Raises:
        ServerError: it cannot be reached, refuses, or is not a Prefect server.
    """
    await api.read("/flows/count", {})


async def server_version(api: Api) -> str | None:
    """The Prefect version of a server (``GET /admin/version``); None where the server does not say.

    Cloud is not asked. A server that refuses this request, with whatever status, that for wrong credentials included,
    counts as not saying: what follows needs no version, and is refused by itself.

    Raises:
        Unreachable: it does not answer.
    """
    if api.is_cloud:
        return None
    try:
        return str(await api.get("/admin/version"))
    except RequestRejected:
        return None
