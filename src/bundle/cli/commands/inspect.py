"""``xfer inspect``: what is inside a bundle."""

from __future__ import annotations

import click

from bundle.cli import bundles, options, trust_options
from bundle.cli.console import Console
from bundle.cli.trust_options import Trust
from bundle.model import Key
from bundle.report import inspect as inspect_report
from bundle.report.model import Report


@click.command(
    "inspect", epilog=options.examples("xfer inspect env.pxb", "xfer inspect -v env.pxb", "xfer inspect env.pxb --json")
)
@options.bundle
@trust_options.trust
@options.result
@click.pass_obj
def command(console: Console, bundle: str, *, trust: Trust) -> Report:
    """Verify the bundle FILE (- for stdin) and show what is inside.

    With -v every list is complete, and the key of every resource is shown.
    """
    keys: list[Key] = []
    found, surface = bundles.inspect(bundle, trust, keys.append if console.is_verbose else lambda _: None)
    return inspect_report.report(
        found.manifest, bundle, surface, keys=keys, warnings=found.warnings, verdict=found.verdict
    )
