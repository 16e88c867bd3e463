"""``xfer archive``: snapshots in a store, what they hold and what became of it."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Sequence
from datetime import tzinfo

import click

from bundle._version import __version__
from bundle.archive import point as points
from bundle.archive import snapshot as snapshots
from bundle.archive.address import LATEST, Address, end_of, parse
from bundle.archive.history import history
from bundle.archive.point import Note, NoteKind, Point
from bundle.archive.probe import initialize
from bundle.archive.store import Store
from bundle.archive.timeline import Kept, as_kept, choose, look, timeline
from bundle.cli import connection, exporting, options, signing, stores
from bundle.cli.commands import archive_care
from bundle.cli.console import Console
from bundle.cli.lazy import NamedCommand
from bundle.cli.stores import Found, timezone
from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.errors import UsageError
from bundle.model import Bundle
from bundle.operations.export import Exported
from bundle.report import archive as archive_report
from bundle.report.model import Report
from bundle.server.target import Target

_STORE = "s3://acme-backups/prefect"


@click.group(
    "archive",
    epilog=options.examples(
        f"xfer archive snapshot --from prod --store {_STORE}",
        f"xfer archive list {_STORE}",
        f"xfer diff {_STORE}//prod@2026-11-16 prod",
        f"xfer import {_STORE}//prod@2026-11-20 --to prod",
    ),
)
def command() -> None:
    """Keep snapshots of environments, and get them back.

    STORE is a directory, or a bucket (s3://bucket/prefix, gs://…, az://…; needs
    the extra "archive"); XFER_STORE names one where none is given.
    STORE//NAME@WHEN is a snapshot wherever a bundle is taken; WHEN is latest, a
    day, an instant, or the beginning of an id.
    """


for each in (archive_care.forget_command, archive_care.check_command, archive_care.drill_command):
    command.add_command(each)


@command.command(
    "init", cls=NamedCommand, epilog=options.examples("xfer archive init /backups", f"xfer archive init {_STORE}")
)
@click.argument("url", metavar="[STORE]", required=False)
@options.result
def init(url: str | None) -> Report:
    """Make a directory or bucket a store, after a proof that it replaces nothing."""
    store = stores.find_store(url)
    initialize(store, secrets.token_hex(6))
    return archive_report.init(store.url)


@command.command(
    "snapshot",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive snapshot --from prod --store /backups",
        f"xfer archive snapshot --from env --name prod --store {_STORE}",
    ),
)
@options.source
@click.option("--store", "url", metavar="STORE", help="The store; XFER_STORE unless given.")
@click.option("--name", metavar="NAME", help="What the environment is called there; the profile's name unless given.")
@options.suspects
@signing.sign
@timezone
@options.result
@click.pass_obj
def snapshot(
    console: Console,
    source: str,
    url: str | None,
    name: str | None,
    *,
    key: str | None,
    suspects: options.Suspects,
    zone: tzinfo,
) -> Report:
    """Export SOURCE into a store.

    If nothing has changed since the last snapshot, that is noted and no bundle
    is stored again.
    """
    store = stores.open_store(url)
    (target,) = connection.find_targets(console, source)
    name = points.check_name(name or target.name)
    began = stores.now()
    exported = asyncio.run(_export(console, target, suspects=suspects))
    output = io.BytesIO()
    manifest = write_bundle(exported.header, exported.records, output)
    beside = {} if key is None else {"pxb.sig": signing.signature_of(output.getvalue(), key)}
    point = Point(
        id=points.new_id(began, secrets.token_hex(6)),
        name=name,
        created=began.isoformat(timespec="seconds"),
        content_digest=manifest.content_digest,
        sha256="",
        size=0,
        resources=len(exported.records),
        census={kind: count.exported for kind, count in manifest.census.items() if count.exported},
        source=target.url,
        xfer=__version__,
        incomplete=exported.torn,
    )
    written = snapshots.write(store, point, output.getvalue(), beside)
    kept = as_kept(look(store, name), written.point)
    return archive_report.snapshot(store.url, kept, written.former, connection.side(target), exported.torn, zone)


@command.command(
    "list",
    cls=NamedCommand,
    epilog=options.examples(f"xfer archive list {_STORE}", "xfer archive list /backups//prod -v"),
)
@stores.argument
@timezone
@options.result
def list_(store: str | None, *, zone: tzinfo) -> Report:
    """List the snapshots in a store, oldest first."""
    place, those = stores.where(store)
    return _listed(place, those, zone, "archive list")


@command.command(
    "log",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive log /backups//prod deployment:etl/nightly", "xfer archive log /backups//prod --since 2026-11-16"
    ),
)
@click.argument("address", metavar="STORE//NAME")
@click.argument("key", metavar="[KEY]", required=False)
@click.option("--since", metavar="WHEN", help="Begin with the snapshot of this day, instant or id.")
@timezone
@options.result
def log(address: str, key: str | None, since: str | None, *, zone: tzinfo) -> Report:
    """Show what changed from snapshot to snapshot.

    With KEY, the history of one resource: when it came, what changed field by
    field, when it went.
    """
    place = parse(address)
    store = stores.open_store(place.store)
    listing = look(store, place.name)
    kept = timeline(store, listing)
    if since:
        first = choose(kept, Address(place.store, place.name, since), zone)
        kept = kept[kept.index(first) :]

    def read(each: Kept) -> Bundle:
        return read_bundle(io.BytesIO(Found(store, listing, each.point).content()))

    steps = list(history(_until(kept, place, zone), read, key))
    if key and not steps:
        raise UsageError(
            f"{address}: no snapshot has {key}", hint=f"`xfer inspect -v {address}@{LATEST}` lists the keys"
        )
    return archive_report.log(store.url, steps, len(kept), zone)


@command.command(
    "pin",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive pin /backups//prod@latest --reason 'before 2.0'",
        "xfer archive pin /backups//prod@2026-11-20 --reason 'the audit wants it'",
    ),
)
@stores.address
@click.option("--reason", metavar="TEXT", required=True, help="Why it is kept, for whoever finds it.")
@timezone
@options.result
def pin(address: str, reason: str, *, zone: tzinfo) -> Report:
    """Keep a snapshot whatever `forget` is told."""
    return _noted(address, "pin", reason, zone)


@command.command(
    "unpin",
    cls=NamedCommand,
    epilog=options.examples(
        "xfer archive unpin /backups//prod@2026-11-20",
        "xfer archive unpin /backups//prod@b97bcb993e78 --reason 'the audit is over'",
    ),
)
@stores.address
@click.option("--reason", metavar="TEXT", default="", help="Why it need not be kept any more.")
@timezone
@options.result
def unpin(address: str, reason: str, *, zone: tzinfo) -> Report:
    """Let `forget` decide about a snapshot again."""
    return _noted(address, "unpin", reason, zone)


def _noted(address: str, kind: NoteKind, text: str, zone: tzinfo) -> Report:
    store, _, point = stores.find(parse(address), zone)
    archive_care.note(store, Note(point=point.id, kind=kind, text=text, xfer=__version__), point.name)
    listed = _listed(store, [point.name], zone, f"archive {kind}")
    return archive_report.only(listed, point.id)


def _listed(store: Store, those: Sequence[str], zone: tzinfo, name: str) -> Report:
    found = {each: look(store, each) for each in those}
    return archive_report.listed(
        store.url,
        [(kept, listing.ends(kept.point.bundle_id)) for listing in found.values() for kept in timeline(store, listing)],
        zone,
        name,
    )


def _until(kept: list[Kept], place: Address, zone: tzinfo) -> list[Kept]:
    end = end_of(place.when, zone)
    return kept if end is None else [each for each in kept if each.time <= end]


async def _export(console: Console, target: Target, *, suspects: options.Suspects) -> Exported:
    connection.announce(console, "reading", target)
    async with connection.connect(target) as api:
        return await exporting.export(console, api, suspects=suspects)
