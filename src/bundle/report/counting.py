"""How many resources ended how, whether that is all of them, and which exit code follows.

The sum is checked here, against the number of records in the bundle, and not taken from the code
that did the work: a record that ends nowhere, or twice, is an incomplete run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import ExitCode
from bundle.model import Manifest
from bundle.operations.cutover import Switched
from bundle.report.model import Report, Resource

Counts = Mapping[str, Mapping[str, int]]
"""By kind: ``total``, and how many ended under each name."""

STATES = ("succeeded", "skipped", "failed", "blocked")
ENDINGS = (*STATES, "begun", "not_tried", "built_in")
"""How records of an import end; ``built_in``: there without anybody's doing, since every Prefect makes it itself."""
CENSUS = ("exported", "left_out")

EXISTS_SAME = "exists-same"
NOT_SELECTED = "not-selected"

# Where every failure has one of these reasons, the server is at fault, not a resource.
_NO_SERVER = frozenset({"unreachable", "denied", "not-tried", "begun"})
_UNDONE = frozenset({"failed", "begun", "not_tried"})


def tally(found: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many of each kind ended under each name, from pairs of both."""
    kinds: dict[str, dict[str, int]] = {}
    for kind, name in found:
        counts = kinds.setdefault(kind, dict.fromkeys(("total", *names), 0))
        counts["total"] += 1
        counts[name] += 1
    return dict(sorted(kinds.items()))


def summary_of(kinds: Counts, names: Sequence[str]) -> dict[str, int]:
    """The sums over all kinds; ``accounted_for`` is that of the names."""
    totals = {name: sum(counts[name] for counts in kinds.values()) for name in ("total", *names)}
    return {"total": totals.pop("total"), "accounted_for": sum(totals.values()), **totals}


def is_complete(kinds: Counts, resources: Sequence[Resource], names: Sequence[str]) -> bool:
    """Whether every record ended under exactly one name."""
    keys = {each.key for each in resources}
    return len(keys) == len(resources) and all(
        counts["total"] == sum(counts[name] for name in names) for counts in kinds.values()
    )


def records_by_kind(manifest: Manifest) -> Counter[str]:
    """How many records of each kind a bundle holds."""
    found: Counter[str] = Counter()
    for member in manifest.members:
        found[member.kind] += member.count
    return found


def has_differences(resources: Iterable[Resource]) -> bool:
    """Whether anything is not at the destination as it is in the bundle."""
    return any(each.reason not in {EXISTS_SAME, NOT_SELECTED} for each in resources)


def exit_code_of(outcomes: Sequence[Outcome | Switched]) -> ExitCode:
    """The exit code of a run that reached its end."""
    states = {outcome.state for outcome in outcomes}
    reasons = {outcome.reason for outcome in outcomes if outcome.state in _UNDONE}
    if not states & {*_UNDONE, "blocked"}:
        return ExitCode.DONE
    has_gone = "not-tried" in reasons and bool(reasons & {"unreachable", "denied"})
    if reasons and reasons <= _NO_SERVER and (has_gone or "succeeded" not in states):
        return ExitCode.SERVER
    return ExitCode.INCOMPLETE


def foretold(report: Report) -> Report:
    """The report of a plan with the exit code that says what its import would come to.

    3 where something would not arrive, else 2 where anything would be written or differs, else 0; what can never be at
    the destination is skipped and counts for neither.
    """
    if any(each.action == "blocked" or each.reason == "too-large" for each in report.resources):
        return msgspec.structs.replace(report, exit_code=ExitCode.INCOMPLETE) if report.ok else report
    possible = tuple(each for each in report.resources if each.action != "unsupported")
    return with_differences(report) if has_differences(possible) else report


def with_differences(report: Report) -> Report:
    """The report with exit code 2. Differences are an answer, not a failure: it stays ok."""
    return msgspec.structs.replace(report, exit_code=ExitCode.DIFFERENCES) if report.ok else report


def incomplete(report: Report) -> Report:
    """The report of a run that did not do all that was asked for."""
    return msgspec.structs.replace(report, exit_code=ExitCode.INCOMPLETE, ok=False)
