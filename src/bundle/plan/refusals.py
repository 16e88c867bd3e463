"""What an import is refused for before anything is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bundle.errors import Conflict, SecretMissing, UsageError, listed
from bundle.model import Bundle, Json, kind_of
from bundle.plan.actions import Plan
from bundle.plan.choices import Choices
from bundle.plan.compatibility import misfits
from bundle.record.pointers import walk
from bundle.record.secret_schema import MASK
from bundle.server.openapi import Accepted


def refuse_unknown_slots(bundle: Bundle, supplied: Mapping[str, Json]) -> None:
    """Refuse a secret value for which the bundle has no place.

    Raises:
        UsageError: there is one.
    """
    unknown = sorted(supplied.keys() - {each.slot for each in bundle.manifest.secrets})
    if unknown:
        raise UsageError(
            f"the bundle has no secret slot {unknown[0]!r}",
            hint="`xfer secrets template` writes a file with the slots of a bundle",
        )


def refuse_masks(supplied: Mapping[str, Json]) -> None:
    """Refuse a value that no server stores over another one: its own mask means "as it is".

    Raises:
        UsageError: there is one.
    """
    masks = sorted(slot for slot, value in supplied.items() if any(part == MASK for _, part in walk(value)))
    if masks:
        raise UsageError(
            f"the value for the secret {masks[0]} is the mask that servers show ({MASK}), which they do not store",
            hint="supply the real value, or leave the slot empty",
        )


def refuse_misfits(bundle: Bundle, patched: Bundle, accepted: Accepted) -> None:
    """Refuse a patch that gives a value which the destination does not take.

    Raises:
        UsageError: there is one.
    """
    for before, after in zip(bundle.records, patched.records, strict=True):
        places = misfits(before.record, after.record, accepted)
        if places:
            raise UsageError(
                f"the overlay gives {after.record.key} something at {places[0]} that the destination does not take",
                hint="check the name of the member, and the type and range of its value",
            )


def refuse_missing_secrets(plan: Plan, choices: Choices) -> None:
    """Refuse a plan that lacks secrets, where that is asked for.

    Raises:
        SecretMissing: some were not supplied, and the policy is ``fail``.
    """
    lacking = [slot for action in plan.actions for slot in action.missing_secrets]
    if lacking and choices.missing_secrets == "fail":
        raise SecretMissing(
            f"secrets are not supplied: {listed(lacking)}",
            hint="supply them with --secrets FILE, or choose --missing-secrets placeholder or skip",
        )


def refuse_conflicts(plan: Plan, choices: Choices) -> None:
    """Refuse a plan with resources that have other content, where that is asked for.

    Raises:
        Conflict: there is one of a kind for which the policy is ``fail``.
    """
    differing = [each.key for each in plan.actions if each.reason == "exists-differs"]
    refused = [key for key in differing if choices.conflicts.policy(kind_of(key)) == "fail"]
    if refused:
        raise Conflict(
            f"the destination has these with other content: {listed(refused)}",
            hint="`xfer plan` shows the differences; --on-conflict skip leaves them, update makes them equal",
        )
