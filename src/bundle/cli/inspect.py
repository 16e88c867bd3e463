"""``xfer inspect``: what is inside a bundle."""

from __future__ import annotations

import click
import msgspec

from bundle.cli import bundles, options
from bundle.report import account
from bundle.report.model import Report


@click.command(
    "inspect", epilog=options.examples("xfer inspect env.pxb", "xfer inspect -v env.pxb", "xfer inspect env.pxb --json")
)
@options.bundle
@options.result
def command(bundle: str) -> Report:
    """Show what is inside the bundle FILE (- for stdin), after verifying all of it."""
    manifest, warnings, found = bundles.survey(bundle)
    return msgspec.structs.replace(account.described("inspect", manifest, bundle, warnings), surface=found)
