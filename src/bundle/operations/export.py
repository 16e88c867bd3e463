"""The use case of export: an environment becomes a header and placed records.

The environment may change while it is read. Counts and rows must agree, and a
second look at what can have changed must show the same; else everything is
read again, a few times.
"""

from __future__ import annotations

import msgspec

from bundle._version import __version__
from bundle.environment.access_lists import with_access_lists
from bundle.environment.describe import describe
from bundle.environment.read import OnEvent, Reading, changed_kinds, ignore, read_rows, server_version
from bundle.environment.selection import EVERYTHING, Selection, external, narrow, select
from bundle.environment.succession import predecessors
from bundle.model import Api, Header, Json, Placed
from bundle.plan.capabilities import TellingApi
from bundle.plan.server_state import read_server_state
from bundle.record.canonical import lean_record
from bundle.record.graph import place
from bundle.server.tiers import ANY_TIER, Tier

_ATTEMPTS = 3


class Exported(msgspec.Struct, frozen=True):
    """What an export found.

    ``torn`` names the kinds that still changed at the last attempt; empty when
    the reading is consistent.
    """

    header: Header
    records: tuple[Placed, ...]
    torn: tuple[str, ...] = ()


async def export_environment(
    api: Api,
    *,
    selection: Selection = EVERYTHING,
    redact: bool = False,
    all_owners: bool = False,
    created: str,
    on_event: OnEvent = ignore,
) -> Exported:
    """Read everything exportable of one server, or what is selected of it.

    Args:
        api: the source.
        selection: what to export; all is read, since what is selected may need any of it.
        redact: turn values that only look like secrets into placeholders too.
        all_owners: ask every deployment which automations it owns, not only those that can be expected to.
        created: the time to note in the provenance, ISO 8601.
        on_event: called with the progress.

    Raises:
        UsageError: the selection has a pattern that matches nothing.
        ServerError: the source cannot be reached or refuses.
    """
    reading, torn = await _consistent(api, on_event, asks_all=all_owners)
    if api.is_cloud:
        reading = await with_access_lists(api, reading)
    whole = describe(reading, redact=redact)
    chosen = select(whole.records, selection)
    environment = narrow(whole, chosen)
    version = await server_version(api)
    header = Header(
        census=environment.census,
        left_out=environment.left_out,
        findings=environment.findings,
        selection=selection.as_json(),
        external=external(whole.records, chosen),
        provenance={
            "created": created,
            "source": api.url,
            "source_version": version,
            "tool": f"xfer {__version__}",
            "consistent": not torn,
            **({"all_owners": True} if all_owners else {}),
        },
    )
    return Exported(header, place(environment.records.values(), predecessors(environment)), torn)


async def export_state(api: TellingApi, *, tier: Tier = ANY_TIER, created: str, on_event: OnEvent = ignore) -> Exported:
    """A lean state of one server: keys and digests of all it has, built-ins too, and what the server offers.

    Args:
        api: the server.
        tier: that of the workspace, on Cloud, if known.
        created: the time to note in the provenance, ISO 8601.
        on_event: called with the progress.

    Raises:
        ServerError: the server cannot be reached or refuses.
    """
    reading, torn = await _consistent(api, on_event)
    whole, exported = describe(reading, everything=True), describe(reading).records
    server = await read_server_state(api, tier)
    provenance: dict[str, Json] = {"created": created, "tool": f"xfer {__version__}", "consistent": not torn}
    header = Header(
        census=whole.census,
        left_out=whole.left_out,
        provenance={**provenance, "server": msgspec.to_builtins(server)},
        lean=True,
    )
    lean = (lean_record(record, is_exported=key in exported) for key, record in whole.records.items())
    return Exported(header, place(lean), torn)


async def _consistent(api: Api, on_event: OnEvent, *, asks_all: bool = False) -> tuple[Reading, tuple[str, ...]]:
    torn: tuple[str, ...] = ()
    for _ in range(_ATTEMPTS):
        reading = await read_rows(api, deep=True, asks_all=asks_all, counted=True, on_event=on_event)
        torn = await _changed(api, reading)
        if not torn:
            break
    return reading, torn


async def _changed(api: Api, before: Reading) -> tuple[str, ...]:
    """The kinds whose rows are not what they were, or not as many as the server counts."""
    miscounted = {name for name, count in before.counts.items() if count not in {None, len(before.rows[name])}}
    return tuple(sorted(miscounted | set(await changed_kinds(api, before))))
