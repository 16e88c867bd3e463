"""Deployments."""

from __future__ import annotations

from typing import Any

from support.one_kind import ID, OTHER, Rows, Sent, created, deleted, kind, updated

DEPLOYMENT = kind("deployment")
FLOW = {"id": OTHER, "name": "etl"}
MARK = Sent.mark


def row(**more: Any) -> dict[str, Any]:
    return {"id": ID, "name": "nightly", "flow_id": OTHER, **more}


def test_it_is_named_by_flow_and_name() -> None:
    """As Prefect's users write it."""
    assert DEPLOYMENT.natural_name(row(), Rows(FLOW)) == "etl/nightly"


def test_an_own_limit_travels_as_a_number() -> None:
    """A limit named after the deployment is its own; another one is shared, and referred to."""
    own = {"id": "l", "name": f"deployment:{ID}", "limit": 3, "active": True, "slot_decay_per_second": 0.0}
    shared = {"id": "l", "name": "db", "limit": 3}
    found = [DEPLOYMENT.portable(row(global_concurrency_limit=each), Rows(FLOW)) for each in (own, shared)]
    assert [each.get("concurrency_limit") for each in found] == [3, None]
    assert found[1]["global_concurrency_limit_id"] == "l"


def test_it_gets_its_schedules_last() -> None:
    """One with schedules is created without them, and marked; one without is created as it is."""
    schedules = [{"schedule": {"cron": "0 7 * * *"}, "active": True}]
    first = DEPLOYMENT.pending({"name": "d", "tags": ["a"], "schedules": schedules}, MARK)
    assert first == {"name": "d", "tags": ["a", MARK]}
    assert DEPLOYMENT.pending({"name": "d"}, MARK) == {"name": "d"}


def test_names_in_it() -> None:
    """Pool, queue, blocks of pull steps and templates are named."""
    body = {
        "work_pool_name": "k8s",
        "work_queue_name": "high",
        "pull_steps": [{"prefect.x": {"block_type_slug": "secret", "block_document_name": "pw"}}],
        "parameters": {"a": "{{ prefect.variables.region }}"},
    }
    assert sorted(key for _, key in DEPLOYMENT.names(body)) == [
        "block:secret/pw",
        "variable:region",
        "work-pool:k8s",
        "work-queue:k8s/high",
    ]


def test_an_old_server_needs_a_parameter_schema() -> None:
    """Before 3.6 a deployment without one could never be changed again."""
    ((_, _, old),) = created("deployment", {"name": "d", "flow_id": OTHER}, Sent(version=(3, 5, 9)))
    ((_, _, new),) = created("deployment", {"name": "d", "flow_id": OTHER})
    assert (old["parameter_openapi_schema"], "parameter_openapi_schema" in new) == ({}, False)


def test_labels_need_a_post() -> None:
    """``PATCH`` does not take them, so they are posted over, with what that would reset."""
    body = {"name": "d", "flow_id": OTHER, "labels": {"a": "b"}, "parameters": {"x": 1}}
    ((method, path, sent),) = updated("deployment", body, {"labels"}, row(labels={"prefect.y": "z"}))
    assert (method, path) == ("POST", "/deployments/")
    assert (sent["labels"], sent["parameters"]) == ({"prefect.y": "z", "a": "b"}, {"x": 1})


def test_a_shared_limit_survives_a_deletion() -> None:
    """``DELETE`` takes the linked limit along, so a shared one is unlinked first."""
    shared = row(global_concurrency_limit={"id": "l", "name": "db", "limit": 1})
    own = row(global_concurrency_limit={"id": "l", "name": f"deployment:{ID}", "limit": 1})
    assert [each[:2] for each in deleted("deployment", shared)] == [
        ["PATCH", f"/deployments/{ID}"],
        ["DELETE", f"/deployments/{ID}"],
    ]
    assert [each[0] for each in deleted("deployment", own)] == ["DELETE"]


def test_a_schedule_keeps_its_parameters_when_it_is_switched() -> None:
    """``PATCH`` of a schedule empties parameters that are not sent."""
    import asyncio  # noqa: PLC0415

    from bundle.kinds.protocols import Made  # noqa: PLC0415

    to = Sent()
    held = row(schedules=[{"id": "s", "slug": "a", "schedule": {"cron": "0 7 * * *"}, "parameters": {"x": 1}}])
    asyncio.run(DEPLOYMENT.switch(to, Made(ID, held), {"schedules/a": True}))
    assert to.requests == [["PATCH", f"/deployments/{ID}/schedules/s", {"parameters": {"x": 1}, "active": True}]]
