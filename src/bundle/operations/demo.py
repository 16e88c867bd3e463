"""A small environment with one of each thing that is hard to move, and the checks of ``xfer demo``.

It is made through the same narrow ``Api`` as everything else, by plain requests.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bundle.kinds import KINDS
from bundle.model import Api, Body, Bundle, Json
from bundle.operations.import_ import Result
from bundle.record.canonical import encode
from bundle.server.urls import segment

_FAILED = "prefect.flow-run.Failed"


class Check(msgspec.Struct, frozen=True):
    """A statement of the demo, and whether it held."""

    statement: str
    holds: bool


class Trip(msgspec.Struct, frozen=True):
    """What one round of the demo came to; ``writes`` are those that the second import sent."""

    bundle: Bundle
    returned: Bundle
    first: Result
    second: Result
    writes: int
    password: str


def checks(trip: Trip) -> tuple[Check, ...]:
    """What has to hold after export, import, the same import again, and export of the destination."""
    total = len(trip.bundle.records)
    everything = b"".join(map(encode, [trip.bundle.manifest, *trip.bundle.records]))
    made, found = trip.first.count("succeeded"), trip.first.count("skipped")
    kept = trip.second.count("skipped")
    return (
        Check("no byte of the bundle holds the password", trip.password.encode() not in everything),
        Check(
            f"the first import created {made} and found {found} that Prefect creates itself: {made + found} of {total}",
            _is_whole(trip),
        ),
        Check(f"the second import found {kept} of {total} already there", kept == total),
        Check(f"the second import sent {trip.writes} write requests", trip.writes == 0),
        Check(
            "an export of the destination has the same content digest",
            trip.returned.manifest.content_digest == trip.bundle.manifest.content_digest,
        ),
    )


def _is_whole(trip: Trip) -> bool:
    """Whether the first import made everything but what every server brings along."""
    skipped = {each.kind for each in trip.first.outcomes if each.state == "skipped"}
    is_all = {each.state for each in trip.first.outcomes} <= {"succeeded", "skipped"}
    is_accounted = len(trip.first.outcomes) == len(trip.bundle.records)
    return is_all and is_accounted and not any(KINDS[kind].holds_values for kind in skipped)


async def fill(api: Api, *, password: str) -> None:
    """Make the environment on an empty server; ``password`` is the secret to look for later."""
    ids = _Ids(api)
    await _variables_and_limits(ids)
    await _blocks(ids, password)
    await _pools(ids)
    await _deployments(ids)
    await _automations(ids)


class _Ids:
    """Sends creates and remembers the id of each under a short name."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    async def make(self, name: str, path: str, body: Body) -> Body:
        made: Body = await self.api.write("POST", path, body, repeatable=False)
        self._known[name] = str(made["id"])
        return made


async def _variables_and_limits(ids: _Ids) -> None:
    for name, value in (("region", "eu-central-1"), ("retries", 3), ("thresholds", {"warn": 0.8, "stop": [0.9, None]})):
        await ids.make(name, "/variables/", {"name": name, "value": value, "tags": ["demo"]})
    await ids.make("warehouse", "/v2/concurrency_limits/", {"name": "warehouse", "limit": 5})
    decaying = {"name": "api-calls", "limit": 10, "slot_decay_per_second": 0.5}
    await ids.make("api-calls", "/v2/concurrency_limits/", decaying)
    await ids.make("heavy", "/concurrency_limits/", {"tag": "heavy", "concurrency_limit": 2})


async def _blocks(ids: _Ids, password: str) -> None:
    """A secret whose value is an object, which the server does not mask, and one block inside another."""
    await _block(ids, "secret", "db", {"value": {"user": "etl", "password": password}})
    credentials = {
        "aws_access_key_id": "key-of-the-demo",
        "aws_secret_access_key": password,
        "region_name": "eu-west-1",
    }
    await _block(ids, "aws-credentials", "main", credentials)
    nested = {"bucket_name": "raw-data", "credentials": {"$ref": {"block_document_id": ids["aws-credentials/main"]}}}
    await _block(ids, "s3-bucket", "raw", nested)
    await _block(ids, "local-file-system", "results", {"basepath": "/srv/results"})


