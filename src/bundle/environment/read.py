"""Reads all resources of a server, kind by kind, through the ``Api``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from bundle.environment.reader import ApiReader, Malformed, malformed, pages
from bundle.errors import BundleError, RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import Api, Event
from bundle.record.canonical import encode

T = TypeVar("T")
OnEvent = Callable[[Event], None]
Rows = Mapping[str, list[Raw]]

_ITS_OWN_FAULT = 500
_LONGEST_VERSION = 64


class Reading(msgspec.Struct, frozen=True):
    """All rows of an environment by kind, and the server's own counts where they were asked for.

    ``malformed`` are rows that nothing can be done with, by kind. ``unreadable`` has the kinds that could not be read,
    with what the server answered.
    """

    rows: dict[str, list[Raw]]
    counts: dict[str, int | None]
    malformed: dict[str, tuple[Malformed, ...]] = {}
    unreadable: dict[str, str] = {}

    def seen(self, kind: str) -> int:
        """How many rows of a kind there were."""
        return len(self.rows[kind]) + len(self.malformed.get(kind, ()))


def ignore(_event: Event) -> None:
    """Let progress pass."""


async def rows_of(kind: Kind, reader: ApiReader) -> list[Raw]:
    """All rows of a kind; only Cloud is asked for what only Cloud has."""
    return [] if kind.cloud_only and not reader.is_cloud else await kind.read(reader)


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

    Raises:
        RequestRejected: it refuses everything.
        ServerError: it cannot be reached, or lists too much.
    """
    reader = ApiReader(api, deep=deep, asks_all=asks_all)
    refused: dict[str, RequestRejected] = {}
    counts: dict[str, int | None] = {}

    async def one(kind: Kind) -> tuple[str, list[Raw]]:
        rows: list[Raw] = []
        try:
            counts[kind.name] = await _count(kind, reader) if counted else None
            on_event(Event("read", kind.name, 0, counts[kind.name]))
            rows = await rows_of(kind, reader)
        except RequestRejected as error:
            if error.status >= _ITS_OWN_FAULT:
                raise
            refused[kind.name] = error
        on_event(Event("read", kind.name, len(rows), len(rows)))
        return kind.name, rows

    found = dict(await _together(one(kind) for kind in kinds.values()))
    _refuse_unusable(kinds, refused)
    rows, odd = _each_id_once(kinds, found, reader.malformed)
    return Reading(rows, counts, odd, {name: error.message for name, error in refused.items()})


async def _count(kind: Kind, reader: ApiReader) -> int | None:
    """The server's count of a kind; None also where it does not tell that to these credentials."""
    with contextlib.suppress(RequestRejected):
        return await kind.count(reader)
    return None


def _refuse_unusable(kinds: Mapping[str, Kind], refused: Mapping[str, RequestRejected]) -> None:
    """Refuse a server of which no kind that all servers have could be read: the credentials or the URL are wrong.

    Raises:
        RequestRejected: what it answered.
    """
    expected = [name for name, kind in kinds.items() if kind.route_is_required] or list(kinds)
    if refused and all(name in refused for name in expected):
        raise refused[expected[0]]


def _each_id_once(
    kinds: Mapping[str, Kind], found: Rows, odd: Mapping[str, list[Malformed]]
) -> tuple[dict[str, list[Raw]], dict[str, tuple[Malformed, ...]]]:
    """The rows without those whose id another kind has, and what is malformed, with these."""
    rows: dict[str, list[Raw]] = {}
    spoilt = {name: list(odd.get(name, ())) for name in kinds}
    owner: dict[str, str] = {}
    for name, each in found.items():
        rows[name] = [row for row in each if owner.setdefault(row["id"], name) == name]
        twice = (row for row in each if owner[row["id"]] != name)
        spoilt[name] += [malformed(kinds[name], row, f"its id is that of a {owner[row['id']]}") for row in twice]
    return rows, {
        name: kept
        for name, each in spoilt.items()
        if (kept := tuple(row for row in each if row.id is None or owner.get(row.id) != name))
    }


async def changed_kinds(api: Api, before: Reading, kinds: Mapping[str, Kind] = KINDS) -> tuple[str, ...]:
    """The kinds that changed since they were read.

    Where the server sorts by update time and counts, only rows updated since
    and the count are asked for; other kinds are read again. What changes while
    things run (when a worker polled, who holds a slot) is no change.
    """
    reader = ApiReader(api, deep=False)

    async def has_changed_since(kind: Kind) -> bool:
        if kind.name in before.unreadable:
            return False
        try:
            return await differs(kind)
        except RequestRejected as error:
            if error.status >= _ITS_OWN_FAULT:
                raise
            return True

    async def differs(kind: Kind) -> bool:
        rows = before.rows[kind.name]
        if kind.is_sorted_by_update and rows:
            known = {str(row["id"]): _signature(kind, row) for row in rows}
            recent = await _recent(api, kind, reader, max(str(row.get("updated")) for row in rows))
            count = await _count(kind, reader)
            return count not in {None, before.seen(kind.name)} or any(
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
    first = await reader.first(path, order)
    if first and all(str(row.get("updated")) <= newest for row in first):
        return []
    recent: list[Raw] = []
    async for page in pages(api, path, order):
        rows = reader.checked(path, page)
        later = [row for row in rows if str(row.get("updated")) > newest]
        recent += later
        if len(later) < len(rows):
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
        version = await api.get("/admin/version")
    except RequestRejected:
        return None
    return version if isinstance(version, str) and len(version) <= _LONGEST_VERSION else None
