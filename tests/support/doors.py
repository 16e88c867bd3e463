"""What stands between people and a server: TLS, HTTP/2, redirects, gateways and proxies, small and on loopback.

A ``Door`` listens and hands each connection to a handler; the functions below
make handlers. Each ends a connection after one request, but for those that only
pass bytes on.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import httpx

from support.listener import Listener, closing

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Door(Listener):
    """A context manager that listens and hands each connection to a handler."""

    thread = "door"

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._handler = handler
        self.connections = 0

    def url(self, path: str = "/api", *, host: str = "127.0.0.1") -> str:
        """A URL that leads here."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self._handler(reader, writer)


def to(port: int) -> Handler:
    """Passes every byte on to a port of this machine."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pass_on(reader, writer, "127.0.0.1", port)

    return handle


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes = b""
) -> None:
    """Connects two sides until either has said all."""
    there, back = await asyncio.open_connection(host, port)
    async with closing(back):
        back.write(first)
        pumps = [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class Head:
    """The first lines of a request."""

    def __init__(self, content: bytes) -> None:
        self._first, *self._lines = content.decode("latin-1").strip().split("\r\n")
        self.method, self.target, _ = self._first.split(" ")
        pairs = (line.partition(":") for line in self._lines)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}

    def onward(self, target: str, *without: str) -> bytes:
        """The same for the server behind, which is to end the connection after its answer."""
        dropped = {"connection", *without}
        kept = [line for line in self._lines if line.partition(":")[0].lower() not in dropped]
        return "\r\n".join([f"{self.method} {target} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head:
    return Head(await reader.readuntil(b"\r\n\r\n"))


def answer(status: int, *headers: str, body: bytes = b"null") -> bytes:
    lines = [f"HTTP/1.1 {status} Door", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def gateway(port: int, *, header: str, value: str, moved: tuple[str, str] = ("", "")) -> Handler:
    """Lets requests with the header through; ``moved`` answers 307 for paths with the first prefix to the second."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        old, new = moved
        if head.headers.get(header.lower()) != value:
            writer.write(answer(403, body=b'{"detail":"the gateway does not know you"}'))
        elif old and head.target.startswith(old):
            writer.write(answer(307, f"Location: {new}{head.target.removeprefix(old)}"))
        else:
            await _pass_on(reader, writer, "127.0.0.1", port, head.onward(head.target))
        await writer.drain()

    return handle


def reading(port: int, heads: list[Head]) -> Handler:
    """Passes requests on, and keeps their heads."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_head(reader))
        await _pass_on(reader, writer, "127.0.0.1", port, heads[-1].onward(heads[-1].target))

    return handle


def under(prefix: str, port: int) -> Handler:
    """Has what listens on a port below a path of its own, as a proxy with a location for each tool does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        if head.target.startswith(prefix):
            await _pass_on(reader, writer, "127.0.0.1", port, head.onward(head.target.removeprefix(prefix)))
        else:
            writer.write(answer(404))
            await writer.drain()

    return handle


def redirect(location: Callable[[str], str], code: int = 307) -> Handler:
    """Answers every request with where else to go."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        writer.write(answer(code, f"Location: {location(head.target)}"))
        await writer.drain()

    return handle


def trap(seen: list[str]) -> Handler:
    """Answers everything, and keeps the first line of each request and its Authorization."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        seen.append(f"{head.method} {head.target} {head.headers.get('authorization', '')}")
        writer.write(answer(200))
        await writer.drain()

    return handle


def forward_proxy(port: int, seen: list[str], *, password: str = "") -> Handler:
    """A company's proxy: resolves every name to a port of this machine, and keeps what it was asked for.

    ``password`` is ``user:password`` of those who may pass.
    """
    wanted = f"Basic {base64.b64encode(password.encode()).decode()}" if password else None

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        seen.append(f"{head.method} {head.target}")
        if head.headers.get("proxy-authorization") != wanted:
            writer.write(answer(407, 'Proxy-Authenticate: Basic realm="proxy"'))
            await writer.drain()
        elif head.method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _pass_on(reader, writer, "127.0.0.1", port)
        else:
            parts = urlsplit(head.target)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            first = head.onward(target, "proxy-authorization", "proxy-connection")
            await _pass_on(reader, writer, "127.0.0.1", port, first)

    return handle


def http2(port: int, agreed: list[str]) -> Handler:
    """Speaks HTTP/2 to those who agreed to it by ALPN, and passes all else on; keeps what was agreed on."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        if agreed[-1] != "h2":
            await _pass_on(reader, writer, "127.0.0.1", port)
            return
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:
            await _Http2(http, writer).talk(reader)

    return handle


class _Http2:
    """One HTTP/2 connection; requests are passed on one after the other."""

    def __init__(self, http: httpx.AsyncClient, writer: asyncio.StreamWriter) -> None:
        self._http = http
        self._writer = writer
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._requests: dict[int, tuple[dict[bytes, bytes], bytearray]] = {}
        self._unsent: dict[int, bytes] = {}

    async def talk(self, reader: asyncio.StreamReader) -> None:
        self._connection.initiate_connection()
        await self._flush()
        while data := await reader.read(65536):
            for event in self._connection.receive_data(data):
                await self._handle(event)
            await self._flush()

    async def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self._requests[event.stream_id][1].extend(event.data)
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            await self._answer(event.stream_id)

    async def _answer(self, stream: int) -> None:
        headers, body = self._requests.pop(stream)
        plain = {name: value for name, value in headers.items() if not name.startswith(b":")}
        method, path = headers[b":method"].decode(), headers[b":path"].decode()
        response = await self._http.request(method, path, content=bytes(body), headers=list(plain.items()))
        kept: Iterable[tuple[str, Any]] = [("content-type", response.headers.get("content-type", "text/plain"))]
        length = ("content-length", str(len(response.content)))
        self._connection.send_headers(stream, [(":status", str(response.status_code)), *kept, length])
        self._unsent[stream] = response.content

    async def _flush(self) -> None:
        """Send as much as the other side takes now."""
        for stream, content in list(self._unsent.items()):
            left = content
            while left and (room := self._room(stream)):
                self._connection.send_data(stream, left[:room])
                left = left[room:]
            self._unsent[stream] = left
            if not left:
                self._connection.end_stream(stream)
                del self._unsent[stream]
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()

    def _room(self, stream: int) -> int:
        return min(self._connection.local_flow_control_window(stream), self._connection.max_outbound_frame_size)
