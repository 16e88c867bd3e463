"""``xfer secrets``: the values that a bundle does not hold."""

from __future__ import annotations

from pathlib import Path

import click

from bundle.cli import bundles, options, trust_options
from bundle.cli.console import Console
from bundle.cli.trust_options import Trust
from bundle.files import atomic
from bundle.report import secrets as secrets_report
from bundle.report import text
from bundle.report.model import Report

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
@trust_options.trust
@options.result
@click.pass_obj
def make_template(console: Console, bundle: str, file: str, *, force: bool, trust: Trust) -> Report | None:
    """Write a TOML file for --secrets with a line for each secret of the bundle FILE, to be filled in.

    With --json, standard output gets the list of secrets as JSON instead.
    """
    found = bundles.verify(bundle, trust)
    report = secrets_report.report(found.manifest, bundle, found.warnings, found.verdict)
    if file == bundles.STANDARD:
        return report
    with atomic(Path(file), force=force) as output:
        output.write(f"{text.render(report)}\n".encode())
    console.say(f"{len(report.secrets)} secrets to fill in: {file}")
    return report if console.is_json else None
