"""``xfer import``: a bundle becomes resources of a profile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from bundle.apply.control import Control
from bundle.cli import bundles, connection, options, plans, policies, receipts, scope_options, secret_values
from bundle.cli.console import Console
from bundle.cli.interruption import stopping
from bundle.cli.policies import OnError, Wishes
from bundle.cli.progress import progress
from bundle.environment.read import OnEvent
from bundle.environment.selection import EVERYTHING, Selection
from bundle.errors import BundleError, Conflict, OutputError, SecretMissing
from bundle.model import Bundle, Json
from bundle.operations import saved_plan
from bundle.operations.import_ import Prepared, Result, carry_out, prepare, surface_of
from bundle.operations.saved_plan import SavedPlan
from bundle.plan.choices import Choices
from bundle.report import endings
from bundle.report import import_ as import_report
from bundle.report import plan as plan_report
from bundle.report.model import Report
from bundle.report.records import Subject
from bundle.server.client import PrefectApi
from bundle.server.target import Target


class Job(msgspec.Struct, frozen=True):
    """One bundle on its way to one destination; ``file`` is how the user calls the bundle, ``supplied`` has secrets."""

    command: str
    bundle: Bundle
    file: str | None
    target: Target
    choices: Choices
    supplied: dict[str, Json]
    receipt: Path | None = None
    on_error: OnError = "fail"
    plan: SavedPlan | None = None

    def run(self, prepared: Prepared) -> Subject:
        """The same as the report needs it."""
        side, supplied = connection.side(self.target), frozenset(self.supplied)
        return Subject(self.command, self.bundle.manifest, self.file, side, supplied, prepared.keys, self.choices.inert)


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
@policies.wishes
@policies.on_error
@scope_options.selection
@click.option("--plan", "plan_file", metavar="PLAN", help="Do exactly what this saved plan says, or nothing.")
@options.dry_run
@options.receipt
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    wishes: Wishes,
    selection: Selection,
    on_error: OnError,
    plan_file: str | None,
    receipt_file: str | None,
    *,
    dry_run: bool,
    no_receipt: bool,
) -> Report:
    """Replay the bundle FILE (- for stdin) into DESTINATION.

    What is there already is left alone, so an import can be repeated, and after
    an interruption goes on where it ended. The whole bundle is verified before
    the first request.
    """
    plan = plans.read(plan_file, bundle)
    (target,) = connection.find_targets(console, destination)
    values = policies.check(console, wishes, target)
    path = receipts.place(bundle, receipt_file, is_wanted=not no_receipt)
    job = make_job(console, "import", bundle, target, wishes, values, selection)
    job = msgspec.structs.replace(job, receipt=path, on_error=on_error, plan=plan)
    return asyncio.run(show(console, job))[1] if dry_run else asyncio.run(replay(console, job))


def make_job(
    console: Console,
    command_name: str,
    file: str,
    target: Target,
    wishes: Wishes,
    values: dict[str, Json],
    selection: Selection = EVERYTHING,
) -> Job:
    """Read and verify the bundle, and match secrets and overlay with it; sends no request."""
    stored = bundles.read(console, file)
    supplied = secret_values.gather(stored, values)
    return Job(command_name, stored, file, target, wishes.choices(stored, selection), supplied)


async def show(console: Console, job: Job) -> tuple[Prepared, Report]:
    """The plan, and its report; nothing is written. What the import would be refused for ends the report."""
    connection.announce(console, "reading", job.target)
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared, refusal = await _foreseen(job, api, on_event)
    report = plan_report.report(job.run(prepared), prepared.plan)
    report = msgspec.structs.replace(report, surface=surface_of(prepared))
    return prepared, report if refusal is None else endings.ended_by(report, refusal)


async def _foreseen(job: Job, api: PrefectApi, on_event: OnEvent) -> tuple[Prepared, BundleError | None]:
    """What would be done, also where a policy to fail forbids it."""
    try:
        return await _prepared(job, api, on_event), None
    except (Conflict, SecretMissing) as refusal:
        return await _prepared(_lenient(job), api, on_event), refusal


def _lenient(job: Job) -> Job:
    return msgspec.structs.replace(job, choices=job.choices.without_refusals())


async def _prepared(job: Job, api: PrefectApi, on_event: OnEvent) -> Prepared:
    prepared = await prepare(job.bundle, api, job.choices, secrets=job.supplied, on_event=on_event)
    if job.plan is not None:
        saved_plan.check(job.plan, prepared, api.url)
    return prepared


async def replay(console: Console, job: Job) -> Report:
    """The plan, carried out; the first interrupt ends it with an account of what was done."""
    stop = asyncio.Event()
    connection.announce(console, "importing into", job.target)
    prepared, result, failure = await _carry(console, job, stop)
    report = import_report.report(job.run(prepared), prepared.plan, result.outcomes, forgives=job.on_error == "ignore")
    if failure is not None:
        return endings.ended_by(report, failure)
    return endings.interrupted(report) if stop.is_set() else report


async def _carry(console: Console, job: Job, stop: asyncio.Event) -> tuple[Prepared, Result, OutputError | None]:
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared, result = await _prepared(job, api, on_event), None
            try:
                with (
                    receipts.written(console, job.receipt, prepared, api.url, stop) as witness,
                    stopping(stop, console),
                ):
                    control = Control(on_event, witness, stop, aborts_at_failure=job.on_error == "abort")
                    result = await carry_out(prepared, api, control)
            except OutputError as failure:
                if result is None:
                    raise
                return prepared, result, failure
            return prepared, result, None
