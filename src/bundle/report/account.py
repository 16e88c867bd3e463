"""Results of the use cases as reports: who is counted where, and which exit code follows. Pure.

The sum is checked here, against the number of records in the bundle, and not taken from the code
that did the work: a record that ends nowhere, or twice, is an incomplete run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import BundleError, ExitCode
from bundle.kinds import KINDS
from bundle.model import Json, Key, Manifest, SecretSlot
from bundle.operations.cutover import Switched
from bundle.operations.drift import Change
from bundle.operations.undo import Undone
from bundle.plan.actions import Action, Difference, Plan
from bundle.plan.execution_surface import Surfaces
from bundle.record.pointers import split
from bundle.record.secrets import suspects, variable_name
from bundle.report.model import (
    Contents,
    FieldDifference,
    NextRuns,
    Problem,
    Report,
    Resource,
    Side,
    Slot,
    SlotState,
    Verb,
)

STATES = ("succeeded", "skipped", "failed", "blocked")
PLANNED = ("create", "update", "unchanged", "different", "unsupported", "blocked", "not_selected")
VERIFIED = ("same", "different", "missing", "not_selected")
CHANGES = ("added", "removed", "changed", "unchanged")
FATES = ("exported", "left_out")

NOT_SELECTED = "not-selected"

_PLANNED_AS: Mapping[str, str] = {
    "create": "create",
    "complete": "update",
    "fill": "update",
    "update": "update",
    "unsupported": "unsupported",
    "blocked": "blocked",
}
# What failing looks like when not one resource, but the server is the matter.
_NO_SERVER = frozenset({"unreachable", "denied", "not-tried"})


def failed(command: str, code: int, problem: Problem) -> Report:
    """The report of a command that an error ended."""
    return Report(command=command, exit_code=code, ok=False, error=problem)


def problem_of(error: BundleError) -> Problem:
    """An expected error in the words of the report."""
    return Problem(type(error).__name__, error.message, error.hint)


def described(command: str, manifest: Manifest, file: str | None, warnings: Sequence[str] = ()) -> Report:
    """The report of a command that looks at a bundle: export, inspect, verify."""
    kinds = {
        kind: {"total": count.seen, "exported": count.exported, "left_out": count.left_out}
        for kind, count in sorted(manifest.census.items())
    }
    summary = _sums(kinds, FATES)
    is_whole = summary["accounted_for"] == summary["total"] and summary["exported"] == _records(manifest)
    code = ExitCode.DONE if is_whole else ExitCode.INCOMPLETE
    return Report(
        command=command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=summary,
        kinds=kinds,
        bundle=contents(manifest, file),
        secrets=tuple(_slot(each, "placeholder") for each in manifest.secrets),
        findings=manifest.findings,
        left_out=manifest.left_out,
        warnings=tuple(warnings),
    )


def inspected(report: Report, surface: Surfaces, keys: Iterable[Key]) -> Report:
    """The report of a look inside, with what the bundle would run, and the keys that are to be listed."""
    return msgspec.structs.replace(report, surface=surface, resources=tuple(map(_held, keys)))


def _held(key: Key) -> Resource:
    return Resource(key=key, kind=key.partition(":")[0], action="keep", state=None, reason="exported")


def exported(manifest: Manifest, file: str | None, source: Side, torn: Sequence[str]) -> Report:
    """The report of an export; ``torn`` names the kinds that changed while they were read."""
    report = msgspec.structs.replace(described("export", manifest, file), source=source, changed_while_read=tuple(torn))
    return _marked_incomplete(report) if torn else report


class Run(msgspec.Struct, frozen=True):
    """What a plan or an import was about: the command, the bundle, the destination, the secrets supplied.

    ``keys`` has the new key of each resource that an overlay mapped. ``inert``: what is made is made switched off.
    """

    command: str
    manifest: Manifest
    file: str | None
    destination: Side
    supplied: Collection[str] = ()
    keys: Mapping[Key, Key] = {}
    inert: bool = False


def planned(run: Run, plan: Plan) -> Report:
    """The report of a plan, exit code 0: whether differences count is for the command to say."""
    resources = tuple(_planned(action) for action in plan.actions)
    return _carried(run, resources, count=_plan_category, names=PLANNED)


def imported(run: Run, plan: Plan, outcomes: Sequence[Outcome], *, forgives: bool = False) -> Report:
    """The report of an import that ran to its end, whatever it met; ``forgives``: failures cost no exit code."""
    actions = {action.key: action for action in plan.actions}
    resources = tuple(_ended(outcome, actions[outcome.key]) for outcome in outcomes)
    report = _carried(run, resources, count=_state, names=STATES)
    found = _import_exit_code(outcomes)
    code = max(report.exit_code, ExitCode.DONE if forgives and found == ExitCode.INCOMPLETE else found)
    return msgspec.structs.replace(report, exit_code=code, ok=report.ok and found == ExitCode.DONE)


def interrupted(report: Report) -> Report:
    """The same account, of a run that was stopped."""
    problem = Problem(
        "Interrupted", "stopped before the end", "run the same command again: it goes on where this ended"
    )
    return msgspec.structs.replace(report, exit_code=ExitCode.INTERRUPTED, ok=False, error=problem)


def ended_by(report: Report, error: BundleError) -> Report:
    """The same account, of a run that an error ended, or that a plan would not have let begin."""
    return msgspec.structs.replace(report, exit_code=error.exit_code, ok=False, error=problem_of(error))


def transferred(report: Report, source: Side, torn: Sequence[str], warnings: Sequence[str] = ()) -> Report:
    """The report of an import as that of a transfer."""
    report = msgspec.structs.replace(
        report, source=source, changed_while_read=tuple(torn), warnings=(*report.warnings, *warnings)
    )
    return _marked_incomplete(report) if torn and report.exit_code == ExitCode.DONE else report


def verified(run: Run, plan: Plan) -> Report:
    """The report of a destination that was read back: exit code 2 unless it holds the bundle."""
    resources = tuple(_planned(action) for action in plan.actions)
    report = _carried(run, resources, count=_verified_as, names=VERIFIED)
    return _differing(report) if has_differences(report) else report


def _verified_as(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if resource.action not in {"skip", "complete"}:
        return "missing"
    return "same" if resource.reason == "exists-same" else "different"


def changed(found: Sequence[Change], older: Side, newer: Side) -> Report:
    """The report of a comparison of two environments: exit code 2 unless they are the same."""
    kinds = _tally(((each.kind, each.fate) for each in found), CHANGES)
    report = Report(
        command="diff",
        exit_code=ExitCode.DONE,
        ok=True,
        summary=_sums(kinds, CHANGES),
        kinds=kinds,
        source=older,
        destination=newer,
        resources=tuple(_change(each) for each in found),
    )
    return _differing(report) if any(each.fate != "unchanged" for each in found) else report


_CHANGED_AS: Mapping[str, Verb] = {"added": "add", "removed": "remove", "changed": "change", "unchanged": "keep"}


def _change(each: Change) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=_CHANGED_AS[each.fate],
        state=None,
        reason=each.fate,
        differences=_differences(each.kind, each.differences),
    )


def _differing(report: Report) -> Report:
    """Differences are an answer, not a failure: the report stays ok."""
    return msgspec.structs.replace(report, exit_code=ExitCode.DIFFERENCES) if report.ok else report


def rolled_back(undone: Sequence[Undone], destination: Side, *, dry_run: bool) -> Report:
    """The report of a rollback; incomplete where something was kept that the import had made."""
    names = STATES[:3]
    kinds = _tally(((each.kind, each.state) for each in undone), names)
    code = ExitCode.INCOMPLETE if any(each.state == "failed" for each in undone) else ExitCode.DONE
    return Report(
        command="rollback",
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=_sums(kinds, names),
        kinds=kinds,
        destination=destination,
        resources=tuple(_undone(each, dry_run=dry_run) for each in undone),
    )


def _undone(each: Undone, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action=each.action,
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.needed_by,
    )


def switched(run: Run, results: Sequence[Switched], next_runs: Sequence[NextRuns], *, dry_run: bool) -> Report:
    """The report of what was switched on or off; each resource of the bundle that has switches is counted."""
    code = _import_exit_code(results)
    kinds = _tally(((each.kind, each.state) for each in results), STATES)
    return Report(
        command=run.command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=_sums(kinds, STATES),
        kinds=kinds,
        destination=run.destination,
        bundle=contents(run.manifest, run.file),
        resources=tuple(_switched(each, dry_run=dry_run) for each in results),
        next_runs=tuple(next_runs),
    )


def stopped(report: Report, torn: Sequence[str]) -> Report:
    """The report of what was switched off, at the server whose state was written before."""
    report = msgspec.structs.replace(
        report, source=report.destination, destination=None, changed_while_read=tuple(torn)
    )
    return _marked_incomplete(report) if torn and report.ok else report


def _switched(each: Switched, *, dry_run: bool) -> Resource:
    return Resource(
        key=each.key,
        kind=each.kind,
        action="switch" if each.switches else "blocked" if each.state in {"failed", "blocked"} else "skip",
        state=None if dry_run else each.state,
        reason=each.reason,
        detail=each.detail,
        waits_for=each.waits_for,
        differences=_differences(each.kind, each.differences),
    )


def _tally(found: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, dict[str, int]]:
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


def contents(manifest: Manifest, file: str | None) -> Contents:
    """The bundle itself, in a report."""
    return Contents(
        file, manifest.format, manifest.content_digest, manifest.provenance, manifest.selection, manifest.order
    )


def _carried(
    run: Run, resources: tuple[Resource, ...], *, count: Callable[[Resource], str], names: Sequence[str]
) -> Report:
    manifest = run.manifest
    kinds = {
        kind: {"total": total, **dict.fromkeys(names, 0)} for kind, total in sorted(_records_by_kind(manifest).items())
    }
    for resource in resources:
        kinds.setdefault(resource.kind, {"total": 0, **dict.fromkeys(names, 0)})[count(resource)] += 1
    summary = _sums(kinds, names) | {"secrets_outstanding": sum(len(each.missing_secrets) for each in resources)}
    code = ExitCode.DONE if _adds_up(kinds, resources, names) else ExitCode.INCOMPLETE
    return Report(
        command=run.command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=summary,
        kinds=kinds,
        destination=run.destination,
        bundle=contents(manifest, run.file),
        resources=resources,
        secrets=tuple(_slots(run, resources)),
        findings=manifest.findings,
        left_out=manifest.left_out,
        inert=run.inert,
    )


def _sums(kinds: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    sums = {name: sum(counts[name] for counts in kinds.values()) for name in ("total", *names)}
    return {"total": sums.pop("total"), "accounted_for": sum(sums.values()), **sums}


def _adds_up(kinds: Mapping[str, Mapping[str, int]], resources: Sequence[Resource], names: Sequence[str]) -> bool:
    keys = {each.key for each in resources}
    return len(keys) == len(resources) and all(
        counts["total"] == sum(counts[name] for name in names) for counts in kinds.values()
    )


def _records_by_kind(manifest: Manifest) -> Counter[str]:
    found: Counter[str] = Counter()
    for member in manifest.members:
        found[member.kind] += member.count
    return found


def _records(manifest: Manifest) -> int:
    return _records_by_kind(manifest).total()


def _import_exit_code(outcomes: Sequence[Outcome | Switched]) -> ExitCode:
    states = {outcome.state for outcome in outcomes}
    reasons = {outcome.reason for outcome in outcomes if outcome.state == "failed"}
    if not states & {"failed", "blocked"}:
        return ExitCode.DONE
    if "succeeded" not in states and reasons and reasons <= _NO_SERVER:
        return ExitCode.SERVER
    return ExitCode.INCOMPLETE


def _marked_incomplete(report: Report) -> Report:
    return msgspec.structs.replace(report, exit_code=ExitCode.INCOMPLETE, ok=False)


def _state(resource: Resource) -> str:
    return str(resource.state)


def _plan_category(resource: Resource) -> str:
    if resource.reason == NOT_SELECTED:
        return "not_selected"
    if resource.action == "skip":
        return "unchanged" if resource.reason == "exists-same" else "different"
    return _PLANNED_AS[resource.action]


def _planned(action: Action) -> Resource:
    return Resource(
        key=action.key,
        kind=action.kind,
        action=action.verb,
        state=None,
        reason=action.reason,
        detail=action.detail,
        waits_for=action.waits_for,
        missing_secrets=action.missing_secrets,
        dropped_fields=action.dropped,
        differences=_differences(action.kind, action.differences),
        unchangeable=action.unchangeable,
    )


def _ended(outcome: Outcome, action: Action) -> Resource:
    return msgspec.structs.replace(
        _planned(action),
        state=outcome.state,
        reason=outcome.reason,
        detail=outcome.detail,
        waits_for=outcome.waits_for,
        missing_secrets=outcome.missing_secrets,
        dropped_fields=outcome.dropped,
    )


def _differences(kind: str, found: Iterable[Difference]) -> tuple[FieldDifference, ...]:
    return tuple(_difference(_with_defaults(kind, each)) for each in found)


def _with_defaults(kind: str, found: Difference) -> Difference:
    """The same with what a field means that one side leaves out, since every server fills that in."""
    name, *inner = split(found.pointer) or [""]
    default = None if inner or found.is_secret or kind not in KINDS else KINDS[kind].defaults.get(name)
    if default is None:
        return found
    ours, theirs = (default if side is None else side for side in (found.bundle, found.destination))
    return msgspec.structs.replace(found, bundle=ours, destination=theirs)


def _difference(found: Difference) -> FieldDifference:
    pointer = found.pointer
    is_hidden = found.is_secret or any(_may_be_secret(pointer, each) for each in (found.bundle, found.destination))
    if is_hidden:
        return FieldDifference(pointer, None, None, is_hidden=True)
    return FieldDifference(pointer, found.bundle, found.destination)


def _may_be_secret(pointer: str, value: Json) -> bool:
    """Whether a value, or the name of any place around it, looks like a secret."""
    return any(next(suspects({name: value}), None) is not None for name in split(pointer) or [""])


def _slot(secret: SecretSlot, state: SlotState) -> Slot:
    return Slot(secret.slot, secret.resource, secret.type, variable_name(secret.slot), state)


def _slots(run: Run, resources: Iterable[Resource]) -> Iterable[Slot]:
    by_key: dict[Key, Resource] = {each.key: each for each in resources}
    for secret in run.manifest.secrets:
        resource = by_key.get(run.keys.get(secret.resource, secret.resource))
        yield _slot(secret, _slot_state(secret, resource, run.supplied))


def _slot_state(secret: SecretSlot, resource: Resource | None, supplied: Collection[str]) -> SlotState:
    if resource is not None and resource.reason == NOT_SELECTED:
        return "placeholder"
    if resource is None or secret.slot in resource.missing_secrets or resource.state in {"failed", "blocked"}:
        return "outstanding"
    if resource.action == "skip" or (resource.action == "update" and secret.slot not in supplied):
        return "kept"
    return "supplied" if secret.slot in supplied else "outstanding"
