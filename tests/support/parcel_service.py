"""A program for a test: the whole way of a kind that was added in one file. Prints what came of each step as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bundle.apply.control import Control
from bundle.environment.selection import EVERYTHING
from bundle.operations.drift import drift
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.journal import Journal
from bundle.operations.receipt import read
from bundle.operations.rollback import roll_back
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.overlay import NO_OVERLAY, adapt
from support.fake_prefect import FakePrefect
from support.fake_prefect.routes import Routes
from support.fake_prefect.server import AnotherKind
from support.fake_prefect.store import Answer, Row, Store, Table
from support.moving import bundle_of, export
from support.offline import api_of, run, speaking_to

ROUTES = Routes()


@ROUTES.serve("POST /parcels/")
def _post(store: Store, body: Row) -> Answer:
    store.refuse_twice("parcels", name=body["name"])
    return 201, store.insert("parcels", body)


@ROUTES.serve("PATCH /parcels/{id}")
def _patch(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    return store.update(store.find("parcels", id), body)


@ROUTES.serve("DELETE /parcels/{id}")
def _delete(store: Store, _body: Any, id: str) -> Answer:  # noqa: A002 - as above
    store.drop("parcels", id)
    return 204, None


PARCELS = AnotherKind(
    name="parcels",
    table=Table("Parcel not found"),
    bodies={
        "POST /parcels/": "name! contents={} flow_id=null weight!",
        "PATCH /parcels/{id}": "contents weight",
    },
    routes=ROUTES,
)


def filled() -> FakePrefect:
    """A server with a parcel that refers to a flow."""
    fake = FakePrefect(another=PARCELS)
    with speaking_to(fake) as api:
        flow = api.post("/flows/", name="post")["id"]
        api.post("/parcels/", name="first", contents={"sent by": f"flow {flow}"}, flow_id=flow, weight=3)
    return fake


async def _import(fake: FakePrefect, bundle: Any, receipt: Path, choices: Choices) -> list[list[str]]:
    async with api_of(fake) as api:
        prepared = await prepare(bundle, api, choices)
        with Journal.begin(receipt, prepared, destination=api.url, created="now") as journal:
            result = await carry_out(prepared, api, Control(witness=journal))
    return sorted([each.key, each.reason] for each in result.outcomes)


async def _drift(fake: FakePrefect, bundle: Any) -> list[list[str]]:
    async with api_of(fake) as api:
        plan = await drift(adapt(bundle, EVERYTHING, NO_OVERLAY), api)
    return sorted([each.key, each.reason, *(found.pointer for found in each.differences)] for each in plan.actions)


async def _back(fake: FakePrefect, receipt: Path) -> list[list[str]]:
    async with api_of(fake) as api:
        return sorted([each.key, each.reason] for each in await roll_back(read(receipt), api))


def main(directory: Path) -> dict[str, Any]:
    """Every step, with what came of it."""
    bundle, there = bundle_of(filled()), FakePrefect(seed=1, another=PARCELS)
    steps: dict[str, Any] = {"exported": [[each.record.key, each.wave] for each in bundle.records]}
    steps["imported"] = run(_import(there, bundle, directory / "first", Choices()))
    there.reset()
    steps["again"] = run(_import(there, bundle, directory / "again", Choices()))
    steps["writes again"] = len(there.writes)
    (row,) = there.rows("parcels")
    steps["flow is theirs"] = row["flow_id"] in there.tables["flows"]
    steps["text is theirs"] = row["contents"] == {"sent by": f"flow {row['flow_id']}"}
    row["weight"] = 4
    steps["drift"] = run(_drift(there, bundle))
    steps["updated"] = run(_import(there, bundle, directory / "update", Choices(Conflicts("update"))))
    steps["weight"] = there.rows("parcels")[0]["weight"]
    steps["digest"] = bundle_of(there).manifest.content_digest == bundle.manifest.content_digest
    steps["rolled back"] = run(_back(there, directory / "first"))
    steps["left"] = len(there.rows("parcels")) + len(there.rows("flows"))
    steps["older"] = export(FakePrefect()).header.census["parcel"].seen
    return steps


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201 - the test reads it
