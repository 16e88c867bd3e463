"""What is intended for a record, around the record itself."""

from __future__ import annotations

import pytest

from bundle.kinds import KINDS
from bundle.plan.intended import intend, switched_off
from bundle.record.canonical import record_digest
from support.by_hand import intended, record
from support.seeded import seeded


def test_switching_off_changes_switches_alone() -> None:
    """What is intended switched off is of the same record, and differs in its switches and nothing else."""
    for each in intend(seeded().records):
        off, kind = switched_off(each), KINDS[each.kind]
        assert (off.record, off.references, off.secrets) == (each.record, each.references, each.secrets)
        assert not any(kind.switches(off.body).values())
        assert kind.switched(off.body, kind.switches(each.body)) == each.body


def test_another_body_leaves_the_record_alone() -> None:
    """The digest still says what the record holds, and the mark is made of it."""
    (each,) = intended(record("variable:v", {"name": "v", "value": 1}))
    changed = each.with_body({"name": "v", "value": 2})

    assert changed.record is each.record
    assert changed.mark == each.mark == f"xfer:pending:{each.record.digest[:16]}"
    assert record_digest(changed.key, changed.record.body, (), ()) == changed.record.digest


@pytest.mark.parametrize("key", ["automation:a", "work-pool:a", "variable:a"])
def test_what_would_run_is_marked_first(key: str) -> None:
    """An automation and a pool are created in another form, with the mark of their record; a variable is not."""
    (each,) = intended(record(key, {"name": "a", "value": 1, "type": "process", "trigger": {}, "actions": []}))

    assert each.is_marked_first is (each.kind != "variable")
    assert (each.mark in str(KINDS[each.kind].pending(each.body, each.mark))) is each.is_marked_first
