"""How a rollback ends before its end."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from pathlib import Path

import httpx
import msgspec
import pytest

from bundle.apply.control import Control
from bundle.errors import UsageError
from bundle.model import Bundle, Key
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.journal import Journal
from bundle.operations.receipt import read
from bundle.operations.rollback import roll_back
from bundle.operations.undo import Undone
from support.environment import Canaries, Environment, selected, when
from support.fake_prefect import FakePrefect
from support.moving import CREATED, bundle_of
from support.offline import api_of, run, speaking_to
from support.seeded import seeded
from support.tampering import Tampering

NAMES = [f"v{number}" for number in range(12)]


def failing(fake: FakePrefect, failure: httpx.ConnectError | httpx.Response | asyncio.Event) -> Tampering:
    """The way to a fake server; from the third deletion on something else happens."""
    deletions = itertools.count(1)

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method != "DELETE" or next(deletions) <= 2:
            return None
        if isinstance(failure, httpx.ConnectError):
            raise failure
        if isinstance(failure, httpx.Response):
            return failure
        failure.set()
        return None

    return Tampering(fake, before)


def refusing(fake: FakePrefect, path: str) -> Tampering:
    """The way to a fake server whose role may not delete what lies below a path."""

    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(403) if request.method == "DELETE" and path in request.url.path else None

    return Tampering(fake, before)


def _make(fake: FakePrefect, names: list[str]) -> None:
    with speaking_to(fake) as api:
        for name in names:
            api.post("/variables/", name=name, value=1)


def _bundle() -> Bundle:
    source = FakePrefect()
    _make(source, NAMES)
    return bundle_of(source)


def _imported(fake: FakePrefect, path: Path) -> None:
    _import(fake, _bundle(), path)


def _import(fake: FakePrefect, bundle: Bundle, path: Path, secrets: dict[str, str] | None = None) -> None:
    async def there() -> None:
        async with api_of(fake) as api:
            prepared = await prepare(bundle, api, secrets=secrets)
            with Journal.begin(path, prepared, destination=api.url, created=CREATED) as journal:
                await carry_out(prepared, api, Control(witness=journal))

    run(there())


def _with_a_secret() -> Bundle:
    """A bundle with one block, whose secret is not in it."""
    source = FakePrefect()
    with speaking_to(source) as api:
        Environment(api, Canaries()).block("secret", "token", {"value": "hidden"})
    return bundle_of(source)


def _set_secret(fake: FakePrefect, value: str) -> None:
    (row,) = fake.rows("block_documents")
    with speaking_to(fake) as api:
        api.patch(f"/block_documents/{row['id']}", data={"value": value}, merge_existing_data=True)


def _undone(fake: FakePrefect, path: Path, way: httpx.AsyncBaseTransport) -> dict[Key, Undone]:
    async def back() -> tuple[Undone, ...]:
        async with api_of(fake, way) as api:
            return await roll_back(read(path), api)

    return {each.key: each for each in run(back())}


def _taken_back(
    fake: FakePrefect, path: Path, failure: httpx.ConnectError | httpx.Response | asyncio.Event
) -> tuple[Counter[str], float]:
    """How often each reason was given, and how many seconds it took."""

    async def back() -> tuple[tuple[Undone, ...], float]:
        stop = failure if isinstance(failure, asyncio.Event) else None
        async with api_of(fake, failing(fake, failure)) as api:
            undone = await roll_back(read(path), api, stop=stop)
            return undone, asyncio.get_running_loop().time()

    undone, seconds = run(back())
    return Counter(each.reason for each in undone), seconds


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It only says what would be done."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _imported(fake, path)
    fake.reset()

    async def back() -> tuple[Undone, ...]:
        async with api_of(fake) as api:
            return await roll_back(read(path), api, dry_run=True)

    assert {each.reason for each in run(back())} == {"deleted"}
    assert fake.writes == []


def test_a_receipt_is_for_one_destination(tmp_path: Path) -> None:
    """What has the same ids elsewhere is not even read."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _imported(fake, path)
    receipt = read(path)
    elsewhere = msgspec.structs.replace(
        receipt, head=msgspec.structs.replace(receipt.head, destination="http://elsewhere.test/api")
    )
    fake.reset()

    async def back() -> None:
        async with api_of(fake) as api:
            await roll_back(elsewhere, api)

    with pytest.raises(UsageError, match="elsewhere"):
        run(back())
    assert fake.seen == []


