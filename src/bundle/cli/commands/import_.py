"""``xfer import``: a bundle becomes resources of an environment."""

from __future__ import annotations

import asyncio

import click
import msgspec

from bundle.cli import approving, bundles, connection, import_options, options, plans, receipts, results, trust_options
from bundle.cli.approving import ApprovalOptions
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions, Execution
from bundle.cli.importing import carry_out_job, make_job, show
from bundle.cli.results import ResultOptions
from bundle.cli.trust_options import Trust
from bundle.report.model import Report


@click.command(
    "import",
    epilog=options.examples(
        "xfer import env.pxb --to prod --dry-run",
        "xfer import env.pxb --to prod --secrets secrets.toml",
        "xfer import env.pxb --to prod --inert",
        "xfer import env.pxb --to prod --on-conflict update",
    ),
)
@options.bundle
@options.destination
@import_options.choices
@trust_options.trust
@click.option("--plan", "plan_file", metavar="PLAN", help="Do exactly what this saved plan says, or nothing.")
@import_options.execution
@results.options
@approving.options
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    *,
    choices: ChoiceOptions,
    trust: Trust,
    plan_file: str | None,
    execution: Execution,
    outcome: ResultOptions,
    approvals: ApprovalOptions,
) -> Report:
    """Import the bundle FILE (- for stdin) into DESTINATION.

    What exists already is left unchanged, so an import can be repeated; after
    an interruption it continues where it stopped. The bundle is verified
    completely before the first request.
    """
    read = plans.read(plan_file, bundle, trust)
    (target,) = connection.find_targets(console, destination)
    values = import_options.check(console, choices, target)
    choices = plans.with_tier(choices, read.plan) if read else choices
    receipt = receipts.place(bundle, execution)
    loaded = bundles.read(console, bundle, trust)
    job = make_job("import", loaded.bundle, bundle, target, choices, values, trust, loaded.verdict)
    digests = {"bundle": loaded.sha256, "content": loaded.bundle.manifest.content_digest}
    digests |= {"plan": read.sha256} if read else {}
    approved = approving.check(approvals, bundle, digests, trust, loaded.verdict)
    wish = results.wish(outcome, dry_run=execution.dry_run)
    job = msgspec.structs.replace(
        job,
        receipt=receipt,
        on_error=execution.on_error,
        plan=read.plan if read else None,
        wish=wish.about(digests) if wish else None,
        approved_by=approved.principals if approved else (),
    )
    return asyncio.run(show(console, job))[1] if execution.dry_run else asyncio.run(carry_out_job(console, job))
