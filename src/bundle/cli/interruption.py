"""The first Ctrl-C asks a run to end well; the second one ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from bundle.cli.console import Console


@contextlib.contextmanager
def stopping(stop: asyncio.Event, console: Console) -> Iterator[None]:
    """Set ``stop`` on the first interrupt while the block runs; to be used in a running event loop."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        console.say("stopping: requests in flight are awaited; press Ctrl-C again to end at once")
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, first)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
