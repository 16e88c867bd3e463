"""``xfer inspect``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bundle.model import Key, kind_of
from bundle.plan.execution_surface import Surfaces
from bundle.report.bundle import bundle_lines
from bundle.report.counting import FATES, count_line
from bundle.report.escaping import escape
from bundle.report.execution_surface import surface_lines
from bundle.report.model import Report, Resource
from bundle.report.notes import note_lines
from bundle.report.parts import Lines, table


def report(described: Report, surface: Surfaces, keys: Iterable[Key]) -> Report:
    """The report of a look inside, with what the bundle would run, and the keys that are to be listed."""
    return msgspec.structs.replace(described, surface=surface, resources=tuple(map(_held, keys)))


def layout(report: Report, limit: int | None) -> Iterator[Lines]:
    yield from bundle_lines(report)
    yield table(report.kinds, ("total", *FATES))
    yield _waves(report)
    yield _keys(report.resources)
    yield surface_lines(report, limit)
    yield from note_lines(report, limit)
    yield [count_line(report.summary, FATES)]


def _waves(report: Report) -> Lines:
    waves = report.bundle.waves if report.bundle else ()
    if waves:
        yield "order of import:"
    for wave in waves:
        yield f"  {wave.wave:>3}  {', '.join(map(escape, wave.kinds))} ({wave.count})"


def _keys(resources: Sequence[Resource]) -> Lines:
    if resources:
        yield f"resources ({len(resources)}):"
    yield from (f"  {escape(key)}" for key in sorted(each.key for each in resources))


def _held(key: Key) -> Resource:
    return Resource(key=key, kind=kind_of(key), action="keep", state=None, reason="exported")
