"""What a server holds, how fast it answers, and about how many requests an export and an import would take.

Only reads, and few: what the server counts is counted, the rest is listed. The
estimates follow the requests of ``environment.read``, ``operations.export`` and ``apply``.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from bundle.environment.read import rows_of, server_version
from bundle.environment.reader import ApiReader
from bundle.errors import RequestRejected
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.model import Api, Body, Bundle
from bundle.plan.capabilities import TellingApi, version_numbers
from bundle.plan.server_state import OfferedFields, offered_fields, server_of
from bundle.record.canonical import encode, is_exported
from bundle.server.tiers import ANY_TIER, Tier

_USUAL_PAGE = 200
_WRITE_IN_READS = 2
_HANDSHAKE = 2  # a CSRF token, and the version


class Inventory(msgspec.Struct, frozen=True):
    """What is known of a server.

    ``page`` is how many rows it gives at once. ``rows`` are all that it lists,
    by kind; ``counts`` those that an export would take, without what every
    server makes by itself. ``seconds`` is what a read takes on average.
    ``fields`` are those that it takes, by kind; None where it does not say.
    ``is_file``: a file says all this of it, which takes no time. ``has_access_lists``: it is on Cloud.
    """

    version: str | None
    page: int
    rows: Mapping[str, int]
    counts: Mapping[str, int]
    variants: Mapping[str, tuple[Body, ...]]
    fields: OfferedFields | None
    seconds: float
    is_file: bool = False
    has_access_lists: bool = False


class Estimate(msgspec.Struct, frozen=True):
    """About how many requests a command would send, and how many seconds they would take."""

    command: Literal["export", "import"]
    reads: int
    writes: int
    seconds: float


async def take_inventory(api: TellingApi, clock: Callable[[], float]) -> Inventory:
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
    return Inventory(
        version=version,
        page=page,
        rows=rows,
        counts={name: own for name, _, own, _ in found},
        variants={name: variants for name, _, _, variants in found if variants},
        fields=None if accepted is None else offered_fields(accepted, version_numbers(version)),
        seconds=elapsed / _probes(rows, page),
        has_access_lists=api.is_cloud,
    )


def inventory_of(stored: Bundle) -> Inventory:
    """What a bundle, or a state, says of the server that it is of."""
    server, records = server_of(stored.manifest), [placed.record for placed in stored.records]
    rows = Counter(record.kind for record in records)
    own = Counter(record.kind for record in records if not stored.manifest.is_lean or is_exported(record))
    variants: dict[str, dict[bytes, Body]] = defaultdict(dict)
    for record in records if not stored.manifest.is_lean else ():
        variant = KINDS[record.kind].variant(record.body)
        if variant is not None:
            variants[record.kind][encode(variant)] = variant
    return Inventory(
        version=server.version,
        page=_USUAL_PAGE,
        rows={name: rows[name] for name in KINDS},
        counts={name: own[name] for name in KINDS},
        variants={name: tuple(found[each] for each in sorted(found)) for name, found in variants.items()},
        fields=server.fields,
        seconds=0,
        is_file=True,
    )


def used_fields(stored: Bundle) -> OfferedFields:
    """The fields that something in a bundle uses, by kind, in the form of those that a server takes."""
    used: dict[str, set[str]] = defaultdict(set)
    for placed in stored.records:
        kind, body = KINDS[placed.record.kind], placed.record.body
        used[kind.name] |= body.keys() - kind.unsent
        for outer, field in kind.fields.items():
            members = body.get(outer) if field.inside else None
            for each in members if isinstance(members, list) else [members]:
                used[kind.name] |= {f"{outer}.{name}" for name in each} if isinstance(each, dict) else set()
    return used


async def _page(api: Api) -> int:
    """How many rows the server lists at once; the usual number where it does not say."""
    if api.is_cloud:
        return _USUAL_PAGE
    try:
        found: Any = await api.get("/admin/settings")
        return int(found["server"]["api"]["default_limit"])
    except (RequestRejected, KeyError, TypeError, ValueError):
        return _USUAL_PAGE


async def _count(kind: Kind, reader: ApiReader) -> tuple[str, int, int, tuple[Body, ...]]:
    """Name of the kind, rows, rows without what is not exported, and what variants there are."""
    counted = None if kind.is_few else await kind.count(reader)
    if counted is not None:
        return kind.name, counted, counted, ()
    rows = await rows_of(kind, reader)
    variants = {encode(variant): variant for row in rows if (variant := kind.variant(row)) is not None}
    return kind.name, len(rows), sum(map(kind.is_own, rows)), tuple(variants[each] for each in sorted(variants))


# -- Estimates --------------------------------------------------------------------------------------------------------


def export_of(source: Inventory) -> Estimate:
    """What an export sends: every page, every count, what has changed, and on Cloud every access list."""
    counts = sum(map(_is_counted, KINDS.values()))
    again = sum(_confirmation(kind, source) for kind in KINDS.values())
    lists = sum(source.rows[name] for name, kind in KINDS.items() if kind.access_route and source.has_access_lists)
    reads = _HANDSHAKE + _all_pages(source) + counts + again + lists
    return Estimate("export", reads, 0, reads * source.seconds)


def import_of(source: Inventory, destination: Inventory, tier: Tier = ANY_TIER) -> Estimate:
    """What an import into an empty server sends: every page once, and one or two writes for each resource.

    Two for what must not start before all has arrived. A write takes about as
    long as two reads, and several at once are no faster where the database is SQLite.
    On Cloud all wait for the minute in which the tier takes them.
    """
    counts = source.counts
    reads = _HANDSHAKE + _all_pages(destination)
    writes = sum(counts[name] * kind.writes_each for name, kind in KINDS.items())
    seconds = (reads + _WRITE_IN_READS * writes) * destination.seconds
    return Estimate("import", reads, writes, max(seconds, tier.seconds_for(reads + writes)))


def _is_counted(kind: Kind) -> bool:
    """Whether the server has a count of a kind."""
    return kind.counted or type(kind).count is not Kind.count


def _confirmation(kind: Kind, found: Inventory) -> int:
    """The requests that show whether a kind changed while everything was read."""
    if kind.is_sorted_by_update:
        return 2 if found.rows[kind.name] else 1
    return kind.listing_requests(found.rows, found.page)


def _all_pages(found: Inventory) -> int:
    return sum(KINDS[name].listing_requests(found.rows, found.page) for name in found.rows)


def _probes(rows: Mapping[str, int], page: int) -> int:
    """The requests of one inventory."""
    counted = {name for name, kind in KINDS.items() if _is_counted(kind) and not kind.is_few}
    return len(counted) + sum(KINDS[name].listing_requests(rows, page) for name in rows.keys() - counted)
