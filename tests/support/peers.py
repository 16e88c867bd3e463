"""Whom this process talks to: every name that is looked up and every address that is connected to.

Python's own audit events, so nothing in the process can connect past them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[set[tuple[str, int]]] = []
_OURS = "door"  # the threads of tests/support/doors.py connect to what is behind them


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or threading.current_thread().name == _OURS:
        return
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        _watching[-1].add(arguments[1][:2])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        port = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 0
        _watching[-1].add((str(arguments[0]), port))


sys.addaudithook(_hear)


@contextmanager
def peers() -> Iterator[set[tuple[str, int]]]:
    """Collects the peers, host and port, for as long as the context."""
    _watching.append(set())
    try:
        yield _watching[-1]
    finally:
        _watching.pop()
