"""``xfer secrets``: the values that a bundle does not hold."""

from __future__ import annotations

from pathlib import Path

import click

from bundle.cli import bundles, options
from bundle.cli.console import Console
from bundle.files import atomic
from bundle.report.secrets import template


@click.group("secrets")
def command() -> None:
    """Prepare the secrets that a bundle does not hold."""


@command.command("template")
@options.bundle
@click.option("-o", "--output", "file", metavar="FILE", default="-", help="The file to write; - for stdout.")
@options.force
@options.output
@click.pass_obj
def make_template(console: Console, bundle: str, file: str, *, force: bool) -> None:
    """Write the TOML file to fill in and to give to --secrets: one line for each secret of the bundle FILE."""
    manifest, _ = bundles.verify(bundle)
    text = template(manifest.secrets)
    if file == bundles.STANDARD:
        console.result(text.removesuffix("\n"))
        return
    with atomic(Path(file), force=force) as output:
        output.write(text.encode())
    console.say(f"{len(manifest.secrets)} secrets to fill in: {file}")
