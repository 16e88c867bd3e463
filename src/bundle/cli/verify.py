"""``xfer verify``: whether a bundle is whole and unchanged, and whether a destination holds it."""

from __future__ import annotations

import asyncio

import click

from bundle.audit import drift
from bundle.cli import bundles, connection, options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.model import Bundle
from bundle.profiles import Target
from bundle.report import account
from bundle.report.model import Report


@click.command("verify")
@options.bundle
@click.option("--to", "destination", metavar="DESTINATION", help="Also read this back: profile, URL, or env.")
@options.result
@click.pass_obj
def command(console: Console, bundle: str, destination: str | None) -> Report:
    r"""Check every byte of the bundle FILE (- for stdin).

    This finds damage and mistakes. Whoever can write the file can make another
    one that is valid too. With --to, DESTINATION is read back and compared with
    the bundle, content and references; exit code 2 if it differs.
    \b
    Examples:
      xfer verify env.pxb
      xfer verify env.pxb --to prod
    """
    if destination is None:
        manifest, warnings = bundles.verify(bundle)
        return account.described("verify", manifest, bundle, warnings)
    (target,) = connection.find_targets(console, destination)
    stored = bundles.read(console, bundle)
    return asyncio.run(_read_back(console, stored, bundle, target))


async def _read_back(console: Console, stored: Bundle, file: str, target: Target) -> Report:
    connection.announce(console, "reading back", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            plan = await drift(stored.records, api, on_event=on_event)
    return account.verified(account.Run("verify", stored.manifest, file, connection.side(target)), plan)
