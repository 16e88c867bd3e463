"""The fake server answers what a real one answers, so that tests against the fake mean something.

The same requests go to both. Before the answers are compared, ids and
checksums give way to numbers in order of appearance and times to a word; of a
422 only the kind and the place of each fault count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bundle.server.openapi import Misfits, parse_openapi
from bundle.server.process import Server
from support.emulator import ABSENT, ADDED, KEY, Cloud
from support.environment import PLANTS, Api, Canaries, Environment
from support.fake_prefect import BUILT_IN, FIELDS, TABLES, FakePrefect, How

Json = Any

GONE = "00000000-0000-4000-8000-00000000dead"
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TIME = re.compile(r"20(2[5-9]|[3-9]\d)-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_SETS = ("after", "expect", "for_each")


@dataclass(frozen=True)
class Ask:
    """One request. ``$name.field.0`` in it is a value of the answer kept under ``name``.

    ``hides``: the answer differs in what a fake need not have, and is not compared;
    ``loose``: only its status is.
    """

    method: str
    path: str
    body: Json = None
    keep: str = ""
    hides: bool = False
    loose: bool = False


def post(path: str, body: Json = None, keep: str = "", *, loose: bool = False) -> Ask:
    return Ask("POST", path, {} if body is None else body, keep, loose=loose)


def get(path: str, keep: str = "", *, hides: bool = False) -> Ask:
    return Ask("GET", path, None, keep, hides=hides)


def patch(path: str, body: Json) -> Ask:
    return Ask("PATCH", path, body)


def put(path: str, body: Json) -> Ask:
    return Ask("PUT", path, body)


def delete(path: str) -> Ask:
    return Ask("DELETE", path)


def event(**fields: Json) -> Json:
    return {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0, **fields}


def reference(block: str) -> Json:
    return {"$ref": {"block_document_id": block}}


def template(default: Json) -> Json:
    properties = {"x": {"type": "object", "default": default}}
    return {"job_configuration": {"x": "{{ x }}"}, "variables": {"type": "object", "properties": properties}}


NOTHING = {"type": "do-nothing"}
SEARCH = {"object": "flow", "property": "name", "type": "string", "operation": "equals", "value": "f"}
SECRETIVE = {
    "title": "mine",
    "type": "object",
    "block_type_slug": "mine",
    "properties": {"token": {"type": "string"}, "many": {"type": "object"}, "child": {}, "other": {}},
    "secret_fields": ["token", "many.*", "deep.password"],
}
A_TYPE = [post("/block_types/", {"name": "Mine", "slug": "mine"}, "type")]
A_SCHEMA = [
    *A_TYPE,
    post("/block_schemas/", {"fields": SECRETIVE, "block_type_id": "$type.id", "capabilities": ["a"]}, "schema"),
]


def document(name: str, data: Json, keep: str = "", **fields: Json) -> Ask:
    body = {"name": name, "data": data, "block_type_id": "$type.id", "block_schema_id": "$schema.id", **fields}
    return post("/block_documents/", body, keep)


def deployment(keep: str = "", **fields: Json) -> Ask:
    return post("/deployments/", {"name": "d", "flow_id": "$flow.id", **fields}, keep)


A_FLOW = [post("/flows/", {"name": "f", "labels": {"team": "a", "n": 1}}, "flow")]
A_POOL = [post("/work_pools/", {"name": "p", "type": "process"}, "pool")]
SLUGGED = [{"schedule": {"cron": "@daily"}, "slug": "one"}, {"schedule": {"interval": 90}, "slug": "two"}]

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
    "block types": [
        post(
            "/block_types/",
            {"name": "Mine", "slug": "mine", "description": "<b> & \"'", "code_example": "a < b", "logo_url": "u?<"},
            "type",
        ),
        post("/block_types/", {"name": "Other", "slug": "mine"}),
        post("/block_types/", {"name": "Prefect thing", "slug": "thing"}),
        post("/block_types/", {"name": "<x>", "slug": "x"}),
        patch("/block_types/$type.id", {"description": "<i>"}),
        patch("/block_types/$type.id", {"name": "x"}),
        get("/block_types/slug/mine"),
        get("/block_types/slug/none"),
        post("/block_types/filter", {"block_types": {"slug": {"any_": ["mine"]}}}),
        delete("/block_types/$type.id"),
        get("/block_types/$type.id"),
        get("/block_types/slug/secret", "secret", hides=True),
        delete("/block_types/$secret.id"),
    ],
    "block schemas": [
        *A_SCHEMA,
        post("/block_schemas/", {"fields": SECRETIVE, "block_type_id": "$type.id", "capabilities": ["b"]}),
        post("/block_schemas/", {"fields": {**SECRETIVE, "secret_fields": []}, "block_type_id": "$type.id"}),
        post("/block_schemas/", {"fields": SECRETIVE, "block_type_id": "$type.id", "version": "2"}),
        post("/block_schemas/", {"fields": {**SECRETIVE, "title": "else"}, "block_type_id": "$type.id"}),
        post("/block_schemas/", {"fields": SECRETIVE, "block_type_id": GONE}),
        post("/block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": ["$type.id"]}}}),
        get("/block_schemas/$schema.id"),
        get(f"/block_schemas/{GONE}"),
    ],
    "nested block schemas": [
        *A_SCHEMA,
        post("/block_types/", {"name": "Second", "slug": "second"}, "second-type"),
        post(
            "/block_schemas/",
            {
                "fields": {**SECRETIVE, "title": "second", "block_type_slug": "second", "properties": {}},
                "block_type_id": "$second-type.id",
            },
            "second",
        ),
        post("/block_types/", {"name": "Parent", "slug": "parent"}, "parent-type"),
        post(
            "/block_schemas/",
            {
                "block_type_id": "$parent-type.id",
                "version": "1",
                "fields": {
                    "title": "parent",
                    "type": "object",
                    "block_type_slug": "parent",
                    "properties": {
                        "one": {"$ref": "#/definitions/mine"},
                        "either": {"anyOf": [{"$ref": "#/definitions/mine"}, {"$ref": "#/definitions/second"}]},
                        "own": {"$ref": "#/definitions/Own"},
                    },
                    "definitions": {
                        "mine": "$schema.fields",
                        "second": "$second.fields",
                        "Own": {"title": "Own", "type": "object"},
                        "Unused": {"title": "Unused", "type": "object"},
                    },
                    "block_schema_references": {
                        "one": {"block_type_slug": "mine", "block_schema_checksum": "$schema.checksum"},
                        "either": [
                            {"block_type_slug": "mine", "block_schema_checksum": "$schema.checksum"},
                            {"block_type_slug": "second", "block_schema_checksum": "$second.checksum"},
                        ],
                    },
                },
            },
            "parent",
            loose=True,
        ),
        get("/block_schemas/$parent.id"),
        post(
            "/block_schemas/",
            {
                "block_type_id": "$parent-type.id",
                "fields": {
                    "title": "x",
                    "properties": {"c": {"$ref": "#/definitions/c"}},
                    "definitions": {"c": {"title": "c"}},
                    "block_schema_references": {"c": {"block_type_slug": "none", "block_schema_checksum": "?"}},
                },
            },
        ),
    ],
    "block documents": [
        *A_SCHEMA,
        document("one", {"token": "s", "many": {"a": 1, "b": {"c": None}}, "plain": "********"}, "one"),
        document("object", {"token": {"a": "shown"}, "many": {}, "deep": {"password": "p", "user": "u"}}),
        document("list", {"token": ["a"], "deep": {"password": None}, "many": [1]}),
        document("one", {}),
        document("Not Good", {}),
        document("x", {}, block_schema_id=GONE),
        document("x", {}, block_type_id=GONE),
        document("x", {"child": reference(GONE)}),
        post("/block_documents/", {"data": {}, "block_type_id": "$type.id", "block_schema_id": "$schema.id"}),
        get("/block_documents/$one.id"),
        get("/block_documents/$one.id?include_secrets=true"),
        post("/block_documents/filter"),
        post("/block_documents/count"),
        get(f"/block_documents/{GONE}"),
        delete("/block_documents/$one.id"),
        delete("/block_documents/$one.id"),
    ],
    "nested block documents": [
        *A_SCHEMA,
        document("child", {"token": "s", "plain": 1}, "child"),
        post(
            "/block_documents/",
            {
                "data": {"child": reference("$child.id"), "token": 3},
                "is_anonymous": True,
                "block_type_id": "$type.id",
                "block_schema_id": "$schema.id",
            },
            "middle",
        ),
        document("parent", {"child": reference("$middle.id"), "note": "n", "other": {"token": "shown"}}, "parent"),
        get("/block_documents/$parent.id?include_secrets=true"),
        post("/block_documents/filter"),
        post("/block_documents/filter", {"block_documents": {"is_anonymous": None}}, loose=True),
        post("/block_documents/count", {"block_documents": {"is_anonymous": None}}),
        post("/block_documents/count", {"block_documents": {"is_anonymous": {"eq_": True}}}),
        patch("/block_documents/$child.id", {"data": {"other": reference("$parent.id")}}),
        patch("/block_documents/$parent.id", {"data": {"note": "changed"}}),
        get("/block_documents/$parent.id"),
        delete("/block_documents/$middle.id"),
        get("/block_documents/$child.id"),
    ],
    "patching block documents": [
        *A_SCHEMA,
        document("child", {"plain": 1}, "child"),
        document("one", {"token": "s", "many": {"a": 1}, "keep": 1, "child": reference("$child.id")}, "one"),
        patch("/block_documents/$one.id", {"data": {"token": "********", "many": {"a": "********"}, "new": 2}}),
        get("/block_documents/$one.id?include_secrets=true"),
        patch(
            "/block_documents/$one.id",
            {"data": {"token": "t", "child": reference("$child.id")}, "merge_existing_data": False},
        ),
        get("/block_documents/$one.id?include_secrets=true"),
        patch("/block_documents/$one.id", {"merge_existing_data": False}),
        get("/block_documents/$one.id?include_secrets=true"),
        patch("/block_documents/$one.id", {"name": "renamed"}),
        patch(f"/block_documents/{GONE}", {"data": {}}),
    ],
    "result storage": [
        get("/admin/storage"),
        *A_TYPE,
        post(
            "/block_schemas/",
            {"fields": SECRETIVE, "block_type_id": "$type.id", "capabilities": ["write-path", "read-path"]},
            "schema",
        ),
        document("one", {}, "one"),
        put("/admin/storage", {"default_result_storage_block_id": "$one.id"}),
        put("/admin/storage", {"default_result_storage_block_id": GONE}),
        delete("/block_documents/$one.id"),
        get("/admin/storage"),
    ],
    "result storage without the capability": [
        *A_SCHEMA,
        document("one", {}, "one"),
        put("/admin/storage", {"default_result_storage_block_id": "$one.id"}),
        delete("/admin/storage"),
    ],
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
    "automations": [
        post("/automations/", {"name": "a", "trigger": event(id=GONE, expect=["x", "y"]), "actions": [NOTHING]}, "a"),
        post("/automations/", {"name": "a", "trigger": event(expect=["x", "y"]), "actions": [NOTHING]}),
        post("/automations/", {"name": "a", "trigger": event(posture="Proactive"), "actions": [], "id": GONE}),
        post("/automations/", {"name": "a", "trigger": {"type": "event"}, "actions": []}, loose=True),
        post("/automations/", {"name": "a", "trigger": {"type": "metric"}, "actions": []}, loose=True),
        post("/automations/", {"name": "a"}),
        put(
            "/automations/$a.id",
            {
                "name": "b",
                "trigger": {"type": "compound", "require": "any", "within": 60, "triggers": [event(), event()]},
                "actions": [{"type": "run-deployment", "deployment_id": GONE, "schedule_after": 90}],
                "actions_on_resolve": [{"type": "pause-automation", "source": "inferred"}],
            },
        ),
        get("/automations/$a.id"),
        patch("/automations/$a.id", {"enabled": False}),
        patch("/automations/$a.id", {"name": "c"}),
        put("/automations/$a.id", {"name": "c", "trigger": event(), "actions": [], "owner_resource": "x"}),
        put(f"/automations/{GONE}", {"name": "c", "trigger": event(), "actions": [NOTHING]}),
        post("/automations/filter"),
        post("/automations/filter", {"sort": "CREATED_DESC"}),
        post("/automations/count"),
        delete("/automations/$a.id"),
        get("/automations/$a.id"),
        delete("/automations/$a.id"),
    ],
    "what is related to a deployment": [
        post(
            "/automations/",
            {"name": "owned", "trigger": event(), "actions": [NOTHING], "owner_resource": f"prefect.deployment.{GONE}"},
            "owned",
        ),
        post(
            "/automations/",
            {"name": "runs", "trigger": event(), "actions": [{"type": "run-deployment", "deployment_id": GONE}]},
        ),
        post(
            "/automations/",
            {
                "name": "not in the first list",
                "trigger": event(),
                "actions": [{"type": "pause-deployment", "deployment_id": GONE}],
                "actions_on_trigger": [{"type": "run-deployment", "deployment_id": GONE}],
            },
        ),
        get(f"/automations/related-to/prefect.deployment.{GONE}"),
        put("/automations/$owned.id", {"name": "still owned", "trigger": event(), "actions": [NOTHING]}),
        get(f"/automations/related-to/prefect.deployment.{GONE}"),
        get("/automations/related-to/prefect.deployment.none"),
    ],
}


class Talk:
    """A run of a scenario against one server: answers as they came, and as they are compared."""

    def __init__(
        self,
        url: str,
        transport: httpx.BaseTransport | None = None,
        *,
        key: str = "",
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._url, self._transport, self._without = url, transport, without
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._kept: dict[str, Json] = {}
        self._numbers: dict[str, int] = {}

    def run(self, scenario: list[Ask]) -> Iterator[tuple[str, int, Json]]:
        """What was asked, the status, and the answer in comparable form."""
        for ask in scenario:
            answer = self._send(ask)
            body = answer.json() if answer.content else None
            if ask.keep:
                self._kept[ask.keep] = body
            shown = None if ask.hides or ask.loose else self._plain(_faults(body))
            yield f"{ask.method} {ask.path}", answer.status_code, shown

    def _send(self, ask: Ask) -> httpx.Response:
        """A connection each, since Prefect drops one after a 500; 503 (SQLite was busy) is asked again."""
        for _ in range(20):
            with httpx.Client(transport=self._transport, timeout=60, trust_env=False) as http:
                body = None if ask.body is None else self._filled(ask.body)
                answer = http.request(ask.method, self._url + self._filled(ask.path), json=body, headers=self._headers)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
        return answer

    def _filled(self, value: Json) -> Json:
        """A value with what ``$name.field`` stands for."""
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, str) or "$" not in value or value == "$ref":
            return value
        whole = re.fullmatch(r"\$([\w-]+(?:\.\w+)+)", value)
        if whole:
            return self._look_up(whole[1])
        return re.sub(r"\$([\w-]+(?:\.\w+)+)", lambda found: str(self._look_up(found[1])), value)

    def _look_up(self, path: str) -> Json:
        value: Json = self._kept
        for step in path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value

    def _plain(self, value: Json, name: str = "") -> Json:
        """Ids and checksums as numbers in order of appearance, times as a word, sets in order."""
        if isinstance(value, dict):
            return {key: self._plain(each, key) for key, each in sorted(value.items()) if key not in self._without}
        if isinstance(value, list):
            is_union = all(isinstance(each, dict) and "block_schema_checksum" in each for each in value)
            if name in _SETS:
                value = sorted(value)
            elif is_union:
                value = sorted(value, key=lambda each: str(each["block_type_slug"]))
            return [self._plain(each) for each in value]
        if not isinstance(value, str):
            return value
        value = _TIME.sub("(time)", value)
        for pattern in (_ID, _CHECKSUM):
            value = pattern.sub(self._number, value)
        return value

    def _number(self, found: re.Match[str]) -> str:
        if found[0] == GONE:
            return GONE
        return f"({self._numbers.setdefault(found[0], len(self._numbers) + 1)})"


def _faults(body: Json) -> Json:
    """Of a 422 the kind and the place of each fault."""
    if not isinstance(body, dict) or "exception_detail" not in body:
        return body
    return sorted([each["type"], *map(str, each["loc"])] for each in body["exception_detail"])


@pytest.mark.parametrize("name", SCENARIOS)
def test_fake_answers_like_a_server(name: str, destination_server: Server) -> None:
    """Each scenario gets the same answers from the fake and from a real server."""
    fake = FakePrefect()
    real = list(Talk(destination_server.url).run(SCENARIOS[name]))

    assert real == list(Talk(fake.url, fake.transport).run(SCENARIOS[name]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_emulated_workspace_answers_like_a_server(name: str, destination_server: Server) -> None:
    """But for what Cloud lacks and adds, each scenario gets the same answers from the emulated Cloud as well."""
    scenario = [ask for ask in SCENARIOS[name] if not ask.path.startswith(ABSENT) and "metric" not in str(ask.body)]
    fake = FakePrefect()
    with Cloud(destination_server.url) as cloud:
        emulated = list(Talk(cloud.url, key=KEY, without=ADDED).run(scenario))

    assert emulated == list(Talk(fake.url, fake.transport, without=ADDED).run(scenario))


def test_every_body_of_the_fake_is_compared() -> None:
    """Each route of the fake that takes a body is written to, with success, in some scenario."""
    written: set[str] = set()
    for scenario in SCENARIOS.values():
        fake = FakePrefect()
        list(Talk(fake.url, fake.transport).run(scenario))
        written |= {seen.route for seen in fake.writes if seen.status < httpx.codes.BAD_REQUEST}

    assert FIELDS.keys() <= written


def test_fake_holds_a_whole_environment(source_server: Server) -> None:
    """Filled by the same requests, the fake lists the same rows of every kind in the same order."""
    fake = FakePrefect()
    plant(fake)
    real, faked = whole(source_server.url), whole(fake.url, fake.transport)

    for table in real:
        assert real[table] == faked[table], table


def plant(fake: FakePrefect) -> None:
    """Everything that ``environment.seed`` plants."""
    api = Api(fake.url)
    api._http.close()
    api._http = httpx.Client(base_url=fake.url, transport=fake.transport)
    with api:
        environment = Environment(api, Canaries())
        for each in PLANTS:
            each(environment)


def whole(url: str, transport: httpx.BaseTransport | None = None) -> dict[str, Json]:
    """All rows but the built-in block types and schemas; ids by the place in the order of creation."""
    with httpx.Client(base_url=url, transport=transport, timeout=60, trust_env=False) as http:
        rows = {table: [row for row in every(http, table) if not is_built_in(row)] for table in TABLES}
        built_in = {row["id"]: slug_of(row) for table in TABLES for row in every(http, table) if is_built_in(row)}
    names = dict(built_in)
    for table, each in rows.items():
        in_order = sorted(each, key=lambda row: row["created"])
        names |= {row["id"]: f"{table} {place}" for place, row in enumerate(in_order)}
    return {table: [readable(row, names) for row in ordered(each, names)] for table, each in rows.items()}


def every(http: httpx.Client, table: str) -> list[dict[str, Json]]:
    rows: list[dict[str, Json]] = []
    body = {"block_documents": {"is_anonymous": None}} if table == "block_documents" else {}
    while page := http.post(f"/{table}/filter", json={**body, "offset": len(rows)}).json():
        rows += page
    return rows


def slug_of(row: dict[str, Json]) -> str:
    """The slug of a block type, also of a schema's; empty for other rows."""
    kind = row.get("block_type", row) if "checksum" in row else row
    return str(kind.get("slug", ""))


