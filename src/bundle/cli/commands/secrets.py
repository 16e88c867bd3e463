"""``xfer secrets``: the values that a bundle does not hold."""

from __future__ import annotations

from pathlib import Path

import click

from bundle.cli import bundles, options
from bundle.cli.console import Console
from bundle.files import atomic
from bundle.report import bundle as bundle_report
from bundle.report.model import Report
from bundle.report.secrets import template

_EXAMPLES = options.examples(
    "xfer secrets template env.pxb",
    "xfer secrets template env.pxb -o secrets.toml",
    "xfer import env.pxb --to prod --secrets secrets.toml",
)


@click.group("secrets", epilog=_EXAMPLES)
def command() -> None:
    """Prepare the secrets that a bundle does not hold."""


@command.command("template", epilog=_EXAMPLES)
@options.bundle
@click.option("-o", "--output", "file", metavar="FILE", default="-", help="The file to write; - for stdout.")
@options.force
@options.result
@click.pass_obj
def make_template(console: Console, bundle: str, file: str, *, force: bool) -> Report | None:
    """Write the TOML file to fill in and to give to --secrets: one line for each secret of the bundle FILE.

    With --json the document lists the secrets, and takes the place of the form on stdout.
    """
    manifest, warnings = bundles.verify(bundle)
    text = template(manifest.secrets)
    if file != bundles.STANDARD:
        with atomic(Path(file), force=force) as output:
            output.write(text.encode())
        console.say(f"{len(manifest.secrets)} secrets to fill in: {file}")
    if console.is_json:
        return bundle_report.described("secrets", manifest, bundle, warnings)
    if file == bundles.STANDARD:
        console.result(text.removesuffix("\n"))
    return None
