"""``xfer archive forget``, ``check`` and ``drill``: what keeps an archive small, whole and proven."""

from __future__ import annotations

import asyncio
import io
import secrets
import tempfile
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any, get_args

import click

from bundle._version import __version__
from bundle.archive import integrity
from bundle.archive import point as points
from bundle.archive.address import parse
from bundle.archive.forget import forget
from bundle.archive.integrity import Checked, Subset
from bundle.archive.periods import duration
from bundle.archive.point import Note
from bundle.archive.retention import UNLIMITED, Policy, Rule, Within
from bundle.archive.store import Store
from bundle.cli import connection, options, stores
from bundle.cli.console import Console
from bundle.cli.lazy import NamedCommand
from bundle.cli.stores import timezone
from bundle.container.reader import read_bundle
from bundle.errors import UsageError
from bundle.model import Bundle
from bundle.operations.drift import drift
from bundle.operations.import_ import carry_out, prepare
from bundle.plan.actions import Plan
from bundle.plan.overlay import adapt
from bundle.report import archive as archive_report
from bundle.report.model import Report
from bundle.server import processes
from bundle.server.target import Target

_RULES: tuple[Rule, ...] = get_args(Rule)
_WITHIN = ("within", *(f"within-{rule}" for rule in _RULES[1:]))


def note(store: Store, what: Note, name: str) -> None:
    """Write down what became known of a snapshot."""
    place = f"{points.notes_prefix(name, what.point)}{points.new_id(stores.now(), secrets.token_hex(6))}-{what.kind}"
    store.create(f"{place}.json", points.encode(what))


# -- forget -----------------------------------------------------------------------------------------------------------

_EXAMPLES = options.examples(
    "xfer archive forget /backups//prod --keep-daily 7 --keep-weekly 4 --dry-run",
    "xfer archive forget /backups --keep-within-daily 1m --keep-yearly unlimited",
)


def _keep_options(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")(function)
    function = click.option(
        "--max-shrink",
        metavar="PERCENT",
        type=click.FloatRange(0, 100),
        default=50.0,
        help="A snapshot that lost more of its resources takes no place until it is pinned (50).",
    )(function)
    for word in reversed(_WITHIN):
        what = "everything" if word == "within" else f"the newest of each {_period_word(word)}"
        function = click.option(f"--keep-{word}", metavar="DURATION", help=f"Keep {what} within, like 1y5m7d2h.")(
            function
        )
    for rule in reversed(_RULES):
        what = "the last N" if rule == "last" else f"the newest of each of the last N {_period_word(rule)}s"
        function = click.option(f"--keep-{rule}", metavar="N", help=f"Keep {what}; or unlimited.")(function)
    return function


def _period_word(rule: str) -> str:
    return {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}[
        rule.removeprefix("within-")
    ]


@click.command("forget", cls=NamedCommand, epilog=_EXAMPLES)
@stores.argument
@_keep_options
@timezone
@options.result
def forget_command(store: str | None, *, zone: tzinfo, dry_run: bool, max_shrink: float, **keep: str | None) -> Report:
    """Remove snapshots that no rule keeps; the rules are restic's.

    Whatever the rules say, these stay: the newest complete snapshot of each
    name, pinned ones, ones from the future, and ones that lost more than
    --max-shrink of the resources of the one before. Exit code 3 if something
    was kept for such a cause that you should look at.
    """
    policy = _policy(keep, max_shrink)
    place, those = stores.where(store)
    now = stores.now()
    found = [forget(place, each, policy, now=now, zone=zone, dry_run=dry_run) for each in those]
    return archive_report.forgotten(place.url, found, zone, dry_run=dry_run)


def _policy(keep: dict[str, str | None], max_shrink: float) -> Policy:
    counts = {rule: _count(rule, keep[f"keep_{rule}"]) for rule in _RULES}
    within = []
    for word in _WITHIN:
        text = keep[f"keep_{word.replace('-', '_')}"]
        if text is not None:
            rule = next(rule for rule in _RULES if word in {"within", f"within-{rule}"})
            within.append(Within(duration(text), rule))
    policy = Policy(
        counts={rule: count for rule, count in counts.items() if count},
        within=tuple(within),
        max_shrink=max_shrink / 100,
    )
    if policy.is_empty:
        raise UsageError("no rule says what to keep", hint="at least one --keep- option, like --keep-daily 7")
    return policy


def _count(rule: str, text: str | None) -> int:
    if text is None:
        return 0
    if text == "unlimited":
        return UNLIMITED
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(f"--keep-{rule} {text!r}: not a number", hint="a number, or unlimited")


# -- check ------------------------------------------------------------------------------------------------------------


@click.command(
    "check",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive check /backups", "xfer archive check s3://acme-backups/prefect --read-data-subset auto/7"
    ),
)
@stores.argument
@click.option(
    "--read-data-subset", "part", metavar="N/T", help="Read a part of them: 1/7 to 7/7, or auto/7 by the day."
)
@click.option("--read-data", is_flag=True, help="Also read every bundle to its last byte.")
@timezone
@options.result
def check_command(store: str | None, *, read_data: bool, part: str | None, zone: tzinfo) -> Report:
    """Check that every snapshot in a store is there; with --read-data, that it is what was written.

    Exit code 4 if a snapshot is lost. What was read whole is noted in the store.
    """
    if read_data and part:
        raise UsageError("--read-data and --read-data-subset are given", hint="one of them")
    read: Subset | None = integrity.EVERY if read_data else None
    if part:
        read = integrity.subset(part, stores.now().astimezone(zone).date())
    place, those = stores.where(store)
    checked = [integrity.check(place, each, read) for each in those]
    for each in checked:
        _note_checked(place, each)
    return archive_report.checked(place.url, checked)


