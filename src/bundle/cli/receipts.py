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
from bundle.cli.import_options import Execution
from bundle.errors import UsageError
from bundle.operations.import_ import Prepared
from bundle.operations.journal import Journal, is_needed
from bundle.trust.verdict import Verdict


def place(bundle: str | None, execution: Execution) -> Path | None:
    """The receipt's path; None where none is wanted.

    As named, else beside the bundle or in the current directory, with the time in its name.

    Raises:
        UsageError: a file was named, and none is wanted.
    """
    if execution.no_receipt and execution.receipt_file is not None:
        raise UsageError("--receipt and --no-receipt contradict each other", hint="use one of them")
    if execution.no_receipt:
        return None
    if execution.receipt_file is not None:
        return Path(execution.receipt_file)
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%fZ")
    beside = None if bundle in {None, STANDARD} else Path(f"{bundle}.{now}.receipt")
    # A bundle may be on a medium that cannot be written to.
    return beside if beside is not None and os.access(beside.parent, os.W_OK) else Path(f"xfer.{now}.receipt")


@contextlib.contextmanager
def written(
    console: Console,
    path: Path | None,
    prepared: Prepared,
    destination: str,
    stop: asyncio.Event,
    verdict: Verdict | None,
) -> Iterator[Witness]:
    """The receipt, started before the first write; there is none where the plan writes nothing.

    One that cannot be written any more sets ``stop``, and is an error at the end of the block.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None or not is_needed(prepared):
        yield Witness()
        return
    created = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with Journal.begin(
        path, prepared, destination=destination, created=created, verdict=verdict, on_failure=stop.set
    ) as journal:
        console.say(f"receipt for `xfer rollback`: {path}")
        yield journal
    if journal.failure is not None:
        raise journal.failure
