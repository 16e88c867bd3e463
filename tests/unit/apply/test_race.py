"""Which of several equal creations remains, by what everybody can see of them."""

from __future__ import annotations

import pytest

from bundle.apply.confirm import Confirmation
from bundle.apply.control import Patience
from bundle.apply.race import Claim, Settled, judge, settle
from bundle.kinds.protocols import Made
from bundle.model import Bundle, Key
from bundle.plan.intended import intend
from support.fake_prefect import FakePrefect
from support.moving import bundle_of
from support.offline import api_of, run, speaking_to

OLD, OWN, NEW = ({"id": name} for name in ("old", "own", "new"))
DONE = Made("done", {"id": "done"})


@pytest.mark.parametrize(
    ("mine", "marked", "finished", "is_late", "remaining", "withdrawn"),
    [
        (OWN, [OWN], None, False, "own", ()),
        (None, [], None, False, "own", ()),
        (OWN, [], None, False, "own finished", ()),
        (OWN, [NEW], None, False, "own finished", ("new",)),
        (OWN, [OWN], DONE, False, "done finished", ("own",)),
        (None, [], DONE, False, "done finished", ()),
        (None, [NEW], None, False, "new", ()),
        (OWN, [OLD, OWN], None, False, "old", ("own",)),
        (OWN, [OLD, OWN, NEW], None, False, None, ("own",)),
        (None, [OLD, NEW], None, False, None, ()),
        (OWN, [OWN, NEW], None, False, None, ()),
        (OWN, [OWN, NEW], None, True, "own", ("new",)),
        (None, [OLD, NEW], None, True, "old", ("new",)),
    ],
    ids=[
        "alone",
        "deleted by somebody",
        "finished by another",
        "finished by another, with one left over",
        "another one finished",
        "another one finished, ours withdrawn before",
        "only that of another left",
        "the younger of two",
        "neither the first nor the last",
        "waiting for others",
        "the oldest, not alone",
        "the oldest, after waiting",
        "that of others, after waiting",
    ],
)
def test_every_importer_comes_to_the_same_end(
    mine: dict[str, str] | None,
    marked: list[dict[str, str]],
    finished: Made | None,
    *,
    is_late: bool,
    remaining: str | None,
    withdrawn: tuple[str, ...],
) -> None:
    """What is finished remains, else the oldest as soon as it is alone; one's own gives way at once, others' late."""
    verdict = judge("own", mine, marked, finished, is_late=is_late)

    found = verdict.remaining and verdict.remaining.made.id + (" finished" if verdict.remaining.is_finished else "")
    assert (found, verdict.withdrawn) == (remaining, withdrawn)


# Against a server

TRIGGER = {"type": "event", "posture": "Reactive", "expect": [], "threshold": 1, "within": 0}


def automations(count: int) -> Bundle:
    """A bundle with some equal automations."""
    source = FakePrefect()
    with speaking_to(source) as api:
        for _ in range(count):
            api.post("/automations/", name="a", trigger=TRIGGER, actions=[])
    return bundle_of(source)


def settled(fake: FakePrefect, bundle: Bundle, made: list[str], *, known: int = 0) -> dict[Key, Settled]:
    """What remains for each automation of a bundle, of which this run made those ids, or knew the first ones before."""
    records = [each for each in intend(bundle.records) if each.kind == "automation"]
    ids = dict(zip([each.key for each in records], made, strict=True))

    async def there() -> dict[Key, Settled]:
        async with api_of(fake) as api:
            look = Confirmation(api, records, Patience(2, 0.5), ids=ids, new=set(made))
            claims = [Claim(each, ids[each.key], "a") for each in records[known:]]
            return await settle(claims, api, look, ids, withdraw)

    async def withdraw(_kind: str, made: Made) -> None:
        withdrawn.append(made.id)
        fake.tables["automations"].pop(made.id)

    withdrawn: list[str] = []
    return run(there())


def automation(fake: FakePrefect, mark: str = "") -> str:
    """The id of one more automation, which carries a mark or is finished."""
    with speaking_to(fake) as api:
        made = api.post("/automations/", name="a", description=mark, trigger=TRIGGER, actions=[])
    return str(made["id"])


def test_two_claims_never_come_to_the_same_finished_one() -> None:
    """Of two equal records, one finds the automation that somebody finished; the other keeps its own."""
    fake, bundle = FakePrefect(seed=1), automations(2)
    records = [each for each in intend(bundle.records) if each.kind == "automation"]
    made = [automation(fake, each.mark) for each in records]
    finished = automation(fake)

    remaining = settled(fake, bundle, made)

    ids = [each.made.id for each in remaining.values()]
    assert len(set(ids)) == 2
    assert ids.count(finished) <= 1
    assert {row["id"] for row in fake.rows("automations")} == {*ids, finished}


def test_what_is_known_as_another_is_not_finished_for_this_one() -> None:
    """Of two equal records, what the destination had for the one is not taken for the other."""
    fake, bundle = FakePrefect(seed=1), automations(2)
    records = [each for each in intend(bundle.records) if each.kind == "automation"]
    before, mine = automation(fake), automation(fake, records[1].mark)

    (remaining,) = settled(fake, bundle, [before, mine], known=1).values()

    assert (remaining.made.id, remaining.is_finished) == (mine, False)
    assert {row["id"] for row in fake.rows("automations")} == {before, mine}


@pytest.mark.parametrize("others", [0, 1])
def test_agreeing_takes_one_listing(others: int) -> None:
    """Nothing more is read unless somebody may have finished the same."""
    fake, bundle = FakePrefect(seed=1), automations(1)
    (record,) = (each for each in intend(bundle.records) if each.kind == "automation")
    mine = [automation(fake, record.mark) for _ in range(1 + others)][-1]
    fake.reset()

    settled(fake, bundle, [mine])

    assert {each.path for each in fake.seen if each.method == "POST"} == {"/automations/filter"}


def test_what_is_marked_is_not_finished() -> None:
    """Another importer's creation, which carries the mark of the same record, is never taken as a finished one."""
    fake, bundle = FakePrefect(seed=1), automations(1)
    (record,) = (each for each in intend(bundle.records) if each.kind == "automation")
    first, mine = automation(fake, record.mark), automation(fake, record.mark)

    (remaining,) = settled(fake, bundle, [mine]).values()

    assert (remaining.made.id, remaining.is_finished) == (first, False)
    assert [row["id"] for row in fake.rows("automations")] == [first]
