"""``xfer transfer``: export and import; between them stands a bundle like any other."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from bundle.cli import bundles, connection, options, receipts, supplied
from bundle.cli.console import Console
from bundle.cli.export import read_environment
from bundle.cli.import_ import Missing, OnConflict, make_job, replay, show
from bundle.errors import UsageError
from bundle.report import account
from bundle.report.model import Report


@click.command("transfer")
@options.source
@options.destination
@click.option("-o", "--output", "file", metavar="FILE", help="Keep the bundle here.")
@options.force
@options.redact
@options.secrets
@options.on_conflict
@options.dry_run
@options.receipt
@options.result
@click.pass_obj
def command(
    console: Console,
    source: str,
    destination: str,
    file: str | None,
    secrets_file: str | None,
    missing_secrets: Missing,
    on_conflict: OnConflict,
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
    values = supplied.read_file(console, secrets_file)
    with _place(file) as path:
        exported = asyncio.run(read_environment(console, origin, redact=redact))
        bundles.write(exported, path, force=force)
        receipt = receipts.place(file, receipt_file, is_wanted=not no_receipt)
        job = make_job(console, "transfer", path, target, values, missing_secrets, receipt=receipt)
        job = msgspec.structs.replace(job, file=file, on_conflict=on_conflict)
        report = asyncio.run(show(console, job) if dry_run else replay(console, job))
    return account.transferred(report, connection.side(origin), exported.torn)


@contextlib.contextmanager
def _place(file: str | None) -> Iterator[str]:
    """Where the bundle is written: where the user wants it, else in a directory that goes away."""
    if file is not None:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        yield str(Path(directory) / "env.pxb")
