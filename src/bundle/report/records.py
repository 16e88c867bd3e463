"""What became, or would become, of each record of a bundle at a destination: what plan, import and verify share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import ExitCode
from bundle.model import Key, Manifest, SecretSlot
from bundle.plan.actions import Action
from bundle.report.bundle import contents, slot
from bundle.report.counting import NOT_SELECTED, is_complete, records_by_kind, summary_of
from bundle.report.differences import field_differences
from bundle.report.model import Report, Resource, Side, Slot, SlotState
from bundle.trust.verdict import Verdict


class Subject(msgspec.Struct, frozen=True):
    """What a report is about: the command, the bundle, the destination, and the slots that were supplied.

    ``keys`` has the new key of each resource that an overlay mapped. ``inert``: what is new is created paused.
    ``verdict``: who vouches for the bundle, where that was asked.
    """

    command: str
    manifest: Manifest
    file: str | None
    destination: Side
    supplied: Collection[str] = ()
    keys: Mapping[Key, Key] = {}
    inert: bool = False
    verdict: Verdict | None = None


def records_report(
    subject: Subject, resources: tuple[Resource, ...], *, name_of: Callable[[Resource], str], names: Sequence[str]
) -> Report:
    """The report on records, each counted under the name that ``name_of`` gives it; exit code 3 if any is missing."""
    manifest = subject.manifest
    kinds = {
        kind: {"total": total, **dict.fromkeys(names, 0)} for kind, total in sorted(records_by_kind(manifest).items())
    }
    for resource in resources:
        kinds.setdefault(resource.kind, {"total": 0, **dict.fromkeys(names, 0)})[name_of(resource)] += 1
    is_ok = is_complete(kinds, resources, names)
    return Report(
        command=subject.command,
        exit_code=ExitCode.DONE if is_ok else ExitCode.INCOMPLETE,
        ok=is_ok,
        summary={
            **summary_of(kinds, names),
            "secrets_outstanding": sum(len(each.missing_secrets) for each in resources),
        },
        kinds=kinds,
        destination=subject.destination,
        bundle=contents(manifest, subject.file),
        signatures=subject.verdict,
        resources=resources,
        secrets=tuple(_slots(subject, resources)),
        findings=manifest.findings,
        left_out=manifest.left_out,
        inert=subject.inert,
    )


def planned(action: Action) -> Resource:
    """What is reported of a record that has an action."""
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
        differences=field_differences(action.kind, action.differences),
        unchangeable=action.unchangeable,
    )


def ended(outcome: Outcome, action: Action) -> Resource:
    """The same once the record has an outcome."""
    return msgspec.structs.replace(
        planned(action),
        state=outcome.state,
        reason=outcome.reason,
        detail=outcome.detail,
        waits_for=outcome.waits_for,
        missing_secrets=outcome.missing_secrets,
        dropped_fields=outcome.dropped,
    )


def _slots(subject: Subject, resources: Iterable[Resource]) -> Iterable[Slot]:
    by_key: dict[Key, Resource] = {each.key: each for each in resources}
    for secret in subject.manifest.secrets:
        resource = by_key.get(subject.keys.get(secret.resource, secret.resource))
        yield slot(secret, _slot_state(secret, resource, subject.supplied))


def _slot_state(secret: SecretSlot, resource: Resource | None, supplied: Collection[str]) -> SlotState:
    if resource is not None and resource.reason == NOT_SELECTED:
        return "placeholder"
    if (
        resource is None
        or secret.slot in resource.missing_secrets
        or resource.state in {"failed", "blocked", "not_tried"}
        or resource.action in {"blocked", "unsupported"}
    ):
        return "outstanding"
    if resource.action == "skip" or (resource.action == "update" and secret.slot not in supplied):
        return "kept"
    return "supplied" if secret.slot in supplied else "outstanding"
