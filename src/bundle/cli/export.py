"""``xfer export``: a profile becomes a bundle."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click

from bundle.cli import bundles, connection, options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.exporter import Exported, export_environment
from bundle.profiles import Target
from bundle.report import account
from bundle.report.model import Report


@click.command("export")
@options.source
@click.option("-o", "--output", "file", metavar="FILE", required=True, help="The bundle to write; - for stdout.")
@options.force
@options.redact
@options.result
@click.pass_obj
def command(console: Console, source: str, file: str, *, force: bool, redact: bool) -> Report:
    """Read everything of SOURCE over HTTP and write it into one bundle, FILE.

    Secrets stay where they are: the bundle has a placeholder for each. Nothing
    is written to SOURCE.
    """
    bundles.check_output(console, file, force=force)
    (target,) = connection.find_targets(console, source)
    exported = asyncio.run(read_environment(console, target, redact=redact))
    manifest = bundles.write(exported, file, force=force)
    return account.exported(manifest, file, connection.side(target), exported.torn)


async def read_environment(console: Console, target: Target, *, redact: bool) -> Exported:
    """Read a whole environment, with progress."""
    connection.announce(console, "reading", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            created = datetime.now(UTC).isoformat(timespec="seconds")
            return await export_environment(api, redact=redact, created=created, on_event=on_event)
