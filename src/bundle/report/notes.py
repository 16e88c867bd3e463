"""What a person should know besides: findings, what was left out, secrets that are missing, what was not sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bundle.model import FINDING_CODES, LEFT_OUT_REASONS, LeftOut
from bundle.report.escaping import escape
from bundle.report.model import Report, Resource
from bundle.report.parts import Lines, cut, file_name, heading, joined, rest_of


def outstanding_lines(report: Report, limit: int | None) -> Lines:
    slots = [each for each in report.secrets if each.state == "outstanding"]
    if slots:
        yield f"secrets outstanding ({len(slots)}): supply them with --secrets FILE, or as variables"
    for slot in cut(slots, limit):
        yield f"  ? {escape(slot.slot)}"
        yield f"      {slot.variable}"
    yield from rest_of(slots, limit)


def inert_lines(report: Report) -> Lines:
    if report.inert and report.destination is not None:
        file = file_name(report.bundle.file) if report.bundle else "FILE"
        yield "what is new is switched off; to switch on what the bundle has on, with the same"
        yield "selection and overlay as here:"
        yield f"  xfer activate {file} --to {escape(report.destination.name)}"


def dropped_lines(resources: Iterable[Resource], limit: int | None) -> Lines:
    having = [each for each in resources if each.dropped_fields]
    if having:
        yield f"places that the destination's version does not hold, not sent ({len(having)}):"
    for resource in cut(having, limit):
        yield f"  {escape(resource.key)}: {joined(resource.dropped_fields, None)}"
    yield from rest_of(having, limit)


def note_lines(report: Report, limit: int | None, *, has_slots: bool = True) -> Iterator[Lines]:
    """What the export already knew: findings, what was left out, what changed meanwhile."""
    if has_slots:
        yield _placeholders(report, limit)
    yield _findings(report, limit)
    yield _left_out(report)
    yield reading_lines(report)


def reading_lines(report: Report) -> Lines:
    if report.changed_while_read:
        kinds = ", ".join(map(escape, report.changed_while_read))
        yield f"changed while it was read, so the bundle may mix two states: {kinds}"
    yield from (f"warning: {escape(each)}" for each in report.warnings)


def _placeholders(report: Report, limit: int | None) -> Lines:
    if report.secrets:
        yield f"secrets, each a placeholder to fill at import ({len(report.secrets)}):"
    for slot in cut(report.secrets, limit):
        yield f"  ? {escape(slot.slot)} ({slot.type})"
        yield f"      {slot.variable}"
    yield from rest_of(report.secrets, limit)


def _findings(report: Report, limit: int | None) -> Lines:
    groups: dict[str, list[str]] = defaultdict(list)
    for each in report.findings:
        detail = f": {escape(each.detail)}" if each.detail else ""
        groups[each.code].append(f"{escape(each.key)}{' at ' + escape(each.pointer) if each.pointer else ''}{detail}")
    for code, places in groups.items():
        yield from heading(code, len(places), FINDING_CODES.get(code, ""))
        yield from (f"  {place}" for place in cut(places, limit))
        yield from rest_of(places, limit)


def _left_out(report: Report) -> Lines:
    groups: dict[str, list[LeftOut]] = defaultdict(list)
    for each in report.left_out:
        groups[each.reason].append(each)
    for reason, group in groups.items():
        yield from heading(
            f"left out at export, {reason}", sum(each.count for each in group), LEFT_OUT_REASONS.get(reason, "")
        )
        for each in group:
            names = f": {joined(each.names, 5)}" if each.names else ""
            yield f"  {each.count} {escape(each.kind)}{names}"
