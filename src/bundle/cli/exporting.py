"""An export in progress: what export, transfer and deactivate do once their options are read."""

from __future__ import annotations

from datetime import UTC, datetime

from bundle.cli.console import Console
from bundle.cli.options import Suspects
from bundle.cli.progress import progress
from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import SecretsSuspected
from bundle.operations.export import Exported, export_environment, export_state
from bundle.server.client import PrefectApi
from bundle.server.tiers import Tier


async def export(
    console: Console,
    api: PrefectApi,
    selection: Selection = EVERYTHING,
    *,
    suspects: Suspects = "carry",
    all_owners: bool = False,
) -> Exported:
    """Read an environment now, with progress.

    Raises:
        SecretsSuspected: something looks like a secret, and ``suspects`` is ``fail``.
    """
    with progress(console) as on_event:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        exported = await export_environment(
            api,
            selection=selection,
            redact=suspects == "redact",
            all_owners=all_owners,
            created=created,
            on_event=on_event,
        )
    if suspects == "fail":
        _refuse_suspects(exported)
    return exported


def _refuse_suspects(exported: Exported) -> None:
    found = [each for each in exported.header.findings if each.code == "secret-suspected"]
    if found:
        places = "".join(f"\n  {each.key} at {each.pointer}" for each in found)
        raise SecretsSuspected(
            f"values look like secrets ({len(found)}), and nothing was written:{places}",
            hint="put them into secret blocks, or take them out with --suspects redact",
        )


async def export_lean(console: Console, api: PrefectApi, tier: Tier) -> Exported:
    """Read an environment now, of which only keys and digests are kept, with progress."""
    with progress(console) as on_event:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return await export_state(api, tier=tier, created=created, on_event=on_event)
