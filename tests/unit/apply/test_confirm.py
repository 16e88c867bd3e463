"""What is found at the destination when an answer was lost, and whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bundle.apply.confirm import Confirmation, Seen, is_ours
from bundle.apply.control import Patience
from bundle.errors import Unreachable
from bundle.kinds.protocols import Made
from bundle.plan.intended import Intended, intend
from bundle.server.client import PrefectApi
from support.by_hand import intended, record
from support.fake_prefect import FakePrefect
from support.moving import bundle_of
from support.offline import api_of, run, speaking_to
from support.tampering import Tampering

VARIABLE = record("variable:v", {"name": "v", "value": 1})
AUTOMATION = record("automation:a", {"name": "a", "trigger": {}, "actions": []})
PATIENCE = Patience(settle_seconds=2, pause_seconds=0.5)


def seen(*, is_pending: bool, is_equal: bool) -> Seen:
    return Seen(Made("x"), {}, is_pending, is_equal)


@pytest.mark.parametrize(
    ("key", "is_pending", "is_equal", "in_doubt", "expected"),
    [
        ("variable:v", False, True, True, True),
        ("variable:v", False, True, False, False),
        ("variable:v", False, False, True, False),
        ("automation:a", True, False, False, True),
        ("automation:a", False, True, True, False),
        ("automation:a", False, False, True, False),
    ],
    ids=[
        "equal, while an answer is missing",
        "equal, and no answer is missing",
        "not equal",
        "marked",
        "equal, but of a kind that is marked first",
        "neither",
    ],
)
def test_what_is_ours(key: str, *, is_pending: bool, is_equal: bool, in_doubt: bool, expected: bool) -> None:
    """A mark says it; without marks only equal content does, and only while we are in doubt."""
    (mine,) = intended(VARIABLE if key == "variable:v" else AUTOMATION)

    assert is_ours(mine, seen(is_pending=is_pending, is_equal=is_equal), in_doubt=in_doubt) is expected


def looking(
    fake: FakePrefect,
    work: Callable[[Confirmation, PrefectApi], Coroutine[Any, Any, Any]],
    *records: Intended,
    way: Tampering | None = None,
    ids: dict[str, str] | None = None,
) -> Any:
    """The result of some work with a look at the fake server."""

    async def there() -> Any:
        async with api_of(fake, way) as api:
            return await work(Confirmation(api, records, PATIENCE, ids=ids or {}, new=set()), api)

    return run(there())


def with_variable(value: Any) -> FakePrefect:
    fake = FakePrefect()
    with speaking_to(fake) as api:
        api.post("/variables/", name="v", value=value)
    return fake


@pytest.mark.parametrize(("value", "is_equal"), [(1, True), (2, False)])
def test_a_record_is_found_by_its_name(value: int, *, is_equal: bool) -> None:
    """What is there is found, with how it relates to the record; before anybody looked nothing is known."""
    fake, (mine,) = with_variable(value), intended(VARIABLE)

    async def work(look: Confirmation, _: PrefectApi) -> Seen | None:
        assert look.recall(mine) is None
        found = await look.find(mine)
        assert look.recall(mine) == found
        return found

    found = looking(fake, work, mine)
    assert (found.is_equal, found.is_pending) == (is_equal, False)
    assert found.made.id == fake.rows("variables")[0]["id"]


def test_what_a_known_id_is_of_is_not_found_again() -> None:
    """A resource that is one record's already is not taken for another's."""
    fake, (mine,) = with_variable(1), intended(VARIABLE)
    identifier = fake.rows("variables")[0]["id"]

    assert looking(fake, lambda look, _: look.find(mine), mine, ids={"variable:other": identifier}) is None


def test_all_who_wait_share_one_look() -> None:
    """Looks asked for at one time read the destination once, or twice if one was under way."""
    fake, (mine,) = with_variable(1), intended(VARIABLE)

    async def work(look: Confirmation, _: PrefectApi) -> list[Seen | None]:
        return await asyncio.gather(*(look.find(mine) for _ in range(20)))

    assert all(looking(fake, work, mine))
    assert fake.counts["POST /variables/filter"] <= 4


def test_a_look_that_fails_fails_for_all_who_wait() -> None:
    """Where the destination is away, nobody insists on a look of its own; two looks are enough for all."""
    fake, (mine,) = FakePrefect(), intended(VARIABLE)
    requests = 0

    def before(_: object) -> None:
        nonlocal requests
        requests += 1
        raise OSError

    async def work(look: Confirmation, _: PrefectApi) -> list[Any]:
        first = await asyncio.gather(look.find(mine), return_exceptions=True)
        once = requests
        rest = await asyncio.gather(*(look.find(mine) for _ in range(10)), return_exceptions=True)
        assert requests - once <= 2 * once
        return [*first, *rest]

    found = looking(fake, work, mine, way=Tampering(fake, before))
    assert {type(each) for each in found} == {Unreachable}


def test_a_late_commit_is_waited_for() -> None:
    """What shows within the time is ours; what does not is not."""
    fake, (mine,) = FakePrefect(), intended(VARIABLE)

    async def work(look: Confirmation, _: PrefectApi) -> tuple[Seen | None, float, Seen | None]:
        nothing = await look.await_ours(mine)
        waited = asyncio.get_running_loop().time()
        asyncio.get_running_loop().call_later(1, _create, fake)
        return nothing, waited, await look.await_ours(mine)

    nothing, waited, found = looking(fake, work, mine)
    assert nothing is None
    assert waited >= PATIENCE.settle_seconds
    assert found.is_equal


def _create(fake: FakePrefect) -> None:
    with speaking_to(fake) as api:
        api.post("/variables/", name="v", value=1)


def test_a_change_is_waited_for_and_a_deletion_seen() -> None:
    """The look ends when the resource is as it is to be, when time is up, or at once when it is gone."""
    fake, (mine,) = with_variable(1), intended(VARIABLE)
    row = fake.rows("variables")[0]

    async def work(look: Confirmation, _: PrefectApi) -> None:
        before = await look.find(mine)
        assert before is not None
        asyncio.get_running_loop().call_later(1, row.update, {"value": 2})
        after = await look.await_change(mine, row["id"], before.body)
        assert after is not None
        assert after.body["value"] == 2
        same = await look.await_change(mine, row["id"], after.body)
        assert same is not None
        fake.tables["variables"].clear()
        assert await look.await_change(mine, row["id"], after.body) is None

    looking(fake, work, mine)


def test_what_somebody_finished_is_another_one() -> None:
    """An equal resource counts as finished by somebody only if it is none of those that are in question."""
    fake = FakePrefect()
    trigger = {"type": "event", "posture": "Reactive", "expect": [], "threshold": 1, "within": 0}
    with speaking_to(fake) as api:
        first = api.post("/automations/", name="a", trigger=trigger, actions=[])
    (mine,) = (each for each in intend(bundle_of(fake).records) if each.kind == "automation")

    found = looking(fake, lambda look, _: look.finished([mine], excluding=set()), mine)
    none = looking(fake, lambda look, _: look.finished([mine], excluding={first["id"]}), mine)

    assert {key: made.id for key, made in found.items()} == {"automation:a": first["id"]}
    assert none == {}
