"""``xfer plan``: what an import would do."""

from __future__ import annotations

import asyncio

import click
import msgspec

from bundle.cli import connection, options, supplied
from bundle.cli.console import Console
from bundle.cli.import_ import Missing, make_job, show
from bundle.errors import ExitCode
from bundle.report.account import has_differences
from bundle.report.model import Report


@click.command("plan")
@options.bundle
@options.destination
@options.secrets
@click.option("--exit-code", "wants_code", is_flag=True, help="Exit with 2 if anything differs.")
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    secrets_file: str | None,
    missing_secrets: Missing,
    *,
    wants_code: bool,
) -> Report:
    """Show what importing the bundle FILE (- for stdin) into DESTINATION would do.

    Nothing is written. Where both have a resource, each field that differs is
    shown: - as DESTINATION has it, + as the bundle has it.
    """
    (target,) = connection.find_targets(console, destination)
    values = supplied.read_file(console, secrets_file)
    report = asyncio.run(show(console, make_job(console, "plan", bundle, target, values, missing_secrets)))
    if wants_code and report.ok and has_differences(report):
        # Differences are an answer, not a failure: the report stays ok.
        return msgspec.structs.replace(report, exit_code=ExitCode.DIFFERENCES)
    return report
