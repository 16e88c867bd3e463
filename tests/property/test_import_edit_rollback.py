"""Imports, edits by hand and rollbacks in any order: a rollback takes away what its import made and nobody touched."""

from __future__ import annotations

import copy
import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bundle.apply.control import Control
from bundle.model import Bundle
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.journal import Journal
from bundle.operations.receipt import read
from bundle.operations.rollback import roll_back
from bundle.operations.undo import Undone
from bundle.plan.choices import Choices, Conflicts
from support.environment import Api, Canaries, Environment, selected, when
from support.fake_prefect import FakePrefect
from support.moving import CREATED, bundle_of
from support.offline import api_of, run, speaking_to

Row = dict[str, Any]
Rows = dict[tuple[str, str], Row]
"""All rows of a server by table and id, without what the server gives anew with every write."""

INDEX = st.integers(0, 1000)
LIMITS = "v2/concurrency_limits"
SLOT = "block:secret/token#/data/value"


def environment(fake: FakePrefect) -> FakePrefect:
    """A little of every kind that hangs on others."""
    with speaking_to(fake) as api:
        planted = Environment(api, Canaries())
        planted.variable("region", "eu")
        planted.variable("size", 3)
        planted.limit("db", 5)
        planted.block("secret", "token", {"value": "hidden"})
        planted.pool("pool")
        planted.queue("pool", "high")
        nightly = planted.deployment("etl", "nightly", work_pool_name="pool", work_queue_name="high")
        planted.schedules(nightly, {"schedule": {"cron": "@daily"}, "slug": "daily", "max_scheduled_runs": 3})
        planted.deployment("etl", "by hand")
        planted.automation("pauses", when(), [selected("pause-deployment", deployment_id=nightly)])
    return fake


@functools.cache
def whole() -> Bundle:
    """The bundle that is imported."""
    return bundle_of(environment(FakePrefect()))


def rows_of(fake: FakePrefect) -> Rows:
    """Everything that a server holds."""
    return {(table, identifier): _kept(row) for table, rows in fake.tables.items() for identifier, row in rows.items()}


def _kept(row: Row) -> Row:
    """A row without the time of its last change, and without the id of a trigger, which each ``PUT`` makes anew."""
    kept = {name: copy.deepcopy(value) for name, value in row.items() if name != "updated"}
    kept.get("trigger", {}).pop("id", None)
    return kept


def _edited(row: Row) -> Row:
    """What somebody may have edited: to be switched on or off is none."""
    return {name: value for name, value in row.items() if name != "enabled"}


class Import(NamedTuple):
    """One import: its receipt, what it made and what it changed."""

    receipt: Path
    made: set[tuple[str, str]]
    changed: set[tuple[str, str]]
    before: Rows


