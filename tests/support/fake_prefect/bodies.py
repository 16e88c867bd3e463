"""What each request body of the fake server may hold, and what stands in place of what is not sent."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping

from support.fake_prefect.store import Json, Row, invalid

NEEDED, KEPT = "(needed)", "(kept)"
"""In place of a default: must be sent; and, if it is not sent, what is stored stays."""


def fields_of(text: str) -> Row:
    """``name!`` must be sent, ``name`` may be, and ``name=JSON`` has a default."""
    result: Row = {}
    for word in text.split():
        name, _, default = word.partition("=")
        result[name.rstrip("!")] = json.loads(default) if default else NEEDED if name.endswith("!") else KEPT
    return result


_QUEUE = "name description is_paused concurrency_limit priority filter last_polled"
_SCHEDULE = "schedule! active=true max_scheduled_runs=null parameters={} slug=null"
_AUTOMATION = "name! trigger! actions!"
_DEPLOYMENT = """
    paused schedules concurrency_limit concurrency_options global_concurrency_limit_id enforce_parameter_schema
    parameter_openapi_schema parameters tags pull_steps work_queue_name work_pool_name storage_document_id
    infrastructure_document_id description path version entrypoint job_variables version_info
"""
_BODIES = {
    "POST /flows/": "name! tags=[] labels={}",
    "PATCH /flows/{id}": "tags",
    "POST /deployments/": "name! flow_id! labels" + _DEPLOYMENT,
    "PATCH /deployments/{id}": _DEPLOYMENT,
    "POST /deployments/{id}/schedules": _SCHEDULE,
    "PATCH /deployments/{id}/schedules/{schedule}": "schedule active max_scheduled_runs parameters slug replaces",
    "POST /work_pools/": """
        name! description=null type="prefect-agent" base_job_template={} is_paused=false concurrency_limit=null
        storage_configuration={}
    """,
    "PATCH /work_pools/{name}": "description is_paused base_job_template concurrency_limit storage_configuration",
    "POST /work_pools/{pool}/queues": """
        name! description="" is_paused=false concurrency_limit=null priority=null filter=null
    """,
    "PATCH /work_pools/{pool}/queues/{name}": _QUEUE,
    "PATCH /work_queues/{id}": _QUEUE,
    "POST /block_types/": """
        name! slug! logo_url=null documentation_url=null description=null code_example=null
    """,
    "PATCH /block_types/{id}": "logo_url documentation_url description code_example",
    "POST /block_schemas/": 'fields={} block_type_id! capabilities=[] version="non-versioned"',
    "POST /block_documents/": "name=null data={} block_schema_id! block_type_id! is_anonymous=false",
    "PATCH /block_documents/{id}": "data block_schema_id merge_existing_data=true",
    "POST /variables/": "name! value! tags=[]",
    "PATCH /variables/{id}": "name value tags",
    "PATCH /variables/name/{name}": "name value tags",
    "POST /v2/concurrency_limits/": """
        name! limit! active=true active_slots=0 denied_slots=0 slot_decay_per_second=0.0
    """,
    "PATCH /v2/concurrency_limits/{id_or_name}": "name limit active active_slots denied_slots slot_decay_per_second",
    "POST /concurrency_limits/": "tag! concurrency_limit!",
    "POST /automations/": _AUTOMATION
    + """
        description="" enabled=true tags=[] actions_on_trigger=[] actions_on_resolve=[] owner_resource=null
    """,
    "PUT /automations/{id}": _AUTOMATION + " description enabled tags actions_on_trigger actions_on_resolve",
    "PATCH /automations/{id}": "enabled",
    "PUT /saved_searches/": "name! filters=[]",
    "PUT /admin/storage": "default_result_storage_block_id!",
}
FIELDS: Mapping[str, Row] = {route: fields_of(text) for route, text in _BODIES.items()}


def filled(fields: Mapping[str, Json], body: Row, *place: str | int) -> Row:
    """The body with defaults; 422 for what is too much or missing."""
    faults = [("extra_forbidden", [*place, name]) for name in body if name not in fields]
    faults += [("missing", [*place, name]) for name, each in fields.items() if each == NEEDED and name not in body]
    if faults:
        raise invalid(*faults)
    defaults = {name: each for name, each in fields.items() if each not in (NEEDED, KEPT)}
    return {**copy.deepcopy(defaults), **body}
