"""``xfer profiles``: what each profile would connect to, without any secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import urlsplit

from bundle.errors import ExitCode
from bundle.report.model import Connection, Problem, Report
from bundle.report.parts import Limit, Lines
from bundle.server.target import Target

_SERVERS = {"cloud": "Prefect Cloud", "started": "a Prefect server that is started for each command"}
_AUTH = {"none": "no credentials", "bearer": "API key ********", "basic": "user and password ********"}
_TLS = {"none": "no TLS", "verified": "TLS verified", "unverified": "TLS NOT VERIFIED"}


def usable(target: Target, *, defined_in: str, is_active: bool, proxy: str | None) -> Connection:
    """The connection of a profile that names a server; ``proxy`` is the host of the one on the way to it."""
    return Connection(
        name=target.name,
        is_active=is_active,
        defined_in=defined_in,
        url=target.url,
        server="started" if target.ephemeral else "cloud" if target.is_cloud else "self-hosted",
        auth=target.auth,
        tls=tls_of(target),
        ca_file=target.ca_file if tls_of(target) == "verified" else None,
        headers=tuple(name for name, _ in target.headers),
        proxy=proxy,
    )


def unusable(name: str, problem: Problem, *, defined_in: str, is_active: bool) -> Connection:
    """The connection of a profile that names no server."""
    return Connection(
        name=name,
        is_active=is_active,
        defined_in=defined_in,
        url=None,
        server="none",
        auth="none",
        tls="none",
        problem=problem,
    )


def tls_of(target: Target) -> Literal["none", "verified", "unverified"]:
    """How a connection to a server is protected."""
    if urlsplit(target.url).scheme != "https":
        return "none"
    return "verified" if target.verify else "unverified"


def report(connections: Iterable[Connection]) -> Report:
    """The report of ``xfer profiles``."""
    return Report(command="profiles", exit_code=ExitCode.DONE, ok=True, connections=tuple(connections))


def layout(report: Report, _limit: Limit) -> Iterator[Lines]:
    """A block for each file that defines profiles, and what the mark means."""
    for place in dict.fromkeys(each.defined_in for each in report.connections):
        yield [f"{place}:", *_block(each for each in report.connections if each.defined_in == place)]
    yield ["* Prefect's active profile. xfer uses a profile only where --from or --to names it"]


def _block(connections: Iterable[Connection]) -> Lines:
    for each in connections:
        yield f"{'*' if each.is_active else ' '} {each.name}"
        yield f"      {each.url or (each.problem.message if each.problem else '')}"
        yield f"      {described(each) if each.problem is None else each.problem.hint}"


def described(each: Connection) -> str:
    """How a server is reached, on one line."""
    parts = [_SERVERS.get(each.server, ""), _AUTH[each.auth], "" if each.server == "started" else _TLS[each.tls]]
    parts += [f"by {each.ca_file}" if each.ca_file else ""]
    parts += [f"headers {', '.join(each.headers)}" if each.headers else ""]
    parts += [f"through the proxy {each.proxy}" if each.proxy else ""]
    return ", ".join(part for part in parts if part).replace("verified, by", "verified by")
