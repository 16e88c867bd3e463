"""``xfer check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bundle.errors import ExitCode
from bundle.operations.inventory import Estimate, Inventory, export_of, import_of
from bundle.operations.preflight import Check, Part, Verdict
from bundle.report.model import Report, Side
from bundle.report.parts import Limit, Lines
from bundle.server.tiers import ANY_TIER, Tier

_GLYPHS: Mapping[Verdict, str] = {"ok": "✓", "warning": "!", "failed": "✗"}


def report(
    checks: Sequence[Check], sides: Mapping[Part, Side], found: Mapping[Part, Inventory], tier: Tier = ANY_TIER
) -> Report:
    """The report of ``xfer check``: exit code 5 if a server cannot be used; warnings are not failures.

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
        kinds=_counts(found),
        source=sides.get("source"),
        destination=sides.get("destination"),
        checks=tuple(checks),
        estimates=tuple(_estimates(found.get("source"), found.get("destination"), tier)),
    )


def _estimates(source: Inventory | None, destination: Inventory | None, tier: Tier) -> Iterator[Estimate]:
    if source and not source.is_file:
        yield export_of(source)
    if source and destination and not destination.is_file:
        yield import_of(source, destination, tier)


def _counts(found: Mapping[Part, Inventory]) -> dict[str, dict[str, int]]:
    kinds = sorted({kind for each in found.values() for kind in each.counts})
    return {kind: {part: each.counts[kind] for part, each in found.items()} for kind in kinds}


def layout(report: Report, _limit: Limit) -> Iterator[Lines]:
    """The checks of each server and of both, what they hold, and what a transfer would take."""
    for part, side in (("source", report.source), ("destination", report.destination)):
        if side:
            found = [each for each in report.checks if each.part == part]
            yield [f"{part}: {side.name}", *_lines(found)]
    both = [each for each in report.checks if each.part is None]
    yield ["source to destination:", *_lines(both)] if both else []
    yield _table(report)
    yield map(_estimate_line, report.estimates)
    counts = report.summary
    warnings = "warning" if counts["warning"] == 1 else "warnings"
    yield [f"{counts['ok']} ok, {counts['warning']} {warnings}, {counts['failed']} failed"]


def _lines(checks: Iterable[Check]) -> Lines:
    for each in checks:
        yield f"  {_GLYPHS[each.verdict]} {each.subject}: {each.message}"
        if each.hint:
            yield f"      {each.hint}"


def _table(report: Report) -> Lines:
    parts = [part for part in ("source", "destination") if any(part in counts for counts in report.kinds.values())]
    held = {kind: counts for kind, counts in report.kinds.items() if any(counts.values())}
    if held:
        yield "resources, without those that every server creates by itself:"
        yield f"  {'kind':<24}" + "".join(f"  {part:>11}" for part in parts)
    for kind, counts in held.items():
        yield f"  {kind:<24}" + "".join(f"  {counts[part]:>11}" for part in parts)


def _estimate_line(estimate: Estimate) -> str:
    what = "export" if estimate.command == "export" else "import into an empty destination"
    writes = f" and {estimate.writes} writes" if estimate.writes else ""
    return f"{what}: about {estimate.reads} reads{writes}, {_duration(estimate.seconds)}"


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"  # noqa: PLR2004 - reads well
