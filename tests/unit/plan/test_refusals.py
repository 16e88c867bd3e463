"""What an import is refused for before anything is written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bundle.errors import BundleError, Conflict, SecretMissing, UsageError
from bundle.model import Body
from bundle.plan.actions import Action, Plan
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.overlay import Overlay, adapt
from bundle.plan.patches import Patch
from bundle.plan.refusals import (
    refuse_conflicts,
    refuse_masks,
    refuse_misfits,
    refuse_missing_secrets,
    refuse_unknown_slots,
)
from bundle.server.openapi import parse_openapi
from bundle.server.published import newest
from support.fake_prefect import FakePrefect
from support.moving import bundle_of
from support.offline import speaking_to
from support.seeded import seeded


def plan(*actions: tuple[str, str], slots: tuple[str, ...] = ()) -> Plan:
    return Plan(
        tuple(Action(key, key.partition(":")[0], "skip", reason, missing_secrets=slots) for key, reason in actions)
    )


def message(refusal: pytest.ExceptionInfo[BundleError]) -> str:
    return refusal.value.message


def test_conflicts_end_an_import_where_they_are_to() -> None:
    """Only kinds with that policy count, and only what differs; a few are named, the others counted."""
    found = plan(*((f"variable:v{number}", "exists-differs") for number in range(7)), ("flow:f", "exists-differs"))

    refuse_conflicts(found, Choices())
    refuse_conflicts(found, Choices(Conflicts("skip", {"deployment": "fail"})))
    refuse_conflicts(plan(("flow:f", "exists-same")), Choices(Conflicts("fail")))
    with pytest.raises(Conflict) as refusal:
        refuse_conflicts(found, Choices(Conflicts("update", {"variable": "fail"})))
    assert message(refusal) == (
        "the destination has these with other content: variable:v0, variable:v1, variable:v2, variable:v3, "
        "variable:v4 and 2 more"
    )


def test_missing_secrets_end_an_import_where_they_are_to() -> None:
    """With the policy ``fail`` the slots without a value are named."""
    found = plan(("block:secret/a", "created"), slots=("block:secret/a#/data/value",))

    refuse_missing_secrets(found, Choices())
    refuse_missing_secrets(plan(("flow:f", "created")), Choices(missing_secrets="fail"))
    with pytest.raises(SecretMissing) as refusal:
        refuse_missing_secrets(found, Choices(missing_secrets="fail"))
    assert message(refusal) == "secrets are not supplied: block:secret/a#/data/value"


@pytest.mark.parametrize("value", ["********", {"a": ["********"]}])
def test_a_mask_is_no_value(value: object) -> None:
    """Servers show it in place of a secret and take it for "as it is", so it can never be stored over another one."""
    refuse_masks({"a": "***", "b": ""})
    with pytest.raises(UsageError) as refusal:
        refuse_masks({"block:secret/a#/data/value": value})
    assert "block:secret/a#/data/value is the mask" in message(refusal)


def test_a_value_without_a_slot_is_a_mistake() -> None:
    """A slot that the bundle does not have was mistyped."""
    known = seeded().manifest.secrets[0].slot

    refuse_unknown_slots(seeded(), {known: "x"})
    with pytest.raises(UsageError, match="the bundle has no secret slot 'nonsense'"):
        refuse_unknown_slots(seeded(), {known: "x", "nonsense": "x"})


@pytest.mark.parametrize(("value", "is_refused"), [(5, False), ("five", True), (-1, True)])
def test_a_patch_must_fit_the_destination(value: Any, *, is_refused: bool) -> None:
    """What an overlay changes is held against types and bounds; what the bundle had itself is not."""
    fake = FakePrefect()
    with speaking_to(fake) as api:
        api.post("/work_pools/", name="p", type="process", concurrency_limit=2)
    bundle = bundle_of(fake)
    field = {"type": "integer", "minimum": 0}
    schema = {"properties": {"name": {"type": "integer"}, "concurrency_limit": field}}
    body = {"content": {"application/json": {"schema": schema}}}
    accepted = parse_openapi({"paths": {"/work_pools/": {"post": {"requestBody": body}}}})
    patched = msgspec.structs.replace(
        bundle,
        records=tuple(
            msgspec.structs.replace(
                placed,
                record=msgspec.structs.replace(placed.record, body={**placed.record.body, "concurrency_limit": value}),
            )
            if placed.record.kind == "work-pool"
            else placed
            for placed in bundle.records
        ),
    )

    refuse_misfits(bundle, bundle, accepted)
    if is_refused:
        with pytest.raises(UsageError, match="work-pool:p something at /concurrency_limit that the destination"):
            refuse_misfits(bundle, patched, accepted)
    else:
        refuse_misfits(bundle, patched, accepted)


@pytest.mark.parametrize(
    ("match", "at", "merge", "place"),
    [
        ("deployment:scheduled/with slugs", "/schedules/*", {"activ": False}, "/schedules/0/activ"),
        ("automation:*", "/trigger", {"withn": 5}, "/trigger/withn"),
        ("work-pool:*", "", {"concurrency_limit": "five"}, "/concurrency_limit"),
        ("work-queue:*", "", {"priority": 0}, "/priority"),
        ("deployment:*", "", {"concurrency_options": {"collision": "ENQUEUE"}}, "/concurrency_options"),
    ],
)
def test_a_mistyped_member_is_refused_also_where_nobody_can_be_asked(
    match: str, at: str, merge: Body, place: str
) -> None:
    """What the newest Prefect takes is known without a server, to the innermost member."""
    wanted = adapt(seeded(), overlay=Overlay(patch=(Patch(match=match, at=at, merge=merge),)))

    with pytest.raises(UsageError, match="that the destination does not take") as refusal:
        refuse_misfits(seeded(), wanted.bundle, newest())
    assert f" at {place}" in message(refusal)
    refuse_misfits(seeded(), seeded(), newest())
