"""Reads lists of a server, and sorts out rows that are not what their kind has."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from bundle.errors import RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import Api, Body, Json
from bundle.record.canonical import encode
from bundle.record.depth import is_deep
from bundle.record.references import ids_in, is_id

_AT_ONCE = 4
_OK = 200
_BY_PATH = {kind.path: kind for kind in KINDS.values()}
_NO_SUCH_ROUTE = frozenset({404, 405})
_NO_ID = "it has no id"
READ_DEPTH = 100
"""Rows that are nested deeper are not worked on; a bundle takes less."""


class Malformed(msgspec.Struct, frozen=True):
    """A row that is not what its kind has, so that nothing of it is used.

    Args:
        problem: what is wrong with it; holds no value.
        id: its id, where it has one.
        name: what it seems to be called, to compare with, and for nobody to see; None where that is not known.
        mentions: every other id in it, since it may need what has that id.
        reason: why it is left out (a key of LEFT_OUT_REASONS).
    """

    problem: str
    id: str | None = None
    name: str | None = None
    mentions: frozenset[str] = frozenset()
    reason: str = "not-portable"


def malformed(kind: Kind, row: Json, problem: str, reason: str = "not-portable") -> Malformed:
    """What can be told of a row that is not what its kind has."""
    if not isinstance(row, dict):
        return Malformed(problem)
    identifier, name = row["id"] if is_row_id(row.get("id")) else None, row.get(kind.name_field or "")
    return Malformed(
        problem,
        identifier,
        name if isinstance(name, str) else None,
        frozenset(ids_in(row)) - {identifier},
        reason,
    )


def is_row_id(value: Json) -> bool:
    """Whether a value is an id as rows have it."""
    return isinstance(value, str) and is_id(value)


class ApiReader:
    """Reads lists once each, a few at a time; a route that not every server has reads as empty where it is missing.

    ``malformed`` has what was sorted out so far, by kind.
    """

    def __init__(self, api: Api, *, deep: bool, asks_all: bool = False) -> None:
        self._api = api
        self._lists: dict[bytes, asyncio.Task[list[Raw]]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.is_deep = deep
        self.asks_all = asks_all
        self.malformed: dict[str, list[Malformed]] = defaultdict(list)

    @property
    def is_cloud(self) -> bool:
        return self._api.is_cloud

    async def rows(self, path: str, body: Body | None = None) -> list[Raw]:
        """All rows of a ``/filter`` route that are what their kind has, each id once."""
        signature = encode([path, body])
        if signature not in self._lists:
            self._lists[signature] = asyncio.create_task(self._read(path, body))
        return await self._lists[signature]

    async def _read(self, path: str, body: Body | None) -> list[Raw]:
        found: dict[str, Raw] = {}
        odd: dict[str | int, Malformed] = {}
        async with self._slots:
            async for page in pages(self._api, path, body):
                good, bad = self._sorted(path, page)
                found.update((row["id"], row) for row in good)
                odd.update((each.id or len(odd), each) for each in bad)
        # A further list of a kind, such as the one that shows secrets, has no rows that the first one lacks.
        if (kind := kind_at(path)) and len(odd) > len(self.malformed[kind.name]):
            self.malformed[kind.name] = list(odd.values())
        return list(found.values())

    def checked(self, path: str, found: Json) -> list[Raw]:
        """Those of some rows that are what their kind has.

        Raises:
            RequestRejected: the response is no list.
        """
        return self._sorted(path, found)[0]

    def _sorted(self, path: str, found: Json) -> tuple[list[Raw], list[Malformed]]:
        if not isinstance(found, list):
            raise RequestRejected(
                f"{path} on {self._api.url} answered something else than a list",
                status=_OK,
                hint="this does not look like a Prefect API; check the URL and any proxy",
            )
        kind = kind_at(path)
        good: list[Raw] = []
        bad: list[Malformed] = []
        for row in found:
            problem = _problem(kind, row)
            if problem is None:
                good.append(row)
            elif kind is not None:
                bad.append(malformed(kind, row, problem))
        return good, bad

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
        return found if type(found) is int and found >= 0 else None

    async def _optional(self, request: Callable[[], Awaitable[Json]]) -> Json:
        async with self._slots:
            try:
                return await request()
            except RequestRejected as error:
                if error.status in _NO_SUCH_ROUTE:
                    return None
                raise


def _problem(kind: Kind | None, row: Json) -> str | None:
    """What is wrong with a row, without any value; None where it can be worked on."""
    if not isinstance(row, dict):
        return "it is not an object"
    if not is_row_id(row.get("id")):
        return _NO_ID
    if is_deep(row, READ_DEPTH):
        return f"it is nested deeper than {READ_DEPTH} levels"
    return None if kind is None else kind.misfit_of_row(row)


def kind_at(path: str) -> Kind | None:
    """The kind whose list, or part of it, is at a path."""
    return next((kind for above, kind in _BY_PATH.items() if path.startswith(f"{above}/")), None)


async def pages(api: Api, path: str, body: Body | None) -> AsyncIterator[list[Json]]:
    """Pages of a route; none where the server does not have it, and need not."""
    is_there = False
    try:
        async for page in api.pages(path, body):
            is_there = True
            yield page
    except RequestRejected as error:
        kind = kind_at(path)
        # That a list is missing which every server has means a wrong URL, or somebody else's workspace.
        # One that breaks off is not missing: its rows would be lost without a word.
        if is_there or error.status not in _NO_SUCH_ROUTE or kind is None or kind.route_is_required:
            raise