@pytest.mark.parametrize(
    ("by_somebody", "reason"),
    [("schedule", "edited"), ("description", "edited"), ("automation", "still-needed")],
)
def test_what_stays_keeps_what_it_needs(tmp_path: Path, by_somebody: str, reason: str) -> None:
    """What was edited, got something more or is referred to stays; so do its flow and the pool it is in."""
    source, fake, path = FakePrefect(), FakePrefect(seed=1), tmp_path / "receipt"
    with speaking_to(source) as api:
        api.post("/work_pools/", name="local", type="process")
        flow = api.post("/flows/", name="etl")
        schedules = [{"schedule": {"cron": "@daily"}, "slug": "daily"}]
        api.post("/deployments/", name="d", flow_id=flow["id"], schedules=schedules, work_pool_name="local")
    _import(fake, bundle_of(source), path)
    (row,) = fake.rows("deployments")
    with speaking_to(fake) as api:
        if by_somebody == "schedule":
            api.send("POST", f"/deployments/{row['id']}/schedules", [{"schedule": {"cron": "@hourly"}}])
        elif by_somebody == "description":
            api.patch(f"/deployments/{row['id']}", description="edited")
        else:
            api.post("/automations/", name="a", trigger=when(), actions=[selected("x", deployment_id=row["id"])])

    undone = _undone(fake, path, Tampering(fake))

    assert {key: undone[key].reason for key in ("deployment:etl/d", "flow:etl", "work-pool:local")} == {
        "deployment:etl/d": reason,
        "flow:etl": "still-needed",
        "work-pool:local": "still-needed",
    }
    assert fake.rows("deployments") == [row]


def test_what_cannot_be_deleted_keeps_what_it_needs(tmp_path: Path) -> None:
    """When a deployment is refused to be deleted, its flow stays, which would take the deployment along."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    with speaking_to(source) as api:
        flow = api.post("/flows/", name="etl")
        api.post("/deployments/", name="nightly", flow_id=flow["id"])
    _import(fake, bundle_of(source), tmp_path / "receipt")

    undone = _undone(fake, tmp_path / "receipt", refusing(fake, "/deployments/"))

    assert {key: (each.reason, each.needed_by) for key, each in undone.items()} == {
        "deployment:etl/nightly": ("denied", ()),
        "flow:etl": ("still-needed", ("deployment:etl/nightly",)),
    }
    assert len(fake.rows("flows")) == len(fake.rows("deployments")) == 1


def test_a_server_that_goes_away_is_waited_for_once(tmp_path: Path) -> None:
    """When the destination is gone, a rollback does not insist on each resource anew, and says what it did not try."""
    fake = FakePrefect(seed=1)
    _imported(fake, tmp_path / "receipt")

    reasons, seconds = _taken_back(fake, tmp_path / "receipt", httpx.ConnectError("refused"))

    assert reasons == {"deleted": 2, "unreachable": 1, "not-tried": 9}
    assert seconds < 120


def test_credentials_that_expire_end_a_rollback(tmp_path: Path) -> None:
    """After a 401 nothing more is tried."""
    fake = FakePrefect(seed=1)
    _imported(fake, tmp_path / "receipt")

    reasons, _ = _taken_back(fake, tmp_path / "receipt", httpx.Response(401))

    assert reasons == {"deleted": 2, "denied": 1, "not-tried": 9}


def test_a_rollback_that_is_stopped_says_what_it_did(tmp_path: Path) -> None:
    """Once it is to stop, nothing more is deleted, and the same rollback again does the rest."""
    fake = FakePrefect(seed=1)
    _imported(fake, tmp_path / "receipt")

    reasons, _ = _taken_back(fake, tmp_path / "receipt", asyncio.Event())

    assert reasons == {"deleted": 3, "not-tried": 9}
    again, _ = _taken_back(fake, tmp_path / "receipt", asyncio.Event())
    assert again == {"gone": 3, "deleted": 3, "not-tried": 6}


def test_what_was_never_tried_is_somebody_elses(tmp_path: Path) -> None:
    """An import that ended early takes back what it made, and not what others made meanwhile, however equal that is."""
    fake, bundle, path, stop = FakePrefect(seed=1), _bundle(), tmp_path / "receipt", asyncio.Event()

    async def stopped() -> None:
        async with api_of(fake) as api:
            prepared = await prepare(bundle, api)
            with Journal.begin(path, prepared, destination=api.url, created=CREATED) as journal:
                await carry_out(prepared, api, Control(lambda _: stop.set(), journal, stop))

    run(stopped())
    made = {row["name"] for row in fake.rows("variables")}
    left = sorted(set(NAMES) - made)
    assert made
    assert left
    _make(fake, left)

    reasons, _ = _taken_back(fake, path, asyncio.Event())

    assert reasons == {"deleted": len(made)}
    assert sorted(row["name"] for row in fake.rows("variables")) == left


# What is not, or not only, what the import made


@pytest.mark.parametrize(
    ("table", "kind"), [("variables", "variable"), ("automations", "automation"), ("work_queues", "work-queue")]
)
def test_what_has_a_new_name_is_kept(tmp_path: Path, table: str, kind: str) -> None:
    """What somebody renamed since the import is another's by now: it is told as edited, with its name of today."""
    fake = FakePrefect(seed=1)
    _import(fake, seeded(), tmp_path / "receipt")
    for row in fake.rows(table):
        row["name"] = f"renamed-{row['name']}"
    there = {row["id"] for row in fake.rows(table)}

    undone = _undone(fake, tmp_path / "receipt", fake.transport)

    mine = [each for each in undone.values() if each.kind == kind and each.action == "delete"]
    assert mine
    assert {each.reason for each in mine} <= {"edited", "still-needed"}
    assert any("now " in each.detail and "renamed-" in each.detail for each in mine)
    assert {row["id"] for row in fake.rows(table)} == there


