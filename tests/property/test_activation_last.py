"""What fires by itself is switched on at the very end, in an update too; the fake server judges each write."""

from __future__ import annotations

import pytest

from bundle.plan.choices import Conflicts
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.seeded import arrived, seeded


def switched_off(*, by_pause: bool) -> FakePrefect:
    """A destination that has everything, where all was switched off since: deployments, or each of their schedules."""
    fake = arrived()
    for row in fake.rows("automations"):
        row["enabled"] = False
    for row in fake.rows("deployments"):
        row["paused"] = row["paused"] or by_pause
        for schedule in row["schedules"]:
            schedule["active"] = schedule["active"] and by_pause
    fake.reset()
    return fake


@pytest.mark.parametrize("by_pause", [True, False])
@pytest.mark.parametrize("table", ["variables", "flows", "automations", "saved_searches"])
def test_an_update_switches_on_what_it_finds_off_after_it_made_what_is_missing(table: str, *, by_pause: bool) -> None:
    """Whatever is missing beside, nothing is created any more once the first automation or schedule was switched on."""
    fake = switched_off(by_pause=by_pause)
    for row in fake.rows(table)[::2]:
        fake.drop(table, row["id"])

    import_into(fake, seeded(), on_conflict=Conflicts("update"))

    assert any(each.status == 201 for each in fake.writes)
    assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest
