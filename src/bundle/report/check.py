"""The checks before a transfer as a report; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bundle.errors import ExitCode
from bundle.operations.inventory import Estimate, Inventory, export_of, import_of
from bundle.operations.preflight import Check, Part, Verdict
from bundle.report.escaping import escape
from bundle.report.model import Report, Side
from bundle.server.tiers import ANY_TIER, Tier

_GLYPHS: Mapping[Verdict, str] = {"ok": "✓", "warning": "!", "failed": "✗"}


def _estimates(source: Inventory | None, destination: Inventory | None, tier: Tier) -> Iterator[Estimate]:
    if source:
        yield export_of(source)
    if source and destination:
        yield import_of(source, destination, tier)


def _held(found: Mapping[Part, Inventory]) -> dict[str, dict[str, int]]:
    kinds = sorted({kind for each in found.values() for kind in each.counts})
    return {kind: {part: each.counts[kind] for part, each in found.items()} for kind in kinds}


def report(
    checks: Sequence[Check], sides: Mapping[Part, Side], found: Mapping[Part, Inventory], tier: Tier = ANY_TIER
) -> Report:
    """The report of ``xfer check``: exit code 5 if a server cannot be used; warnings are no failure.

    ``sides`` are the servers that were named, ``found`` what is known of those that can be used; ``tier`` is that
    of the destination.
    """
    counts = Counter(each.verdict for each in checks)
    code = ExitCode.SERVER if counts["failed"] else ExitCode.DONE
    return Report(
        command="check",
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary={verdict: counts[verdict] for verdict in _GLYPHS},
        kinds=_held(found),
        source=sides.get("source"),
        destination=sides.get("destination"),
        checks=tuple(checks),
        estimates=tuple(_estimates(found.get("source"), found.get("destination"), tier)),
    )


def layout(report: Report, _limit: int | None) -> Iterator[Iterable[str]]:
    """The text: the checks of each server, of both, what they hold, and what moving it would take."""
    for part, side in (("source", report.source), ("destination", report.destination)):
        if side:
            found = [each for each in report.checks if each.part == part]
            yield [f"{part}: {escape(side.name)}", *_lines(found)]
    both = [each for each in report.checks if each.part is None]
    yield ["from one to the other:", *_lines(both)] if both else []
    yield _table(report)
    yield [_estimated(report, number) for number in range(len(report.estimates))]
    counts = report.summary
    yield [f"{counts['ok']} ok, {counts['warning']} to look at, {counts['failed']} failed"]


def _lines(checks: Iterable[Check]) -> Iterator[str]:
    for each in checks:
        yield f"  {_GLYPHS[each.verdict]} {each.subject}: {escape(each.message)}"
        if each.hint:
            yield f"      {escape(each.hint)}"


def _table(report: Report) -> Iterator[str]:
    parts = [part for part in ("source", "destination") if any(part in counts for counts in report.kinds.values())]
    held = {kind: counts for kind, counts in report.kinds.items() if any(counts.values())}
    if held:
        yield "held, without what every server makes by itself:"
        yield f"  {'kind':<24}" + "".join(f"  {part:>11}" for part in parts)
    for kind, counts in held.items():
        yield f"  {kind:<24}" + "".join(f"  {counts[part]:>11}" for part in parts)


def _estimated(report: Report, number: int) -> str:
    each = report.estimates[number]
    what = "an export" if each.command == "export" else "an import into an empty destination"
    writes = f" and {each.writes} writes" if each.writes else ""
    return f"{what} takes about {each.reads} reads{writes}, {_duration(each.seconds)}"


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"  # noqa: PLR2004 - reads well
