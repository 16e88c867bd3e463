"""What people see in an order arrives in that order, on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from bundle.server.process import Server
from support.commands import xfer_json

VALUE = {"extract": 1, "transform": {"z": 1, "a": 2}, "load": 3}
ENV = {"ROOT": "/srv", "DATA": "$(ROOT)/data", "BIN": "$(ROOT)/bin"}


def plant(api: httpx.Client) -> None:
    """A variable and a deployment whose objects have an order, and seven schemas of one block type."""
    api.post("/variables/", json={"name": "steps", "value": VALUE}).raise_for_status()
    flow = api.post("/flows/", json={"name": "etl"}).json()["id"]
    deployment = {"name": "main", "flow_id": flow, "job_variables": {"env": ENV}}
    api.post("/deployments/", json=deployment).raise_for_status()
    kind = api.post("/block_types/", json={"name": "Service", "slug": "service"}).json()["id"]
    for number in range(7):
        fields = {
            "title": "Service",
            "type": "object",
            "properties": {f"f{number}": {"type": "string", "title": "F"}},
            "block_schema_references": {},
            "block_type_slug": "service",
        }
        schema = {"block_type_id": kind, "fields": fields, "capabilities": [], "version": f"{number}.0"}
        api.post("/block_schemas/", json=schema).raise_for_status()


def seen(api: httpx.Client) -> list[Any]:
    """The members in order, and the fields of the schemas, newest first."""
    value = api.get("/variables/name/steps").json()["value"]
    env = api.get("/deployments/name/etl/main").json()["job_variables"]["env"]
    kind = api.get("/block_types/slug/service").json()["id"]
    schemas = api.post("/block_schemas/filter", json={"block_schemas": {"block_type_id": {"any_": [kind]}}}).json()
    newest = sorted(schemas, key=lambda each: each["created"], reverse=True)
    return [list(value), list(value["transform"]), list(env), [list(each["fields"]["properties"]) for each in newest]]


def test_the_order_of_the_source_is_that_of_the_destination(
    server_factory: Any, destination_server: Server, tmp_path: Path
) -> None:
    """Members of objects keep their order, the newest schema stays the newest, and a second import does nothing."""
    source = server_factory(None).url
    with httpx.Client(base_url=source, timeout=300) as api:
        plant(api)
        there = seen(api)
    file = str(tmp_path / "env.pxb")
    assert xfer_json("export", "--from", source, "-o", file)[0] == 0
    to = ("--to", destination_server.url, "--no-receipt")
    assert xfer_json("import", file, *to)[0] == 0
    with httpx.Client(base_url=destination_server.url, timeout=300) as api:
        assert seen(api) == there
    assert there[2] == list(ENV)
    assert xfer_json("import", file, *to)[1]["summary"]["succeeded"] == 0
    assert xfer_json("verify", file, "--to", destination_server.url)[0] == 0
