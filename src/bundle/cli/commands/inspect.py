"""``xfer inspect``: what is inside a bundle."""

from __future__ import annotations

import click

from bundle.cli import bundles, options
from bundle.cli.console import Console
from bundle.model import Key
from bundle.report import inspect as inspect_report
from bundle.report.model import Report


@click.command(
    "inspect", epilog=options.examples("xfer inspect env.pxb", "xfer inspect -v env.pxb", "xfer inspect env.pxb --json")
)
@options.bundle
@options.result
@click.pass_obj
def command(console: Console, bundle: str) -> Report:
    """Verify the bundle FILE (- for stdin) and show what is inside.

    With -v every list is complete, and the key of every resource is shown.
    """
    keys: list[Key] = []
    manifest, warnings, surface = bundles.inspect(bundle, keys.append if console.is_verbose else lambda _: None)
    return inspect_report.report(manifest, bundle, surface, keys=keys, warnings=warnings)
