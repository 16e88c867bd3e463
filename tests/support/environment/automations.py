"""Automations: every trigger and action, cycles, twins and owners."""

from __future__ import annotations

from support.environment.api import Body, Json, reference
from support.environment.planted import Environment


def when(**fields: Json) -> Body:
    """An event trigger."""
    chosen = {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0}
    return {**chosen, "expect": ["prefect.flow-run.Failed"], **fields}


def selected(action: str, **fields: Json) -> Body:
    return {"type": action, "source": "selected", **fields}


NOTHING = {"type": "do-nothing"}


def plant_triggers(environment: Environment) -> None:
    """Automations that name objects in their triggers."""
    deployments = environment.deployments
    bare, everything = deployments["etl/bare"], deployments["etl/everything"]
    flow, pool = environment.flows["etl"], environment.pools["local"]
    queue = environment.queues["local/high"]
    environment.automation(
        "on failure",
        when(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={
                "prefect.resource.id": [
                    f"prefect.deployment.{bare}",
                    f"!prefect.deployment.{everything}",
                    f"prefect.flow.{flow}",
                ],
                "prefect.resource.role": ["deployment", "flow"],
            },
            after=["prefect.flow-run.Running", "prefect.flow-run.Pending"],
            for_each=["prefect.resource.id", "a", "b"],
            threshold=3,
            within=3600,
        ),
        [{"type": "cancel-flow-run"}, {"type": "suspend-flow-run"}],
        tags=["b", "a"],
        description="ünïcode & <b>",
    )
    environment.automation(
        "related list",
        when(
            match={"prefect.resource.id": [f"prefect.work-pool.{pool}", f"prefect.work-queue.{queue}"]},
            match_related=[
                {"prefect.resource.id": f"!prefect.deployment.{bare}"},
                {"prefect.resource.id": f"prefect.block-document.{environment.blocks['secret/db-password']}"},
                {"prefect.resource.id": f"prefect.block-type.{environment.types['acme-store']}"},
                {"prefect.resource.id": f"prefect.block-schema.{environment.schemas['acme-store']['id']}"},
                {"prefect.resource.id": f"prefect.variable.{environment.variables['region']}"},
                {"prefect.resource.id": f"prefect.concurrency-limit.{environment.limits['db']}"},
                {"prefect.resource.name": "etl", "prefect.tag.prod": "prod"},
            ],
            expect=["prefect.work-pool.not-ready", "prefect.work-queue.*"],
        ),
        [NOTHING],
    )
    environment.automation(
        "proactive",
        when(posture="Proactive", within=3600.5, match={"prefect.resource.id": f"prefect.deployment.{bare}"}),
        [{"type": "change-flow-run-state", "state": "FAILED", "name": "Late", "message": "too late"}],
    )
    run = "prefect.flow-run.11111111-2222-4333-8444-555555555555"
    environment.automation("names a run", when(match={"prefect.resource.id": run}), [NOTHING], enabled=False)
    plant_composites(environment, bare, everything)


def plant_composites(environment: Environment, first: str, second: str) -> None:
    one = when(match_related={"prefect.resource.id": f"prefect.deployment.{first}"})
    two = when(
        match_related={"prefect.resource.id": [f"!prefect.deployment.{second}"]}, expect=["prefect.flow-run.Completed"]
    )
    environment.automation(
        "compound",
        {"type": "compound", "require": 1, "within": 600, "triggers": [one, two]},
        [{"type": "resume-flow-run"}],
    )
    inner = {"type": "compound", "require": "all", "within": 60, "triggers": [two, one]}
    environment.automation(
        "sequence",
        {"type": "sequence", "within": 7200, "triggers": [one, inner]},
        [{"type": "delete-flow-run"}],
        enabled=False,
    )
    environment.automation(
        "any", {"type": "compound", "require": "any", "within": None, "triggers": [one, two]}, [NOTHING]
    )


