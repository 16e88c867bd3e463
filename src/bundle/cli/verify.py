"""``xfer verify``: whether a bundle is whole and unchanged."""

from __future__ import annotations

import click

from bundle.cli import bundles, options
from bundle.report import account
from bundle.report.model import Report


@click.command("verify")
@options.bundle
@options.result
def command(bundle: str) -> Report:
    """Check every byte of the bundle FILE (- for stdin); no server is asked.

    This finds damage and mistakes. Whoever can write the file can make another
    one that is valid too.
    """
    manifest, warnings = bundles.verify(bundle)
    return account.described("verify", manifest, bundle, warnings)
