"""Which resource of a destination each record of a bundle corresponds to."""

from __future__ import annotations

import itertools

from bundle.model import Body, Key, Record, Reference
from bundle.plan.matching import begun, continued, match, match_outside
from support.by_hand import intended, record, there


def automation(suffix: str, description: str, *, enabled: bool = True) -> Record:
    """One of several automations that are all called ``page``."""
    body: Body = {"name": "page", "description": description, "trigger": {}, "actions": []}
    return record(f"automation:page~{suffix * 8}", body if enabled else body | {"enabled": False})


def mark(each: Record) -> str:
    """The mark that it carries while it is unfinished."""
    return intended(each)[0].mark


def pairs(ours: list[Record], theirs: list[Record], **rows: Body) -> dict[Key, Key]:
    """Which of ours corresponds to which of theirs, by the first letter of the suffix."""
    found = match(
        intended(*ours), there(*theirs, rows={f"automation:page~{name * 8}": row for name, row in rows.items()})
    )
    return {key[-1]: other[-1] for key, other in found.items()}


def test_a_unique_name_is_the_same_everywhere() -> None:
    """Whatever its content, a variable is the one of that name; what is not there has no counterpart."""
    ours = intended(record("variable:a", {"name": "a", "value": 1}), record("variable:b", {"name": "b", "value": 1}))

    assert match(ours, there(record("variable:a", {"name": "a", "value": 2}))) == {"variable:a": "variable:a"}


def test_one_of_a_name_is_the_same_whatever_its_content() -> None:
    """Where each side has only one automation of a name, it is that one, edited or not."""
    assert pairs([automation("1", "one")], [automation("2", "edited")]) == {"1": "2"}


def test_equal_content_goes_first() -> None:
    """In every order, equal ones of a name are paired with each other, and the rest in order."""
    ours = [automation("1", "one"), automation("2", "two"), automation("3", "three")]
    for theirs in itertools.permutations([automation("a", "two"), automation("b", "edited"), automation("c", "three")]):
        assert pairs(ours, list(theirs)) == {"1": "b", "2": "a", "3": "c"}


def test_being_switched_off_tells_less_than_content() -> None:
    """What is equal but for being on comes before what is not equal at all."""
    ours = [automation("1", "one"), automation("2", "two")]
    theirs = [automation("a", "two", enabled=False), automation("b", "one", enabled=False)]

    assert pairs(ours, theirs) == {"1": "b", "2": "a"}


def test_what_an_earlier_run_began_goes_before_all() -> None:
    """The one that carries the mark of a record is its own, though another one is equal to it."""
    one, two = automation("1", "one"), automation("2", "two")
    theirs = [automation("a", "one"), automation("b", "xfer", enabled=False)]

    assert pairs([one, two], theirs, b={"description": f"xfer {mark(one)}"}) == {"1": "b", "2": "a"}


def test_none_is_taken_twice() -> None:
    """Of three equal records, only as many have a counterpart as the destination has resources."""
    ours = [automation(name, "one") for name in "123"]

    assert pairs(ours, [automation("a", "one"), automation("b", "one")]) == {"1": "a", "2": "b"}


def test_what_has_no_name_is_known_by_the_one_made_up_for_it() -> None:
    """An anonymous block is found by its own digest in the name, or by equal content."""
    data: Body = {"data": {"x": 1}, "is_anonymous": True, "block_type_id": "", "block_schema_id": ""}
    ours = record("block:json/(anonymous)~11111111", data, Reference("/block_type_id", "block-type:json"))
    named = record("block:json/(anonymous)~22222222", {**data, "data": {"x": 2}})
    made = f"anonymous-{ours.digest[:16]}"

    assert match(intended(ours), there(named, rows={named.key: {"name": made}})) == {ours.key: named.key}
    assert match(intended(ours), there(named)) == {}
    assert match(intended(ours), there(record(ours.key, data))) == {ours.key: ours.key}


POOL = record("work-pool:k8s", {"name": "k8s", "type": "kubernetes"})
QUEUE = record(
    "work-queue:k8s/default",
    {"name": "default", "work_pool_id": "", "is_default": True},
    Reference("/work_pool_id", "work-pool:k8s"),
)


def test_what_belongs_to_something_unfinished_is_unfinished() -> None:
    """The queue of a pool that carries its mark was begun by the same run."""
    ours = intended(POOL, QUEUE)
    rows: dict[Key, Body] = {QUEUE.key: {"work_pool_id": POOL.key.upper()}}
    own = {each.key: each.key for each in ours}

    assert begun(ours, own, there(POOL, QUEUE, rows=rows)) == frozenset()
    rows[POOL.key] = {"description": mark(POOL)}
    assert begun(ours, own, there(POOL, QUEUE, rows=rows)) == {POOL.key.upper(), QUEUE.key.upper()}
    assert begun(ours, {}, there(POOL, QUEUE, rows=rows)) == frozenset()


def test_something_else_begun_under_a_name_is_not_continued() -> None:
    """An ordinary queue called default is not the default queue that the server made with the pool."""
    other = record(QUEUE.key, {"name": "default", "work_pool_id": ""})
    ours, own = intended(QUEUE), {QUEUE.key: QUEUE.key}

    assert continued(ours, own, frozenset({QUEUE.key.upper()}), there(other)) == {}
    assert continued(ours, own, frozenset({QUEUE.key.upper()}), there(QUEUE)) == own
    assert continued(ours, own, frozenset(), there(other)) == own


def test_what_the_bundle_does_not_hold_is_found_by_name() -> None:
    """The same key, else the only one of that name; of several nobody knows which is meant."""
    one, other = automation("a", "one"), automation("b", "two")

    assert match_outside(["automation:page~cccccccc"], there(one)) == {"automation:page~cccccccc": one.key}
    assert match_outside(["automation:page~cccccccc"], there(one, other)) == {}
    assert match_outside([other.key, "variable:none", "nonsense"], there(one, other)) == {other.key: other.key}