def plant_actions(environment: Environment) -> None:
    """Automations that name objects in their actions, in each of the three lists."""
    bare = environment.deployments["etl/bare"]
    pool, queue = environment.pools["docker pool"], environment.queues["docker pool/renamed default"]
    slack, hook = environment.blocks["slack-webhook/alerts"], environment.blocks["custom-webhook/hook"]
    store = reference(environment.blocks["acme-store/store"])
    other = environment.automations["proactive"]
    environment.automation(
        "every action",
        when(),
        [
            selected(
                "run-deployment",
                deployment_id=environment.deployments["templated/job variables"],
                parameters={"store": store, "v": {"__prefect_kind": "workspace_variable", "variable_name": "region"}},
                job_variables={
                    "env": {"KEY": "{{ prefect.blocks.secret.db-password }}", "X": environment.canaries.show()}
                },
                schedule_after=90,
            ),
            selected("pause-deployment", deployment_id=bare),
            selected("resume-deployment", deployment_id=environment.deployments["upper/same name"]),
            selected("pause-work-pool", work_pool_id=pool),
            selected("resume-work-pool", work_pool_id=environment.pools["Local"]),
            selected("pause-work-queue", work_queue_id=queue),
            selected("resume-work-queue", work_queue_id=environment.queues["local/default"]),
            selected("pause-automation", automation_id=other),
            selected("resume-automation", automation_id=environment.automations["compound"]),
            {
                "type": "send-notification",
                "block_document_id": slack,
                "subject": "{{ flow.name }}",
                "body": f"about {bare}",
            },
            {"type": "call-webhook", "block_document_id": hook, "payload": '{"v": "{{ variables.region }}"}'},
        ],
        actions_on_trigger=[
            selected("run-deployment", deployment_id=bare, parameters={"x": [1, {"y": store}]}),
            {"type": "send-notification", "block_document_id": slack, "body": "fired"},
        ],
        actions_on_resolve=[selected("resume-automation", automation_id=other), NOTHING],
    )
    inferred = [
        {"type": f"{verb}-{kind}", "source": "inferred"}
        for verb in ("pause", "resume")
        for kind in ("deployment", "work-pool", "work-queue", "automation")
    ]
    environment.automation("inferred", when(), inferred, enabled=False)


def plant_cycles(environment: Environment) -> None:
    """Automations that refer to themselves and to each other."""
    suicide = environment.automation("pauses itself", when(), [NOTHING])
    left = environment.automation("left", when(), [NOTHING], enabled=False)
    right = environment.automation("right", when(), [selected("pause-automation", automation_id=left)])
    trigger = when(
        match={"prefect.resource.id": f"prefect.automation.{right}"}, expect=["prefect.automation.triggered"]
    )
    retarget(environment, suicide, when(), [selected("pause-automation", automation_id=suicide)])
    retarget(environment, left, trigger, [selected("pause-automation", automation_id=right)])


def retarget(environment: Environment, automation: str, trigger: Body, actions: list[Body]) -> None:
    path = f"/automations/{automation}"
    now = environment.api.send("GET", path)
    kept = {
        key: now[key] for key in ("name", "description", "enabled", "tags", "actions_on_trigger", "actions_on_resolve")
    }
    environment.api.send("PUT", path, {**kept, "trigger": trigger, "actions": actions})


def plant_twins(environment: Environment) -> None:
    """Automations of one name."""
    for event in ("prefect.flow-run.Failed", "prefect.flow-run.Crashed"):
        environment.automation("twin", when(expect=[event]), [NOTHING])
    for _ in range(2):
        environment.automation("equal twin", when(), [NOTHING])


def plant_owned(environment: Environment) -> None:
    owner = environment.deployments["etl/pool only"]
    environment.automation(
        f"Automation for deployment {owner}",
        when(),
        [selected("run-deployment", deployment_id=owner)],
        owner_resource=f"prefect.deployment.{owner}",
    )
    environment.automation(
        "owned",
        when(),
        [NOTHING],
        actions_on_trigger=[selected("run-deployment", deployment_id=owner)],
        owner_resource=f"prefect.deployment.{owner}",
    )
