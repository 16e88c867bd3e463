"""A plan that was reviewed is done, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle.errors import BundleError, Conflict, OutputError
from bundle.model import Bundle
from bundle.operations import saved_plan
from bundle.operations.import_ import Prepared, prepare
from bundle.operations.saved_plan import SavedPlan
from bundle.plan.choices import DEFAULT, Choices, Conflicts
from bundle.plan.overlay import Overlay
from support.edits import SUPPLIED, SUPPLIED_SLOT
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import api_of, run, speaking_to
from support.seeded import seeded


def prepared(fake: FakePrefect, bundle: Bundle, choices: Choices = DEFAULT, **given: Any) -> Prepared:
    async def plan() -> Prepared:
        async with api_of(fake) as api:
            return await prepare(bundle, api, choices, **given)

    return run(plan())


def saved(fake: FakePrefect, bundle: Bundle) -> SavedPlan:
    return saved_plan.made_from(prepared(fake, bundle), fake.url)


def variables(fake: FakePrefect, **values: Any) -> FakePrefect:
    with speaking_to(fake) as api:
        for name, value in values.items():
            api.post("/variables/", name=name, value=value)
    return fake


@pytest.fixture
def bundle() -> Bundle:
    return bundle_of(variables(FakePrefect(), a=1, b=2))


def refusal(plan: SavedPlan, now: Prepared, destination: str = "http://fake.test/api") -> str:
    """Why an import with a plan is refused; empty where it is not."""
    try:
        saved_plan.check(plan, now, destination)
    except Conflict as conflict:
        return conflict.message
    return ""


def test_what_was_reviewed_may_be_done(bundle: Bundle) -> None:
    """Nothing has changed, so the plan holds; whether secrets are supplied by now is no part of it."""
    fake = FakePrefect(seed=1)

    assert refusal(saved(fake, bundle), prepared(fake, bundle)) == ""
    assert refusal(saved(fake, seeded()), prepared(fake, seeded(), secrets={SUPPLIED_SLOT: SUPPLIED})) == ""


def test_a_plan_is_for_one_destination_and_one_bundle(bundle: Bundle) -> None:
    """Another URL or another content digest is refused, before anything else is compared."""
    fake = FakePrefect(seed=1)
    other = bundle_of(variables(FakePrefect(), a=1))

    assert refusal(saved(fake, bundle), prepared(fake, bundle), "http://other/api") == (
        "the plan is for http://fake.test/api, not for http://other/api"
    )
    assert refusal(saved(fake, other), prepared(fake, bundle)) == "the plan was made for another bundle"


@pytest.mark.parametrize(
    ("before", "after", "choices", "message"),
    [
        ({}, {"a": 5}, DEFAULT, "variable:a (made)"),
        ({"a": 5}, {}, DEFAULT, "variable:a (deleted)"),
        ({"a": 5}, {"a": 6}, DEFAULT, "variable:a (changed at the destination)"),
        ({"a": 5}, {"a": 5}, Choices(Conflicts("update")), "variable:a (update instead of skip)"),
        ({}, {}, Choices(overlay=Overlay(set={"variable:a": 3})), "variable:a (wanted otherwise)"),
    ],
    ids=["made", "deleted", "changed", "another policy", "another overlay"],
)
def test_what_changed_is_named(
    bundle: Bundle, before: dict[str, Any], after: dict[str, Any], choices: Choices, message: str
) -> None:
    """Anything that is not as it was reviewed ends the import, and is named."""
    fake = variables(FakePrefect(seed=1), **before)
    plan = saved(fake, bundle)
    if before != after:
        fake.tables["variables"].clear()
        variables(fake, **after)

    assert refusal(plan, prepared(fake, bundle, choices)) == f"changed since the plan: {message}"


def test_an_interrupted_import_of_the_same_plan_goes_on(bundle: Bundle) -> None:
    """What it has done by now is no change; what somebody else made instead is."""
    fake = FakePrefect(seed=1)
    plan = saved(fake, bundle)
    import_into(fake, bundle)
    fake.rows("variables", name="b")[0]["value"] = "theirs"

    assert refusal(plan, prepared(fake, bundle)) == "changed since the plan: variable:b (made)"
    fake.rows("variables", name="b")[0]["value"] = 2
    assert refusal(plan, prepared(fake, bundle)) == ""


def test_a_plan_is_read_as_it_was_written(bundle: Bundle, tmp_path: Path) -> None:
    """Nothing is lost on the way, and a file that is there is replaced only by force."""
    plan, path = saved(FakePrefect(seed=1), bundle), tmp_path / "plan"

    saved_plan.write(plan, path, force=False)
    assert saved_plan.read(path) == plan
    with pytest.raises(OutputError):
        saved_plan.write(plan, path, force=False)
    saved_plan.write(plan, path, force=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xfer_plan": "2.0"}, "a plan of version 2.0 needs a newer xfer"),
        ({"steps": []}, "the plan was changed after it was saved"),
        ({"state": "0" * 64}, "the plan was changed after it was saved"),
        ({"steps": 5}, "not a plan of xfer"),
    ],
)
def test_a_plan_that_was_changed_is_refused(bundle: Bundle, change: dict[str, Any], message: str) -> None:
    """Its steps are bound by their digest; other versions and other files are refused too."""
    plan = msgspec.to_builtins(saved(FakePrefect(seed=1), bundle))

    with pytest.raises(BundleError, match=message):
        saved_plan.parse(msgspec.json.encode(plan | change), "plan.json")


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message has the name and the reason."""
    with pytest.raises(BundleError, match=r"plan: cannot be read: no such file"):
        saved_plan.read(tmp_path / "plan")
