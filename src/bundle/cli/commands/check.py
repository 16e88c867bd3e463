"""``xfer check``: what to check before a transfer, in one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from urllib.parse import urlsplit

import click
import msgspec

from bundle.cli import connection, import_options, options
from bundle.cli.console import Console
from bundle.errors import BundleError, ProfileError, UsageError
from bundle.operations import preflight
from bundle.operations.inventory import Inventory
from bundle.operations.preflight import Check, Part, failed
from bundle.report import check as check_report
from bundle.report import profiles as profiles_report
from bundle.report.model import Report, Side
from bundle.server import profiles
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, Tier


class Examined(msgspec.Struct, frozen=True):
    """One server: what was looked at, and what is known of it where it can be used."""

    side: Side
    checks: tuple[Check, ...]
    target: Target | None = None
    found: Inventory | None = None


@click.command(
    "check",
    epilog=options.examples(
        "xfer check --from dev --to prod", "xfer check --to https://prefect.example.com/api --json"
    ),
)
@click.option("--from", "source", metavar="SOURCE", help="Profile, URL, or env.")
@click.option("--to", "destination", metavar="DESTINATION", help="Profile, URL, or env.")
@import_options.tier
@options.result
@click.pass_obj
def command(console: Console, source: str | None, destination: str | None, tier: Tier) -> Report:
    """Check that SOURCE and DESTINATION can be used, and estimate a transfer.

    Checks the profile, TLS, connection, credentials, version and limits of each
    server, lists fields and work pools that DESTINATION does not support, and
    estimates requests and time. Nothing is written; exit code 5 if a server
    cannot be used.
    """
    wanted: dict[Part, str | None] = {"source": source, "destination": destination}
    names = [name for name in wanted.values() if name is not None]
    if not names:
        raise UsageError("nothing to check", hint="name a server with --from or --to, or two with both")
    connection.warn_of_ignored(console, *names)
    _check_tier(tier, destination)
    examined = {part: asyncio.run(_examine(console, name, part)) for part, name in wanted.items() if name is not None}
    found = [check for each in examined.values() for check in each.checks]
    found += _both(*examined.values(), tier=tier) if len(examined) > 1 else ()
    return check_report.report(
        found,
        {part: each.side for part, each in examined.items()},
        {part: each.found for part, each in examined.items() if each.found},
        tier,
    )


def _check_tier(tier: Tier, destination: str | None) -> None:
    """Refuse a tier where there is no workspace of Cloud that could have it, before any request."""
    if tier == ANY_TIER:
        return
    if destination is None:
        raise UsageError("--tier is the plan of a destination, and none is named", hint="name it with --to")
    with contextlib.suppress(ProfileError):  # which is a check of its own
        import_options.check_tier(tier, profiles.resolve(connection.load(), destination, os.environ))


async def _examine(console: Console, name: str, part: Part) -> Examined:
    try:
        target = profiles.resolve(connection.load(), name, os.environ)
    except ProfileError as error:
        shown = profiles.shown(name)
        return Examined(Side(shown, shown), (failed(part, error, "profile"),))
    connection.announce(console, "checking", target)
    try:
        async with connection.connect(target) as api:
            after, found = await preflight.examine(api, part, time.monotonic)
    except BundleError as error:
        after, found = (failed(part, error, "profile" if isinstance(error, ProfileError) else "connection"),), None
    is_there = after[0].verdict == "ok"
    tls = (_tls(part, target),) if is_there else ()
    return Examined(connection.side(target), (_profile(part, target), *after[:1], *tls, *after[1:]), target, found)


def _profile(part: Part, target: Target) -> Check:
    described = profiles_report.usable(target, defined_in="", is_active=False, proxy=connection.proxy_host(target))
    return Check(part, "profile", "ok", f"{target.url}, {profiles_report.described(described)}")


def _tls(part: Part, target: Target) -> Check:
    state = profiles_report.tls_of(target)
    if state == "verified":
        return Check(part, "TLS", "ok", "the certificate is valid and trusted")
    if state == "unverified":
        hint = (
            "set PREFECT_API_SSL_CERT_FILE to its certificate authority instead of PREFECT_API_TLS_INSECURE_SKIP_VERIFY"
        )
        return Check(part, "TLS", "warning", "the certificate is not verified: the connection can be intercepted", hint)
    if connection.is_local(target):
        return Check(part, "TLS", "ok", "not needed on this machine")
    hint = "use an https:// URL if the server has one"
    return Check(part, "TLS", "warning", f"the connection to {urlsplit(target.url).hostname} is not encrypted", hint)


def _both(a: Examined, b: Examined, *, tier: Tier) -> tuple[Check, ...]:
    if a.target and b.target and profiles.same_server(a.target, b.target):
        hint = "name another profile with --from or --to"
        return (Check(None, "servers", "failed", "source and destination are the same server", hint),)
    if a.found is None or b.found is None or b.target is None:
        return ()
    return preflight.compare(a.found, b.found, is_cloud=b.target.is_cloud, tier=tier)
