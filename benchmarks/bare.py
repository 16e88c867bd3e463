"""The same requests without xfer: recorded while it works, then sent again by a few lines of asyncio.

A recorded write may hold ids that an earlier write was answered. ``script`` finds them, and a
replay puts in the ids that it was answered itself, waiting for the answer if need be.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec

_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_PAUSE_SECONDS = 0.05
_Path = tuple[str | int, ...]


class Refused(Exception):
    """The server answered a recorded request with an error."""


class Exchange(msgspec.Struct):
    """A request that was sent, and its answer."""

    method: str
    path: str
    body: bytes
    status: int = 0
    answer: bytes = b""

    @property
    def is_read(self) -> bool:
        return self.method == "GET" or self.path.partition("?")[0].endswith(("/filter", "/count"))


class Recorder(httpx.AsyncBaseTransport):
    """A transport that keeps every exchange in the order of sending."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=_context(), limits=_limits())
        self.exchanges: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        exchange = Exchange(request.method, request.url.raw_path.decode(), await request.aread())
        self.exchanges.append(exchange)
        response = await self._inner.handle_async_request(request)
        exchange.status, exchange.answer = response.status_code, await response.aread()
        await response.aclose()
        return httpx.Response(exchange.status, headers=response.headers, content=exchange.answer)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def pages(self) -> list[Exchange]:
        """Each page that was read, once, in order."""
        pages = {(each.path, each.body): each for each in self.exchanges if each.path.endswith("/filter")}
        return list(pages.values())

    def reads(self) -> list[Exchange]:
        return [each for each in self.exchanges if each.is_read]

    def writes(self) -> list[Exchange]:
        """The writes that the server carried out, but for those to schedules, whose ids only a read tells.

        To leave them out makes the floor lower, and the ratio no better.
        """
        done = [each for each in self.exchanges if not each.is_read and each.status in range(200, 300)]
        return [each for each in done if "/schedules/" not in each.path]


class Step(msgspec.Struct):
    """One write to send again.

    ``path`` and ``body`` are texts in which every odd piece is an id to look up; ``gives`` are the
    places in the answer where later steps find theirs. ``after`` is the number of an earlier step
    that must have been answered: the dependence is by name, and no id tells of it.
    """

    method: str
    path: list[str]
    body: list[str]
    gives: list[tuple[str, _Path]]
    after: int | None = None


def script(writes: Sequence[Exchange]) -> list[Step]:
    """Writes as steps that can be sent to another server with the same built-in objects."""
    known: dict[str, tuple[int, _Path]] = {}
    needed: set[str] = set()
    steps: list[Step] = []
    for number, write in enumerate(writes):
        path, body = _split(write.path, known), _split(write.body.decode(), known)
        steps.append(Step(write.method, path, body, []))
        needed |= {*path[1::2], *body[1::2]}
        for identifier, place in _ids(write.answer):
            known.setdefault(identifier, (number, place))
    for identifier in needed:
        number, place = known[identifier]
        steps[number].gives.append((identifier, place))
    _order(steps, writes)
    return steps


def _order(steps: Sequence[Step], writes: Sequence[Exchange]) -> None:
    """A pool comes before its queues, these one after the other and before its deployments; schemas are nested."""
    last: dict[str, int] = {}
    for number, (step, write) in enumerate(zip(steps, writes, strict=True)):
        name, is_part = _chain(write)
        step.after = last.get(name)
        if is_part:
            last[name] = number


def _chain(write: Exchange) -> tuple[str, bool]:
    """The name of the chain that a write belongs to, or (False) only waits for."""
    route, _, rest = write.path.removeprefix("/api/").partition("/")
    body = json.loads(write.body) if write.body else {}
    if route == "work_pools":
        return unquote(rest.partition("/")[0]) or body["name"], True
    if route == "deployments" and isinstance(body, dict):
        return str(body.get("work_pool_name")), False
    return route, route == "block_schemas"


def _split(text: str, known: dict[str, tuple[int, _Path]]) -> list[str]:
    """The text cut at every known id: text, id, text, id, … text."""
    pieces, start = [], 0
    for match in _ID.finditer(text):
        if match[0] in known:
            pieces += [text[start : match.start()], match[0]]
            start = match.end()
    return [*pieces, text[start:]]


def _ids(answer: bytes) -> Iterator[tuple[str, _Path]]:
    rest: list[tuple[_Path, Any]] = [((), json.loads(answer))] if answer.strip() else []
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            rest += [((*path, name), item) for name, item in items]
        elif isinstance(value, str) and _ID.fullmatch(value):
            yield value, path


def replay_reads(origin: str, reads: Sequence[Exchange], at_once: int) -> float:
    """Seconds to send reads again, so many at once."""

    async def run() -> float:
        started = time.perf_counter()
        async with _client(origin) as client:
            rest = iter(reads)
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(_read(client, rest))
        return time.perf_counter() - started

    return asyncio.run(run())


async def _read(client: httpx.AsyncClient, rest: Iterator[Exchange]) -> None:
    for each in rest:
        answer = await client.request(each.method, each.path, content=each.body)
        if answer.status_code != each.status:
            raise Refused(f"{each.method} {each.path}: {answer.status_code}, recorded was {each.status}")


def replay_writes(origin: str, steps: Sequence[Step], at_once: int) -> float:
    """Seconds to send writes again, so many at once; 503 (SQLite was locked) is sent again after a pause."""

    async def run() -> float:
        answered = {name: asyncio.get_running_loop().create_future() for step in steps for name, _ in step.gives}
        done = [asyncio.Event() for _ in steps]
        started = time.perf_counter()
        async with _client(origin) as client:
            rest = iter(enumerate(steps))
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(_write(client, rest, answered, done))
        return time.perf_counter() - started

    return asyncio.run(run())


async def _write(
    client: httpx.AsyncClient,
    rest: Iterator[tuple[int, Step]],
    answered: dict[str, asyncio.Future[str]],
    done: list[asyncio.Event],
) -> None:
    for number, step in rest:
        if step.after is not None:
            await done[step.after].wait()
        path, body = await _filled(step.path, answered), await _filled(step.body, answered)
        answer = await _send(client, step.method, path, body)
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(_PAUSE_SECONDS)
            answer = await _send(client, step.method, path, body)
        if answer.is_error:
            raise Refused(f"{step.method} {path}: {answer.status_code} {answer.text[:500]}")
        found = answer.json() if step.gives else None
        for name, place in step.gives:
            answered[name].set_result(_at(found, place))
        done[number].set()


async def _send(client: httpx.AsyncClient, method: str, path: str, body: str) -> httpx.Response:
    """The answer; a connection that carried a 5xx is closed, as the server will do at the next request."""
    request = client.build_request(method, path, content=body)
    answer = await client.send(request, stream=True)
    await answer.aread()
    if answer.is_server_error:
        await answer.extensions["network_stream"].aclose()
    return answer


async def _filled(pieces: list[str], answered: dict[str, asyncio.Future[str]]) -> str:
    return "".join([await answered[each] if number % 2 else each for number, each in enumerate(pieces)])


def _at(value: Any, place: _Path) -> str:
    for step in place:
        value = value[step]
    return str(value)


_JSON = {"Content-Type": "application/json"}


def _client(origin: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=origin, verify=_context(), limits=_limits(), timeout=120, trust_env=False, headers=_JSON
    )


def _limits() -> httpx.Limits:
    return httpx.Limits(max_connections=16, keepalive_expiry=3.0)


def _context() -> ssl.SSLContext:
    """No authority is loaded: that takes 20 ms, and nothing here is https."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
