"""Flows, deployments, their templates and their schedules."""

from __future__ import annotations

from support.environment.api import reference
from support.environment.planted import Environment

ODD_NAMES = (
    "UPPER",
    "upper",
    "dots.and-dashes_",
    "ünïcode ☃ \U0001f680",
    "quotes \"'`",
    "esc \x1b[31mred",
    "back\\slash",
    "colon: [bracket] {brace} #hash ?question *star",
    " spaces around ",
    "right\u202eto left",
    "é",  # composed
    "e\u0301",  # decomposed: looks the same
    "..",
    "n" * 180,
)


def plant_flows(environment: Environment) -> None:
    environment.flow("etl", "tag", "another tag")
    environment.flow("no deployments", "lonely", team="data", cost=1.5, rank=3, critical=True)
    for name in ODD_NAMES:
        environment.flow(name)
    for name in ODD_NAMES[:8]:
        environment.deployment("odd names", name)
    environment.deployment("UPPER", "same name")
    environment.deployment("upper", "same name")


SCHEMA = {
    "title": "Parameters",
    "type": "object",
    "properties": {"x": {"type": "integer", "default": 1, "position": 0}, "store": {"$ref": "#/definitions/Store"}},
    "definitions": {"Store": {"title": "Store", "block_type_slug": "acme-store", "type": "object", "properties": {}}},
    "required": [],
}


def plant_deployments(environment: Environment) -> None:
    blocks = environment.blocks
    environment.flow("labelled", team="data", score=0.5)
    environment.deployment("etl", "bare")
    environment.deployment("etl", "pool only", work_pool_name="local")
    environment.deployment("etl", "pool and queue", work_pool_name="local", work_queue_name="high")
    environment.deployment("etl", "renamed default queue", work_pool_name="docker pool")
    environment.deployment(
        "etl", "own limit", concurrency_limit=3, concurrency_options={"collision_strategy": "CANCEL_NEW"}
    )
    environment.deployment(
        "etl",
        "everything",
        paused=True,
        description="ünïcode, <b>, & and\nlines",
        version="1.2.3-rc1",
        entrypoint="flows/etl.py:main",
        path="/opt/flows",
        tags=["prod", "b", "a"],
        labels={"owner": "data", "cost": 1.5, "rank": 2, "critical": True},
        enforce_parameter_schema=True,
        parameter_openapi_schema=SCHEMA,
        parameters={"x": 3, "store": reference(blocks["acme-store/store"])},
        job_variables={"command": "go"},
        work_pool_name="local",
        work_queue_name="low queue",
        storage_document_id=blocks["local-file-system/results"],
        infrastructure_document_id=environment.anonymous_block(
            "acme-infrastructure", {"image": "x", "env": {"A": "1"}}
        ),
        concurrency_limit=2,
        concurrency_options={"collision_strategy": "ENQUEUE", "grace_period_seconds": 120},
    )
    environment.deployment("labelled", "inherits labels", labels={"score": 1})
    environment.deployment("labelled", "legacy storage", storage_document_id=blocks["remote-file-system/minio"])
    environment.deployment(
        "labelled", "no enforcement", enforce_parameter_schema=False, parameters={"anything": [1, None]}
    )
    for name in ("first", "second"):
        shared = environment.limits["Shared Limit"]
        environment.deployment("sharing", name, global_concurrency_limit_id=shared)


def plant_templates(environment: Environment) -> None:
    """Deployments whose parameters, job variables and pull steps refer to blocks and variables."""
    blocks = environment.blocks
    canaries = environment.canaries
    store = blocks["acme-store/store"]
    environment.deployment(
        "templated",
        "parameters",
        parameters={
            "by_id": reference(store),
            "by_text": {"$ref": store},
            "by_slug": {"$ref": {"block_document_slug": "acme-store/store"}},
            "variable": {"__prefect_kind": "workspace_variable", "variable_name": "region"},
            "jinja": {"__prefect_kind": "jinja", "template": "{{ event.id }} {{ variables.region }}"},
            "json": {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": '{"a": 1}'}},
            "deep": [{"list": [reference(blocks["secret/db-password"]), {"__placeholder__": "x"}]}],
            "mentions": f"the block {store} and the deployment {environment.deployments['etl/bare']}",
            "mask": "********",
        },
    )
    environment.deployment(
        "templated",
        "job variables",
        work_pool_name="docker pool",
        job_variables={
            "image": "{{ prefect.variables.region }}/image",
            "env": {
                "PASSWORD": "{{ prefect.blocks.secret.db-password }}",
                "KEY": "x-{{prefect.blocks.secret.api-keys.primary}}-y",
                "MISSING": "{{ prefect.blocks.secret.no-such-block }} {{ prefect.variables.no_such_variable }}",
                "HOME": "{{ $HOME }}",
                "TOKEN": canaries.show(),
            },
            "list": [reference(blocks["aws-credentials/main"]), {"deep": reference(store)}],
        },
    )
    environment.deployment(
        "templated",
        "pull steps",
        pull_steps=[
            {"prefect.deployments.steps.set_working_directory": {"directory": "/opt"}},
            {
                "prefect.deployments.steps.git_clone": {
                    "id": "clone",
                    "repository": f"https://user:{canaries.show()}@example.invalid/repo.git",
                    "credentials": "{{ prefect.blocks.github-credentials.bot }}",
                    "access_token": canaries.show(),
                }
            },
            {
                "prefect.deployments.steps.pull_with_block": {
                    "block_type_slug": "s3-bucket",
                    "block_document_name": "data",
                }
            },
            {
                "prefect.deployments.steps.run_shell_script": {
                    "script": "echo $X",
                    "env": {"X": "{{ prefect.variables.region }}"},
                }
            },
        ],
    )


def plant_schedules(environment: Environment) -> None:
    anchor = "2024-02-29T12:30:00Z"
    cron = {"cron": "0 3 * * 1-5", "timezone": "Europe/Berlin", "day_or": False}
    interval = {"interval": 3600, "anchor_date": anchor, "timezone": "America/New_York"}
    rrule = {
        "rrule": "DTSTART:20240229T000000\nFREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20300101T000000",
        "timezone": "Asia/Tokyo",
    }
    slugged = environment.deployment("scheduled", "with slugs", work_pool_name="local")
    environment.schedules(
        slugged,
        {"schedule": cron, "slug": "weekdays", "active": True, "max_scheduled_runs": 5, "parameters": {"x": 1}},
        {"schedule": interval, "slug": "hourly", "active": False},
        {"schedule": rrule, "slug": "weekly", "active": True, "parameters": {"y": [None, "é"]}},
    )
    plain = environment.deployment("scheduled", "without slugs", paused=True)
    secret = reference(environment.blocks["secret/db-password"])
    environment.schedules(
        plain,
        {"schedule": {"cron": "@daily"}, "active": True},
        {"schedule": {"cron": "@daily"}, "active": False},
        {"schedule": {"interval": 90.5, "anchor_date": anchor}, "active": True, "parameters": {"block": secret}},
        {"schedule": {"rrule": "FREQ=DAILY"}, "active": False, "max_scheduled_runs": 50},
    )
    mixed = environment.deployment("scheduled", "mixed slugs")
    environment.schedules(
        mixed, {"schedule": cron, "slug": "named", "active": False}, {"schedule": interval, "max_scheduled_runs": 1}
    )
