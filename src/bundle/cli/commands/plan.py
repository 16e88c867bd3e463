"""``xfer plan``: what an import would do."""

from __future__ import annotations

import asyncio

import click

from bundle.archive.address import is_state
from bundle.cli import bundles, connection, import_options, offline, options, plans, trust_options
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions
from bundle.cli.importing import make_job, show
from bundle.cli.trust_options import Trust
from bundle.operations import saved_plan
from bundle.report.counting import foretold
from bundle.report.model import Report


@click.command(
    "plan",
    epilog=options.examples(
        "xfer plan env.pxb --to prod",
        "xfer plan env.pxb --to prod --exit-code --json",
        "xfer plan env.pxb --to prod -o reviewed.json",
        "xfer plan env.pxb --to prod-state.pxb -o reviewed.json",
    ),
)
@options.bundle
@options.destination
@import_options.choices
@trust_options.trust
@click.option(
    "-o", "--output", "file", metavar="PLAN", help="Also save the plan, for `xfer import --plan`; - for stdout."
)
@options.force
@click.option(
    "--exit-code", "wants_code", is_flag=True, help="Exit with 2 if anything differs, 3 if anything is blocked."
)
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    *,
    choices: ChoiceOptions,
    trust: Trust,
    file: str | None,
    force: bool,
    wants_code: bool,
) -> Report:
    """Show what importing the bundle FILE (- for stdin) into DESTINATION would do.

    DESTINATION is a server, or a state: a bundle of the server (*.pxb), for a plan
    without a connection. Nothing is written. For a resource that exists on both sides, each field
    that differs is shown: - as DESTINATION has it, + as the bundle has it.
    """
    plans.check_output(console, file, force=force)
    if is_state(destination):
        report, plan = offline.plan(console, bundle, destination, choices, trust)
    else:
        (target,) = connection.find_targets(console, destination)
        values = import_options.check(console, choices, target)
        loaded = bundles.read(console, bundle, trust)
        job = make_job("plan", loaded.bundle, bundle, target, choices, values, trust, loaded.verdict)
        prepared, report = asyncio.run(show(console, job))
        plan = saved_plan.made_from(prepared, target.url)
    if report.ok:
        plans.write(plan, file, force=force)
    return foretold(report) if wants_code else report
