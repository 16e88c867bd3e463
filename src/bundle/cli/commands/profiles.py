"""``xfer profiles``: which server each profile means."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from bundle.cli import connection, options
from bundle.cli.console import Console
from bundle.errors import ProfileError
from bundle.report import endings
from bundle.report import profiles as report
from bundle.report.model import Connection, Report
from bundle.server import profiles
from bundle.server.profiles import Profiles


@click.command("profiles", epilog=options.examples("xfer profiles", "xfer profiles --json"))
@options.result
@click.pass_obj
def command(_console: Console) -> Report:
    """List the profiles and what each would connect to.

    No request is sent. Keys and passwords are not shown.
    """
    known = connection.load()
    return report.report(_describe(known, name) for name in _names(known))


def _names(known: Profiles) -> Iterator[str]:
    yield from sorted(known.tables)
    if profiles.ENVIRONMENT not in known.tables and profiles.ignored_environment(os.environ):
        yield profiles.ENVIRONMENT


def _describe(known: Profiles, name: str) -> Connection:
    place = {"defined_in": _place(known, name)}
    is_active = name == profiles.active_name(known, os.environ)
    try:
        target = profiles.resolve(known, name, os.environ)
    except ProfileError as error:
        return report.unusable(name, endings.problem_of(error), is_active=is_active, **place)
    return report.usable(target, is_active=is_active, proxy=connection.proxy_host(target), **place)


def _place(known: Profiles, name: str) -> str:
    if name not in known.tables:
        return "the environment"
    return str(known.path) if name in known.own else "Prefect"
