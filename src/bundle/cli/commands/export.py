"""``xfer export``: a profile becomes a bundle."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click

from bundle.cli import bundles, connection, options, scope_options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.environment.selection import Selection
from bundle.operations.export import Exported, export_environment
from bundle.report import export as export_report
from bundle.report.model import Report
from bundle.server.target import Target


@click.command(
    "export",
    epilog=options.examples(
        "xfer export --from dev -o env.pxb",
        "xfer export --from dev -o - | ssh prod-host xfer import - --to prod",
        "xfer export --from dev -o etl.pxb --include 'deployment:etl/*'",
    ),
)
@options.source
@click.option("-o", "--output", "file", metavar="FILE", required=True, help="The bundle to write; - for stdout.")
@options.force
@options.redact
@scope_options.selection
@options.result
@click.pass_obj
def command(console: Console, source: str, file: str, *, selection: Selection, force: bool, redact: bool) -> Report:
    """Read everything of SOURCE over HTTP and write it into one bundle, FILE.

    Secrets stay where they are: the bundle has a placeholder for each. Nothing
    is written to SOURCE.
    """
    bundles.check_output(console, file, force=force)
    (target,) = connection.find_targets(console, source)
    exported = asyncio.run(read_environment(console, target, selection, redact=redact))
    manifest = bundles.write(exported, file, force=force)
    return export_report.report(manifest, file, connection.side(target), exported.torn)


async def read_environment(console: Console, target: Target, selection: Selection, *, redact: bool) -> Exported:
    """Read an environment, with progress."""
    connection.announce(console, "reading", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            created = datetime.now(UTC).isoformat(timespec="seconds")
            return await export_environment(api, selection=selection, redact=redact, created=created, on_event=on_event)
