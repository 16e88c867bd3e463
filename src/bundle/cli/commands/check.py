"""``xfer check``: what to check before a transfer, in one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from urllib.parse import urlsplit

import click
import msgspec

from bundle.archive.address import is_state
from bundle.cli import bundles, connection, import_options, offline, options, trust_options
from bundle.cli.console import Console
from bundle.cli.trust_options import Trust
from bundle.errors import BundleError, ProfileError, UsageError
from bundle.operations import preflight
from bundle.operations.inventory import Inventory
from bundle.operations.preflight import Check, Part, failed
from bundle.plan.server_state import server_of
from bundle.report import check as check_report
from bundle.report import profiles as profiles_report
from bundle.report.model import Report, Side
from bundle.server import profiles
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, Tier


class Examined(msgspec.Struct, frozen=True):
    """One side: what was looked at, and what is known of it where it can be used; a file has no ``target``."""

    side: Side
    checks: tuple[Check, ...]
    target: Target | None = None
    found: Inventory | None = None
    is_cloud: bool = False
    tier: Tier = ANY_TIER


@click.command(
    "check",
    epilog=options.examples(
        "xfer check --from dev --to prod",
        "xfer check --to https://prefect.example.com/api --json",
        "xfer check --from env.pxb --to prod-state.pxb",
    ),
)
@click.option("--from", "source", metavar="SOURCE", help="Profile, URL, or env.")
@click.option("--to", "destination", metavar="DESTINATION", help="Profile, URL, or env.")
@import_options.tier
@trust_options.trust
@options.result
@click.pass_obj
def command(console: Console, source: str | None, destination: str | None, tier: Tier, trust: Trust) -> Report:
    """Check that SOURCE and DESTINATION can be used, and estimate a transfer.

    Checks the profile, TLS, connection, credentials, version and limits of each
    server, lists fields and work pools that DESTINATION does not support, and
    estimates requests and time. Nothing is written; exit code 5 if a server
    cannot be used. Each may be a file instead: a bundle, or a state (*.pxb).
    """
    wanted: dict[Part, str | None] = {"source": source, "destination": destination}
    names = [name for name in wanted.values() if name is not None]
    if not names:
        raise UsageError("nothing to check", hint="name a server with --from or --to, or two with both")
    connection.warn_of_ignored(console, *(name for name in names if not is_state(name)))
    _check_tier(tier, destination)
    examined = {
        part: _examine_file(console, name, part, tier, trust)
        if is_state(name)
        else asyncio.run(_examine(console, name, part, tier))
        for part, name in wanted.items()
        if name is not None
    }
    found = [check for each in examined.values() for check in each.checks]
    tier = examined["destination"].tier if "destination" in examined else tier
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
    if is_state(destination):
        return
    with contextlib.suppress(ProfileError):  # which is a check of its own
        import_options.check_tier(tier, profiles.resolve(connection.load(), destination, os.environ))


def _examine_file(console: Console, name: str, part: Part, tier: Tier, trust: Trust) -> Examined:
    if part == "source":
        stored = bundles.read(console, name, trust, as_state=True).bundle
    else:
        stored = offline.read(console, name, trust)
        tier = offline.tier_of(name, server_of(stored.manifest), tier)
    checks, found = preflight.examine_file(stored, part)
    server = server_of(stored.manifest)
    return Examined(Side(name, name), checks, found=found, is_cloud=server.is_cloud, tier=tier)


async def _examine(console: Console, name: str, part: Part, tier: Tier) -> Examined:
    try:
        target = profiles.resolve(connection.load(), name, os.environ)
    except ProfileError as error:
        shown = profiles.shown(name)
        return Examined(Side(shown, shown), (failed(part, error, "profile"),), tier=tier)
    connection.announce(console, "checking", target)
    try:
        async with connection.connect(target) as api:
            after, found = await preflight.examine(api, part, time.monotonic)
    except BundleError as error:
        after, found = (failed(part, error, "profile" if isinstance(error, ProfileError) else "connection"),), None
    is_there = after[0].verdict == "ok"
    tls = (_tls(part, target),) if is_there else ()
    checks = (_profile(part, target), *after[:1], *tls, *after[1:])
    return Examined(connection.side(target), checks, target, found, target.is_cloud, tier)


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
    if a.found is None or b.found is None:
        return ()
    return preflight.compare(a.found, b.found, is_cloud=b.is_cloud, tier=tier)
