"""An export in progress: what export, transfer and deactivate do once their options are read."""

from __future__ import annotations

from datetime import UTC, datetime

from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.environment.selection import EVERYTHING, Selection
from bundle.operations.export import Exported, export_environment
from bundle.server.client import PrefectApi


async def export(
    console: Console,
    api: PrefectApi,
    selection: Selection = EVERYTHING,
    *,
    redact: bool = False,
    all_owners: bool = False,
) -> Exported:
    """Read an environment now, with progress."""
    with progress(console) as on_event:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return await export_environment(
            api, selection=selection, redact=redact, all_owners=all_owners, created=created, on_event=on_event
        )
