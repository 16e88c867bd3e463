"""``xfer activate``: what is on in a bundle is switched on at a destination."""

from __future__ import annotations

import asyncio

import click

from bundle.cli import bundles, connection, options, scope_options, trust_options
from bundle.cli.console import Console
from bundle.cli.scope_options import OverlayOptions
from bundle.cli.switching import SwitchJob, switch
from bundle.cli.trust_options import Trust
from bundle.environment.selection import Selection
from bundle.report.model import Report


@click.command(
    "activate",
    epilog=options.examples(
        "xfer activate env.pxb --to prod --dry-run",
        "xfer activate env.pxb --to prod",
        "xfer activate env.pxb --to prod --include 'deployment:etl/*'",
        "xfer activate env.pxb --to prod --overlay prod.toml",
    ),
)
@options.bundle
@options.destination
@scope_options.selection
@scope_options.overlay
@trust_options.trust
@click.option("--dry-run", is_flag=True, help="Show what would be switched on and what would run next, and do nothing.")
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    *,
    selection: Selection,
    overlay: OverlayOptions,
    trust: Trust,
    dry_run: bool,
) -> Report:
    """Switch on at DESTINATION what is on in the bundle FILE (- for stdin).

    For use after `xfer import --inert`, or with the state that `xfer deactivate`
    wrote. First work pools, then deployments with their schedules, then
    automations. Nothing is switched off, and nothing else is changed. The next
    runs are shown.
    """
    (target,) = connection.find_targets(console, destination)
    loaded = bundles.read(console, bundle, trust)
    job = SwitchJob(
        "activate",
        loaded.bundle,
        bundle,
        target,
        on=True,
        dry_run=dry_run,
        selection=selection,
        overlay=overlay.for_bundle(loaded.bundle),
        verdict=loaded.verdict,
    )
    return asyncio.run(_run(console, job))


async def _run(console: Console, job: SwitchJob) -> Report:
    connection.announce(console, "reading" if job.dry_run else "switching on in", job.target)
    async with connection.connect(job.target) as api:
        return await switch(console, job, api)