class Machine(RuleBasedStateMachine):
    """One destination that people work with, while bundles come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakePrefect(seed=1)
        self.imports: list[Import] = []
        self.left: Rows = {}
        self.numbers = itertools.count()
        self.directory = tempfile.TemporaryDirectory()
        self.hands_off = True

    def teardown(self) -> None:
        self.directory.cleanup()

    def api(self) -> Api:
        self.hands_off = False
        return speaking_to(self.fake)

    def pick(self, table: str, index: int) -> Row | None:
        """One of the rows of a table, leaving out what every server has by itself."""
        rows = [row for row in self.fake.rows(table) if not str(row["name"]).startswith("deployment:")]
        return rows[index % len(rows)] if rows else None

    def new(self, what: str) -> str:
        return f"{what}-{next(self.numbers)}"

    # What xfer does

    @initialize()
    def begin(self) -> None:
        """Make the bundle before the first rule is timed."""
        whole()

    @rule(policy=st.sampled_from(["skip", "update"]), secrets=st.sampled_from([{}, {SLOT: "supplied"}]))
    def import_bundle(self, policy: Any, secrets: dict[str, str]) -> None:
        """Import the bundle, once more or for the first time, with its secret or without."""
        before, receipt = rows_of(self.fake), Path(self.directory.name) / self.new("receipt")

        async def there() -> None:
            async with api_of(self.fake) as api:
                prepared = await prepare(whole(), api, Choices(Conflicts(policy)), secrets=secrets)
                with Journal.begin(receipt, prepared, destination=api.url, created=CREATED) as journal:
                    await carry_out(prepared, api, Control(witness=journal))

        run(there())
        now = rows_of(self.fake)
        changed = {place for place in before if now.get(place) != before[place]}
        assert now.keys() >= before.keys()
        self.left |= {place: row for place, row in now.items() if place in changed or place not in before}
        if receipt.exists():
            self.imports.append(Import(receipt, now.keys() - before.keys(), changed, before))
            # A secret that was filled in stays.
            self.hands_off = not (secrets and any(table == "block_documents" for table, _ in changed))

    @precondition(lambda self: self.imports)
    @rule(index=INDEX)
    def roll_back_import(self, index: int) -> None:
        """Roll one of the imports back, whichever it was."""
        which = self.imports.pop(index % len(self.imports))
        before = rows_of(self.fake)

        async def back() -> tuple[Undone, ...]:
            async with api_of(self.fake) as api:
                return await roll_back(read(which.receipt), api)

        undone = run(back())
        now = rows_of(self.fake)
        gone = before.keys() - now.keys()
        assert gone <= which.made, [before[place] for place in gone - which.made]
        for place in gone:
            assert _edited(before[place]) == _edited(self.left[place])
        assert now.keys() <= before.keys()
        for place in now.keys() - which.changed:
            assert now[place] == before[place]
        if self.hands_off and index % (len(self.imports) + 1) == len(self.imports):
            assert now == which.before, undone
        self.left |= {place: now[place] for place in which.changed & now.keys() if now[place] != before[place]}
        self.hands_off = False

    # What people do

    @rule(table=st.sampled_from(["variables", "work_queues", LIMITS]), index=INDEX)
    def rename(self, table: str, index: int) -> None:
        """Somebody gives something another name."""
        row = self.pick(table, index)
        if row:
            with self.api() as api:
                path = {LIMITS: LIMITS}.get(table, table)
                api.patch(f"/{path}/{row['id']}", name=self.new("renamed"))

    @rule(
        field=st.sampled_from(
            ["variables value", f"{LIMITS} limit", "flows tags", "deployments description", "work_queues description"]
        ),
        index=INDEX,
    )
    def edit(self, field: str, index: int) -> None:
        """Somebody changes a field."""
        table, name = field.split()
        row = self.pick(table, index)
        if row:
            value: Any = {"tags": [self.new("tag")], "limit": 100 + next(self.numbers)}.get(name, self.new("edited"))
            with self.api() as api:
                api.patch(f"/{table}/{row['id']}", **{name: value})

    @rule(index=INDEX)
    def set_a_secret(self, index: int) -> None:
        """Somebody sets the secret of a block, which a server does not show."""
        row = self.pick("block_documents", index)
        if row:
            data = {"value": self.new("live")}
            with self.api() as api:
                api.patch(f"/block_documents/{row['id']}", data=data, merge_existing_data=True)

    @rule(index=INDEX)
    def edit_a_pool(self, index: int) -> None:
        """Somebody describes a pool."""
        row = self.pick("work_pools", index)
        if row:
            with self.api() as api:
                api.patch(f"/work_pools/{row['name']}", description=self.new("edited"))

    @rule(index=INDEX)
    def switch_an_automation(self, index: int) -> None:
        """Somebody switches an automation over."""
        row = self.pick("automations", index)
        if row:
            with self.api() as api:
                api.patch(f"/automations/{row['id']}", enabled=not row["enabled"])

    @rule(index=INDEX)
    def add_a_queue(self, index: int) -> None:
        """Somebody adds a queue of their own to a pool."""
        row = self.pick("work_pools", index)
        if row:
            with self.api() as api:
                api.post(f"/work_pools/{row['name']}/queues", name=self.new("queue"))

    @rule(index=INDEX)
    def add_a_schedule(self, index: int) -> None:
        """Somebody adds a schedule to a deployment."""
        row = self.pick("deployments", index)
        if row:
            schedule = {"schedule": {"cron": "@hourly"}, "slug": self.new("slug")}
            with self.api() as api:
                api.send("POST", f"/deployments/{row['id']}/schedules", [schedule])

    @rule(index=INDEX)
    def add_a_deployment(self, index: int) -> None:
        """Somebody adds a deployment of their own to a flow, on a queue that is there."""
        flow, queue = self.pick("flows", index), self.pick("work_queues", index)
        if flow:
            place = {}
            if queue:
                pool = self.fake.tables["work_pools"][queue["work_pool_id"]]["name"]
                place = {"work_pool_name": pool, "work_queue_name": queue["name"]}
            with self.api() as api:
                api.post("/deployments/", name=self.new("deployment"), flow_id=flow["id"], **place)

    @rule(index=INDEX)
    def add_an_automation(self, index: int) -> None:
        """Somebody adds an automation that refers to a deployment."""
        row = self.pick("deployments", index)
        if row:
            action = selected("pause-deployment", deployment_id=row["id"])
            with self.api() as api:
                api.post("/automations/", name=self.new("automation"), trigger=when(), actions=[action])

    @rule(table=st.sampled_from(["variables", "flows", "deployments", "automations", LIMITS]), index=INDEX)
    def delete(self, table: str, index: int) -> None:
        """Somebody deletes something, and what hangs on it."""
        row = self.pick(table, index)
        if row:
            with self.api() as api:
                api.delete(f"/{table}/{row['id']}")


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=60, derandomize=True, stateful_step_count=10, suppress_health_check=list(HealthCheck)
)