def test_an_id_of_something_else_deletes_nothing(tmp_path: Path) -> None:
    """A receipt whose ids were exchanged for those of other resources, of any kind, is no leave to delete these."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    with speaking_to(fake) as api:
        flow = api.post("/flows/", name="ours")
        variable = api.post("/variables/", name="ours", value=1)
    _imported(fake, path)
    made = read(path).made
    text = path.read_text().replace(made["variable:v0"], variable["id"]).replace(made["variable:v1"], flow["id"])
    path.write_text(text)

    undone = _undone(fake, path, fake.transport)

    assert (undone["variable:v0"].reason, undone["variable:v1"].reason) == ("edited", "gone")
    assert {row["name"] for row in fake.rows("variables")} == {"ours", "v0", "v1"}
    assert [row["name"] for row in fake.rows("flows")] == ["ours"]


@pytest.mark.parametrize(("is_scheduled", "is_kept"), [(True, False), (False, True)])
def test_what_has_flow_runs_is_kept(tmp_path: Path, *, is_scheduled: bool, is_kept: bool) -> None:
    """A flow that somebody ran stays, and with it the runs; those that the scheduler adds by itself do not count."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    with speaking_to(source) as api:
        flow = api.post("/flows/", name="etl")
        api.post("/deployments/", name="nightly", flow_id=flow["id"])
    _import(fake, bundle_of(source), tmp_path / "receipt")
    fake.run_flow("etl", is_scheduled=is_scheduled)

    undone = _undone(fake, tmp_path / "receipt", fake.transport)

    assert undone["flow:etl"].reason == ("still-needed" if is_kept else "deleted")
    assert undone["flow:etl"].detail == ("flow runs: 1" if is_kept else "")
    assert len(fake.rows("flows")) == is_kept


def test_a_queue_of_others_keeps_its_pool(tmp_path: Path) -> None:
    """A pool in which somebody made a queue of their own stays, and so does the queue."""
    source, fake = FakePrefect(), FakePrefect(seed=1)
    with speaking_to(source) as api:
        api.post("/work_pools/", name="k8s", type="kubernetes")
    _import(fake, bundle_of(source), tmp_path / "receipt")
    with speaking_to(fake) as api:
        api.post("/work_pools/k8s/queues", name="mine")

    undone = _undone(fake, tmp_path / "receipt", fake.transport)

    assert (undone["work-pool:k8s"].reason, undone["work-pool:k8s"].needed_by) == (
        "still-needed",
        ("work-queue:k8s/mine",),
    )
    assert {row["name"] for row in fake.rows("work_queues")} == {"default", "mine"}


