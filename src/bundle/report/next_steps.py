"""The list of what still needs a hand, as import, transfer and verify end with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from bundle.model import Finding, Key, Record
from bundle.plan.next_steps import NEXT_STEPS, Matter, NextStep, next_steps
from bundle.report.model import Report
from bundle.report.parts import Limit, Lines, cut, file_argument, heading, rest_of, server_argument

_ABSENT = frozenset({"failed", "blocked", "not_tried"})
_NOT_THERE = frozenset({"create", "unsupported", "blocked"})


def with_next_steps(report: Report, records: Iterable[Record], findings: Iterable[Finding]) -> Report:
    """The report with what is to be done next about the resources that are at the destination."""
    there = set(_there(report))
    steps = next_steps((each for each in records if each.key in there), findings)
    slots = tuple(Matter(each.resource, each.slot) for each in report.secrets if each.state == "outstanding")
    template = f"xfer secrets template {file_argument(report)} > secrets.toml"
    supply = (NextStep("supply-secrets", slots, template),) if slots else ()
    return msgspec.structs.replace(report, next_steps=(*supply, *(_named(each, report) for each in steps)))


def _there(report: Report) -> Iterator[Key]:
    for each in report.resources:
        is_missing = each.action in _NOT_THERE if each.state is None else each.state in _ABSENT
        if not is_missing and each.action != "unsupported" and each.reason != "not-selected":
            yield each.key


def _named(step: NextStep, report: Report) -> NextStep:
    if step.code != "switch-on" or report.destination is None:
        return step
    server = server_argument(report.destination)
    command = f"xfer activate {file_argument(report)} --to {server}" if report.inert else ""
    return msgspec.structs.replace(step, command=command)


def next_step_lines(report: Report, limit: Limit) -> Lines:
    """The steps, in the order in which to take them."""
    if report.next_steps:
        yield f"next steps ({len(report.next_steps)}):"
    for number, step in enumerate(report.next_steps, 1):
        yield from (f"  {line}" for line in heading(f"{number}. {step.code}", len(step.matters), NEXT_STEPS[step.code]))
        yield from ([f"       {step.command}"] if step.command else ())
        shown = cut(step.matters, limit) if step.code != "supply-secrets" else ()
        yield from (f"     {each.key}{f'  ({each.detail})' if each.detail else ''}" for each in shown)
        yield from (rest_of(step.matters, limit, "     ") if shown else ())
