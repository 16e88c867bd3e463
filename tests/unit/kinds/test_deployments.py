"""Deployments."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.errors import RequestRejected
from bundle.record.canonical import make_record
from support.one_kind import ID, OTHER, Rows, Sent, created, deleted, finished, kind, switched, updated

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


def test_an_update_gives_it_schedules_last() -> None:
    """New schedules start it, so they wait for the end; what starts nothing is written at once."""
    body = {"name": "d", "schedules": [{"schedule": {"cron": "0 7 * * *"}}], "description": "x"}
    assert set(DEPLOYMENT.late(body, {"schedules", "description"}, row())) == {"schedules"}


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
    held = row(schedules=[{"id": "s", "slug": "a", "schedule": {"cron": "0 7 * * *"}, "parameters": {"x": 1}}])
    assert switched("deployment", {"schedules/a": True}, held) == [
        ["PATCH", f"/deployments/{ID}/schedules/s", {"parameters": {"x": 1}, "active": True}]
    ]


def test_a_queue_without_a_pool_is_left_out() -> None:
    """It is left from a pool that was deleted, and sent again it would make a pool."""
    raw = row(work_queue_name="default", work_pool_name=None)
    assert "work_queue_name" not in DEPLOYMENT.portable(raw, Rows(FLOW))
    assert list(DEPLOYMENT.findings(raw)) == [("leftover-queue", "/work_queue_name", "")]


def test_pool_and_queue_are_written_together() -> None:
    """A queue alone would be created in the default agent pool."""
    body = {"name": "d", "flow_id": OTHER, "work_pool_name": "k8s", "work_queue_name": "high"}
    assert updated("deployment", body, {"work_queue_name"}) == [
        ["PATCH", f"/deployments/{ID}", {"work_pool_name": "k8s", "work_queue_name": "high"}]
    ]


@pytest.mark.parametrize(("version", "can"), [((3, 6, 26), False), ((3, 6, 27), True), ((), True)])
def test_a_pool_can_be_taken_off_since_3_6_27(version: tuple[int, ...], *, can: bool) -> None:
    """An older server keeps it; one that does not say its version is asked."""
    at = Sent(version=version)
    assert DEPLOYMENT.can_change("/work_pool_name", is_removal=True, raw=row(), at=at) is can
    assert DEPLOYMENT.can_change("/work_pool_name", is_removal=False, raw=row(), at=at)


def test_its_own_limit_and_schedules_arrive_at_the_very_end() -> None:
    """What is unusual in the limit first, then the schedules, with which the mark goes."""
    schedules = [{"schedule": {"cron": "0 7 * * *"}, "active": True}]
    limit = {"active": False, "slot_decay_per_second": 0.0}
    body = {"name": "d", "flow_id": OTHER, "schedules": schedules, "own_limit": limit}
    assert finished("deployment", body, DEPLOYMENT.pending(body, MARK)) == [
        ["PATCH", f"/v2/concurrency_limits/deployment:{ID}", limit],
        ["PATCH", f"/deployments/{ID}", {"schedules": schedules, "tags": []}],
    ]


def test_it_stops_before_its_schedules_and_starts_after_them() -> None:
    """The whole deployment is switched by its own field."""
    held = row(schedules=[{"id": "s", "slug": "a", "schedule": {"cron": "0 7 * * *"}}])
    whole, one = f"/deployments/{ID}", f"/deployments/{ID}/schedules/s"
    off = switched("deployment", {"paused": False, "schedules/a": False}, held)
    on = switched("deployment", {"paused": True, "schedules/a": True}, held)
    assert [(path, body) for _, path, body in off] == [(whole, {"paused": True}), (one, {"active": False})]
    assert [(path, body) for _, path, body in on] == [(one, {"active": True}), (whole, {"paused": False})]


def test_where_its_parameters_are_refused_it_is_paused_by_its_own_route() -> None:
    """Older servers check all parameters at every ``PATCH``."""
    refused = RequestRejected("conflict", status=409, hint="")
    to = Sent(answers={f"PATCH /deployments/{ID}": [refused]})
    assert switched("deployment", {"paused": False}, row(), to)[1:] == [
        ["POST", f"/deployments/{ID}/pause_deployment", {}]
    ]


def test_schedules_of_the_destination_alone_are_kept() -> None:
    """Unless they came with an earlier bundle that no longer has them."""
    ours, theirs = {"schedule": {"cron": "0 7 * * *"}}, {"schedule": {"cron": "0 8 * * *"}}
    body, found = {"schedules": [ours]}, {"schedules": [theirs]}
    assert DEPLOYMENT.wanted(body, found) == {"schedules": [theirs, ours]}
    assert DEPLOYMENT.wanted(body, found, gone=found) == {"schedules": [ours]}


def test_what_it_runs() -> None:
    """Pull steps, the entrypoint with its path, and what its job variables set."""
    body = {"pull_steps": [{"f": {}}], "entrypoint": "a.py:main", "path": "/opt", "job_variables": {"image": "me/etl"}}
    assert list(DEPLOYMENT.runs(make_record("deployment:a/b", body, (), ())) or ()) == [
        ("step", "/pull_steps/0/f", "f"),
        ("entrypoint", "/entrypoint", "a.py:main in /opt"),
        ("image", "/job_variables/image", "me/etl"),
    ]
