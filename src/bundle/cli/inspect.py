"""``xfer inspect``: what is inside a bundle."""

from __future__ import annotations

import click

from bundle.cli import bundles, options
from bundle.report import account
from bundle.report.model import Report


@click.command("inspect")
@options.bundle
@options.result
def command(bundle: str) -> Report:
    """Show what is inside the bundle FILE (- for stdin), after verifying all of it."""
    manifest, warnings = bundles.verify(bundle)
    return account.described("inspect", manifest, bundle, warnings)
