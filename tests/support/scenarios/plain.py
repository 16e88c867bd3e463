"""The server itself, lists, and the kinds that refer to nothing."""

from __future__ import annotations

from support.scenarios.asks import GONE, Ask, delete, get, patch, post, put

SEARCH = {"object": "flow", "property": "name", "type": "string", "operation": "equals", "value": "f"}


SCENARIOS: dict[str, list[Ask]] = {
    "server": [
        get("/health"),
        get("/admin/version"),
        get("/nothing"),
        get(f"/csrf-token?client={GONE}"),
    ],
    "paging": [
        *(post("/variables/", {"name": name, "value": name}) for name in "cab"),
        post("/variables/filter", {"limit": 2}),
        post("/variables/filter", {"limit": 2, "offset": 2}),
        post("/variables/filter", {"offset": 3}),
        post("/variables/filter", {"limit": 0}),
        post("/variables/filter", {"limit": None, "offset": None}, loose=True),
        post("/variables/filter", {"limit": 200}),
        post("/variables/filter", {"limit": 201}),
        post("/variables/filter", {"offset": -1}),
        post("/variables/filter", {"sort": "CREATED_DESC"}),
        post("/variables/filter", {"sort": "NAME_DESC"}),
        post("/variables/filter", {"variables": {"name": {"any_": ["a", "c"]}}}),
        post("/variables/filter", {"unknown": 1}),
        post("/variables/count"),
        post("/work_queues/count", loose=True),
    ],
    "variables": [
        post("/variables/", {"name": "v", "value": {"a": [1, None]}, "tags": ["b", "a"]}, "v"),
        post("/variables/", {"name": "v", "value": 1}),
        post("/variables/", {"name": "No Good", "value": 1}),
        post("/variables/", {"name": "w"}),
        post("/variables/", {"name": "w", "value": 1, "id": GONE, "more": 2}),
        patch("/variables/name/v", {"value": None}),
        get("/variables/name/v"),
        patch("/variables/$v.id", {"name": "renamed"}),
        get("/variables/$v.id"),
        patch("/variables/name/v", {"value": 2}),
        delete("/variables/name/renamed"),
        get(f"/variables/{GONE}"),
        delete("/variables/name/renamed"),
    ],
    "flows": [
        post("/flows/", {"name": "f", "tags": ["b", "a"], "labels": {"x": 1}}, "f"),
        post("/flows/", {"name": "f", "tags": ["other"]}),
        post("/flows/", {"name": "a/b"}),
        post("/flows/", {"name": "g", "description": "?"}),
        patch("/flows/$f.id", {"tags": ["c"]}),
        patch("/flows/$f.id", {"labels": {}}),
        get("/flows/name/f"),
        get("/flows/name/g"),
        post("/flows/count"),
        post("/flows/filter"),
        delete("/flows/$f.id"),
        get("/flows/$f.id"),
    ],
    "global limits": [
        post("/v2/concurrency_limits/", {"name": "db", "limit": 3, "slot_decay_per_second": 0.5}, "db"),
        post("/v2/concurrency_limits/", {"name": "db", "limit": 3}),
        post("/v2/concurrency_limits/", {"name": "negative", "limit": -1}),
        post("/v2/concurrency_limits/", {"name": "a", "limit": 0, "active": False}),
        patch("/v2/concurrency_limits/db", {"active": False}),
        patch("/v2/concurrency_limits/$db.id", {"limit": 4}),
        get("/v2/concurrency_limits/db"),
        post("/v2/concurrency_limits/filter"),
        delete("/v2/concurrency_limits/a"),
        delete("/v2/concurrency_limits/a"),
        patch("/v2/concurrency_limits/a", {"limit": 4}),
    ],
    "tag limits are global limits": [
        post("/concurrency_limits/", {"tag": "heavy", "concurrency_limit": 2}),
        post("/concurrency_limits/", {"tag": "heavy", "concurrency_limit": 3}),
        post("/v2/concurrency_limits/", {"name": "tag:light", "limit": 1, "active": False}),
        post("/v2/concurrency_limits/", {"name": "aaa", "limit": 1}),
        post("/concurrency_limits/filter"),
        post("/concurrency_limits/filter", {"limit": 2}),
        post("/v2/concurrency_limits/filter"),
        get("/concurrency_limits/tag/heavy"),
        get("/concurrency_limits/tag/none"),
    ],
    "saved searches": [
        put("/saved_searches/", {"name": "s", "filters": []}),
        put("/saved_searches/", {"name": "s", "filters": [SEARCH]}),
        put("/saved_searches/", {"name": "s", "filters": [], "more": 1}),
        post("/saved_searches/filter"),
        delete(f"/saved_searches/{GONE}"),
    ],
}
