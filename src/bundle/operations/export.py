"""The use case of export: an environment becomes a header and placed records.

The environment may change while it is read. Counts and rows must agree, and a
second look at what can have changed must show the same; else everything is
read again, a few times.
"""

from __future__ import annotations

import msgspec

from bundle._version import __version__
from bundle.environment.describe import Environment, describe
from bundle.environment.read import OnEvent, Reading, changed_kinds, ignore, read_rows, server_version
from bundle.environment.selection import EVERYTHING, Selection, external, narrow, select
from bundle.environment.succession import predecessors
from bundle.model import Api, Header, Placed
from bundle.record.graph import place

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
    whole, torn = await _consistent(api, redact=redact, all_owners=all_owners, on_event=on_event)
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


async def _consistent(
    api: Api, *, redact: bool, all_owners: bool, on_event: OnEvent
) -> tuple[Environment, tuple[str, ...]]:
    torn: tuple[str, ...] = ()
    for _ in range(_ATTEMPTS):
        reading = await read_rows(api, deep=True, asks_all=all_owners, counted=True, on_event=on_event)
        environment = describe(reading, redact=redact)
        torn = await _changed(api, reading)
        if not torn:
            break
    return environment, torn


async def _changed(api: Api, before: Reading) -> tuple[str, ...]:
    """The kinds whose rows are not what they were, or not as many as the server counts."""
    miscounted = {name for name, count in before.counts.items() if count not in {None, len(before.rows[name])}}
    return tuple(sorted(miscounted | set(await changed_kinds(api, before))))
