"""A small server on loopback, in a thread of its own with its own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import Any, ClassVar, Self


class Listener:
    """A context manager. The port is known before it is entered; ``tls`` is what it shows to those who connect."""

    thread: ClassVar[str]
    """The name of its threads."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=self.thread, daemon=True)
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    # In the loop's thread

    async def begin(self) -> None:
        """Called before anybody can connect."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which ends with this."""
        raise NotImplementedError

    async def end(self) -> None:
        """Called when all connections have ended."""

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # What a client does to a connection is its own affair.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            spawn(self._whole(reader, writer), connections)

        await self.begin()
        server = await asyncio.start_server(accept, sock=self._socket, ssl=self._tls)
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await finished(connections)
        await self.end()

    async def _whole(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with closing(writer):
            await self.talk(reader, writer)


def spawn(work: Coroutine[Any, Any, None], group: set[asyncio.Task[None]]) -> None:
    """Let some work go on beside, as one of a group."""
    task = asyncio.create_task(work)
    group.add(task)
    task.add_done_callback(group.discard)


async def finished(tasks: set[asyncio.Task[None]]) -> None:
    """Wait for a group, however its members end."""
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Ends a connection whatever happens, and is silent about what its other side did."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        try:
            yield
        finally:
            writer.close()
            await asyncio.shield(writer.wait_closed())
