"""From a name on the command line to a server; only this module builds clients."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bundle.archive.address import is_state
from bundle.cli.console import Console
from bundle.cli.ephemeral import running
from bundle.errors import UsageError
from bundle.files import MIB
from bundle.report.model import Side
from bundle.server import profiles
from bundle.server.client import PrefectApi
from bundle.server.limits import ServerLimits
from bundle.server.profiles import Profiles
from bundle.server.proxies import environment_proxy
from bundle.server.target import SecretText, Target
from bundle.server.urls import is_this_machine


def load() -> Profiles:
    """The profiles of whoever runs this."""
    return profiles.load_profiles(os.environ, Path.home(), Path.cwd())


def find_targets(console: Console, *names: str) -> list[Target]:
    """The servers that are named; warns of variables without effect, and of connections that protect nothing.

    Raises:
        ProfileError: a profile is unknown or incomplete.
        UsageError: it is a file.
    """
    for name in names:
        if is_state(name):
            hint = "name a profile or a URL; `xfer plan`, `verify`, `check` and `diff` take a state, too"
            raise UsageError(f"{name} is a file, and this needs a server", hint=hint)
    known = load()
    targets = [profiles.resolve(known, name, os.environ) for name in names]
    warn_of_ignored(console, *names)
    for target in targets:
        if target.url.startswith("https:") and not target.verify:
            console.warn(f"{target.name}: TLS certificate not verified (PREFECT_API_TLS_INSECURE_SKIP_VERIFY)")
        if target.is_exposed:
            console.warn(f"{target.name}: credentials are sent unencrypted to {target.host} (http://)", reported=True)
    return targets


def warn_of_ignored(console: Console, *names: str) -> None:
    """Warn of variables that have no effect because servers were named."""
    ignored = profiles.ignored_environment(os.environ)
    if ignored and profiles.ENVIRONMENT not in names:
        console.warn(f"{', '.join(ignored)} ignored: a profile was named, so the environment is not used")


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


@asynccontextmanager
async def connect(target: Target) -> AsyncIterator[PrefectApi]:
    """A client for a server, through the proxy that the environment names for it.

    An ephemeral server runs as long as the context.

    Raises:
        Unreachable: an ephemeral server cannot be started.
        UsageError: ``XFER_MEMORY_MIB`` is no number.
        ProfileError: a setting in the profile or the proxy cannot be used.
    """
    limits = ServerLimits(memory_bytes=memory_bytes())
    async with running(target) as reached, PrefectApi(reached, limits=limits, proxy=_proxy(reached)) as api:
        yield api


def memory_bytes() -> int:
    """What the lists of a server, or a receipt, may take in memory, as the user has it.

    Raises:
        UsageError: ``XFER_MEMORY_MIB`` is no number.
    """
    text = os.environ.get("XFER_MEMORY_MIB")
    if not text:
        return ServerLimits().memory_bytes
    if not re.fullmatch("[1-9][0-9]{0,6}", text):
        raise UsageError(
            "XFER_MEMORY_MIB is not a number of MiB", hint="set it to what the lists of a server may take, such as 1024"
        )
    return int(text) * MIB


def side(target: Target) -> Side:
    """A server as reports name it."""
    return Side(target.name, target.url)


def announce(console: Console, verb: str, target: Target) -> None:
    """Say at once which server is about to be used."""
    proxy = proxy_host(target)
    through = f" through the proxy {proxy}" if proxy else ""
    through = through if target.ephemeral is None else " with a Prefect server started for this command"
    console.say(
        f"{verb} {target.name} ({target.url}){through}" if target.name != target.url else f"{verb} {target.url}"
    )


def proxy_host(target: Target) -> str | None:
    """Host and port of the proxy on the way to a server, without its credentials; None where there is none."""
    proxy = _proxy(target)
    return re.sub(r"^[^/]*//|.*@|/.*$", "", proxy.reveal(), flags=re.DOTALL) if proxy else None


def is_local(target: Target) -> bool:
    """Whether a server runs on this machine."""
    return target.ephemeral is not None or is_this_machine(target.url)


def _proxy(target: Target) -> SecretText | None:
    # What listens on this machine is not reachable through any other.
    return None if is_local(target) else environment_proxy(os.environ, target.url)
