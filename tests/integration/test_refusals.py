"""What the creating request refuses although the source holds it arrives by other requests, or the part is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bundle.server.process import Server
from support.compare import compare
from support.environment import Api, Size
from support.moving import bundle_of, import_into

Factory = Callable[[Size | None], Server]
SCHEDULE = {"schedule": {"cron": "0 0 1 1 *", "timezone": "UTC"}, "active": True}
EVENT = {
    "type": "event",
    "posture": "Reactive",
    "expect": ["a.b"],
    "match": {"prefect.resource.id": "x"},
    "threshold": 1,
    "within": 0,
}


def template(env: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_configuration": {"env": "{{ env }}"},
        "variables": {"type": "object", "properties": {"env": env}},
    }


def held_by_a_limit_of_zero(api: Api) -> None:
    flow = api.create("/flows/", name="f")
    for name, schedules in (("zero", []), ("zero with a schedule", [SCHEDULE])):
        made = api.create("/deployments/", name=name, flow_id=flow, concurrency_limit=1, schedules=schedules)
        api.patch(f"/v2/concurrency_limits/deployment:{made}", limit=0)


def job_variables_of_a_template_that_changed(api: Api) -> None:
    api.create("/work_pools/", name="p", type="process", base_job_template=template({"type": "object"}))
    flow = api.create("/flows/", name="f")
    for name, schedules in (("d", []), ("d with a schedule", [SCHEDULE])):
        api.create(
            "/deployments/", name=name, flow_id=flow, work_pool_name="p", job_variables={"env": {"A": "1"}},
            schedules=schedules, tags=["t"],
        )  # fmt: skip
    api.patch("/work_pools/p", base_job_template=template({"type": "array"}))


def parameters_against_a_schema_that_changed(api: Api) -> None:
    flow = api.create("/flows/", name="f")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    for name, schedules in (
        ("p", []),
        ("p with schedules", [SCHEDULE | {"max_scheduled_runs": 2, "slug": "a"}, SCHEDULE | {"slug": "b"}]),
    ):
        made = api.create(
            "/deployments/", name=name, flow_id=flow, parameters={"n": "many"}, parameter_openapi_schema=schema,
            schedules=[], description="kept", labels={"a": "b"},
        )  # fmt: skip
        if schedules:
            api.send("POST", f"/deployments/{made}/schedules", schedules)


@pytest.mark.parametrize(
    "plant",
    [
        held_by_a_limit_of_zero,
        job_variables_of_a_template_that_changed,
        parameters_against_a_schema_that_changed,
    ],
)
def test_what_creating_refuses_arrives_all_the_same(server_factory: Factory, plant: Callable[[Api], None]) -> None:
    """The refused part is set by the request that takes it; the copy is equal, and a second import writes nothing."""
    source, destination = server_factory(None), server_factory(None)
    with Api(source.url) as api:
        plant(api)
    bundle = bundle_of(source.url)

    imported = import_into(destination.url, bundle)

    assert {outcome.state for outcome in imported.outcomes} <= {"succeeded", "skipped"}, imported.outcomes
    assert compare(source.url, destination.url) == []
    assert import_into(destination.url, bundle).sent.writes == 0


def test_what_no_request_takes_is_named_and_the_rest_arrives(server_factory: Factory) -> None:
    """Automations that a server refuses as they are arrive switched off, without the part, and with the reason."""
    source, destination = server_factory(None), server_factory(None)
    with Api(source.url) as api:
        job_variables_of_a_template_that_changed(api)
        doomed = api.create("/deployments/", name="doomed", flow_id=api.send("GET", "/flows/name/f")["id"])
        kept = api.send("GET", "/deployments/name/f/d")["id"]
        api.patch("/work_pools/p", base_job_template=template({"type": "object"}))
        for name, target in (("tightened", kept), ("runs one that is gone", doomed)):
            action = {
                "type": "run-deployment", "source": "selected", "deployment_id": target, "parameters": {},
                "job_variables": {"env": {"A": "1"}},
            }  # fmt: skip
            api.create("/automations/", name=name, trigger=EVENT, actions=[action])
        api.patch("/work_pools/p", base_job_template=template({"type": "array"}))
        api.delete(f"/deployments/{doomed}")
    bundle = bundle_of(source.url)

    imported = import_into(destination.url, bundle)
    found = {each.key: each for each in imported.outcomes if each.kind == "automation"}
    with Api(destination.url) as api:
        there = {each["name"]: each for each in api.read_all("/automations/filter")}

    assert {(each.state, each.reason) for each in found.values()} == {("failed", "created-partly")}
    detail = found["automation:tightened"].detail
    assert detail.startswith("without /actions/0/job_variables, /enabled: ")
    assert detail.endswith("status 422: env (fits none of the allowed forms)")
    assert "/actions/0/deployment_id" in found["automation:runs one that is gone"].detail
    planned = {each.key: each for each in imported.prepared.plan.actions}
    assert planned["deployment:f/d"].reason == "created-unfit"
    assert planned["deployment:f/d"].detail == "the destination will refuse its runs: `env` must be an array"
    assert {each["enabled"] for each in there.values()} == {False}
    assert {each["description"] for each in there.values()} == {""}
    assert import_into(destination.url, bundle).sent.writes == 0
