"""Bundles of any size that look like an environment, made one record at a time."""

from __future__ import annotations

from collections.abc import Iterator

from bundle.model import Body, Count, Header, Placed, Record, Reference
from bundle.record.canonical import make_record

# Of ten resources: one flow, five deployments on it, four variables.
_TEN = {"flow": 1, "variable": 4, "deployment": 5}
_POOL = "work-pool:pool"


def header(resources: int) -> Header:
    counts = {kind: resources // 10 * share for kind, share in _TEN.items()} | {"work-pool": 1}
    return Header(census={kind: Count(count, count, 0) for kind, count in counts.items()})


def records(resources: int) -> Iterator[Placed]:
    """The records of a bundle of so many resources (a multiple of ten) and a work pool, in bundle order."""
    tens = resources // 10
    for number in range(tens):
        body: Body = {"name": f"flow {number:07}", "tags": ["synthetic"]}
        yield Placed(0, make_record(f"flow:flow {number:07}", body, (), ()))
    for number in range(4 * tens):
        body = {"name": f"v_{number:07}", "value": {"n": number, "text": f"value {number}"}, "tags": ["synthetic"]}
        yield Placed(0, make_record(f"variable:v_{number:07}", body, (), ()))
    yield Placed(0, make_record(_POOL, {"name": "pool", "type": "process"}, (), ()))
    for number in range(5 * tens):
        yield Placed(1, _deployment(number))


def _deployment(number: int) -> Record:
    flow, name = f"flow {number // 5:07}", f"deployment {number % 5}"
    references = [
        Reference("/flow_id", f"flow:{flow}"),
        Reference("/work_pool_name", _POOL, "name"),
    ]
    return make_record(f"deployment:{flow}/{name}", _body(name, number), references, ())


def _body(name: str, number: int) -> Body:
    return {
        "name": name,
        "flow_id": "",
        "work_pool_name": "pool",
        "work_queue_name": "default",
        "tags": ["synthetic", f"group {number % 7}"],
        "description": f"Deployment {number} of a made-up environment.",
        "parameters": {"n": number, "path": f"/data/{number}", "full": number % 2 == 0},
        "parameter_openapi_schema": {
            "type": "object",
            "title": "Parameters",
            "properties": {each: {"title": each, "type": "string", "position": 0} for each in ("n", "path", "full")},
        },
        "job_variables": {"command": f"run {number}", "env": {"REGION": "eu-central-1", "N": str(number)}},
        "entrypoint": f"flows/module_{number % 50}.py:main",
        "enforce_parameter_schema": False,
    }
