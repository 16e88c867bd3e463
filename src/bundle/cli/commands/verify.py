"""``xfer verify``: whether a bundle is intact, and whether a destination holds it."""

from __future__ import annotations

import asyncio

import click
import msgspec

from bundle.archive.address import is_state
from bundle.cli import bundles, connection, offline, options, scope_options, trust_options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.cli.scope_options import OverlayOptions
from bundle.cli.trust_options import Trust
from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import UsageError
from bundle.operations.drift import drift
from bundle.plan.overlay import Wanted, adapt
from bundle.report import verify as verify_report
from bundle.report.model import Report
from bundle.report.next_steps import with_next_steps
from bundle.report.records import Subject
from bundle.server.target import Target


@click.command("verify", epilog=options.examples("xfer verify env.pxb", "xfer verify env.pxb --to prod"))
@options.bundle
@click.option(
    "--to",
    "destination",
    metavar="DESTINATION",
    help="Also check that this server holds the bundle: profile, URL, env, or a state of it (*.pxb).",
)
@scope_options.selection
@scope_options.overlay
@trust_options.trust
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str | None,
    *,
    selection: Selection,
    overlay: OverlayOptions,
    trust: Trust,
) -> Report:
    """Check every byte of the bundle FILE (- for stdin), and who signed it.

    Without a file of allowed signers this finds damage, not forgery: whoever can
    write the file can also make another valid one. With --to, DESTINATION is
    read back and compared with the bundle; exit code 2 if it differs.
    """
    if destination is None:
        if selection != EVERYTHING or overlay != OverlayOptions():
            raise UsageError(
                "a selection or an overlay needs a server to compare with", hint="name the server with --to"
            )
        found = bundles.verify(bundle, trust)
        return verify_report.report_of_file(found.manifest, bundle, found.warnings, found.verdict)
    target = None if is_state(destination) else connection.find_targets(console, destination)[0]
    loaded = bundles.read(console, bundle, trust)
    adapted = adapt(loaded.bundle, selection, overlay.for_bundle(loaded.bundle))
    if target is None:
        report = offline.verify(console, adapted, bundle, destination, trust)
    else:
        report = asyncio.run(_read_back(console, adapted, bundle, target))
    return msgspec.structs.replace(report, signatures=loaded.verdict)


async def _read_back(console: Console, adapted: Wanted, file: str, target: Target) -> Report:
    connection.announce(console, "reading back", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            plan = await drift(adapted, api, on_event=on_event)
    subject = Subject("verify", adapted.bundle.manifest, file, connection.side(target), keys=adapted.keys)
    report = verify_report.report(subject, plan)
    stored = adapted.bundle
    return with_next_steps(report, (placed.record for placed in stored.records), stored.manifest.findings)
