"""Deployments, their queues, limits and schedules."""

from __future__ import annotations

from support.scenarios.asks import GONE, Ask, Json, delete, get, patch, post, reference
from support.scenarios.blocks import A_SCHEMA, document
from support.scenarios.pools import A_POOL, template

A_FLOW = [post("/flows/", {"name": "f", "labels": {"team": "a", "n": 1}}, "flow")]


SLUGGED = [{"schedule": {"cron": "@daily"}, "slug": "one"}, {"schedule": {"interval": 90}, "slug": "two"}]


def deployment(keep: str = "", **fields: Json) -> Ask:
    return post("/deployments/", {"name": "d", "flow_id": "$flow.id", **fields}, keep)


SCENARIOS: dict[str, list[Ask]] = {
    "deployment upsert": [
        *A_FLOW,
        deployment(labels={"n": 2}, tags=["b"], parameters={"x": 1}, description="kept", schedules=SLUGGED),
        deployment(version="2"),
        deployment(labels={"m": 1, "prefect.flow.id": "wrong"}, concurrency_options={"collision_strategy": "ENQUEUE"}),
        deployment(unknown=1, id=GONE),
        deployment(flow_id=GONE),
        deployment(work_pool_name="none"),
        deployment(storage_document_id=GONE),
        deployment(infrastructure_document_id=GONE),
        post("/deployments/filter"),
        post("/deployments/filter", {"sort": "CREATED_DESC"}),
        post("/deployments/count"),
        get("/deployments/name/f/d"),
        get("/deployments/name/f/none"),
        get(f"/deployments/{GONE}"),
    ],
    "deployments on queues": [
        *A_FLOW,
        *A_POOL,
        deployment("d", work_pool_name="p"),
        deployment(work_pool_name="p", work_queue_name="made"),
        deployment(work_pool_name=None),
        patch("/deployments/$d.id", {"work_pool_name": None}),
        get("/deployments/$d.id"),
        patch("/deployments/$d.id", {"work_pool_name": "p", "work_queue_name": "made too"}),
        get("/deployments/$d.id"),
        patch("/deployments/$d.id", {"work_pool_name": "none"}),
        delete("/work_pools/p"),
        get("/deployments/$d.id"),
        post("/work_queues/filter"),
    ],
    "a queue without a pool makes the agents' pool": [
        *A_FLOW,
        deployment("d", work_queue_name="q"),
        deployment(name="e", work_queue_name="r"),
        deployment(name="e", work_queue_name="q"),
        patch("/deployments/$d.id", {"work_queue_name": "r"}),
        get("/deployments/$d.id"),
        post("/work_pools/filter"),
        post("/work_queues/filter"),
    ],
    "own limits": [
        *A_FLOW,
        deployment("d", concurrency_limit=3),
        deployment(description="kept"),
        patch("/v2/concurrency_limits/deployment:$d.id", {"active": False}),
        deployment(concurrency_limit=4),
        post("/v2/concurrency_limits/filter"),
        patch("/deployments/$d.id", {"concurrency_limit": None}),
        post("/v2/concurrency_limits/filter"),
        patch("/deployments/$d.id", {"concurrency_limit": 1}),
        delete("/flows/$flow.id"),
        get("/deployments/$d.id"),
        post("/v2/concurrency_limits/filter"),
    ],
    "shared limits": [
        *A_FLOW,
        post("/v2/concurrency_limits/", {"name": "shared", "limit": 2}, "limit"),
        deployment("d", global_concurrency_limit_id="$limit.id"),
        deployment("e", name="e", global_concurrency_limit_id="$limit.id"),
        deployment(global_concurrency_limit_id="$limit.id", concurrency_limit=1),
        deployment(global_concurrency_limit_id=GONE),
        patch("/deployments/$d.id", {"global_concurrency_limit_id": GONE}),
        patch("/deployments/$d.id", {"concurrency_limit": 5}),
        get("/deployments/$e.id"),
        patch("/deployments/$d.id", {"global_concurrency_limit_id": None}),
        get("/deployments/$d.id"),
        deployment(name="e", concurrency_limit=None),
        post("/v2/concurrency_limits/filter"),
    ],
    "deleting a deployment deletes its shared limit": [
        *A_FLOW,
        post("/v2/concurrency_limits/", {"name": "shared", "limit": 2}, "limit"),
        deployment("d", global_concurrency_limit_id="$limit.id"),
        deployment("e", name="e", global_concurrency_limit_id="$limit.id"),
        delete("/deployments/$d.id"),
        delete("/deployments/$d.id"),
        get("/deployments/$e.id"),
        post("/v2/concurrency_limits/filter"),
    ],
    "deleting a block deletes the deployments that name it": [
        *A_FLOW,
        *A_SCHEMA,
        document("one", {}, "one"),
        deployment("d", storage_document_id="$one.id"),
        delete("/block_documents/$one.id"),
        get("/deployments/$d.id"),
    ],
    "a pool whose template dangles takes no job variables": [
        *A_FLOW,
        *A_POOL,
        patch("/work_pools/p", {"base_job_template": template(reference(GONE))}),
        deployment(work_pool_name="p"),
        deployment(work_pool_name="p", job_variables={"x": {}}),
    ],
    "schedules": [
        *A_FLOW,
        deployment("d", schedules=[{"schedule": {"cron": "@daily"}, "max_scheduled_runs": 3}]),
        post(
            "/deployments/$d.id/schedules",
            [
                {"schedule": {"interval": 90}, "max_scheduled_runs": 3, "slug": "a", "active": False},
                {"schedule": {"interval": 90.5, "anchor_date": "2024-02-29T12:30:00Z"}, "parameters": {"x": 1}},
                {"schedule": {"rrule": "FREQ=DAILY", "timezone": "Asia/Tokyo"}},
                {"schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "day_or": False}},
            ],
        ),
        post("/deployments/$d.id/schedules", [{"schedule": {"interval": 90}, "slug": "a"}]),
        post("/deployments/$d.id/schedules", [{"schedule": {"interval": 90}, "id": GONE}], loose=True),
        post(f"/deployments/{GONE}/schedules", [{"schedule": {"interval": 90}}]),
        get("/deployments/$d.id/schedules"),
        patch("/deployments/$d.id", {"schedules": [{"schedule": {"cron": "@hourly"}, "max_scheduled_runs": 3}]}),
        get("/deployments/$d.id/schedules", "left"),
        patch("/deployments/$d.id/schedules/$left.0.id", {"active": False}),
        patch("/deployments/$d.id/schedules/$left.0.id", {"replaced": False}),
        get("/deployments/$d.id"),
        delete("/deployments/$d.id/schedules/$left.0.id"),
        get("/deployments/$d.id/schedules"),
    ],
    "schedules with slugs": [
        *A_FLOW,
        deployment("d", schedules=SLUGGED),
        patch("/deployments/$d.id", {"schedules": []}),
        patch("/deployments/$d.id", {"schedules": [{"schedule": {"cron": "@daily"}}]}),
        patch(
            "/deployments/$d.id",
            {
                "schedules": [
                    {"slug": "one", "active": False, "max_scheduled_runs": 2},
                    {"slug": "three", "schedule": {"cron": "@hourly"}, "max_scheduled_runs": 2},
                ]
            },
        ),
        get("/deployments/$d.id"),
        patch("/deployments/$d.id", {"schedules": [{"slug": "one", "max_scheduled_runs": None, "parameters": {}}]}),
        get("/deployments/$d.id/schedules"),
    ],
    "patching deployments": [
        *A_FLOW,
        post("/variables/", {"name": "v", "value": [1]}),
        deployment(
            "d", parameters={"v": {"__prefect_kind": "workspace_variable", "variable_name": "v"}}, tags=["kept"]
        ),
        patch(
            "/deployments/$d.id",
            {
                "parameters": {"v": {"__prefect_kind": "workspace_variable", "variable_name": "v"}, "x": 1},
                "paused": True,
                "job_variables": {"a": 1},
                "pull_steps": [{"s": {}}],
            },
        ),
        get("/deployments/$d.id"),
        patch("/deployments/$d.id", {"labels": {}, "name": "x"}),
        patch(f"/deployments/{GONE}", {"paused": True}),
    ],
}
