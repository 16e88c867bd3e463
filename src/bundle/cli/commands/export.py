"""``xfer export``: an environment becomes a bundle."""

from __future__ import annotations

import asyncio

import click

from bundle.cli import bundles, connection, exporting, import_options, options, scope_options, signing
from bundle.cli.console import Console
from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import UsageError
from bundle.operations.export import Exported
from bundle.report import export as export_report
from bundle.report.model import Report
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, Tier


@click.command(
    "export",
    epilog=options.examples(
        "xfer export --from dev -o env.pxb",
        "xfer export --from dev -o - | ssh prod-host xfer import - --to prod",
        "xfer export --from dev -o env.pxb --sign ~/.ssh/id_ed25519",
        "xfer export --from dev -o etl.pxb --include 'deployment:etl/*'",
    ),
)
@options.source
@click.option("-o", "--output", "file", metavar="FILE", required=True, help="The bundle to write; - for stdout.")
@options.force
@options.suspects
@signing.sign
@options.all_owners
@click.option("--state", "lean", is_flag=True, help="Keys and digests only: a state of SOURCE, to plan against.")
@import_options.tier
@scope_options.selection
@options.result
@click.pass_obj
def command(
    console: Console,
    source: str,
    file: str,
    *,
    selection: Selection,
    force: bool,
    suspects: options.Suspects,
    all_owners: bool,
    key: str | None,
    lean: bool,
    tier: Tier,
) -> Report:
    """Read everything from SOURCE and write it into one bundle, FILE.

    A bundle holds no secret values of blocks, only a placeholder for each.
    Nothing is written to SOURCE.
    """
    if lean and (suspects == "redact" or selection != EVERYTHING):
        raise UsageError("a state is of all that SOURCE has", hint="leave out --redact and the selection, or --state")
    if tier != ANY_TIER and not lean:
        raise UsageError("--tier is noted in a state", hint="use it with --state")
    bundles.check_output(console, file, force=force)
    seal = signing.of_output(key, file, force=force)
    (target,) = connection.find_targets(console, source)
    import_options.check_tier(tier, target)
    if lean:
        exported = asyncio.run(_read_state(console, target, tier))
    else:
        exported = asyncio.run(read_environment(console, target, selection, suspects=suspects, all_owners=all_owners))
    manifest = bundles.write(exported, file, force=force, before_it_appears=seal)
    return export_report.report(manifest, file, connection.side(target), exported.torn)


async def read_environment(
    console: Console, target: Target, selection: Selection, *, suspects: options.Suspects, all_owners: bool
) -> Exported:
    """Read an environment, with progress."""
    connection.announce(console, "reading", target)
    async with connection.connect(target) as api:
        return await exporting.export(console, api, selection, suspects=suspects, all_owners=all_owners)


async def _read_state(console: Console, target: Target, tier: Tier) -> Exported:
    connection.announce(console, "reading", target)
    async with connection.connect(target) as api:
        return await exporting.export_lean(console, api, tier)
