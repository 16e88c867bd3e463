"""How existing resources are written over."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bundle.model import Bundle
from bundle.plan.choices import Conflicts
from support.edits import SUPPLIED, SUPPLIED_SLOT
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import speaking_to
from support.seeded import arrived, seeded
from support.tampering import Tampering

UPDATE = Conflicts("update")


def deployed(fake: FakePrefect, **fields: Any) -> Bundle:
    """The bundle of a server with one deployment."""
    with speaking_to(fake) as api:
        flow = api.post("/flows/", name="etl")
        api.post("/deployments/", name="d", flow_id=flow["id"], **fields)
    return bundle_of(fake)


def written(fake: FakePrefect) -> list[tuple[str, list[str]]]:
    """The writes since the last reset: the route and the fields sent."""
    return [(each.route, sorted(each.body or {})) for each in fake.writes]


def test_only_what_differs_is_sent() -> None:
    """A description that differs is written; tags that are equal are not."""
    bundle, fake = deployed(FakePrefect(), description="new", tags=["a"]), FakePrefect(seed=1)
    deployed(fake, description="old", tags=["a"])
    fake.reset()

    result = import_into(fake, bundle, on_conflict=UPDATE)

    assert result.by_key()["deployment:etl/d"].reason == "updated"
    assert written(fake) == [("PATCH /deployments/{id}", ["description"])]


def test_what_makes_it_run_is_written_last() -> None:
    """A deployment that is to go on is changed first, and switched on after everything else."""
    bundle = deployed(FakePrefect(), description="new", paused=False)
    fake = FakePrefect(seed=1)
    deployed(fake, description="old", paused=True)
    fake.reset()

    import_into(fake, bundle, on_conflict=UPDATE)

    assert written(fake) == [("PATCH /deployments/{id}", ["description"]), ("PATCH /deployments/{id}", ["paused"])]


@pytest.mark.parametrize("how", ["lost", "reset"])
def test_an_update_without_an_answer_is_looked_at_before_it_is_sent_again(how: Any) -> None:
    """Whether it arrived or not, in the end it is there, and is counted as updated once."""
    bundle, fake = deployed(FakePrefect(), description="new"), FakePrefect(seed=1)
    deployed(fake, description="old")
    fake.reset()
    fake.fail(0, how)

    result = import_into(fake, bundle, on_conflict=UPDATE)

    assert result.by_key()["deployment:etl/d"].reason == "updated"
    assert fake.rows("deployments")[0]["description"] == "new"


def test_an_update_that_is_refused_fails_alone() -> None:
    """The record fails with the reason of the refusal, and the others are written."""
    bundle, fake = deployed(FakePrefect(), description="new"), FakePrefect(seed=1)
    deployed(fake, description="old")
    with speaking_to(fake) as api:
        api.post("/variables/", name="v", value=1)

    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(422, json={"detail": "no"}) if request.method == "PATCH" else None

    result = import_into(fake, bundle, Tampering(fake, before), on_conflict=UPDATE)

    assert result.by_key()["deployment:etl/d"].reason == "rejected"
    assert result.by_key()["flow:etl"].state == "skipped"


def test_only_placeholders_are_filled() -> None:
    """A supplied secret takes the place of an earlier run's placeholder, by one write; then there is none to fill."""
    fake = arrived()
    fake.reset()

    filled = import_into(fake, seeded(), secrets={SUPPLIED_SLOT: SUPPLIED})
    assert filled.by_key()["block:secret/db-password"].reason == "secret-filled"
    assert [each.route for each in fake.writes] == ["PATCH /block_documents/{id}"]
    assert [row["data"]["value"] for row in fake.rows("block_documents", name="db-password")] == [SUPPLIED]

    fake.reset()
    again = import_into(fake, seeded(), secrets={SUPPLIED_SLOT: SUPPLIED})
    assert again.by_key()["block:secret/db-password"].reason == "exists-same"
    assert fake.writes == []


def test_a_secret_counts_as_filled_only_if_the_destination_holds_it() -> None:
    """A write that is answered as done and does nothing is seen when the value is looked at."""
    fake = arrived()

    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(204) if request.method == "PATCH" else None

    filled = import_into(fake, seeded(), Tampering(fake, before), secrets={SUPPLIED_SLOT: SUPPLIED})

    outcome = filled.by_key()["block:secret/db-password"]
    assert (outcome.state, outcome.reason, outcome.detail) == ("failed", "secret-not-kept", "/data/value")
