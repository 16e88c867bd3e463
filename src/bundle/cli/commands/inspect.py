"""``xfer inspect``: what is inside a bundle."""

from __future__ import annotations

import click

from bundle.cli import bundles, options
from bundle.cli.console import Console
from bundle.model import Key
from bundle.report import bundle as bundle_report
from bundle.report import inspect as inspect_report
from bundle.report.model import Report


@click.command(
    "inspect", epilog=options.examples("xfer inspect env.pxb", "xfer inspect -v env.pxb", "xfer inspect env.pxb --json")
)
@options.bundle
@options.result
@click.pass_obj
def command(console: Console, bundle: str) -> Report:
    """Show what is inside the bundle FILE (- for stdin), after verifying all of it.

    With -v all is listed in full, the key of every resource too.
    """
    keys: list[Key] = []
    manifest, warnings, found = bundles.survey(bundle, keys.append if console.is_verbose else lambda _: None)
    return inspect_report.report(bundle_report.described("inspect", manifest, bundle, warnings), found, keys)
