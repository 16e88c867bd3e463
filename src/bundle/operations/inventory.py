"""What a server holds, how fast it answers, and about how many requests an export and an import would take.

Only reads, and few: what the server counts is counted, the rest is listed. The
estimates follow the requests of ``snapshot``, ``exporter`` and ``apply``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from bundle.environment.read import ApiReader, rows_of, server_version
from bundle.errors import RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind, Raw
from bundle.kinds.block_types import BUILT_IN
from bundle.kinds.concurrency_limits import owner_id
from bundle.model import Api
from bundle.plan.capabilities import TellingApi
from bundle.server.openapi import Accepted
from bundle.server.tiers import ANY_TIER, Tier

_USUAL_PAGE = 200
_LISTED = frozenset({"work-pool"})
"""Counted by the server, but few, and their types are needed."""
_SINGLE = "default-result-storage"
_WRITE_IN_READS = 2
_HANDSHAKE = 2  # a CSRF token, and the version


class Survey(msgspec.Struct, frozen=True):
    """What is known of a server.

    ``page`` is how many rows it gives at once. ``rows`` are all that it lists,
    by kind; ``counts`` those that an export would take, without what every
    server makes by itself. ``seconds`` is what a read takes on average.
    ``accepted`` is None where the server does not tell.
    """

    version: str | None
    page: int
    rows: Mapping[str, int]
    counts: Mapping[str, int]
    pool_types: tuple[str, ...]
    accepted: Accepted | None
    seconds: float


class Estimate(msgspec.Struct, frozen=True):
    """About how many requests a command would send, and how many seconds they would take."""

    command: Literal["export", "import"]
    reads: int
    writes: int
    seconds: float


async def survey(api: TellingApi, clock: Callable[[], float]) -> Survey:
    """Look at everything once.

    Args:
        api: the server.
        clock: seconds, monotonic.

    Raises:
        ServerError: it cannot be reached, or refuses.
    """
    version, page, accepted = await server_version(api), await _page(api), await api.accepted_fields()
    reader = ApiReader(api, deep=False)
    started = clock()
    found = await asyncio.gather(*(_count(kind, reader) for kind in KINDS.values()))
    elapsed = clock() - started
    rows = {name: total for name, total, _, _ in found}
    return Survey(
        version=version,
        page=page,
        rows=rows,
        counts={name: own for name, _, own, _ in found},
        pool_types=next(types for name, _, _, types in found if name == "work-pool"),
        accepted=accepted,
        seconds=elapsed / _probes(rows, page),
    )


async def _page(api: Api) -> int:
    """How many rows the server lists at once; the usual number where it does not say."""
    if api.is_cloud:
        return _USUAL_PAGE
    try:
        found: Any = await api.get("/admin/settings")
        return int(found["server"]["api"]["default_limit"])
    except (RequestRejected, KeyError, TypeError, ValueError):
        return _USUAL_PAGE


async def _count(kind: Kind, reader: ApiReader) -> tuple[str, int, int, tuple[str, ...]]:
    """Name of the kind, rows, rows without what is not exported, and the types of work pools."""
    counted = None if kind.name in _LISTED else await kind.count(reader)
    if counted is not None:
        return kind.name, counted, counted, ()
    rows = await rows_of(kind, reader)
    types = tuple(sorted({str(row.get("type")) for row in rows})) if kind.name == "work-pool" else ()
    return kind.name, len(rows), sum(_is_own(kind, row) for row in rows), types


def _is_own(kind: Kind, row: Raw) -> bool:
    """Whether a row is something of the environment's own, and travels as such."""
    if kind.name == "block-type":
        return row.get("slug") not in BUILT_IN
    if kind.name == "block-schema":
        return (row.get("block_type") or {}).get("slug") not in BUILT_IN
    if kind.name == "notification-policy":
        return False
    return kind.name != "concurrency-limit" or owner_id(row) is None


# -- Estimates --------------------------------------------------------------------------------------------------------


def export_of(source: Survey) -> Estimate:
    """What an export sends: every page, every count, the owners of automations, and a second look."""
    rows = source.rows
    owners = rows["deployment"] if rows["automation"] else 0
    counts = sum(map(_is_counted, KINDS.values()))
    again = sum(_second_look(kind, source) for kind in KINDS.values())
    reads = _HANDSHAKE + _all_pages(source) + counts + owners + again
    return Estimate("export", reads, 0, reads * source.seconds)


def import_of(source: Survey, destination: Survey, tier: Tier = ANY_TIER) -> Estimate:
    """What an import into an empty server sends: every page once, and one or two writes for each resource.

    Two for what must not start before all has arrived. A write takes about as
    long as two reads, and several at once are no faster where the database is SQLite.
    On Cloud all wait for the minute in which the tier takes them.
    """
    counts = source.counts
    twice = sum(counts[name] for name in ("automation", "deployment", "work-pool"))
    reads, writes = _HANDSHAKE + _all_pages(destination), sum(counts.values()) + twice
    seconds = (reads + _WRITE_IN_READS * writes) * destination.seconds
    return Estimate("import", reads, writes, max(seconds, tier.seconds_for(reads + writes)))


def _is_counted(kind: Kind) -> bool:
    """Whether the server has a count of a kind."""
    return kind.counted or type(kind).count is not Kind.count


def _second_look(kind: Kind, found: Survey) -> int:
    if kind.is_sorted_by_update:
        return 2 if found.rows[kind.name] else 1
    return _pages(kind.name, found.rows, found.page)


def _all_pages(found: Survey) -> int:
    return sum(_pages(name, found.rows, found.page) for name in found.rows)


def _probes(rows: Mapping[str, int], page: int) -> int:
    """The requests of one survey."""
    counted = {name for name, kind in KINDS.items() if _is_counted(kind) and name not in _LISTED}
    return len(counted) + sum(_pages(name, rows, page) for name in rows.keys() - counted)


def _pages(name: str, rows: Mapping[str, int], page: int) -> int:
    """The requests that a list takes: full pages, a last one, and the empty page that ends it."""
    if name == _SINGLE:
        return 1
    if KINDS[name].cloud_only and not rows[name]:
        return 0
    # Since 3.4.19 tag limits are rows of the global limits, and the route of their own lists them again.
    count = rows[name] + (rows["tag-limit"] if name == "concurrency-limit" else 0)
    return -(-count // page) + 1
