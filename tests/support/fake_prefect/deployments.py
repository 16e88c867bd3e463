"""Deployments."""

from __future__ import annotations

from support.fake_prefect.bodies import FIELDS, fields_of, filled
from support.fake_prefect.limits import new_limit, shown_limit
from support.fake_prefect.pools import check_template, new_pool, new_queue
from support.fake_prefect.routes import Routes
from support.fake_prefect.schedules import add_schedules, replace_schedules, shown_schedules
from support.fake_prefect.store import INTEGRITY, LIMITS, Answer, Json, RefusedError, Row, Store, invalid

_AGENT_POOL = "default-agent-pool"
_SCHEDULE = FIELDS["POST /deployments/{id}/schedules"]
_DEPLOYMENT = fields_of("""
    version=null description=null paused=false concurrency_limit_id=null concurrency_options=null job_variables={}
    parameters={} tags=[] labels={} work_queue_name=null work_queue_id=null last_polled=null
    parameter_openapi_schema={} path=null pull_steps=[] entrypoint=null storage_document_id=null
    infrastructure_document_id=null created_by=null updated_by=null status="NOT_READY" enforce_parameter_schema=true
    schedules=[]
""")
ROUTES = Routes()


def shown_deployment(store: Store, row: Row) -> Row:
    queue = store.tables["work_queues"].get(row["work_queue_id"] or "")
    pool = store.tables["work_pools"][queue["work_pool_id"]] if queue else None
    limit = store.tables[LIMITS].get(row["concurrency_limit_id"] or "")
    kept = {key: value for key, value in row.items() if key != "concurrency_limit_id"}
    return {
        **kept,
        "concurrency_limit": None,
        "global_concurrency_limit": shown_limit(limit) if limit else None,
        "schedules": shown_schedules(row),
        "work_pool_name": pool["name"] if pool else None,
        "work_queue_name": queue["name"] if queue else row["work_queue_name"],
    }


@ROUTES.serve("POST /deployments/")
def post_deployment(store: Store, body: Row) -> Answer:
    """An upsert: schedules, labels and parameters that are not sent are gone, all else stays."""
    _check_deployment(store, body)
    found = store.rows("deployments", flow_id=body["flow_id"], name=body["name"])
    row = found[0] if found else store.insert("deployments", _DEPLOYMENT)
    flow = store.tables["flows"][body["flow_id"]]
    labels = {**flow["labels"], "prefect.flow.id": flow["id"], **(body.get("labels") or {})}
    schedules = [{**each, "max_scheduled_runs": None} for each in body.get("schedules") or ()]
    _place(store, row, {key: value for key, value in body.items() if (key, value) != ("work_pool_name", None)})
    _assign(store, row, {"parameters": {}, **body, "labels": labels})
    row["schedules"] = []
    add_schedules(store, row, schedules)
    return 200 if found else 201, shown_deployment(store, row)


def _check_deployment(store: Store, body: Row) -> None:
    if body.get("concurrency_limit") and body.get("global_concurrency_limit_id"):
        raise invalid(("value_error", []))
    if body.get("schedules"):
        body["schedules"] = [
            filled(_SCHEDULE, each, "schedules", place) for place, each in enumerate(body["schedules"])
        ]
    if body.get("work_pool_name") not in {None, "", _AGENT_POOL}:
        pool = store.find("work_pools", body["work_pool_name"])
        if body.get("job_variables"):
            check_template(store, pool["base_job_template"])
    _check_limit(store, body)
    for kind in ("infrastructure", "storage"):
        wanted = body.get(f"{kind}_document_id")
        if wanted and wanted not in store.tables["block_documents"]:
            text = f"Error creating deployment. Could not find {kind} block with id: {wanted}."
            tail = "deployment specification that was built against a different Prefect database / workspace."
            raise RefusedError(409, f"{text} This usually occurs when applying a {tail}")
    if body["flow_id"] not in store.tables["flows"]:
        raise RefusedError(409, INTEGRITY)


