"""An import in progress: what plan, import and transfer do once their options are read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from bundle.apply.control import Control
from bundle.cli import connection, receipts, results, secret_values
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions, OnError
from bundle.cli.interruption import stopping
from bundle.cli.progress import progress
from bundle.cli.results import Wish
from bundle.cli.trust_options import Trust
from bundle.environment.read import OnEvent
from bundle.errors import BundleError, Conflict, OutputError, SecretMissing
from bundle.model import Bundle, Json
from bundle.operations import saved_plan
from bundle.operations.import_ import Prepared, Result, carry_out, prepare, surface_of
from bundle.operations.saved_plan import SavedPlan
from bundle.plan.choices import Choices
from bundle.plan.intended import Intended
from bundle.plan.server_state import read_server_state
from bundle.report import endings
from bundle.report import import_ as import_report
from bundle.report import plan as plan_report
from bundle.report.model import Report
from bundle.report.next_steps import with_next_steps
from bundle.report.records import Subject
from bundle.server.client import PrefectApi
from bundle.server.target import Target
from bundle.trust.verdict import Verdict


class ImportJob(msgspec.Struct, frozen=True):
    """One bundle on its way to one destination; ``file`` is how the user calls it, ``supplied`` has secrets by slot."""

    command: str
    bundle: Bundle
    file: str | None
    target: Target
    choices: Choices
    supplied: dict[str, Json]
    receipt: Path | None = None
    on_error: OnError = "fail"
    plan: SavedPlan | None = None
    verdict: Verdict | None = None
    wish: Wish | None = None
    approved_by: tuple[str, ...] = ()

    def subject(self, prepared: Prepared) -> Subject:
        """What the report is about."""
        side, supplied = connection.side(self.target), frozenset(self.supplied)
        inert, verdict = self.choices.inert, self.verdict
        return Subject(self.command, self.bundle.manifest, self.file, side, supplied, prepared.keys, inert, verdict)


def make_job(
    command: str,
    stored: Bundle,
    file: str | None,
    target: Target,
    choices: ChoiceOptions,
    values: dict[str, Json],
    trust: Trust,
    verdict: Verdict | None = None,
) -> ImportJob:
    """Match secrets and overlay with a bundle; sends no request.

    Raises:
        UsageError: a secret or the overlay does not fit the bundle.
        Distrusted: the secrets are sealed, and not for this bundle or not for us.
    """
    supplied = secret_values.supplied(choices.secrets_file, values, stored, trust, choices.identities)
    return ImportJob(command, stored, file, target, choices.for_bundle(stored), supplied, verdict=verdict)


async def show(console: Console, job: ImportJob) -> tuple[Prepared, Report]:
    """The plan and its report; nothing is written. A policy that would refuse the import ends the report."""
    connection.announce(console, "reading", job.target)
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared, refusal = await _foreseen(job, api, on_event)
    report = plan_report.report(job.subject(prepared), prepared.plan)
    report = msgspec.structs.replace(report, surface=surface_of(prepared), approved_by=job.approved_by)
    return prepared, report if refusal is None else endings.ended_by(report, refusal)


async def _foreseen(job: ImportJob, api: PrefectApi, on_event: OnEvent) -> tuple[Prepared, BundleError | None]:
    """What would be done, also where a policy to fail forbids it."""
    try:
        return await _prepared(job, api, on_event), None
    except (Conflict, SecretMissing) as refusal:
        lenient = msgspec.structs.replace(job, choices=job.choices.without_refusals())
        return await _prepared(lenient, api, on_event), refusal


async def _prepared(job: ImportJob, api: PrefectApi, on_event: OnEvent) -> Prepared:
    is_offline = job.plan is not None and job.plan.server is not None
    prepared = await prepare(job.bundle, api, job.choices, secrets=job.supplied, is_deep=is_offline, on_event=on_event)
    if job.plan is not None:
        server = await read_server_state(api, job.choices.tier) if is_offline else None
        saved_plan.check(job.plan, prepared, api.url, server)
    return prepared


async def carry_out_job(console: Console, job: ImportJob) -> Report:
    """The import; the first interrupt ends it with a report of what was done."""
    stop = asyncio.Event()
    connection.announce(console, "importing into", job.target)
    prepared, result, failure = await _carried_out(console, job, stop)
    report = import_report.report(
        job.subject(prepared), prepared.plan, result.outcomes, ignores_failures=job.on_error == "ignore"
    )
    report = msgspec.structs.replace(report, approved_by=job.approved_by)
    report = with_next_steps(report, map(Intended.as_record, prepared.records), job.bundle.manifest.findings)
    if failure is not None:
        return endings.ended_by(report, failure)
    return endings.interrupted(report) if stop.is_set() else report


async def _carried_out(
    console: Console, job: ImportJob, stop: asyncio.Event
) -> tuple[Prepared, Result, BundleError | None]:
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared = await _prepared(job, api, on_event)
            with stopping(stop, console):
                result, failure = await _written(console, job, prepared, api, on_event, stop)
                untold = await _tell(job, prepared, result, api, was_stopped=stop.is_set())
            return prepared, result, failure or untold


async def _written(
    console: Console, job: ImportJob, prepared: Prepared, api: PrefectApi, on_event: OnEvent, stop: asyncio.Event
) -> tuple[Result, OutputError | None]:
    """What was done, and why it is not all in the receipt, if it is not."""
    result = None
    try:
        with receipts.written(console, job.receipt, prepared, api.url, stop, job.verdict) as witness:
            control = Control(on_event, witness, stop, aborts_at_failure=job.on_error == "abort")
            result = await carry_out(prepared, api, control)
    except OutputError as failure:
        if result is None:
            raise
        return result, failure
    return result, None


async def _tell(
    job: ImportJob, prepared: Prepared, result: Result, api: PrefectApi, *, was_stopped: bool
) -> BundleError | None:
    """Write the result that is wanted for where the bundle came from; gives why it could not be."""
    if job.wish is None:
        return None
    done = results.Import(
        prepared=prepared,
        done=result,
        choices=job.choices,
        destination=job.target.name,
        verdict=job.verdict,
        approved_by=job.approved_by,
        was_stopped=was_stopped,
    )
    try:
        await results.write(job.wish, done, api)
    except BundleError as error:
        return error
    return None
