"""The first Ctrl-C or SIGTERM ends a run gracefully, the second one at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from bundle.cli.console import Console

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping(stop: asyncio.Event, console: Console) -> Iterator[None]:
    """Set ``stop`` on the first signal while the block runs; to be used in a running event loop."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        stop.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        # Last: who reads this may send the next one.
        console.say("stopping after the requests in flight; press Ctrl-C again to stop at once")

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