def _note_checked(store: Store, checked: Checked) -> None:
    gone = set(integrity.lost(checked))
    for id_ in checked.read:
        failed = next((each.code for each in checked.faults if id_ in each.points), "")
        note(store, Note(point=id_, kind="check", ok=id_ not in gone, text=failed, xfer=__version__), checked.name)


# -- drill ------------------------------------------------------------------------------------------------------------


@click.command(
    "drill",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive drill /backups//prod@latest", "xfer archive drill s3://acme-backups/prefect//prod@2026-11-20"
    ),
)
@stores.address
@timezone
@options.result
@click.pass_obj
def drill_command(console: Console, address: str, *, zone: tzinfo) -> Report:
    """Prove that a snapshot can be restored: import it into a throwaway Prefect server, and compare.

    What came of it is noted in the store. Needs Prefect: pip install
    'xfer[demo]'. Exit code 3 if anything is not there as it was.
    """
    place = parse(address)
    processes.find_prefect()
    found = stores.find(place, zone)
    store, _, point = found
    bundle = read_bundle(io.BytesIO(found.content()))
    console.say(f"restoring {point.id} into a throwaway Prefect server")
    with tempfile.TemporaryDirectory(prefix="xfer-drill-") as directory:
        (server,) = processes.start_many([Path(directory)])
        with server:
            plan = asyncio.run(_restore(bundle, Target(name="drill", url=server.url)))
    drilled = archive_report.drilled(store.url, plan)
    note(
        store,
        Note(point=point.id, kind="drill", ok=drilled.ok, text=_failure(drilled), xfer=__version__),
        point.name,
    )
    return drilled


def _failure(report: Report) -> str:
    """What failed, in a few words."""
    missing = [each.key for each in report.resources]
    return "" if report.ok else f"{len(missing)} resources differ, the first is {missing[0][:100]}"


async def _restore(bundle: Bundle, target: Target) -> Plan:
    async with connection.connect(target) as api:
        await carry_out(await prepare(bundle, api), api)
        return await drift(adapt(bundle), api)
