"""Switching in progress: what activate and deactivate do once their options are read."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Iterable, Iterator

import msgspec

from bundle.cli import connection
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
from bundle.trust.verdict import Verdict

_TIMES = 3
_SECONDS = 10


class SwitchJob(msgspec.Struct, frozen=True):
    """What of a bundle is to be switched on or off, and where; ``file`` is how the user calls the bundle."""

    command: str
    bundle: Bundle
    file: str | None
    target: Target
    on: bool
    dry_run: bool
    selection: Selection = EVERYTHING
    overlay: Overlay = NO_OVERLAY
    verdict: Verdict | None = None


async def switch(console: Console, job: SwitchJob, api: PrefectApi) -> Report:
    """Plan and, unless it is a trial, carry out; the first interrupt ends it with a report of what was done."""
    stop = asyncio.Event()
    with progress(console) as on_event:
        switching = await cutover.prepare(
            job.bundle, api, on=job.on, selection=job.selection, overlay=job.overlay, on_event=on_event
        )
        results = switching.plan
        if not job.dry_run:
            with stopping(stop, console):
                results = await cutover.carry_out(switching, api, on_event=on_event, stop=stop)
    side = connection.side(job.target)
    subject = Subject(job.command, job.bundle.manifest, job.file, side, verdict=job.verdict)
    # The account is complete before anything is reckoned from what a server or a bundle holds.
    report = switch_report.report(subject, results, dry_run=job.dry_run)
    if stop.is_set():
        return endings.interrupted(report)
    return msgspec.structs.replace(report, next_runs=tuple(_next_runs(results)))


def _next_runs(results: Iterable[Switched]) -> Iterator[NextRuns]:
    """What runs next, the soonest first; what never runs again, and what is not known or takes too long, at the end."""
    now, started = dt.datetime.now(dt.UTC), time.monotonic()
    found = [
        (
            each.key,
            next_runs.words(schedule),
            next_runs.next_times(schedule, now, _TIMES) if time.monotonic() - started < _SECONDS else None,
        )
        for each in results
        for schedule in (entry.get("schedule") or {} for entry in each.firing)
    ]
    for key, words, times in sorted(found, key=lambda each: (not each[2], each[2] or (), each[:2])):
        yield NextRuns(
            key, words, None if times is None else tuple(each.isoformat(timespec="minutes") for each in times)
        )