SLOT = "block:secret/token#/data/value"


@pytest.mark.parametrize("supplied", [{}, {SLOT: "hunter2"}], ids=["placeholder", "supplied"])
def test_a_secret_that_was_set_by_hand_is_kept(tmp_path: Path, supplied: dict[str, str]) -> None:
    """A block whose secret somebody set since the import stays, though the server shows the same mask as before."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _import(fake, _with_a_secret(), path, supplied)
    _set_secret(fake, "live")

    undone = _undone(fake, path, fake.transport)["block:secret/token"]

    assert (undone.reason, undone.detail) == ("edited", "a secret in it may have been changed")
    assert [row["data"]["value"] for row in fake.rows("block_documents")] == ["live"]


@pytest.mark.parametrize("supplied", [{}, {SLOT: "hunter2"}], ids=["placeholder", "supplied"])
def test_a_secret_that_nobody_touched_goes(tmp_path: Path, supplied: dict[str, str]) -> None:
    """A block goes with its placeholder or supplied secret, and the receipt holds nothing of the latter."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _import(fake, _with_a_secret(), path, supplied)

    assert _undone(fake, path, fake.transport)["block:secret/token"].reason == "deleted"
    assert "hunter2" not in path.read_text()


def test_a_placeholder_proves_that_no_secret_was_set(tmp_path: Path) -> None:
    """A block that was written to since and is what it was, its placeholder included, was not edited."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _import(fake, _with_a_secret(), path)
    (row,) = fake.rows("block_documents")
    _set_secret(fake, row["data"]["value"])

    assert _undone(fake, path, fake.transport)["block:secret/token"].reason == "deleted"


def test_what_nobody_can_prove_is_kept(tmp_path: Path) -> None:
    """Where a receipt has no time and the server does not reveal the secret, the block stays."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    _import(fake, _with_a_secret(), path)
    path.write_text(re.sub(r',"updated":"[^"]*"', "", path.read_text()))

    def before(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(403) if b'"include_secrets":true' in request.content.replace(b" ", b"") else None

    assert _undone(fake, path, Tampering(fake, before))["block:secret/token"].reason == "edited"
    assert _undone(fake, path, fake.transport)["block:secret/token"].reason == "deleted"


def test_a_redacted_value_that_was_set_by_hand_is_kept(tmp_path: Path) -> None:
    """A variable that arrived with a placeholder and has a value by now stays."""
    source, fake, path = FakePrefect(), FakePrefect(seed=1), tmp_path / "receipt"
    with speaking_to(source) as api:
        api.post("/variables/", name="login", value={"password": "hidden"})
    _import(fake, bundle_of(source, redact=True), path)
    with speaking_to(fake) as api:
        api.patch(f"/variables/{fake.rows('variables')[0]['id']}", value={"password": "live"})

    assert _undone(fake, path, fake.transport)["variable:login"].reason == "edited"


@pytest.mark.parametrize(("is_set", "reason"), [(False, "deleted"), (True, "edited")])
def test_a_secret_of_what_is_finished_last_counts_too(tmp_path: Path, *, is_set: bool, reason: str) -> None:
    """A deployment with a supplied secret goes, though it was written twice; with one set by hand it stays."""
    source, fake, path = FakePrefect(), FakePrefect(seed=1), tmp_path / "receipt"
    schema = {"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}}
    with speaking_to(source) as api:
        flow = api.post("/flows/", name="etl")
        parameters = {"parameters": {"pin": "1234"}, "parameter_openapi_schema": schema}
        api.post("/deployments/", name="nightly", flow_id=flow["id"], **parameters)
    bundle = bundle_of(source)
    _import(fake, bundle, path, {each.slot: "hunter2" for each in bundle.manifest.secrets})
    (row,) = fake.rows("deployments")
    assert row["parameters"] == {"pin": "hunter2"}
    if is_set:
        with speaking_to(fake) as api:
            api.patch(f"/deployments/{row['id']}", parameters={"pin": "live"})

    assert _undone(fake, path, fake.transport)["deployment:etl/nightly"].reason == reason
