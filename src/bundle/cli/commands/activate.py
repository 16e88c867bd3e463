"""``xfer activate``: what a bundle has switched on is switched on at a destination."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Iterator

import click
import msgspec

from bundle.cli import bundles, connection, options, scope_options
from bundle.cli.console import Console
from bundle.cli.interruption import stopping
from bundle.cli.progress import progress
from bundle.environment.selection import EVERYTHING, Selection
from bundle.model import Bundle
from bundle.operations import cutover, next_runs
from bundle.operations.cutover import Switched
from bundle.plan.overlay import NO_OVERLAY, Overlay
from bundle.report import endings
from bundle.report import switch as switch_report
from bundle.report.model import NextRuns, Report
from bundle.report.records import Subject
from bundle.server.client import PrefectApi
from bundle.server.target import Target

_TIMES = 3


class Job(msgspec.Struct, frozen=True):
    """What of a bundle is to be switched on or off, and where."""

    command: str
    bundle: Bundle
    file: str | None
    target: Target
    on: bool
    dry_run: bool
    selection: Selection = EVERYTHING
    overlay: Overlay = NO_OVERLAY


@click.command(
    "activate",
    epilog=options.examples(
        "xfer activate env.pxb --to prod --dry-run",
        "xfer activate env.pxb --to prod",
        "xfer activate env.pxb --to prod --include 'deployment:etl/*'",
        "xfer activate env.pxb --to prod --overlay prod.toml",
    ),
)
@options.bundle
@options.destination
@scope_options.selection
@scope_options.overlay
@click.option("--dry-run", is_flag=True, help="Show what would be switched on and what would run next, and do nothing.")
@options.result
@click.pass_obj
def command(
    console: Console,
    bundle: str,
    destination: str,
    *,
    selection: Selection,
    overlay: scope_options.Request,
    dry_run: bool,
) -> Report:
    """Switch on at DESTINATION what the bundle FILE (- for stdin) has on.

    That is after `xfer import --inert`, or with the state that `xfer deactivate`
    wrote. Pools first, then deployments with their schedules, then automations.
    Nothing is switched off, and nothing else is changed. The next runs are shown;
    with --dry-run before anything is switched.
    """
    (target,) = connection.find_targets(console, destination)
    stored = bundles.read(console, bundle)
    changes = scope_options.gather(overlay, stored)
    return asyncio.run(_run(console, Job("activate", stored, bundle, target, True, dry_run, selection, changes)))


async def _run(console: Console, job: Job) -> Report:
    connection.announce(console, "reading" if job.dry_run else "switching on in", job.target)
    async with connection.connect(job.target) as api:
        return await switch(console, job, api)


async def switch(console: Console, job: Job, api: PrefectApi) -> Report:
    """Plan, and unless it is a trial carry out; the first interrupt ends it with an account of what was done."""
    stop = asyncio.Event()
    with progress(console) as on_event:
        switching = await cutover.prepare(
            job.bundle, api, on=job.on, selection=job.selection, overlay=job.overlay, on_event=on_event
        )
        results = switching.plan
        if not job.dry_run:
            with stopping(stop, console):
                results = await cutover.carry_out(switching, api, on_event=on_event, stop=stop)
    run = Subject(job.command, job.bundle.manifest, job.file, connection.side(job.target))
    report = switch_report.report(run, results, tuple(_next_runs(results)), dry_run=job.dry_run)
    return endings.interrupted(report) if stop.is_set() else report


def _next_runs(results: Iterable[Switched]) -> Iterator[NextRuns]:
    """What fires next, the soonest first; what never fires again, and what is not known, at the end."""
    now = dt.datetime.now(dt.UTC)
    found = [
        (each.key, next_runs.words(schedule), next_runs.next_times(schedule, now, _TIMES))
        for each in results
        for schedule in (entry.get("schedule") or {} for entry in each.firing)
    ]
    for key, words, times in sorted(found, key=lambda each: (not each[2], each[2] or (), each[:2])):
        yield NextRuns(
            key, words, None if times is None else tuple(time.isoformat(timespec="minutes") for time in times)
        )
