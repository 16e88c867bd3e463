"""An import that ends at any write, however it ends, is made good by the next one."""

from __future__ import annotations

import contextlib
import copy
import functools
import os
from collections import Counter

import pytest

from bundle.plan.choices import Conflicts
from support.edits import EDITS, SUPPLIED, SUPPLIED_SLOT
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.seeded import arrived, edited, seeded
from support.tampering import KilledError, killing

# Every 17th write in every run, each of them when asked for.
STRIDE = int(os.environ.get("XFER_KILL_STRIDE", "17"))


@pytest.mark.parametrize("is_sent", [True, False])
def test_an_import_killed_at_any_write_is_made_good_by_the_next(*, is_sent: bool) -> None:
    """Whether the last write arrived or not, the same import again ends with the content of the bundle."""
    for k in range(is_sent, len(arrived().writes), STRIDE):
        fake = FakePrefect(seed=1)
        with contextlib.suppress(BaseExceptionGroup, KilledError):
            import_into(fake, seeded(), killing(fake, k, is_sent=is_sent))

        result = import_into(fake, seeded())

        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
        assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest, k


def test_an_inert_import_killed_at_any_write_is_made_good_by_the_next() -> None:
    """An inert import knows what a killed one left, finishes it, and leaves it switched off."""
    whole = arrived(inert=True)
    digest = bundle_of(whole).manifest.content_digest
    for k in range(0, len(whole.writes), STRIDE):
        fake = FakePrefect(seed=1)
        with contextlib.suppress(BaseExceptionGroup, KilledError):
            import_into(fake, seeded(), killing(fake, k, is_sent=k % 2 == 0), inert=True)
        assert not any(each["enabled"] for each in fake.rows("automations")), k

        result = import_into(fake, seeded(), inert=True)

        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
        assert bundle_of(fake).manifest.content_digest == digest, k


def test_a_plain_import_finishes_what_an_inert_one_began() -> None:
    """What an inert import left unfinished, a plain one brings to the state that the bundle has."""
    for k in range(0, len(arrived(inert=True).writes), 4 * STRIDE):
        fake = FakePrefect(seed=1)
        with contextlib.suppress(BaseExceptionGroup, KilledError):
            import_into(fake, seeded(), killing(fake, k, is_sent=True), inert=True)

        result = import_into(fake, seeded())

        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k


def test_an_update_killed_at_any_write_is_made_good_by_the_next() -> None:
    """What a killed update left half done, the next one completes; a schedule comes twice in no case."""
    update = functools.partial(import_into, on_conflict=Conflicts("update"), secrets={SUPPLIED_SLOT: SUPPLIED})
    start = edited()
    whole = copy.deepcopy(start)
    update(whole, seeded())
    digest, writes = bundle_of(whole).manifest.content_digest, len(whole.writes)
    assert writes == sum(len(each.writes) for each in EDITS)
    for k in range(0, writes, STRIDE):
        for is_sent in (True, False):
            fake = copy.deepcopy(start)
            with contextlib.suppress(BaseExceptionGroup, KilledError):
                update(fake, seeded(), killing(fake, k, is_sent=is_sent))

            result = update(fake, seeded())
            fake.reset()
            update(fake, seeded())

            assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
            assert bundle_of(fake).manifest.content_digest == digest, k
            assert fake.writes == [], k


def test_an_import_whose_credentials_expire_at_any_write_goes_on_with_new_ones() -> None:
    """From the first 401 on nothing is tried, everything is accounted for, and the next run finishes."""
    for k in range(0, len(arrived().writes), STRIDE):
        fake = FakePrefect(seed=1)
        for number in range(k, k + 1000):
            fake.fail(number, "denied")

        reasons = Counter(outcome.reason for outcome in import_into(fake, seeded()).outcomes)

        assert reasons["denied"] >= 1, k
        assert reasons.total() == len(seeded().records), k
        # What was on its way at that moment is told the same.
        assert len(fake.writes) <= k + 16, k
        fake.reset()
        result = import_into(fake, seeded())
        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
        assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest, k