async def _block(ids: _Ids, slug: str, name: str, data: Body) -> None:
    type_id = (await ids.api.get(f"/block_types/slug/{slug}"))["id"]
    schemas = await ids.api.read("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [type_id]}}})
    body = {"name": name, "data": data, "block_type_id": type_id, "block_schema_id": schemas[0]["id"]}
    await ids.make(f"{slug}/{name}", "/block_documents/", body)


async def _pools(ids: _Ids) -> None:
    await ids.make("local", "/work_pools/", {"name": "local", "type": "process", "base_job_template": {}})
    template = {
        "job_configuration": {"image": "{{ image }}"},
        "variables": {"type": "object", "properties": {"image": {"type": "string", "default": "acme/etl:1"}}},
    }
    pool = {"name": "k8s", "type": "kubernetes", "base_job_template": template, "concurrency_limit": 8}
    await ids.make("k8s", "/work_pools/", {**pool, "is_paused": True})
    await ids.make("k8s/high", "/work_pools/k8s/queues", {"name": "high", "priority": 1, "concurrency_limit": 3})
    tuned = {"description": "everything else", "concurrency_limit": 1}
    await ids.api.write("PATCH", f"/work_pools/k8s/queues/{segment('default')}", tuned, repeatable=True)


async def _deployments(ids: _Ids) -> None:
    for name in ("etl", "report", "no deployments yet"):
        await ids.make(name, "/flows/", {"name": name, "tags": ["demo"]})
    cron = {"schedule": {"cron": "0 3 * * 1-5", "timezone": "Europe/Berlin"}, "active": True, "slug": "weekdays"}
    interval = {"schedule": {"interval": 3600, "anchor_date": "2024-01-01T00:00:00Z"}, "parameters": {"full": False}}
    await _deployment(ids, "etl/nightly", work_pool_name="local", schedules=[cron])
    await _deployment(
        ids, "etl/hourly", work_pool_name="k8s", work_queue_name="high", schedules=[interval],
        concurrency_limit=2, concurrency_options={"collision_strategy": "CANCEL_NEW"},
    )  # fmt: skip
    for name in ("report/daily", "report/weekly"):
        variables = {
            "env": {"DB_PASSWORD": "{{ prefect.blocks.secret.db }}", "REGION": "{{ prefect.variables.region }}"}
        }
        await _deployment(
            ids, name, work_pool_name="k8s", global_concurrency_limit_id=ids["warehouse"], job_variables=variables
        )


async def _deployment(ids: _Ids, key: str, **fields: Json) -> None:
    flow, _, name = key.partition("/")
    await ids.make(
        key, "/deployments/", {"name": name, "flow_id": ids[flow], "entrypoint": f"{flow}.py:main", **fields}
    )


async def _automations(ids: _Ids) -> None:
    """Two of equal names, one that names a deployment in its trigger's labels, and one that pauses itself."""
    nightly = ids["etl/nightly"]
    again = [{"type": "run-deployment", "source": "selected", "deployment_id": nightly}]
    after = {"match_related": {"prefect.resource.id": f"prefect.deployment.{nightly}"}}
    await ids.make("retry", "/automations/", _automation("on failure", _trigger(**after), again))
    pause = [{"type": "pause-deployment", "source": "selected", "deployment_id": nightly}]
    await ids.make("pause", "/automations/", _automation("on failure", _trigger(threshold=3, within=600.0), pause))
    once = await ids.make("once", "/automations/", _automation("only once", _trigger(), [{"type": "do-nothing"}]))
    itself = [{"type": "pause-automation", "source": "selected", "automation_id": once["id"]}]
    body = _automation("only once", _trigger(), itself)
    await ids.api.write("PUT", f"/automations/{once['id']}", body, repeatable=True)


def _automation(name: str, trigger: Body, actions: list[Body]) -> Body:
    return {"name": name, "description": "", "enabled": True, "trigger": trigger, "actions": actions}


def _trigger(**fields: Any) -> Body:
    return {"type": "event", "posture": "Reactive", "expect": [_FAILED], "threshold": 1, "within": 0, **fields}
