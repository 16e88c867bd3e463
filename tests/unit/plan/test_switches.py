"""What an import that switches nothing on makes of a bundle."""

from __future__ import annotations

import uuid

import pytest

from bundle.errors import Conflict
from bundle.kinds import KINDS
from bundle.model import Bundle
from bundle.operations import saved_plan
from bundle.operations.import_ import Prepared, carry_out, prepare
from bundle.plan.choices import Choices, Conflicts
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import api_of, run
from support.seeded import seeded


def prepared(fake: FakePrefect, bundle: Bundle | None = None, *, inert: bool) -> Prepared:
    async def planned() -> Prepared:
        async with api_of(fake) as api:
            return await prepare(bundle or seeded(), api, Choices(inert=inert))

    return run(planned())


def places(found: Prepared) -> set[str]:
    """The names of all fields that differ, without positions in lists."""
    pointers = [difference.pointer for action in found.plan.actions for difference in action.differences]
    return {"/".join(part for part in pointer.split("/") if not part.isdigit()) for pointer in pointers}


def test_only_what_starts_by_itself_has_switches() -> None:
    """Pools, deployments with their schedules, and automations can be on or off; nothing else can."""
    assert {kind.name for kind in KINDS.values() if kind.activity} == {"work-pool", "deployment", "automation"}


def test_a_plan_says_what_is_not_on() -> None:
    """After an inert import a plain plan finds switches that differ, in their own fields, and nothing else."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded(), inert=True)
    assert places(prepared(fake, inert=False)) == {"/paused", "/schedules/active", "/enabled", "/is_paused"}
    assert places(prepared(fake, inert=True)) == set()


def test_what_is_there_stays_on_or_off() -> None:
    """To an inert import, resources that are there are as wanted, whether they are on or off."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    assert places(prepared(fake, inert=True)) == set()
    for row in fake.rows("deployments"):
        row["paused"] = not row["paused"]
    assert places(prepared(fake, inert=True)) == set()


def test_twins_that_differ_in_being_on_are_told_apart() -> None:
    """Automations of one name are paired by content although all of them were switched off."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    first = fake.rows("automations")[0]
    for number in range(6):
        twin = {**first, "id": str(uuid.UUID(int=number + 1)), "name": "twin", "enabled": number % 2 == 0}
        fake.tables["automations"][twin["id"]] = twin | {"description": f"number {number}"}
    bundle = bundle_of(fake)
    before = {row["id"]: row["enabled"] for row in fake.rows("automations")}
    for row in fake.rows("automations"):
        row["enabled"] = False

    found = prepared(fake, bundle, inert=False)

    differing = {action.id for action in found.plan.actions if action.kind == "automation" and action.differences}
    assert differing == {identifier for identifier, enabled in before.items() if enabled}
    assert places(found) == {"/enabled"}


def test_a_saved_plan_is_inert_or_not() -> None:
    """A plan that was reviewed as inert is refused by an import that is not, and the other way round."""
    fake = FakePrefect(seed=1)
    for was_inert in (True, False):
        reviewed = saved_plan.made_from(prepared(fake, inert=was_inert), fake.url)
        saved_plan.check(reviewed, prepared(fake, inert=was_inert), fake.url)
        with pytest.raises(Conflict, match="changed since the plan"):
            saved_plan.check(reviewed, prepared(fake, inert=not was_inert), fake.url)


def test_an_update_leaves_what_is_there_on_or_off() -> None:
    """With --inert an update gives an existing deployment what differs, and lets it run or rest as it did."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    row = fake.rows("deployments", name="with slugs")[0]
    row["description"] = "edited"
    row["paused"] = not row["paused"]
    for each in row["schedules"]:
        each["active"] = not each["active"]
    before = {each["slug"]: each["active"] for each in row["schedules"]}, row["paused"]

    async def updated() -> None:
        async with api_of(fake) as api:
            found = await prepare(seeded(), api, Choices(Conflicts("update"), inert=True))
            await carry_out(found, api)

    run(updated())
    row = fake.rows("deployments", name="with slugs")[0]
    assert row["description"] != "edited"
    assert ({each["slug"]: each["active"] for each in row["schedules"]}, row["paused"]) == before
