"""What a person should know besides: secrets, findings, what was left out and what was not sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bundle.model import FINDING_CODES, LEFT_OUT_REASONS, Finding, LeftOut
from bundle.report.model import Report, Resource, Slot
from bundle.report.parts import Limit, Lines, cut, file_argument, heading, joined, rest_of, server_argument

_NAMED = 5


def export_notes(report: Report, limit: Limit) -> Iterator[Lines]:
    """What was noticed at export: findings, what was left out, what changed meanwhile."""
    yield _findings(report, limit)
    yield _left_out(report)
    yield warning_lines(report)


def _findings(report: Report, limit: Limit) -> Lines:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for each in report.findings:
        groups[each.code].append(each)
    for code, group in groups.items():
        yield from heading(code, len(group), FINDING_CODES.get(code, ""))
        yield from (f"  {_place(each)}" for each in cut(group, limit))
        yield from rest_of(group, limit)


def _place(finding: Finding) -> str:
    place = f" at {finding.pointer}" if finding.pointer else ""
    detail = f": {finding.detail}" if finding.detail else ""
    return f"{finding.key}{place}{detail}"


def _left_out(report: Report) -> Lines:
    groups: dict[str, list[LeftOut]] = defaultdict(list)
    for each in report.left_out:
        groups[each.reason].append(each)
    for reason, group in groups.items():
        count = sum(each.count for each in group)
        yield from heading(f"left out at export, {reason}", count, LEFT_OUT_REASONS.get(reason, ""))
        for each in group:
            more = each.count - len(each.names[:_NAMED])
            names = f": {', '.join(each.names[:_NAMED])}{f' and {more} more' if more else ''}" if each.names else ""
            yield f"  {each.count} {each.kind}{names}"


def warning_lines(report: Report) -> Lines:
    """Kinds that changed while they were read, and warnings."""
    if report.changed_while_read:
        kinds = ", ".join(report.changed_while_read)
        yield f"changed during the export, so the bundle may mix old and new: {kinds}"
    yield from (f"warning: {each}" for each in report.warnings)


def placeholder_lines(report: Report, limit: Limit) -> Lines:
    """The secrets of a bundle."""
    if report.secrets:
        yield f"secrets to supply at import ({len(report.secrets)}):"
    for slot in cut(report.secrets, limit):
        yield f"  ? {slot.slot} ({slot.type})"
        yield f"      {slot.variable}"
    yield from rest_of(report.secrets, limit)


def missing_secret_lines(report: Report, limit: Limit) -> Lines:
    """The secrets that the destination lacks."""
    slots: list[Slot] = [each for each in report.secrets if each.state == "outstanding"]
    if slots:
        yield f"missing secrets ({len(slots)}): runs that use them fail until they are supplied with"
        yield "--secrets FILE, or as environment variables"
    for slot in cut(slots, limit):
        yield f"  ? {slot.slot}"
        yield f"      {slot.variable}"
    yield from rest_of(slots, limit)


def supplied_secret_lines(report: Report, limit: Limit) -> Lines:
    """Every place that gets a secret that was supplied."""
    slots = [each.slot for each in report.secrets if each.state == "supplied"]
    if slots:
        yield f"supplied secrets are written to ({len(slots)}):"
    yield from (f"  {each}" for each in cut(slots, limit))
    yield from rest_of(slots, limit)


def dropped_lines(resources: Iterable[Resource], limit: Limit) -> Lines:
    """Fields that the destination's version does not have."""
    affected = [each for each in resources if each.dropped_fields]
    if affected:
        yield f"fields not supported by the destination's Prefect version, not sent ({len(affected)}):"
    for resource in cut(affected, limit):
        yield f"  {resource.key}: {joined(resource.dropped_fields, None)}"
    yield from rest_of(affected, limit)


def inert_lines(report: Report) -> Lines:
    """How to go on after an import that creates everything paused."""
    if report.inert and report.destination is not None:
        yield "everything new is paused; to switch on what is on in the bundle, with the same"
        yield "selection and overlay as here:"
        yield f"  xfer activate {file_argument(report)} --to {server_argument(report.destination)}"
