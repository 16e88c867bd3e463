"""Work pools and their queues."""

from __future__ import annotations

from support.scenarios.asks import GONE, Ask, Json, delete, get, patch, post, reference


def template(default: Json) -> Json:
    properties = {"x": {"type": "object", "default": default}}
    return {"job_configuration": {"x": "{{ x }}"}, "variables": {"type": "object", "properties": properties}}


A_POOL = [post("/work_pools/", {"name": "p", "type": "process"}, "pool")]


SCENARIOS: dict[str, list[Ask]] = {
    "work pools": [
        post("/work_pools/", {"name": "p", "type": "process", "concurrency_limit": 3, "is_paused": True}, "p"),
        post("/work_pools/", {"name": "p"}),
        post("/work_pools/", {"name": "agents"}),
        post("/work_pools/", {"name": "Prefect pool"}),
        post("/work_pools/", {"name": "a/b"}),
        post("/work_pools/", {"name": "x", "base_job_template": template(reference(GONE))}),
        post("/work_pools/", {"name": "x", "base_job_template": {"job_configuration": {"x": "{{ y }}"}}}, loose=True),
        patch("/work_pools/p", {"base_job_template": template(reference(GONE))}),
        patch("/work_pools/p", {"description": "new", "is_paused": False, "concurrency_limit": None}),
        patch("/work_pools/p", {"is_paused": None}),
        patch("/work_pools/p", {"type": "docker"}),
        patch("/work_pools/none", {"description": "new"}),
        get("/work_pools/p"),
        post("/work_pools/filter"),
        post("/work_pools/count"),
        post("/work_queues/filter"),
        delete("/work_pools/p"),
        post("/work_queues/filter"),
    ],
    "queue priorities": [
        *A_POOL,
        post("/work_pools/p/queues", {"name": "a"}, "a"),
        post("/work_pools/p/queues", {"name": "b", "priority": 1, "concurrency_limit": 2, "is_paused": True}, "b"),
        post("/work_pools/p/queues", {"name": "c", "priority": 9}),
        post("/work_pools/p/queues", {"name": "d"}),
        post("/work_pools/p/queues", {"name": "e", "priority": 2}),
        post("/work_pools/p/queues", {"name": "a"}),
        post("/work_pools/none/queues", {"name": "a"}),
        post("/work_pools/p/queues/filter"),
        patch("/work_queues/$a.id", {"priority": 9, "name": "renamed"}),
        post("/work_pools/p/queues/filter", {"limit": 2}),
        patch("/work_pools/p/queues/default", {"name": "usual", "is_paused": True, "description": "tuned"}),
        patch("/work_pools/p/queues/none", {"name": "usual"}),
        patch(f"/work_queues/{GONE}", {"name": "usual"}),
        get("/work_queues/$pool.default_queue_id"),
        get("/work_queues/$b.id"),
        patch("/work_queues/$b.id", {"is_paused": False}),
        get("/work_queues/$b.id"),
        post("/work_queues/filter"),
    ],
}
