"""A reverse proxy on loopback that stands between a client and a real server, and breaks things.

It forwards requests one to one, keeps account of them, and on the way does
what networks, gateways and servers do on bad days (``Fault``). Which request
meets which fault is told by a script or drawn from a seed; nothing else is
random, so a failing run can be repeated from the printed seed.

HTTP/1.1 with ``Content-Length`` requests, which is what httpx sends. Each
request goes to the server on a connection of its own, so that the answer ends
where the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email.utils
import random
import re
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args
from urllib.parse import urlsplit

from support.listener import Listener, closing, finished, spawn

Kind = Literal[
    "reset-before",  # the connection breaks before the server has the request
    "answer-lost",  # the server carries it out, the connection breaks before the answer
    "answer-cut",  # the connection breaks inside the body of the answer
    "delay",  # slow, nothing else
    "too-many",  # 429, not carried out
    "busy",  # 503 in Prefect's words, not carried out
    "error-after",  # 500, 502 or 503 of a gateway, carried out all the same
    "late-commit",  # the connection breaks; the server gets the request a little later
    "pause",  # nothing gets through for a while, for anybody
]
KINDS: tuple[Kind, ...] = get_args(Kind)
HARMLESS: tuple[Kind, ...] = ("delay", "too-many", "busy", "pause")
"""Faults after which a client knows what became of its request."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to one request.

    ``seconds`` is how long a delay, a pause or a late commit takes, ``status``
    the one that ``error-after`` answers, ``share`` the part of the body that
    ``answer-cut`` lets through, and ``retry_after`` what a 429 says: a number,
    ``date`` for two seconds ahead as a date, or nothing.
    """

    kind: Kind
    seconds: float = 0.3
    status: int = 502
    share: float = 0.5
    retry_after: str = ""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """One request. ``status`` is what the client was answered, 0 for nothing; ``served`` what the server answered."""

    number: int
    method: str
    path: str
    body: bytes = b""
    status: int = 0
    served: int = 0
    answer_bytes: int = 0
    fault: Fault | None = None

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return is_write(self.method, self.path)


_READS = re.compile(r"/(filter|paginate|count[^/]*)/?$")


def is_write(method: str, path: str) -> bool:
    """Whether a request changes something: a POST to a listing or a count does not."""
    return method not in {"GET", "HEAD"} and not (method == "POST" and _READS.search(path.partition("?")[0]))


# -- Which request meets which fault ----------------------------------------------------------------------------------


class Chooser(Protocol):
    """Decides the fault of a request."""

    def choose(self, request: Recorded) -> Fault | None:
        """The fault that ``request`` is to meet."""
        ...

    def reset(self) -> None:
        """Begin again."""
        ...


_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class Faults:
    """Faults drawn from a seed.

    The draw depends on the seed, the route and how often the route was asked
    before, not on ids or on which of several requests in flight came first.
    """

    def __init__(
        self, seed: int, *, write_rate: float = 0.25, read_rate: float = 0.05, kinds: Sequence[Kind] = KINDS
    ) -> None:
        self.seed, self.kinds = seed, tuple(kinds)
        self.write_rate, self.read_rate = write_rate, read_rate
        self._asked: Counter[str] = Counter()
        print(f"{self!r}", file=sys.stderr)  # noqa: T201 - pytest shows it with the failure

    def __repr__(self) -> str:
        rates = f"write_rate={self.write_rate}, read_rate={self.read_rate}"
        return f"Faults({self.seed}, {rates}, kinds={self.kinds})"

    def reset(self) -> None:
        """Draw the same faults again."""
        self._asked.clear()

    def choose(self, request: Recorded) -> Fault | None:
        """The fault of the next request of this route."""
        route = f"{request.method} {_ID.sub('*', request.path)}"
        self._asked[route] += 1
        draw = random.Random(f"{self.seed} {route} {self._asked[route]}")
        if draw.random() >= (self.write_rate if request.is_write else self.read_rate):
            return None
        return Fault(
            kind=draw.choice(self.kinds),
            seconds=round(draw.uniform(0.3, 1.0), 3),
            status=draw.choice((500, 502, 503)),
            share=round(draw.random(), 3),
            retry_after=draw.choice(("", "0.2", "1", "date")),
        )


class Script:
    """Faults by the number of the request, counted from 0 over all requests or over the writes alone."""

    def __init__(self, faults: Mapping[int, Fault | Kind], *, counts: Literal["requests", "writes"] = "writes") -> None:
        self.faults = {at: Fault(fault) if isinstance(fault, str) else fault for at, fault in faults.items()}
        self.counts = counts
        self.reset()

    def reset(self) -> None:
        """Count from 0 again."""
        self._next = 0

    def choose(self, request: Recorded) -> Fault | None:
        """The fault written down for this number."""
        if self.counts == "writes" and not request.is_write:
            return None
        self._next += 1
        return self.faults.get(self._next - 1)


# -- The proxy --------------------------------------------------------------------------------------------------------


class Proxy(Listener):
    """A context manager.

    ``on_request`` is called in the proxy's thread with each request before anything
    is done with it, for tests that kill a process at request k.
    """

    thread = "proxy"

    def __init__(
        self,
        upstream_url: str,
        *,
        faults: Chooser | None = None,
        on_request: Callable[[Recorded], None] | None = None,
    ) -> None:
        super().__init__()
        self.upstream_url = upstream_url
        parts = urlsplit(upstream_url)
        self._host, self._port, self._path = str(parts.hostname), parts.port or 80, parts.path
        self.faults = faults
        self.on_request = on_request
        self._lock = threading.Lock()
        self._records: list[Recorded] = []

    @property
    def url(self) -> str:
        """The API URL of the server, by way of the proxy."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    @property
    def requests(self) -> list[Recorded]:
        """All requests up to now, in the order they came."""
        with self._lock:
            return list(self._records)

    @property
    def writes(self) -> list[Recorded]:
        """The requests that change something."""
        return [each for each in self.requests if each.is_write]

    @property
    def faulted(self) -> list[Recorded]:
        """The requests that met a fault."""
        return [each for each in self.requests if each.fault]

    def reset(self) -> None:
        """Wait for what is still under way, forget all requests, and begin the faults again."""
        self.settle()
        with self._lock:
            self._records.clear()
            if self.faults:
                self.faults.reset()

    def settle(self) -> None:
        """Wait until late commits have arrived at the server."""
        asyncio.run_coroutine_threadsafe(finished(self._late), self._loop).result()

    # In the loop's thread

    async def begin(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._late: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        await finished(self._late)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client connection until either side ends it."""
        while (message := await _read_request(reader)) is not None:
            if not await self._handle(message, writer):
                return

    async def _handle(self, message: Request, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; false when the connection ends with it."""
        record = self._record(message)
        fault = record.fault or Fault("delay", seconds=0)
        if fault.kind == "pause":
            await self._pause(fault.seconds)
        await self._open.wait()
        answer = await self._answer(record, fault, message)
        if answer is None:
            _break(writer)
            return False
        is_cut = fault.kind == "answer-cut"
        sent = answer.cut(fault.share) if is_cut else answer.content
        self._note(record.number, status=answer.status, answer_bytes=len(sent))
        writer.write(sent)
        await writer.drain()
        return answer.has_an_end and not is_cut

    async def _answer(self, record: Recorded, fault: Fault, message: Request) -> Answer | None:
        """What the client is told, None for nothing."""
        if fault.kind == "reset-before":
            return None
        if fault.kind == "too-many":
            return _too_many(fault.retry_after)
        if fault.kind == "busy":
            return made(503, b'{"exception_message":"Service Unavailable"}')
        if fault.kind == "late-commit":
            spawn(self._commit_late(record.number, message, fault.seconds), self._late)
            return None
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        answer = await self._forward(record.number, message)
        if fault.kind == "answer-lost":
            return None
        return made(fault.status, b"upstream error", "text/plain") if fault.kind == "error-after" else answer

    async def _commit_late(self, number: int, message: Request, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._forward(number, message)

    async def _pause(self, seconds: float) -> None:
        self._open.clear()
        self._loop.call_later(seconds, self._open.set)

    async def _forward(self, number: int, message: Request) -> Answer | None:
        """The server's answer, None when it gives none."""
        answer = await self._ask(message)
        if answer is not None:
            self._note(number, served=answer.status)
        return answer

    async def _ask(self, message: Request) -> Answer | None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            async with closing(writer):
                writer.write(message.content)
                await writer.drain()
                return _parse_answer(await reader.read())
        return None

    def _record(self, message: Request) -> Recorded:
        with self._lock:
            record = Recorded(len(self._records), message.method, message.path, message.body)
            fault = self.faults.choose(record) if self.faults else None
            record = dataclasses.replace(record, fault=fault)
            self._records.append(record)
        if self.on_request:
            self.on_request(record)
        return record

    def _note(self, number: int, **changes: Any) -> None:
        with self._lock:
            if number < len(self._records):
                self._records[number] = dataclasses.replace(self._records[number], **changes)


# -- HTTP -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it came, but for its ``Connection`` header."""

    method: str
    path: str
    content: bytes
    """The whole message as the server is to get it."""
    body: bytes

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers by lower-case name."""
        return _headers(self.content.partition(b"\r\n\r\n")[0])


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer in full; ``has_an_end``: the client can tell its end without the end of the connection."""

    status: int
    head: bytes
    body: bytes
    has_an_end: bool

    @property
    def content(self) -> bytes:
        return self.head + self.body

    def cut(self, share: float) -> bytes:
        """The answer without its end; at least one byte is missing, of the head if there is no body."""
        kept = min(int(share * len(self.body)), len(self.body) - 1)
        return self.head + self.body[:kept] if self.body else self.head[:-1]


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, None when the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = _headers(head)
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    return Request(method, path, _without_connection(head, b"Connection: close") + body, body)


def _parse_answer(content: bytes) -> Answer:
    """Take a whole answer apart; ValueError when the server broke off."""
    head, end, body = content.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if end else int("")
    headers = _headers(head + end)
    length = headers.get(b"content-length")
    has_an_end = length is not None or b"transfer-encoding" in headers or status in {204, 304}
    if length is not None and len(body) != int(length):
        raise ValueError("the answer is not whole")
    return Answer(status, _without_connection(head + end, b""), body, has_an_end)


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _without_connection(head: bytes, instead: bytes) -> bytes:
    """The head with its own ``Connection`` header: each side of the proxy keeps its own."""
    lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, *([instead] if instead else []), b"", b""])


def made(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    """An answer of our own."""
    fields = {
        "Date": email.utils.formatdate(usegmt=True),
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"HTTP/1.1 {status} Made", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return Answer(status, "\r\n".join(lines).encode("ascii"), body, has_an_end=True)


def _too_many(retry_after: str) -> Answer:
    ahead = email.utils.parsedate_to_datetime(email.utils.formatdate(usegmt=True)).timestamp() + 2
    text = email.utils.formatdate(ahead, usegmt=True) if retry_after == "date" else retry_after
    return made(429, b'{"detail":"too many requests"}', **({"Retry_After": text} if text else {}))


def _break(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset, as a crashed peer or a firewall does."""
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