def is_built_in(row: dict[str, Json]) -> bool:
    """Whether every server has this block type or schema by itself; the fake has the ones that are used."""
    return "slug" in (row.get("block_type") or row) and not slug_of(row).startswith("acme-") and "data" not in row


def ordered(rows: list[dict[str, Json]], names: dict[str, str]) -> list[dict[str, Json]]:
    """As listed, but for names that hold an id, which sort by it, and made-up ones, which are random."""
    is_odd = any(_ID.search(str(row.get("name"))) for row in rows)
    return sorted(rows, key=lambda row: names[row["id"]]) if is_odd else rows


def readable(value: Json, names: dict[str, str]) -> Json:
    if isinstance(value, dict):
        if slug_of(value) in BUILT_IN and "data" not in value:
            return f"built-in {slug_of(value)}"
        dropped = {"created", "updated"}
        return {
            readable(key, names): sorted(each) if key in _SETS else readable(each, names)
            for key, each in value.items()
            if key not in dropped
        }
    if isinstance(value, list):
        is_union = all(isinstance(each, dict) and "block_schema_checksum" in each for each in value)
        shown = [readable(each, names) for each in value]
        return sorted(shown, key=json.dumps) if is_union else shown
    if not isinstance(value, str):
        return value
    value = _ID.sub(lambda found: names.get(found[0], "(other)"), _CHECKSUM.sub("(checksum)", value))
    return re.sub(r"\b[0-9a-f]{32}\b", "(hex)", value)


