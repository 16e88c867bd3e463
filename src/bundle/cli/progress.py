"""Progress on stderr: bars on a terminal, else a line for each kind that is done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bundle.cli.console import Console
from bundle.model import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

OnEvent = Callable[[Event], None]

_LINE_SECONDS = 5.0


@contextlib.contextmanager
def progress(console: Console) -> Iterator[OnEvent]:
    """Show events for as long as the block lasts; the bars are gone when it ends."""
    if console.is_quiet:
        yield lambda _: None
    elif console.is_live:
        with _bars() as bars:
            yield _Bars(bars)
    else:
        yield _Lines(console)


def _bars() -> Progress:
    # Only a terminal needs it, and it takes a tenth of a second.
    from rich.console import Console as Terminal  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    text = TextColumn("{task.description}", markup=False)
    return Progress(text, BarColumn(), MofNCompleteColumn(), console=Terminal(stderr=True), transient=True)


class _Bars:
    """One bar for each kind with anything in it."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, event: Event) -> None:
        if not event.done and not event.total:
            return
        place = (event.phase, event.kind)
        if place not in self._tasks:
            self._tasks[place] = self._bars.add_task(f"{event.phase} {event.kind}", total=event.total)
        self._bars.update(self._tasks[place], completed=event.done, total=event.total)


class _Lines:
    """A line when a kind is done, and now and then while one takes long."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()
        self._said: set[tuple[str, str, int]] = set()

    def __call__(self, event: Event) -> None:
        is_done = event.done == event.total and event.done > 0
        place = (event.phase, event.kind, event.done)
        is_long_ago = time.monotonic() - self._last >= _LINE_SECONDS and event.done > 0
        if place in self._said or not (is_done or is_long_ago):
            return
        self._said.add(place)
        self._last = time.monotonic()
        of_total = f" of {event.total}" if event.total is not None else ""
        self._console.say(f"  {event.phase} {event.kind}: {event.done}{of_total}")
