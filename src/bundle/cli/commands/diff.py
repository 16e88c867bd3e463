"""``xfer diff``: what changed between two environments."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bundle.archive.address import is_address
from bundle.cli import bundles, connection, options, trust_options
from bundle.cli.console import Console
from bundle.cli.progress import progress
from bundle.cli.trust_options import Trust
from bundle.environment.describe import Environment
from bundle.environment.snapshot import read_source
from bundle.errors import UsageError
from bundle.operations.diff import as_environment, changes, changes_by_digest, digests_of
from bundle.record.canonical import is_lean
from bundle.report import diff as diff_report
from bundle.report.model import Report, Side


@click.command(
    "diff",
    epilog=options.examples("xfer diff monday.pxb friday.pxb", "xfer diff env.pxb prod", "xfer diff dev prod --json"),
)
@click.argument("older", metavar="OLDER")
@click.argument("newer", metavar="NEWER")
@trust_options.trust
@options.result
@click.pass_obj
def command(console: Console, older: str, newer: str, *, trust: Trust) -> Report:
    """Show what was added, removed and changed from OLDER to NEWER.

    Each is a bundle or a state (a file, STORE//NAME@WHEN, or - for stdin) or a server
    (profile, URL, or env). Exit code 2 if anything differs, 3 if a server did not let
    all be read: what that is may be listed as added or removed.
    """
    if older == newer:
        raise UsageError("OLDER and NEWER are the same", hint="name two bundles, two servers, or one of each")
    before, after = _read(console, older, trust), _read(console, newer, trust)
    lean = [_is_lean(each) for each in (before, after)]
    if any(lean):
        digests = [digests_of(each.records.values(), is_whole=all(lean)) for each in (before, after)]
        found = changes_by_digest(*digests)
    else:
        found = changes(before, after)
    return diff_report.report(
        found, _side(console, older), _side(console, newer), not_read=(*before.left_out, *after.left_out)
    )


def _is_bundle(name: str) -> bool:
    return name == bundles.STANDARD or name.endswith(".pxb") or is_address(name) or Path(name).is_file()


def _is_lean(environment: Environment) -> bool:
    return bool(environment.records) and all(map(is_lean, environment.records.values()))


def _side(console: Console, name: str) -> Side:
    if _is_bundle(name):
        return Side(name, name)
    return connection.side(connection.find_targets(console, name)[0])


def _read(console: Console, name: str, trust: Trust) -> Environment:
    if _is_bundle(name):
        stored = bundles.read(console, name, trust, as_state=True).bundle
        return as_environment(stored.records, stored.manifest.left_out)
    return asyncio.run(_read_server(console, name))


async def _read_server(console: Console, name: str) -> Environment:
    (target,) = connection.find_targets(console, name)
    connection.announce(console, "reading", target)
    with progress(console) as on_event:
        async with connection.connect(target) as api:
            return await read_source(api, on_event=on_event)
