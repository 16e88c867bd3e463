"""Block types, schemas and documents, and where results go."""

from __future__ import annotations

from support.scenarios.asks import GONE, Ask, Json, delete, get, patch, post, put, reference

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


SCENARIOS: dict[str, list[Ask]] = {
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
}
