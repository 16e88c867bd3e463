"""``xfer plan``: what an import would do."""

from __future__ import annotations

import asyncio

import click
import msgspec

from bundle.cli import connection, options, plans, policies, scope_options
from bundle.cli.commands.import_ import make_job, show
from bundle.cli.console import Console
from bundle.cli.policies import Wishes
from bundle.environment.selection import Selection
from bundle.errors import ExitCode
from bundle.operations import saved_plan
from bundle.report.counting import has_differences
from bundle.report.model import Report


@click.command(
    "plan",
    epilog=options.examples(
        "xfer plan env.pxb --to prod",
        "xfer plan env.pxb --to prod --exit-code --json",
        "xfer plan env.pxb --to prod -o reviewed.json",
    ),
)
@options.bundle
@options.destination
@policies.wishes
@scope_options.selection
@click.option(
    "-o", "--output", "file", metavar="PLAN", help="Also save the plan, for `xfer import --plan`; - for stdout."
)
@options.force
@click.option("--exit-code", "wants_code", is_flag=True, help="Exit with 2 if anything differs.")
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    wishes: Wishes,
    selection: Selection,
    file: str | None,
    *,
    force: bool,
    wants_code: bool,
) -> Report:
    """Show what importing the bundle FILE (- for stdin) into DESTINATION would do.

    Nothing is written. Where both have a resource, each field that differs is
    shown: - as DESTINATION has it, + as the bundle has it.
    """
    plans.check_output(console, file, force=force)
    (target,) = connection.find_targets(console, destination)
    job = make_job(console, "plan", bundle, target, wishes, policies.check(console, wishes, target), selection)
    prepared, report = asyncio.run(show(console, job))
    if report.ok:
        plans.write(saved_plan.made_from(prepared, target.url), file, force=force)
    if wants_code and report.ok and has_differences(report):
        # Differences are an answer, not a failure: the report stays ok.
        return msgspec.structs.replace(report, exit_code=ExitCode.DIFFERENCES)
    return report
