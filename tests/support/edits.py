"""Forty known places in which a destination differs from the small environment, each with how it came to differ.

``EDITS`` is data: which resource, which places, what somebody did at the destination, and which writes an update
sends to undo it (method, path with ids left out, members of the body).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from support.environment import Api, reference, selected

Json = Any
Body = dict[str, Any]

ROTATED = "rotated at the destination"
SUPPLIED = "supplied with the import"
SUPPLIED_SLOT = "block:secret/db-password#/data/value"


class There:
    """The destination, where resources are found by what people call them."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def deployment(self, name: str) -> Body:
        flow, _, own = name.partition("/")
        found: Body = self.api.send("GET", f"/deployments/name/{quote(flow)}/{quote(own)}")
        return found

    def block(self, name: str) -> Body:
        slug, _, own = name.partition("/")
        kind = self.api.send("GET", f"/block_types/slug/{slug}")["id"]
        rows = self.api.read_all("/block_documents/filter", include_secrets=True)
        return next(each for each in rows if (each["block_type_id"], each["name"]) == (kind, own))

    def automation(self, name: str) -> Body:
        found: list[Body] = self.api.post("/automations/filter", automations={"name": {"any_": [name]}})
        return found[0]

    def limit(self, name: str) -> str:
        return str(self.api.send("GET", f"/v2/concurrency_limits/{quote(name)}")["id"])

    # What somebody does there

    def variable(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/variables/name/{name}", **fields)

    def change_limit(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/v2/concurrency_limits/{quote(name)}", **fields)

    def change_data(self, name: str, **fields: Json) -> None:
        """Change members of a block's data; PATCH forgets nested documents that are not sent again."""
        found = self.block(name)
        nested = {
            field: reference(entry["block_document"]["id"])
            for field, entry in found["block_document_references"].items()
        }
        data = found["data"] | nested | fields
        kept = {field: value for field, value in data.items() if value is not None}
        self.api.patch(f"/block_documents/{found['id']}", data=kept, merge_existing_data=False)

    def change_own_limit(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/v2/concurrency_limits/{self.deployment(name)['global_concurrency_limit']['id']}", **fields)

    def store_results(self, block: str) -> None:
        self.api.send("PUT", "/admin/storage", {"default_result_storage_block_id": self.block(block)["id"]})

    def reference(self, block: str) -> Body:
        return reference(self.block(block)["id"])

    def flow(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/flows/{self.api.send('GET', f'/flows/name/{name}')['id']}", **fields)

    def change_type(self, slug: str, **fields: Json) -> None:
        self.api.patch(f"/block_types/{self.api.send('GET', f'/block_types/slug/{slug}')['id']}", **fields)

    def pool(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/work_pools/{quote(name)}", **fields)

    def queue(self, pool: str, name: str, **fields: Json) -> None:
        rows = self.api.read_all(f"/work_pools/{quote(pool)}/queues/filter")
        found = next(each for each in rows if each["name"] == name)
        self.api.patch(f"/work_queues/{found['id']}", **fields)

    def change(self, name: str, **fields: Json) -> None:
        self.api.patch(f"/deployments/{self.deployment(name)['id']}", **fields)

    def post_over(self, name: str, **fields: Json) -> None:
        """What ``prefect deploy`` does."""
        found = self.deployment(name)
        kept = {field: found[field] for field in ("name", "flow_id", "parameters", "labels")}
        self.api.post("/deployments/", **{**kept, **fields})

    def labels(self, name: str, **fields: Json) -> Body:
        return {**self.deployment(name)["labels"], **fields}

    def drop_own_limit(self, name: str) -> None:
        self.api.delete(f"/v2/concurrency_limits/{self.deployment(name)['global_concurrency_limit']['id']}")

    def schedules(self, name: str) -> dict[str, str]:
        return {each["slug"] or each["id"]: each["id"] for each in self.deployment(name)["schedules"]}

    def schedule(self, name: str, slug: str, **fields: Json) -> None:
        found = self.deployment(name)
        one = next(each for each in found["schedules"] if each["slug"] == slug)
        self.api.patch(
            f"/deployments/{found['id']}/schedules/{one['id']}", **{"parameters": one["parameters"], **fields}
        )

    def drop_schedule(self, name: str, slug: str) -> None:
        self.api.delete(f"/deployments/{self.deployment(name)['id']}/schedules/{self.schedules(name)[slug]}")

    def add_schedule(self, name: str, **fields: Json) -> None:
        self.api.send("POST", f"/deployments/{self.deployment(name)['id']}/schedules", [fields])

    def retarget(self, name: str, **fields: Json) -> None:
        """Change an automation, of which a PUT takes the whole."""
        found = self.automation(name)
        names = ("name", "description", "enabled", "tags", "trigger", "actions", "actions_on_trigger")
        self.api.send("PUT", f"/automations/{found['id']}", {each: found[each] for each in names} | fields)


class Edit(msgspec.Struct, frozen=True):
    """One resource that was edited at the destination."""

    key: str
    places: tuple[str, ...]
    edit: Callable[[There], Json]
    writes: tuple[str, ...]


def _edit(key: str, places: str, edit: Callable[[There], Json], *writes: str) -> Edit:
    method_first = (write.split() for write in writes)
    return Edit(key, tuple(places.split()), edit, tuple(" ".join((*w[:2], *sorted(w[2:]))) for w in method_first))


def _all(*edits: Callable[[There], Json]) -> Callable[[There], None]:
    def run(there: There) -> None:
        for each in edits:
            each(there)

    return run


def _image(there: There) -> None:
    template = there.api.send("GET", "/work_pools/docker%20pool")["base_job_template"]
    template["variables"]["properties"]["image"]["default"] = "theirs"
    there.pool("docker pool", base_job_template=template)


def _job_variables(there: There) -> None:
    name = "templated/job variables"
    now = there.deployment(name)["job_variables"]
    there.change(name, job_variables=now | {"env": now["env"] | {"HOME": "/theirs"}})


def _typed(there: There) -> None:
    name = "templated/parameters"
    there.post_over(name, parameters=there.deployment(name)["parameters"] | {"mask": "theirs"})


def _pull_steps(there: There) -> None:
    name = "templated/pull steps"
    _, *rest = there.deployment(name)["pull_steps"]
    there.change(
        name, pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": "/theirs"}}, *rest]
    )


DATA = "data merge_existing_data"
WHOLE = "actions actions_on_resolve actions_on_trigger description enabled name tags trigger"
POSTED = "flow_id labels name parameters schedules"
LIMIT = "active limit slot_decay_per_second"
EARLY = {"schedule": {"cron": "0 5 * * *", "timezone": "UTC", "day_or": True}}

EDITS: tuple[Edit, ...] = (
    _edit(
        "variable:region",
        "/value",
        lambda at: at.variable("region", value="theirs"),
        "PATCH /variables/{id} value",
    ),
    _edit("variable:tagged", "/tags", lambda at: at.variable("tagged", tags=["theirs"]), "PATCH /variables/{id} tags"),
    _edit("variable:nothing", "/value", lambda at: at.variable("nothing", value=5), "PATCH /variables/{id} value"),
    _edit("flow:etl", "/tags", lambda at: at.flow("etl", tags=[]), "PATCH /flows/{id} tags"),
    _edit(
        "concurrency-limit:db",
        "/limit",
        lambda at: at.change_limit("db", limit=50),
        "PATCH /v2/concurrency_limits/{id} limit",
    ),
    _edit(
        "concurrency-limit:inactive",
        "/active",
        lambda at: at.change_limit("inactive", active=True),
        "PATCH /v2/concurrency_limits/{id} active",
    ),
    _edit(
        "concurrency-limit:decaying",
        "/slot_decay_per_second",
        lambda at: at.change_limit("decaying", slot_decay_per_second=0.5),
        "PATCH /v2/concurrency_limits/{id} slot_decay_per_second",
    ),
    _edit(
        "tag-limit:heavy",
        "/limit",
        lambda at: at.change_limit("tag:heavy", limit=40),
        "PATCH /v2/concurrency_limits/tag%3Aheavy limit",
    ),
    _edit(
        "saved-search:my search é",
        "/filters",
        lambda at: at.api.send("PUT", "/saved_searches/", {"name": "my search é", "filters": []}),
        "PUT /saved_searches/ filters name",
    ),
    _edit(
        "default-result-storage:server",
        "/default_result_storage_block_id",
        lambda at: at.store_results("local-file-system/results"),
        "PUT /admin/storage default_result_storage_block_id",
    ),
    _edit(
        "block-type:acme-store",
        "/description",
        lambda at: at.change_type("acme-store", description="theirs"),
        "PATCH /block_types/{id} description",
    ),
    _edit(
        "block-type:acme-patched",
        "/logo_url",
        lambda at: at.change_type("acme-patched", logo_url="https://theirs.invalid/"),
        "PATCH /block_types/{id} logo_url",
    ),
    _edit(
        "block:acme-store/store",
        "/data/basepath",
        lambda at: at.change_data("acme-store/store", basepath="/theirs", token=ROTATED),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    _edit(
        "block:acme-parent/parent",
        "/data/either/$ref/block_document_id /data/note",
        lambda at: at.change_data("acme-parent/parent", note="theirs", either=at.reference("acme-plain/plain")),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    _edit(
        "block:acme-middle/middle",
        "/data/title",
        lambda at: at.change_data("acme-middle/middle", title="theirs"),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    _edit(
        "block:acme-plain/plain",
        "/data/theirs",
        lambda at: at.change_data("acme-plain/plain", theirs=[1]),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    _edit(
        "block:acme-child/child",
        "/data/port",
        lambda at: at.change_data("acme-child/child", port=None),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    # The import is given the value of this one.
    _edit(
        "block:secret/db-password",
        "/data/value",
        lambda at: at.change_data("secret/db-password", value=ROTATED),
        f"PATCH /block_documents/{{id}} {DATA}",
    ),
    _edit(
        "work-pool:local",
        "/description",
        lambda at: at.pool("local", description=None),
        "PATCH /work_pools/local description",
    ),
    _edit(
        "work-pool:docker pool",
        "/base_job_template/variables/properties/image/default",
        _image,
        "PATCH /work_pools/docker%20pool base_job_template",
    ),
    _edit(
        "work-pool:Local",
        "/is_paused",
        lambda at: at.pool("Local", is_paused=True),
        "PATCH /work_pools/Local is_paused",
    ),
    _edit(
        "work-pool:k8s",
        "/concurrency_limit",
        lambda at: at.pool("k8s", concurrency_limit=5),
        "PATCH /work_pools/k8s concurrency_limit",
    ),
    _edit(
        "work-queue:local/high",
        "/priority",
        lambda at: at.queue("local", "high", priority=20),
        "PATCH /work_queues/{id} priority",
    ),
    _edit(
        "work-queue:docker pool/renamed default",
        "/description",
        lambda at: at.queue("docker pool", "renamed default", description="theirs"),
        "PATCH /work_queues/{id} description",
    ),
    _edit(
        "work-queue:local/low queue",
        "/concurrency_limit /is_paused",
        lambda at: at.queue("local", "low queue", is_paused=True, concurrency_limit=8),
        "PATCH /work_queues/{id} concurrency_limit",
        "PATCH /work_queues/{id} is_paused",
    ),
    _edit(
        "deployment:etl/bare",
        "/work_pool_name /work_queue_name",
        lambda at: at.change("etl/bare", work_pool_name="local", work_queue_name="high"),
        "PATCH /deployments/{id} work_pool_name work_queue_name",
    ),
    _edit(
        "deployment:etl/pool and queue",
        "/work_queue_name",
        lambda at: at.change("etl/pool and queue", work_pool_name="local", work_queue_name="low queue"),
        "PATCH /deployments/{id} work_pool_name work_queue_name",
    ),
    _edit(
        "deployment:etl/own limit",
        "/concurrency_limit /concurrency_options/collision_strategy",
        _all(
            lambda at: at.change("etl/own limit", concurrency_options={"collision_strategy": "ENQUEUE"}),
            lambda at: at.change_own_limit("etl/own limit", limit=30),
        ),
        f"PATCH /v2/concurrency_limits/deployment%3A{{id}} {LIMIT}",
        "PATCH /deployments/{id} concurrency_options",
    ),
    _edit(
        "deployment:etl/pool only",
        "/concurrency_limit",
        lambda at: at.change("etl/pool only", concurrency_limit=9),
        "DELETE /v2/concurrency_limits/deployment%3A{id}",
    ),
    _edit(
        "deployment:etl/everything",
        "/concurrency_limit /description /labels/owner /tags",
        _all(
            lambda at: at.drop_own_limit("etl/everything"),
            lambda at: at.post_over(
                "etl/everything", description=None, tags=["theirs"], labels=at.labels("etl/everything", owner="them")
            ),
        ),
        f"POST /v2/concurrency_limits/ {LIMIT} name",
        f"POST /deployments/ description {POSTED} tags global_concurrency_limit_id parameter_openapi_schema",
    ),
    _edit(
        "deployment:sharing/first",
        "/global_concurrency_limit_id",
        lambda at: at.change("sharing/first", global_concurrency_limit_id=None),
        "PATCH /deployments/{id} global_concurrency_limit_id",
    ),
    _edit(
        "deployment:sharing/second",
        "/global_concurrency_limit_id /paused",
        lambda at: at.change("sharing/second", global_concurrency_limit_id=at.limit("db"), paused=True),
        "PATCH /deployments/{id} global_concurrency_limit_id",
        "PATCH /deployments/{id} paused",
    ),
    _edit(
        "deployment:labelled/no enforcement",
        "/enforce_parameter_schema /parameters",
        lambda at: at.change("labelled/no enforcement", enforce_parameter_schema=True, parameters={}),
        "PATCH /deployments/{id} enforce_parameter_schema parameters",
    ),
    _edit("deployment:templated/parameters", "/parameters/mask", _typed, f"POST /deployments/ {POSTED}"),
    _edit(
        "deployment:templated/job variables",
        "/job_variables/env/HOME",
        _job_variables,
        "PATCH /deployments/{id} job_variables",
    ),
    _edit(
        "deployment:templated/pull steps",
        "/pull_steps/0/prefect.deployments.steps.set_working_directory/directory",
        _pull_steps,
        "PATCH /deployments/{id} pull_steps",
    ),
    _edit(
        "deployment:scheduled/with slugs",
        "/schedules",
        _all(
            lambda at: at.schedule("scheduled/with slugs", "weekdays", max_scheduled_runs=6, parameters={}),
            lambda at: at.schedule("scheduled/with slugs", "hourly", active=True, max_scheduled_runs=9),
            lambda at: at.drop_schedule("scheduled/with slugs", "weekly"),
            lambda at: at.add_schedule("scheduled/with slugs", slug="theirs", max_scheduled_runs=4, **EARLY),
        ),
        "PATCH /deployments/{id}/schedules/{id} max_scheduled_runs parameters",
        "DELETE /deployments/{id}/schedules/{id}",
        "POST /deployments/{id}/schedules",
    ),
    _edit(
        "automation:on failure",
        "/trigger/threshold",
        lambda at: at.retarget("on failure", trigger=at.automation("on failure")["trigger"] | {"threshold": 4}),
        f"PUT /automations/{{id}} {WHOLE}",
    ),
    _edit(
        "automation:left",
        "/actions/0/automation_id",
        lambda at: at.retarget(
            "left", actions=[selected("pause-automation", automation_id=at.automation("left")["id"])]
        ),
        f"PUT /automations/{{id}} {WHOLE}",
    ),
    _edit(
        "automation:proactive",
        "/enabled",
        lambda at: at.api.patch(f"/automations/{at.automation('proactive')['id']}", enabled=False),
        f"PUT /automations/{{id}} {WHOLE}",
    ),
)
