"""Ids as text, and references to what is gone."""

from __future__ import annotations

from support.environment.api import GONE, reference
from support.environment.automations import selected, when
from support.environment.planted import Environment
from support.environment.pools import template


def plant_mentions(environment: Environment) -> None:
    """Ids as text, where no field says what they are."""
    deployment = environment.deployments["etl/bare"]
    environment.variable("deployment_id", deployment)
    environment.variable("deployment_link", f"https://example.invalid/deployments/deployment/{deployment}?x=1")
    environment.variable("flow_ids", {"ids": [environment.flows["etl"], environment.flows["etl"].replace("-", "")]})


def plant_dangling(environment: Environment) -> None:
    """References to what has been deleted since, and a limit whose deployment is gone."""
    api = environment.api
    gone = environment.deployment("etl", "to be deleted")
    environment.automation(
        "runs what is gone",
        when(match_related={"prefect.resource.id": f"prefect.deployment.{gone}"}),
        [selected("run-deployment", deployment_id=gone)],
    )
    api.delete(f"/deployments/{gone}")
    environment.automation("pauses what is gone", when(), [selected("pause-automation", automation_id=GONE)])
    storage = environment.block("local-file-system", "to-be-deleted", {"basepath": "/gone"})
    environment.pool("lost result storage", storage_configuration={"default_result_storage_block_id": storage})
    environment.pool(
        "lost default",
        base_job_template=template({"x": "{{ x }}"}, x={"type": "object", "default": reference(storage)}),
    )
    api.delete(f"/block_documents/{storage}")
    environment.deployment("deleted flow", "with limit", concurrency_limit=4)
    api.delete(f"/flows/{environment.flows.pop('deleted flow')}")
