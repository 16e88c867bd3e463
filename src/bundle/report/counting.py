"""Who is counted where, and which exit code follows. Pure.

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

# Not worth a word where there are none.
_RARE = frozenset({"blocked", "not_selected"})
STATES = ("succeeded", "skipped", "failed", "blocked")
PLANNED = ("create", "update", "unchanged", "different", "unsupported", "blocked", "not_selected")
VERIFIED = ("same", "different", "missing", "not_selected")
CHANGES = ("added", "removed", "changed", "unchanged")
FATES = ("exported", "left_out")
NOT_SELECTED = "not-selected"
# What failing looks like when not one resource, but the server is the matter.
_NO_SERVER = frozenset({"unreachable", "denied", "not-tried"})


def count_line(counts: Mapping[str, int], names: Sequence[str]) -> str:
    """``25 succeeded, 0 skipped, 0 failed (25 of 25 accounted for)``; blocked ones only where there are any."""
    parts = [f"{counts[name]} {name.replace('_', ' ')}" for name in names if counts[name] or name not in _RARE]
    return f"{', '.join(parts)} ({counts['accounted_for']} of {counts['total']} accounted for)"


def with_differences(report: Report) -> Report:
    """Differences are an answer, not a failure: the report stays ok."""
    return msgspec.structs.replace(report, exit_code=ExitCode.DIFFERENCES) if report.ok else report


def tally(found: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many of each kind ended under each name."""
    kinds: dict[str, dict[str, int]] = {}
    for kind, name in found:
        counts = kinds.setdefault(kind, dict.fromkeys(("total", *names), 0))
        counts["total"] += 1
        counts[name] += 1
    return dict(sorted(kinds.items()))


def has_differences(report: Report) -> bool:
    """Whether a plan found anything that is not at the destination as the bundle has it."""
    return any(each.reason not in {"exists-same", NOT_SELECTED} for each in report.resources)


def sums(kinds: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    sums = {name: sum(counts[name] for counts in kinds.values()) for name in ("total", *names)}
    return {"total": sums.pop("total"), "accounted_for": sum(sums.values()), **sums}


def adds_up(kinds: Mapping[str, Mapping[str, int]], resources: Sequence[Resource], names: Sequence[str]) -> bool:
    keys = {each.key for each in resources}
    return len(keys) == len(resources) and all(
        counts["total"] == sum(counts[name] for name in names) for counts in kinds.values()
    )


def records_by_kind(manifest: Manifest) -> Counter[str]:
    found: Counter[str] = Counter()
    for member in manifest.members:
        found[member.kind] += member.count
    return found


def count_records(manifest: Manifest) -> int:
    return records_by_kind(manifest).total()


def exit_code_of(outcomes: Sequence[Outcome | Switched]) -> ExitCode:
    states = {outcome.state for outcome in outcomes}
    reasons = {outcome.reason for outcome in outcomes if outcome.state == "failed"}
    if not states & {"failed", "blocked"}:
        return ExitCode.DONE
    if "succeeded" not in states and reasons and reasons <= _NO_SERVER:
        return ExitCode.SERVER
    return ExitCode.INCOMPLETE


def marked_incomplete(report: Report) -> Report:
    return msgspec.structs.replace(report, exit_code=ExitCode.INCOMPLETE, ok=False)
