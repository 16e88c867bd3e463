"""``xfer deactivate``: what starts by itself is switched off, and can be switched on again."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from bundle.cli import bundles, connection, exporting, options, scope_options
from bundle.cli.console import Console
from bundle.cli.switching import SwitchJob, switch
from bundle.environment.selection import Selection
from bundle.errors import UsageError
from bundle.model import Bundle
from bundle.operations.cutover import is_any_on
from bundle.operations.export import Exported
from bundle.report import switch as switch_report
from bundle.report.model import Report
from bundle.server.target import Target


@click.command(
    "deactivate",
    epilog=options.examples(
        "xfer deactivate --from dev --dry-run",
        "xfer deactivate --from dev -o dev-state.pxb",
        "xfer activate dev-state.pxb --to dev",
    ),
)
@options.source
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    help="File for the state, from which `xfer activate` switches it on again.",
)
@options.force
@scope_options.selection
@click.option("--dry-run", is_flag=True, help="Show what would be switched off, and do nothing.")
@options.result
@click.pass_obj
def command(
    console: Console, source: str, file: str | None, *, selection: Selection, force: bool, dry_run: bool
) -> Report:
    """Switch off what starts by itself at SOURCE.

    First automations, then deployments with their schedules, then work pools.
    Before that, the state of SOURCE is written to FILE, a bundle:
    `xfer activate FILE --to SOURCE` switches on again what was on. If nothing
    is on, no FILE is written.
    """
    if not dry_run:
        _check(console, file, force=force)
    (target,) = connection.find_targets(console, source)
    return asyncio.run(_stop(console, target, file, selection, force=force, dry_run=dry_run))


def _check(console: Console, file: str | None, *, force: bool) -> None:
    if file is None or file == bundles.STANDARD:
        raise UsageError("the state must be saved before anything is switched off", hint="name a file to keep: -o FILE")
    bundles.check_output(console, file, force=force)


async def _stop(
    console: Console, target: Target, file: str | None, selection: Selection, *, force: bool, dry_run: bool
) -> Report:
    connection.announce(console, "reading" if dry_run else "switching off in", target)
    async with connection.connect(target) as api:
        exported = await exporting.export(console, api, selection)
        # A state in which nothing is on is of no use, and must not replace one that is.
        is_kept = not dry_run and is_any_on(placed.record for placed in exported.records)
        state = _written(console, exported, file if is_kept else None, force=force)
        job = SwitchJob("deactivate", state, file if is_kept else None, target, on=False, dry_run=dry_run)
        return switch_report.report_of_source(await switch(console, job, api), exported.header, exported.torn)


def _written(console: Console, exported: Exported, file: str | None, *, force: bool) -> Bundle:
    """The state, read back from where it was written: a temporary place where no file is wanted."""
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        place = file or str(Path(directory) / "state.pxb")
        bundles.write(exported, place, force=force)
        return bundles.read_own(console, place)
