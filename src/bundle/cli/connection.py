"""From a name on the command line to a server; the only place that builds a client."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from bundle import profiles
from bundle.cli.console import Console
from bundle.client import PrefectApi
from bundle.errors import UsageError
from bundle.profiles import SecretText, Target
from bundle.report.model import Side

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def find_targets(console: Console, *names: str) -> list[Target]:
    """The servers that names stand for; says which variables of the environment have no effect.

    Raises:
        ProfileError: a profile is unknown or incomplete.
    """
    environ = os.environ
    known = profiles.load_profiles(environ, Path.home(), Path.cwd())
    targets = [profiles.resolve(known, name, environ) for name in names]
    ignored = profiles.ignored_environment(environ)
    if ignored and profiles.ENVIRONMENT not in names:
        console.warn(f"{', '.join(ignored)} in the environment: not used, since a profile was named")
    return targets


def refuse_same(source: Target, destination: Target) -> None:
    """Refuse to transfer an environment into itself.

    Raises:
        UsageError: both are one server.
    """
    if profiles.same_server(source, destination):
        raise UsageError(
            f"source and destination are the same server: {destination.url}",
            hint="name another profile with --from or --to",
        )


def connect(target: Target) -> PrefectApi:
    """A client for a server, through the proxy that the environment names for it."""
    return PrefectApi(target, proxy=_proxy(target))


def side(target: Target) -> Side:
    """A server as reports name it."""
    return Side(target.name, target.url)


def announce(console: Console, verb: str, target: Target) -> None:
    """Say at once which server is about to be used."""
    proxy = _proxy(target)
    through = f" through the proxy {urlsplit(proxy.reveal()).hostname}" if proxy else ""
    console.say(
        f"{verb} {target.name} ({target.url}){through}" if target.name != target.url else f"{verb} {target.url}"
    )


def _proxy(target: Target) -> SecretText | None:
    # What listens on this machine is not reachable through any other.
    is_local = urlsplit(target.url).hostname in _LOOPBACK
    return None if is_local else profiles.environment_proxy(os.environ, target.url)