# -- What only the fake does ------------------------------------------------------------------------------------------


def write(fake: FakePrefect, name: str = "f") -> int:
    """The status of a write; 0 when there is no answer."""
    with httpx.Client(base_url=fake.url, transport=fake.transport) as http:
        try:
            return http.post("/variables/", json={"name": name, "value": 1}).status_code
        except httpx.TransportError:
            return 0


@pytest.mark.parametrize(
    ("how", "status", "is_done"),
    [
        ("reset", 0, False),
        ("lost", 0, True),
        ("timeout", 0, True),
        ("busy", 503, False),
        ("too-many", 429, False),
        ("error", 500, False),
        ("denied", 401, False),
        ("gateway", 502, True),
        ("race", 409, True),
    ],
)
def test_fake_fails_on_demand(how: How, status: int, *, is_done: bool) -> None:
    """The write that was named fails as told, the others do not."""
    fake = FakePrefect()
    fake.fail(1, how)

    assert [write(fake, name) for name in "abc"] == [201, status, 201]
    assert [row["name"] for row in fake.rows("variables")] == (["a", "b", "c"] if is_done else ["a", "c"])
    assert [seen.status for seen in fake.writes] == [201, status, 201]


def test_fake_counts_requests() -> None:
    """Requests are counted by route; writes are kept with their bodies; a reset forgets both, and no data."""
    fake = FakePrefect()
    list(Talk(fake.url, fake.transport).run(SCENARIOS["queue priorities"]))
    routes, bodies = fake.counts, [seen.body for seen in fake.writes]
    fake.reset()

    assert routes["POST /work_pools/{pool}/queues"] == 7
    assert routes["PATCH /work_queues/{id}"] == 3
    assert routes["POST /{table}/filter"] == 1
    assert bodies[0] == {"name": "p", "type": "process"}
    assert (fake.seen, len(fake.tables["work_queues"])) == ([], 6)


