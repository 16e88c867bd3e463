"""``xfer transfer``: export and import; between them is a bundle like any other."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from bundle.cli import bundles, connection, options, policies, receipts, scope_options
from bundle.cli.commands.export import read_environment
from bundle.cli.commands.import_ import make_job, replay, show
from bundle.cli.console import Console
from bundle.cli.policies import OnError, Wishes
from bundle.environment.read import check
from bundle.environment.selection import Selection
from bundle.errors import UsageError
from bundle.operations.export import Exported
from bundle.plan.switches import firing_schedules
from bundle.report import transfer as transfer_report
from bundle.report.model import Report
from bundle.server.target import Target


@click.command(
    "transfer",
    epilog=options.examples(
        "xfer transfer --from dev --to prod --dry-run",
        "xfer transfer --from dev --to prod -o env.pxb",
        "xfer transfer --from dev --to prod --inert",
    ),
)
@options.source
@options.destination
@click.option("-o", "--output", "file", metavar="FILE", help="Keep the bundle here.")
@options.force
@options.redact
@policies.wishes
@policies.on_error
@scope_options.selection
@options.dry_run
@options.receipt
@options.result
@click.pass_obj
def command(
    console: Console,
    source: str,
    destination: str,
    file: str | None,
    wishes: Wishes,
    selection: Selection,
    on_error: OnError,
    receipt_file: str | None,
    *,
    force: bool,
    redact: bool,
    dry_run: bool,
    no_receipt: bool,
) -> Report:
    """Copy everything of SOURCE into DESTINATION: an export, then an import."""
    if file == bundles.STANDARD:
        raise UsageError("a transfer cannot write its bundle to standard output", hint="name a file: -o FILE")
    if file is not None:
        bundles.check_output(console, file, force=force)
    origin, target = connection.find_targets(console, source, destination)
    connection.refuse_same(origin, target)
    values = policies.check(console, wishes, target)
    asyncio.run(_check_both(origin, target))
    with _place(file) as path:
        exported = asyncio.run(read_environment(console, origin, selection, redact=redact))
        bundles.write(exported, path, force=force)
        receipt = receipts.place(file, receipt_file, is_wanted=not no_receipt)
        job = make_job(console, "transfer", path, target, wishes, values)
        job = msgspec.structs.replace(job, file=file, receipt=receipt, on_error=on_error)
        warnings = () if wishes.inert else tuple(_twice(exported, origin, target))
        for warning in warnings:
            console.warn(warning)
        report = asyncio.run(show(console, job))[1] if dry_run else asyncio.run(replay(console, job))
    return transfer_report.report(report, connection.side(origin), exported.torn, warnings)


async def _check_both(*targets: Target) -> None:
    """Before anything is read: both servers can be used. One that runs with this command alone is started later."""
    for target in targets:
        if target.ephemeral is None:
            async with connection.connect(target) as api:
                await check(api)


def _twice(exported: Exported, origin: Target, target: Target) -> Iterator[str]:
    """What would happen at both servers after a transfer that leaves the source as it is."""
    count = firing_schedules(placed.record for placed in exported.records)
    if count:
        they_start = "1 schedule starts" if count == 1 else f"{count} schedules start"
        yield (
            f"{they_start} runs at {origin.name}, and would at {target.name} too: transfer with --inert, "
            f"or stop {origin.name} with `xfer deactivate --from {origin.name} -o FILE`"
        )


@contextlib.contextmanager
def _place(file: str | None) -> Iterator[str]:
    """Where the bundle is written: where the user wants it, else in a directory that goes away."""
    if file is not None:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        yield str(Path(directory) / "env.pxb")
