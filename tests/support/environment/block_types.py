"""Block types and block schemas: nested, and with every way to call something secret."""

from __future__ import annotations

from support.environment.api import Body
from support.environment.planted import Environment

PASSWORD = {"title": "Password", "type": "string", "format": "password", "writeOnly": True}


def plant_block_types(environment: Environment) -> None:
    environment.block_type(
        "acme-store",
        'Acme "Store" (ünïcode)',
        logo_url="https://example.invalid/logo.png?size=1&x=<y>",
        documentation_url="https://example.invalid/docs?a=1&b=2#c",
        description="Stores <b>bold</b> & \"quoted\" 'things' &amp; entities, ünïcode.",
        code_example="```python\nif a < b and c > d & e:\n    print(\"x\", 'y')\n```",
    )
    environment.block_type("acme-patched", "Acme patched", description="a < b", code_example="a < b")
    # Only what POST stores is escaped.
    path = f"/block_types/{environment.types['acme-patched']}"
    environment.api.patch(path, description="Raw <b> & &amp; raw", code_example="if a < b & c:")
    for slug, name in (
        ("acme-child", "Acme child"),
        ("acme-middle", "Acme middle"),
        ("acme-parent", "Acme parent"),
        ("acme-plain", "Acme plain"),
        ("acme-secretive", "Acme secretive"),
        ("acme-no-schema", "Acme without schema"),
        ("acme-unused", "Acme unused"),
        ("acme-infrastructure", "Acme infrastructure"),
    ):
        environment.block_type(slug, name)


def plant_block_schemas(environment: Environment) -> None:
    environment.schema(
        "acme-store",
        {"basepath": {"type": "string"}, "token": PASSWORD, "options": {"type": "object"}},
        capabilities=["write-path", "read-path", "get-directory"],
        secret_fields=["token", "options.*"],
        required=["basepath"],
    )
    environment.schema(
        "acme-child", {"host": {"type": "string"}}, label="acme-child/old", version="0.9", description="an older schema"
    )
    environment.schema(
        "acme-child",
        {"host": {"type": "string"}, "token": PASSWORD, "port": {"type": "integer", "default": 1}},
        secret_fields=["token", "token"],
    )
    environment.schema("acme-plain", {"value": {"title": "Value"}, "note": {"type": "string"}}, capabilities=["notify"])
    environment.schema("acme-unused", {"unused": {"type": "string"}})
    environment.schema(
        "acme-infrastructure",
        {"image": {"type": "string"}, "env": {"type": "object"}, "options": {"$ref": "#/definitions/Options"}},
        capabilities=["run-infrastructure"],
        definitions={"Options": {"title": "Options", "type": "object", "properties": {"cpu": {"type": "integer"}}}},
    )
    plant_secretive_schema(environment)
    plant_nested_schemas(environment)


def plant_secretive_schema(environment: Environment) -> None:
    """Every way in which a schema can call something secret."""
    login = {"title": "Login", "type": "object", "properties": {"user": {"type": "string"}, "password": PASSWORD}}
    environment.schema(
        "acme-secretive",
        {
            "exact": {"type": "string"},
            "whole_object": {"type": "object"},
            "wildcard": {"type": "object"},
            "login": {"$ref": "#/definitions/Login"},
            "logins": {"type": "array", "items": {"$ref": "#/definitions/Login"}},
            "format_only": {"type": "string", "format": "password"},
            "write_only": {"anyOf": [{"type": "string", "writeOnly": True}, {"type": "null"}]},
            "undeclared_login": {"allOf": [{"$ref": "#/definitions/Login"}]},
            "list": {"type": "array", "items": PASSWORD},
            "number": {"type": "integer"},
            "public": {"type": "string"},
        },
        secret_fields=["exact", "whole_object", "wildcard.*", "login.password", "logins.password", "list", "number"],
        definitions={"Login": login},
        required=["public"],
    )


def nested(environment: Environment, *labels: str) -> tuple[list[Body], Body]:
    """The reference and the definitions that a schema needs for the block types it nests."""
    made = [environment.schemas[label] for label in labels]
    slugs = [each["fields"]["block_type_slug"] for each in made]
    references = [
        {"block_type_slug": slug, "block_schema_checksum": each["checksum"]}
        for slug, each in zip(slugs, made, strict=True)
    ]
    definitions: Body = {}
    for slug, each in zip(slugs, made, strict=True):
        fields = dict(each["fields"])
        definitions |= {**fields.pop("definitions", {}), slug: fields}
    return references, definitions


def plant_nested_schemas(environment: Environment) -> None:
    references, definitions = nested(environment, "acme-child")
    environment.schema(
        "acme-middle",
        {"title": {"type": "string"}, "child": {"$ref": "#/definitions/acme-child"}},
        block_schema_references={"child": references[0]},
        definitions=definitions,
        secret_fields=["child.token"],
    )
    middle, middle_definitions = nested(environment, "acme-middle")
    either, either_definitions = nested(environment, "acme-store", "acme-plain")
    environment.schema(
        "acme-parent",
        {
            "middle": {"$ref": "#/definitions/acme-middle"},
            "either": {"anyOf": [{"$ref": "#/definitions/acme-store"}, {"$ref": "#/definitions/acme-plain"}]},
            "note": {"type": "string"},
        },
        block_schema_references={"middle": middle[0], "either": either},
        definitions=middle_definitions | either_definitions,
        secret_fields=["middle.child.token", "either.token", "either.options.*"],
    )
