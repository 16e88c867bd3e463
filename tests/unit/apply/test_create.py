"""What is created, and whose it is when others write to the same destination."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.apply.control import Control
from bundle.model import Bundle
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.journal import Journal
from bundle.operations.receipt import read
from bundle.operations.rollback import roll_back
from bundle.operations.undo import Undone
from support.environment import selected, when
from support.fake_prefect import FakePrefect
from support.moving import CREATED, bundle_of, import_into
from support.offline import api_of, run
from support.tampering import Tampering

Before = Callable[[FakePrefect, httpx.Request], None]


def meddled(fake: FakePrefect, before: Before) -> Tampering:
    """The way to a fake server, on which somebody does something right before a request is served."""
    return Tampering(fake, lambda request: before(fake, request))


def post(fake: FakePrefect, path: str, **body: Any) -> dict[str, Any]:
    """What the fake server answers to somebody else's request."""
    request = httpx.Request("POST", f"{fake.url}{path}", json=body)
    answer = fake.handle(request)
    assert answer.is_success, answer.text
    return dict(answer.json())


def once(method: str, path: str, do: Callable[[FakePrefect], object]) -> Before:
    """Do something before the first request of a route."""
    todo = [do]

    def before(fake: FakePrefect, request: httpx.Request) -> None:
        if todo and request.method == method and request.url.path.endswith(path):
            todo.pop()(fake)

    return before


@pytest.fixture
def queues() -> Bundle:
    """A pool with one queue besides its default one."""
    fake = FakePrefect()
    post(fake, "/work_pools/", name="local", type="process")
    post(fake, "/work_pools/local/queues", name="high", description="ours")
    return bundle_of(fake)


def test_a_queue_that_somebody_makes_meanwhile_is_left_alone(queues: Bundle) -> None:
    """A queue of another's making in a pool that was there is never written over."""
    fake = FakePrefect(seed=1)
    post(fake, "/work_pools/", name="local", type="process")

    def make(fake: FakePrefect) -> None:
        post(fake, "/work_pools/local/queues", name="high", description="theirs")

    result = import_into(fake, queues, meddled(fake, once("POST", "/local/queues", make)))

    reasons = {outcome.key: outcome.reason for outcome in result.outcomes}
    assert reasons["work-queue:local/high"] == "exists-now"
    assert [row["description"] for row in fake.rows("work_queues", name="high")] == ["theirs"]


def _there_and_back(bundle: Bundle, way: Tampering, path: Path) -> dict[str, str]:
    """An import and its rollback: the reason for each resource that the rollback had to do with."""

    async def there_and_back() -> tuple[Undone, ...]:
        async with api_of(way.fake, way) as api:
            prepared = await prepare(bundle, api)
            with Journal.begin(path, prepared, destination=api.url, created=CREATED) as journal:
                await carry_out(prepared, api, Control(witness=journal))
            return await roll_back(read(path), api)

    return {each.key: each.reason for each in run(there_and_back())}


def test_a_rollback_leaves_what_somebody_made_meanwhile(tmp_path: Path) -> None:
    """What another importer made at the same time is not in the receipt, however equal it is."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    for name in ("a", "b"):
        post(source, "/variables/", name=name, value=1)
    way = meddled(fake, once("POST", "/variables/", lambda fake: post(fake, "/variables/", name="a", value=1)))

    assert _there_and_back(bundle_of(source), way, tmp_path / "receipt") == {"variable:b": "deleted"}
    assert [row["name"] for row in fake.rows("variables")] == ["a"]


def _flow(fake: FakePrefect) -> str:
    return str(post(fake, "/flows/", name="etl")["id"])


def _deployment(fake: FakePrefect) -> str:
    return str(post(fake, "/deployments/", name="nightly", flow_id=_flow(fake))["id"])


def _search(fake: FakePrefect) -> str:
    answer = fake.handle(httpx.Request("PUT", f"{fake.url}/saved_searches/", json={"name": "mine", "filters": []}))
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("method", "path", "table", "make"),
    [
        ("POST", "/flows/", "flows", _flow),
        ("POST", "/deployments/", "deployments", _deployment),
        ("PUT", "/saved_searches/", "saved_searches", _search),
    ],
)
def test_a_rollback_leaves_what_an_upsert_met(
    tmp_path: Path, method: str, path: str, table: str, make: Callable[[FakePrefect], str]
) -> None:
    """What somebody made after the plan, and was answered to our own request, is theirs: rollback keeps it."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    make(source)
    theirs: list[str] = []
    way = meddled(fake, once(method, path, lambda fake: theirs.append(make(fake))))

    _there_and_back(bundle_of(source), way, tmp_path / "receipt")

    assert [row["id"] for row in fake.rows(table)] == theirs


def test_a_conflict_after_a_lost_answer_is_still_ours(tmp_path: Path) -> None:
    """A variable that our own first attempt made, and the second one met as a conflict, is ours."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    post(source, "/variables/", name="v", value=1)
    bundle = bundle_of(source)
    fake.fail(0, "gateway")

    assert _there_and_back(bundle, Tampering(fake), tmp_path / "receipt") == {"variable:v": "deleted"}
    assert fake.rows("variables") == []


def test_another_of_the_same_name_takes_nothings_place() -> None:
    """Where names are not unique, what somebody else makes under a name of ours is another resource."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    action = selected("pause-deployment", deployment_id=_deployment(source))
    post(source, "/automations/", name="a", trigger=when(), actions=[action])
    # Someone makes theirs; the lost answer has the import look at everything again.
    other = [{"type": "do-nothing"}]
    theirs = once("POST", "/flows/", lambda fake: post(fake, "/automations/", name="a", trigger=when(), actions=other))
    fake.fail(1, "lost")

    result = import_into(fake, bundle_of(source), meddled(fake, theirs))

    assert {each.reason for each in result.outcomes if each.kind == "automation"} == {"created"}
    assert sorted(row["actions"][0]["type"] for row in fake.rows("automations")) == ["do-nothing", "pause-deployment"]


def test_a_lost_answer_to_an_upsert_is_still_ours(tmp_path: Path) -> None:
    """A flow that our own first attempt made, and the second one only met, is ours, and rollback deletes it."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    _flow(source)
    bundle = bundle_of(source)
    fake.fail(0, "lost")

    assert _there_and_back(bundle, Tampering(fake, lambda _: None), tmp_path / "receipt") == {"flow:etl": "deleted"}
    assert fake.rows("flows") == []
