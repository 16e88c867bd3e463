"""The known environments, by size."""

from __future__ import annotations

import enum
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from support.environment.api import Api
from support.environment.automations import (
    plant_actions,
    plant_cycles,
    plant_owned,
    plant_triggers,
    plant_twins,
    selected,
    when,
)
from support.environment.block_types import plant_block_schemas, plant_block_types
from support.environment.blocks import plant_built_in_blocks, plant_custom_blocks, plant_nested_blocks, plant_secrets
from support.environment.canaries import Canaries
from support.environment.deployments import plant_deployments, plant_flows, plant_schedules, plant_templates
from support.environment.leftovers import plant_dangling, plant_mentions
from support.environment.planted import Environment
from support.environment.pools import plant_cloud_pools, plant_pools, plant_queues, plant_result_storage, template
from support.environment.values import plant_limits, plant_saved_searches, plant_variables


class Size(enum.Enum):
    """How much to plant."""

    SMALL = "small"
    """One of everything, about 150 objects."""
    FULL = "full"
    """Everything, and more than two pages of variables, one of deployments, documents and limits."""
    BULK = "bulk"
    """410 deployments and 410 variables, three pages of each, and nothing else but what they need."""


PLANTS: tuple[Callable[[Environment], None], ...] = (
    plant_variables,
    plant_limits,
    plant_block_types,
    plant_block_schemas,
    plant_secrets,
    plant_built_in_blocks,
    plant_custom_blocks,
    plant_nested_blocks,
    plant_pools,
    plant_queues,
    plant_result_storage,
    plant_flows,
    plant_deployments,
    plant_templates,
    plant_schedules,
    plant_saved_searches,
    plant_triggers,
    plant_actions,
    plant_cycles,
    plant_twins,
    plant_owned,
    plant_mentions,
    plant_dangling,
)


def plant_everything(environment: Environment) -> None:
    """One of everything, in an order that works."""
    for plant in PLANTS:
        plant(environment)


def seed(url: str, *, size: Size = Size.SMALL, canaries: Canaries | None = None, cloud_pools: bool = False) -> None:
    """Fill a server; the same size gives the same environment on every server, but for its ids.

    ``cloud_pools`` adds a push pool and a managed pool, which only Prefect Cloud can run.
    """
    with Api(url) as api:
        environment = Environment(api, canaries or Canaries())
        if size is Size.BULK:
            plant_many(environment, variables=410, flows=41, deployments=410)
            return
        plant_everything(environment)
        if cloud_pools:
            plant_cloud_pools(environment)
        if size is Size.FULL:
            plant_many(environment, variables=460, flows=43, deployments=215, limits=25, documents=205, automations=12)


def seed_pools(url: str, *, served: int = 7, cloud_pools: bool = True) -> None:
    """Fill a server with a pool of each sort, what hangs on it, and ``served`` deployments without a pool: 30 objects.

    A server keeps push and managed pools like any other; only Prefect Cloud can run them.
    """
    with Api(url) as api:
        environment = Environment(api, Canaries())
        environment.variable("region", "eu")
        data = {"aws_access_key_id": "AKIA", "region_name": "eu", "aws_secret_access_key": environment.canaries.mask()}
        environment.block("aws-credentials", "main", data)
        environment.pool("hybrid", "process")
        if cloud_pools:
            plant_cloud_pools(environment)
        deployment = environment.deployment("etl", "hybrid", work_pool_name="hybrid")
        for number in range(served):
            environment.deployment("etl", f"served {number}", tags=["served"])
        environment.schedules(environment.deployments["etl/served 0"], {"schedule": {"cron": "0 3 * * *"}})
        nothing = [{"type": "do-nothing"}]
        pause = [selected("pause-deployment", deployment_id=deployment)]
        environment.automation("pauses hybrid", when(expect=["prefect.flow-run.Failed"]), pause)
        environment.automation("does nothing", when(expect=["prefect.flow-run.Failed"]), nothing)


def plant_many(
    environment: Environment,
    *,
    variables: int,
    flows: int,
    deployments: int,
    limits: int = 0,
    documents: int = 0,
    automations: int = 0,
) -> None:
    """Plain objects in quantity, two requests at a time."""
    environment.pool("many", "process", base_job_template=template({}))
    environment.queue("many", "queue")
    in_pairs(lambda n: environment.flow(f"many {n:03}"), flows)
    in_pairs(lambda n: environment.variable(f"many_{n:03}", {"n": n, "text": f"value {n}"}, "many"), variables)
    for number in range(deployments):  # Two at a time are slower than one: the server answers a third with 503.
        plant_one_deployment(environment, number, flows)
    in_pairs(lambda n: environment.limit(f"many {n:03}", n), limits)
    in_pairs(lambda n: environment.tag_limit(f"many {n:03}", n), limits)
    environment.find_schema("secret", "")
    in_pairs(lambda n: environment.block("secret", f"many-{n:03}", {"value": environment.canaries.mask()}), documents)
    keys = sorted(environment.deployments)
    for number in range(automations):
        action = selected("run-deployment", deployment_id=environment.deployments[keys[number]])
        environment.automation(f"many {number:03}", when(), [action])


def plant_one_deployment(environment: Environment, number: int, flows: int) -> None:
    environment.deployment(
        f"many {number % flows:03}",
        f"deployment {number:03}",
        work_pool_name="many",
        work_queue_name="queue" if number % 3 else "default",
        tags=["many"],
        parameters={"n": number},
        job_variables={"command": f"run {number}"},
        entrypoint="flow.py:main",
        # A schedule makes this request four times as long, active or not; so one in ten.
        schedules=[{"schedule": {"cron": f"{number % 60} 4 1 * *"}, "active": number % 20 == 0}][: number % 10 == 0],
    )


def in_pairs(plant: Callable[[int], object], count: int) -> None:
    """Run ``plant`` for 0 … count-1, two at a time: what embedded SQLite bears best."""
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(plant, range(count)):
            pass
