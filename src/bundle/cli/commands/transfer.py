"""``xfer transfer``: export and import; between them is a bundle like any other."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from bundle.cli import bundles, connection, import_options, options, receipts, results, trust_options
from bundle.cli.commands.export import read_environment
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions, Execution
from bundle.cli.importing import carry_out_job, make_job, show
from bundle.cli.results import ResultOptions, Wish
from bundle.cli.trust_options import Trust
from bundle.environment.read import check
from bundle.environment.selection import EVERYTHING
from bundle.errors import UsageError
from bundle.model import Bundle
from bundle.operations.export import Exported
from bundle.plan.switches import firing_schedules
from bundle.report import transfer as transfer_report
from bundle.report.model import Report
from bundle.server.target import Target
from bundle.trust import digests


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
@click.option("-o", "--output", "file", metavar="FILE", help="Keep the bundle in this file.")
@options.force
@options.suspects
@options.all_owners
@import_options.choices
@import_options.execution
@results.options
@trust_options.trust
@options.result
@click.pass_obj
def command(
    console: Console,
    source: str,
    destination: str,
    *,
    file: str | None,
    force: bool,
    suspects: options.Suspects,
    all_owners: bool,
    choices: ChoiceOptions,
    execution: Execution,
    outcome: ResultOptions,
    trust: Trust,
) -> Report:
    """Copy everything from SOURCE to DESTINATION: an export, then an import."""
    if file == bundles.STANDARD:
        raise UsageError("a transfer cannot write its bundle to standard output", hint="name a file: -o FILE")
    if file is not None:
        bundles.check_output(console, file, force=force)
    origin, target = connection.find_targets(console, source, destination)
    connection.refuse_same(origin, target)
    values = import_options.check(console, choices, target)
    receipt = receipts.place(file, execution)
    wish = _wish(outcome, file, execution)
    asyncio.run(_check_both(origin, target))
    with _place(file) as path:
        reading = read_environment(console, origin, choices.selection, suspects=suspects, all_owners=all_owners)
        exported = asyncio.run(reading)
        bundles.write(exported, path, force=force)
        # The export has applied the selection.
        choices = msgspec.structs.replace(choices, selection=EVERYTHING)
        job = make_job("transfer", bundles.read_own(console, path), path, target, choices, values, trust)
        wish = wish and wish.about(_digests_of(path, job.bundle))
        job = msgspec.structs.replace(job, file=file, receipt=receipt, on_error=execution.on_error, wish=wish)
        warnings = () if choices.inert else tuple(_duplicate_runs(exported, origin, target))
        for warning in warnings:
            console.warn(warning)
        report = asyncio.run(show(console, job))[1] if execution.dry_run else asyncio.run(carry_out_job(console, job))
    return transfer_report.report(report, connection.side(origin), exported.header, exported.torn, warnings)


def _wish(outcome: ResultOptions, file: str | None, execution: Execution) -> Wish | None:
    if outcome.result_file is not None and file is None:
        raise UsageError("a result is about a bundle, and none is kept", hint="keep it: -o FILE")
    return results.wish(outcome, dry_run=execution.dry_run)


def _digests_of(path: str, stored: Bundle) -> dict[str, str]:
    return {"bundle": digests.of_file(Path(path)).sha256.hex(), "content": stored.manifest.content_digest}


async def _check_both(*targets: Target) -> None:
    """Refuse before anything is read if one server cannot be used; an ephemeral one is started later."""
    for target in targets:
        if target.ephemeral is None:
            async with connection.connect(target) as api:
                await check(api)


def _duplicate_runs(exported: Exported, origin: Target, target: Target) -> Iterator[str]:
    """What would run at both servers after a transfer that leaves the source on."""
    count = firing_schedules(placed.record for placed in exported.records)
    if count:
        they_start = "1 schedule starts" if count == 1 else f"{count} schedules start"
        yield (
            f"{they_start} runs at {origin.name} and would also do so at {target.name}: transfer with --inert, "
            f"or switch {origin.name} off with `xfer deactivate --from {origin.name} -o FILE`"
        )


@contextlib.contextmanager
def _place(file: str | None) -> Iterator[str]:
    """Where the bundle is written: the file that was named, else one in a directory that is removed afterwards."""
    if file is not None:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        yield str(Path(directory) / "env.pxb")
