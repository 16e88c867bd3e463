"""What became, or is to become, of each record of a bundle at a destination: what plan, import and verify share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.errors import ExitCode
from bundle.model import Key, Manifest, SecretSlot
from bundle.plan.actions import Action
from bundle.report.bundle import contents, slot_of
from bundle.report.counting import NOT_SELECTED, adds_up, records_by_kind, sums
from bundle.report.differences import field_differences
from bundle.report.model import Report, Resource, Side, Slot, SlotState


class Subject(msgspec.Struct, frozen=True):
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


def carried(
    subject: Subject, resources: tuple[Resource, ...], *, count: Callable[[Resource], str], names: Sequence[str]
) -> Report:
    manifest = subject.manifest
    kinds = {
        kind: {"total": total, **dict.fromkeys(names, 0)} for kind, total in sorted(records_by_kind(manifest).items())
    }
    for resource in resources:
        kinds.setdefault(resource.kind, {"total": 0, **dict.fromkeys(names, 0)})[count(resource)] += 1
    summary = sums(kinds, names) | {"secrets_outstanding": sum(len(each.missing_secrets) for each in resources)}
    code = ExitCode.DONE if adds_up(kinds, resources, names) else ExitCode.INCOMPLETE
    return Report(
        command=subject.command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=summary,
        kinds=kinds,
        destination=subject.destination,
        bundle=contents(manifest, subject.file),
        resources=resources,
        secrets=tuple(_slots(subject, resources)),
        findings=manifest.findings,
        left_out=manifest.left_out,
        inert=subject.inert,
    )


def planned_resource(action: Action) -> Resource:
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


def ended_resource(outcome: Outcome, action: Action) -> Resource:
    return msgspec.structs.replace(
        planned_resource(action),
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
        yield slot_of(secret, _slot_state(secret, resource, subject.supplied))


def _slot_state(secret: SecretSlot, resource: Resource | None, supplied: Collection[str]) -> SlotState:
    if resource is not None and resource.reason == NOT_SELECTED:
        return "placeholder"
    if resource is None or secret.slot in resource.missing_secrets or resource.state in {"failed", "blocked"}:
        return "outstanding"
    if resource.action == "skip" or (resource.action == "update" and secret.slot not in supplied):
        return "kept"
    return "supplied" if secret.slot in supplied else "outstanding"
