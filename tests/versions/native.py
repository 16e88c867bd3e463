"""Plants what only older Prefect servers hold, through their own API.

Like ``environment``, it shares nothing with the package. What a version does not
have is left out by its number; what all versions have, ``environment`` plants.
"""

from __future__ import annotations

from typing import Any

from support.environment import Api, Canaries, Environment, reference

Version = tuple[int, ...]
Body = dict[str, Any]

ANCHOR = "2024-02-29T12:30:00+00:00"
EVENT: Body = {"type": "event", "posture": "Reactive", "expect": ["native.event"], "threshold": 1, "within": 30}


def plant(url: str, version: Version) -> None:
    """Fill a server of a version beside what it holds already."""
    with Api(url) as api:
        environment = Environment(api, Canaries())
        plant_blocks(environment, version)
        plant_deployments(environment, version)
        plant_limits(environment, version)
        if version >= (3,):
            plant_automations(environment)
        if version < (3, 4):
            plant_notifications(environment)
        if version < (3,):
            plant_two(environment)


def plant_blocks(environment: Environment, version: Version) -> None:
    """Documents of types that servers bring along, and later ones do not."""
    environment.block("secret", "native", {"value": "hidden"})
    environment.block("slack-webhook", "native", {"url": "https://hooks.example.invalid/services/T0/B0/x"})
    if version < (3, 5):
        environment.block("json", "native", {"value": {"a": [1, None]}})
        environment.block("string", "native", {"value": "text"})
        environment.block("date-time", "native", {"value": "2024-02-29T12:30:00+00:00"})


def plant_deployments(environment: Environment, version: Version) -> None:
    template = {
        "job_configuration": {"command": "{{ command }}", "env": "{{ env }}"},
        "variables": {"type": "object", "properties": {"command": {"type": "string"}, "env": {"type": "object"}}},
    }
    environment.pool("native pool", base_job_template=template, description="made on an old server")
    environment.queue("native pool", "native queue", priority=1, concurrency_limit=2)
    environment.deployment(
        "native flow",
        "scheduled",
        work_pool_name="native pool",
        work_queue_name="native queue",
        parameter_openapi_schema={"type": "object", "properties": {"x": {"type": "integer"}}},
        parameters={"x": 1},
        enforce_parameter_schema=True,
        entrypoint="flows.py:flow",
        path="/opt/flows",
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": "/opt/flows"}}],
        schedules=[
            {"schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}, "active": True},
            {"schedule": {"interval": 3600, "anchor_date": ANCHOR, "timezone": "UTC"}, "active": False},
            {"schedule": {"rrule": "FREQ=DAILY;BYHOUR=4", "timezone": "Asia/Tokyo"}, "active": True},
            {"schedule": {"rrule": "FREQ=MINUTELY;INTERVAL=7"}, "active": False},
        ],
    )
    # What a deployment of an agent names: a queue and no pool, which makes the pool default-agent-pool.
    environment.deployment("native flow", "for an agent", work_queue_name="agents", tags=["old"])
    if version < (3, 1):
        old = {"schedule": {"cron": "@hourly"}, "max_active_runs": 2, "catchup": True, "active": False}
        environment.deployment("native flow", "catching up", schedules=[old, {"schedule": {"cron": "@daily"}}])
    if version >= (3,):
        environment.deployment("native flow", "limited", concurrency_limit=3)


def plant_limits(environment: Environment, version: Version) -> None:
    environment.limit("native limit", 4, slot_decay_per_second=0.5)
    environment.tag_limit("native tag", 2)
    environment.variable("native", "text" if version < (3,) else {"list": [1, 2.5, None]}, "old")


def plant_automations(environment: Environment) -> None:
    deployment = environment.deployments["native flow/scheduled"]
    action = {"type": "run-deployment", "source": "selected", "deployment_id": deployment, "parameters": {"x": 2}}
    match = {"prefect.resource.id": f"prefect.deployment.{deployment}"}
    environment.automation("native", {**EVENT, "match": match}, [action, {"type": "cancel-flow-run"}])


def plant_notifications(environment: Environment) -> None:
    """Policies with and without template and tags, active and not."""
    block = environment.blocks["slack-webhook/native"]
    text = "{flow_run_name} of {flow_name} is {flow_run_state_name}: {flow_run_state_message} ({flow_run_url})"
    for policy in (
        {"is_active": True, "state_names": ["Failed", "Crashed"], "tags": ["prod", "eu"], "message_template": text},
        {"is_active": False, "state_names": [], "tags": []},
        {"is_active": True, "state_names": ["Completed"], "tags": []},
    ):
        environment.api.post("/flow_run_notification_policies/", block_document_id=block, **policy)


def plant_two(environment: Environment) -> None:
    """What ended with Prefect 2: infrastructure blocks, one schedule beside the deployment, manifests, agents."""
    process = environment.block("process", "native", {"env": {"A": "1"}, "stream_output": True})
    anonymous = environment.anonymous_block("process", {"env": {"B": "2"}})
    environment.block("github", "native", {"repository": "https://example.invalid/r.git"})
    environment.deployment(
        "native flow",
        "with infrastructure",
        infrastructure_document_id=process,
        schedule={"cron": "0 5 * * *", "timezone": "UTC"},
        is_schedule_active=False,
        manifest_path="flow-manifest.json",
        infra_overrides={"env": {"C": "3"}},
    )
    environment.deployment("native flow", "anonymous infrastructure", infrastructure_document_id=anonymous)
    environment.deployment("native flow", "of a block", parameters={"block": reference(process)})
    environment.api.post("/work_queues/", name="filtered", filter={"tags": ["a"], "deployment_ids": None})
