"""``xfer import``: a bundle becomes resources of a profile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import click
import msgspec

from bundle.cli import bundles, connection, options, receipts, supplied
from bundle.cli.console import Console
from bundle.cli.interruption import stopping
from bundle.cli.progress import progress
from bundle.client import PrefectApi
from bundle.importer import Prepared, Result, carry_out, prepare
from bundle.model import Bundle, Json
from bundle.plan import Secrets
from bundle.profiles import Target
from bundle.report import account
from bundle.report.model import Report
from bundle.snapshot import OnEvent

Missing = Literal["placeholder", "skip", "fail"]
OnConflict = Literal["skip", "fail"]


class Job(msgspec.Struct, frozen=True):
    """One bundle on its way to one destination; ``file`` is how the user calls the bundle."""

    command: str
    bundle: Bundle
    file: str | None
    target: Target
    secrets: Secrets
    receipt: Path | None = None
    on_conflict: OnConflict = "skip"

    @property
    def run(self) -> account.Run:
        """The same as the report needs it."""
        side = connection.side(self.target)
        return account.Run(self.command, self.bundle.manifest, self.file, side, frozenset(self.secrets.supplied))


@click.command("import")
@options.bundle
@options.destination
@options.secrets
@options.on_conflict
@options.dry_run
@options.receipt
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    secrets_file: str | None,
    missing_secrets: Missing,
    on_conflict: OnConflict,
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
    (target,) = connection.find_targets(console, destination)
    values = supplied.read_file(console, secrets_file)
    path = receipts.place(bundle, receipt_file, is_wanted=not no_receipt)
    job = make_job(console, "import", bundle, target, values, missing_secrets, receipt=path)
    job = msgspec.structs.replace(job, on_conflict=on_conflict)
    return asyncio.run(show(console, job) if dry_run else replay(console, job))


def make_job(
    console: Console,
    command_name: str,
    file: str,
    target: Target,
    values: dict[str, Json],
    missing: Missing,
    *,
    receipt: Path | None = None,
) -> Job:
    """Read and verify the bundle, and match the supplied secrets with its slots; sends no request."""
    stored = bundles.read(console, file)
    secrets = Secrets(supplied=supplied.gather(stored, values), missing=missing)
    return Job(command_name, stored, file, target, secrets, receipt)


async def show(console: Console, job: Job) -> Report:
    """The plan; nothing is written."""
    connection.announce(console, "reading", job.target)
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared = await _prepared(job, api, on_event)
    return account.planned(job.run, prepared.plan)


async def _prepared(job: Job, api: PrefectApi, on_event: OnEvent) -> Prepared:
    return await prepare(job.bundle, api, secrets=job.secrets, on_conflict=job.on_conflict, on_event=on_event)


async def replay(console: Console, job: Job) -> Report:
    """The plan, carried out; the first interrupt ends it with an account of what was done."""
    stop = asyncio.Event()
    connection.announce(console, "importing into", job.target)
    prepared, result = await _carry(console, job, stop)
    report = account.imported(job.run, prepared.plan, result.outcomes)
    return account.interrupted(report) if stop.is_set() else report


async def _carry(console: Console, job: Job, stop: asyncio.Event) -> tuple[Prepared, Result]:
    with progress(console) as on_event:
        async with connection.connect(job.target) as api:
            prepared = await _prepared(job, api, on_event)
            with (
                receipts.written(console, job.receipt, prepared, api.url) as on_made,
                stopping(stop, console),
            ):
                return prepared, await carry_out(prepared, api, on_event=on_event, on_made=on_made, stop=stop)
