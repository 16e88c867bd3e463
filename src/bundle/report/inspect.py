"""``xfer inspect``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bundle.model import Key, Manifest, kind_of
from bundle.plan.execution_surface import Surfaces
from bundle.report.bundle import bundle_blocks, bundle_report
from bundle.report.counting import CENSUS
from bundle.report.execution_surface import surface_lines
from bundle.report.model import Report, Resource
from bundle.report.notes import export_notes, placeholder_lines
from bundle.report.parts import Limit, Lines, count_line, table
from bundle.trust.verdict import Verdict


def report(
    manifest: Manifest,
    file: str,
    surface: Surfaces,
    *,
    keys: Iterable[Key] = (),
    warnings: Sequence[str] = (),
    verdict: Verdict | None = None,
) -> Report:
    """The report on a bundle with what it would run, and the keys that are to be listed."""
    done = bundle_report("inspect", manifest, file, warnings, verdict)
    return msgspec.structs.replace(done, surface=surface, resources=tuple(map(_resource, keys)))


def _resource(key: Key) -> Resource:
    return Resource(key=key, kind=kind_of(key), action="keep", state=None, reason="exported")


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """All that is in the manifest, and what the records would run."""
    yield from bundle_blocks(report)
    yield table(report.kinds, ("total", *CENSUS))
    yield _waves(report)
    yield _keys(report.resources)
    yield surface_lines(report, limit)
    yield placeholder_lines(report, limit)
    yield from export_notes(report, limit)
    yield [count_line(report.summary, CENSUS)]


def _waves(report: Report) -> Lines:
    waves = report.bundle.waves if report.bundle else ()
    if waves:
        yield "order of import:"
    yield from (f"  {each.wave:>3}  {', '.join(each.kinds)} ({each.count})" for each in waves)


def _keys(resources: Sequence[Resource]) -> Lines:
    if resources:
        yield f"resources ({len(resources)}):"
    yield from (f"  {key}" for key in sorted(each.key for each in resources))
