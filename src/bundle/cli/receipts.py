"""Where the receipt of an import is written."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

from bundle.apply.control import Witness
from bundle.cli.bundles import STANDARD
from bundle.cli.console import Console
from bundle.errors import UsageError
from bundle.operations.import_ import Prepared
from bundle.operations.journal import Journal, is_needed


def place(bundle: str | None, file: str | None, *, is_wanted: bool) -> Path | None:
    """The receipt's path; None where none is wanted.

    As named, else beside the bundle or in the current directory, with the time in its name.

    Raises:
        UsageError: a file was named, and none is wanted.
    """
    if not is_wanted and file is not None:
        raise UsageError("--receipt and --no-receipt contradict each other", hint="give one of them")
    if not is_wanted:
        return None
    if file is not None:
        return Path(file)
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
    beside = None if bundle in {None, STANDARD} else Path(f"{bundle}.{now}.receipt")
    # A bundle may lie on a medium that cannot be written to.
    return beside if beside is not None and os.access(beside.parent, os.W_OK) else Path(f"xfer.{now}.receipt")


@contextlib.contextmanager
def written(
    console: Console, path: Path | None, prepared: Prepared, destination: str, stop: asyncio.Event
) -> Iterator[Witness]:
    """The receipt, begun before the first write; nothing is written where the plan writes nothing.

    One that cannot grow any more sets ``stop``, and is an error at the end of the block.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None or not is_needed(prepared):
        yield Witness()
        return
    created = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with Journal.begin(path, prepared, destination=destination, created=created, on_failure=stop.set) as journal:
        console.say(f"receipt, to take this import back with `xfer rollback`: {path}")
        yield journal
    if journal.failure is not None:
        raise journal.failure
