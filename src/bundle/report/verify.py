"""``xfer verify``, of a file and of a destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.model import Manifest
from bundle.plan.actions import Plan
from bundle.report.bundle import bundle_blocks, bundle_report
from bundle.report.counting import CENSUS, EXISTS_SAME, NOT_SELECTED, has_differences, with_differences
from bundle.report.differences import resource_lines
from bundle.report.model import Report, Resource
from bundle.report.next_steps import next_step_lines
from bundle.report.notes import dropped_lines, missing_secret_lines
from bundle.report.parts import Limit, Lines, count_line
from bundle.report.records import Subject, planned, records_report
from bundle.trust.verdict import Verdict

_NAMES = ("same", "different", "missing", "not_selected")


def report_of_file(
    manifest: Manifest, file: str, warnings: Sequence[str] = (), verdict: Verdict | None = None
) -> Report:
    """The report on a bundle whose bytes are all verified."""
    return bundle_report("verify", manifest, file, warnings, verdict)


def report(subject: Subject, plan: Plan) -> Report:
    """The report on a destination that was read back: exit code 2 unless it holds the bundle."""
    done = records_report(subject, tuple(map(planned, plan.actions)), name_of=_name_of, names=_NAMES)
    return with_differences(done) if has_differences(done.resources) else done


def _name_of(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if _is_missing(resource):
        return "missing"
    return "same" if resource.reason == EXISTS_SAME else "different"


def _is_missing(resource: Resource) -> bool:
    return resource.action not in {"skip", "complete"}


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """The bundle, and what the destination lacks."""
    yield from bundle_blocks(report)
    if report.destination is None:
        yield [f"intact: {count_line(report.summary, CENSUS)}"]
        return
    yield _drift(report.resources, limit)
    yield dropped_lines(report.resources, limit)
    yield missing_secret_lines(report, limit)
    yield next_step_lines(report, limit)
    yield [count_line(report.summary, _NAMES)]


def _drift(resources: Sequence[Resource], limit: Limit) -> Lines:
    for resource in resources:
        if _is_missing(resource):
            yield f"! {resource.key}  (missing)"
        elif resource.reason not in {EXISTS_SAME, NOT_SELECTED}:
            yield from resource_lines(resource, limit)
