"""``xfer rollback``: an import is undone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bundle.cli import connection, options
from bundle.cli.console import Console
from bundle.cli.interruption import stopping
from bundle.cli.progress import progress
from bundle.operations import receipt
from bundle.operations.receipt import Receipt
from bundle.operations.rollback import roll_back
from bundle.report import endings
from bundle.report import rollback as rollback_report
from bundle.report.model import Report
from bundle.server.target import Target


@click.command(
    "rollback",
    epilog=options.examples(
        "xfer rollback env.pxb.20261122T101500Z.receipt --to prod --dry-run",
        "xfer rollback env.pxb.20261122T101500Z.receipt --to prod",
    ),
)
@click.argument("receipt_file", metavar="RECEIPT")
@options.destination
@click.option("--force", is_flag=True, help="Also delete or restore what was edited since the import.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@options.result
@click.pass_obj
def command(console: Console, receipt_file: str, destination: str, *, force: bool, dry_run: bool) -> Report:
    """Undo an import: delete from DESTINATION what it created, restore what it changed.

    RECEIPT is the file that the import wrote. These are kept and reported: what
    was edited since (unless --force), what something else refers to, and
    secrets that the import filled in.
    """
    taken = receipt.read(Path(receipt_file), memory_bytes=connection.memory_bytes())
    (target,) = connection.find_targets(console, destination)
    return asyncio.run(_undo(console, taken, target, force=force, dry_run=dry_run))


async def _undo(console: Console, taken: Receipt, target: Target, *, force: bool, dry_run: bool) -> Report:
    connection.announce(console, "reading" if dry_run else "rolling back in", target)
    stop = asyncio.Event()
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            with stopping(stop, console):
                undone = await roll_back(taken, api, force=force, dry_run=dry_run, on_event=on_event, stop=stop)
    report = rollback_report.report(undone, connection.side(target), dry_run=dry_run)
    return endings.interrupted(report) if stop.is_set() else report
