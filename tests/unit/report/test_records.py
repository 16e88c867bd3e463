"""What became of the secrets of a bundle."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.model import SecretSlot
from bundle.plan.actions import Plan
from bundle.report import import_, text
from bundle.report.records import Subject
from support.reports import DESTINATION, SLOT, action, manifest, outcome


def test_an_update_says_what_became_of_secrets() -> None:
    """A secret that was not supplied is kept, one that was is supplied, and one still marked is outstanding."""
    slots = [SecretSlot(f"block:s/a#/data/{name}", "block:s/a", f"/data/{name}", "string") for name in "abc"]
    done = outcome("block:s/a", "succeeded", "updated", missing_secrets=(slots[2].slot,))
    run = Subject("import", manifest("block:s/a", secrets=tuple(slots)), None, DESTINATION, {slots[1].slot})
    report = import_.report(run, Plan((action("block:s/a", "update", "updated"),)), [done])
    assert [each.state for each in report.secrets] == ["kept", "supplied", "outstanding"]


@pytest.mark.parametrize(
    ("ended", "supplied", "state"),
    [
        (("succeeded", "created-without-secret", (SLOT.slot,)), (), "outstanding"),
        (("succeeded", "created", ()), (SLOT.slot,), "supplied"),
        (("failed", "rejected", ()), (SLOT.slot,), "outstanding"),
    ],
)
def test_secret_slots_say_what_became_of_them(ended: Any, supplied: tuple[str, ...], state: str) -> None:
    """A slot is outstanding until its value has arrived."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    done = outcome("block:secret/db", ended[0], ended[1], missing_secrets=ended[2])
    run = Subject("import", stored, "env.pxb", DESTINATION, supplied)
    report = import_.report(run, Plan((action("block:secret/db"),)), [done])
    assert [each.state for each in report.secrets] == [state]
    assert ("XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE" in text.render(report)) is (state == "outstanding")


def test_secret_of_what_was_there_is_kept() -> None:
    """The secret of a resource that the destination had is neither supplied nor asked for."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    plan = Plan((action("block:secret/db", "skip", "exists-same"),))
    done = outcome("block:secret/db", "skipped", "exists-same")
    report = import_.report(Subject("import", stored, None, DESTINATION), plan, [done])
    assert [each.state for each in report.secrets] == ["kept"]