def test_fakes_of_one_seed_are_equal() -> None:
    """The same requests give the same ids, times and checksums; another seed gives other ids."""
    first, again, other = FakePrefect(seed=1), FakePrefect(seed=1), FakePrefect(seed=2)
    for fake in (first, again, other):
        plant(fake)

    assert first.tables == again.tables
    assert not first.tables["block_types"].keys() & other.tables["block_types"].keys()
    assert checksums(first) == checksums(other)


def test_checksums_drift_on_demand() -> None:
    """With drift no two servers give a schema one checksum, and one server still recognises its own."""
    one, other = FakePrefect(seed=1, drift=True), FakePrefect(seed=2, drift=True)
    for fake in (one, other):
        plant(fake)

    assert not checksums(one) & checksums(other)
    assert len(checksums(one)) == len(checksums(FakePrefect())) + 9


def checksums(fake: FakePrefect) -> set[str]:
    return {row["checksum"] for row in fake.tables["block_schemas"].values()}


def test_fake_pages_by_its_own_limit() -> None:
    """Another default limit cuts the pages and refuses more."""
    fake = FakePrefect(default_limit=2)
    for name in "abc":
        write(fake, name)
    asks = [post("/variables/filter", body) for body in ({}, {"limit": 2, "offset": 2}, {"limit": 3})]
    pages = [answer for _, _, answer in Talk(fake.url, fake.transport).run(asks)]

    assert [len(page) for page in pages[:2]] == [2, 1]
    assert pages[2] == {"detail": "Invalid limit: must be less than or equal to 2."}


def test_fake_can_lack_what_older_servers_lack() -> None:
    """A field that is lacking is refused, a route that is lacking is not found, and the OpenAPI document says so."""
    lacks = {"POST /work_pools/": ["storage_configuration"], "GET /admin/storage": None, "PUT /admin/storage": None}
    fake = FakePrefect(lacks=lacks)
    asks = [
        post("/work_pools/", {"name": "p", "storage_configuration": {}}),
        get("/admin/storage"),
        get("/openapi.json"),
    ]
    (_, first, _), (_, second, _), (_, _, document_) = Talk(fake.url, fake.transport).run(asks)
    accepted = parse_openapi(document_)

    assert (first, second) == (422, 404)
    assert accepted.judge("POST", "/work_pools/", {"name": "", "storage_configuration": {}}) == Misfits(
        unknown=("/storage_configuration",)
    )
    assert accepted.judge("PATCH", "/flows/{id}", {"tags": [], "name": ""}) == Misfits(unknown=("/name",))
    assert not accepted.offers("GET", "/admin/storage")