def _check_limit(store: Store, body: Row) -> None:
    wanted = body.get("global_concurrency_limit_id")
    if wanted and wanted not in store.tables[LIMITS]:
        raise RefusedError(404, "Concurrency limit not found")


def _assign(store: Store, row: Row, body: Row) -> None:
    """Store plain fields and the limit: a number makes or changes one, an explicit null deletes it."""
    special = {"schedules", "concurrency_limit", "global_concurrency_limit_id", "work_pool_name", "version_info"}
    changes = {key: value for key, value in body.items() if key not in special}
    if changes.get("job_variables", {}) is None:
        del changes["job_variables"]
    if isinstance(changes.get("concurrency_options"), dict):
        changes["concurrency_options"] = {"grace_period_seconds": None, **changes["concurrency_options"]}
    store.update(row, changes)
    if "global_concurrency_limit_id" in body:
        row["concurrency_limit_id"] = body["global_concurrency_limit_id"]
    if "concurrency_limit" in body:
        _set_own_limit(store, row, body["concurrency_limit"])


def _set_own_limit(store: Store, row: Row, limit: int | None) -> None:
    linked = store.tables[LIMITS].get(row["concurrency_limit_id"] or "")
    if linked is None and limit is not None:
        row["concurrency_limit_id"] = new_limit(store, f"deployment:{row['id']}", limit)["id"]
    elif linked is not None and limit is None:
        store.drop(LIMITS, linked["id"])
    elif linked is not None and linked["limit"] != limit:
        store.update(linked, {"limit": limit})


def _place(store: Store, row: Row, body: Row) -> None:
    """Put a deployment on a queue, made if need be."""
    pool, queue = body.get("work_pool_name"), body.get("work_queue_name")
    if pool:
        found = store.find("work_pools", pool)
        row["work_queue_id"] = _queue_of(store, found, queue) if queue else found["default_queue_id"]
    elif "work_pool_name" in body:
        row["work_queue_id"] = None
    elif queue:
        agents = store.rows("work_pools", name=_AGENT_POOL)
        pool_ = agents[0] if agents else new_pool(store, filled(FIELDS["POST /work_pools/"], {"name": _AGENT_POOL}))
        row["work_queue_id"] = _queue_of(store, pool_, queue, priority=1)


def _queue_of(store: Store, pool: Row, name: str, **fields: Json) -> str:
    found = store.rows("work_queues", name=name, work_pool_id=pool["id"])
    return str((found[0] if found else new_queue(store, pool, {"name": name, **fields}))["id"])


@ROUTES.serve("PATCH /deployments/{id}")
def patch_deployment(store: Store, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
    """Changes what is sent; variables in parameters give way to their values."""
    if id not in store.tables["deployments"]:
        raise RefusedError(404, "Deployment not found.")
    row = store.tables["deployments"][id]
    if body.get("work_pool_name") and not store.rows("work_pools", name=body["work_pool_name"]):
        raise RefusedError(500, exception_message="Internal Server Error")
    _check_limit(store, body)
    if body.get("parameters") is not None:
        body["parameters"] = _hydrated(store, body["parameters"])
    schedules = body.get("schedules")
    if schedules is not None:
        replace_schedules(store, row, schedules)
    _place(store, row, body)
    _assign(store, row, body)
    return 204, None


def _hydrated(store: Store, value: Json) -> Json:
    if isinstance(value, list):
        return [_hydrated(store, each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("__prefect_kind") == "workspace_variable":
        return store.find("variables", value["variable_name"])["value"]
    return {key: _hydrated(store, each) for key, each in value.items()}


@ROUTES.serve("GET /deployments/name/{flow}/{name}")
def get_deployment(store: Store, _body: Json, flow: str, name: str) -> Answer:
    flows = [row["id"] for row in store.rows("flows", name=flow)]
    for row in store.rows("deployments", name=name):
        if row["flow_id"] in flows:
            return 200, shown_deployment(store, row)
    raise RefusedError(404, "Deployment not found")
