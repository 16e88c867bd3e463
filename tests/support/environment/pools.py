"""Work pools and queues, and where results go."""

from __future__ import annotations

from support.environment.api import Body, reference
from support.environment.planted import Environment


def template(configuration: Body, **properties: Body) -> Body:
    """A base job template with a command and these variables."""
    properties = {"command": {"type": "string", "default": "run"}, **properties}
    return {
        "job_configuration": {"command": "{{ command }}", **configuration},
        "variables": {"type": "object", "properties": properties},
    }


def plant_pools(environment: Environment) -> None:
    blocks = environment.blocks
    environment.pool("local", "process", base_job_template=template({}), description="runs here <b> & there")
    environment.pool(
        "docker pool",
        "docker",
        concurrency_limit=10,
        base_job_template=template(
            {
                "image": "{{ image }}",
                "registry": "{{ registry_credentials }}",
                "env": {"REGION": "{{ prefect.variables.region }}"},
            },
            image={"type": "string", "default": "prefecthq/prefect:3-latest"},
            # The server takes only placeholders that are declared, also those that a worker looks up.
            **{"prefect.variables.region": {"type": "string"}},
            registry_credentials={
                "anyOf": [{"type": "object"}, {"type": "null"}],
                "default": reference(blocks["docker-registry-credentials/registry"]),
            },
        ),
    )
    environment.pool("k8s", "kubernetes", is_paused=True, base_job_template=kubernetes_template(environment))
    environment.pool(
        "ecs",
        "ecs",
        concurrency_limit=0,
        storage_configuration={
            "bundle_upload_step": {
                "prefect_aws.experimental.bundles.upload": {"bucket": "b", "aws_credentials_block_name": "main"}
            },
            "bundle_execution_step": {
                "prefect_aws.experimental.bundles.execute": {"bucket": "b", "aws_credentials_block_name": "main"}
            },
            "default_result_storage_block_id": blocks["local-file-system/results"],
        },
    )
    environment.pool("ünï.pool ☃", "process")
    environment.pool("Local", "process", description="")
    environment.pool("custom:type", "acme")


def kubernetes_template(environment: Environment) -> Body:
    made = template(
        {
            "namespace": "{{ namespace }}",
            "job_manifest": {"metadata": {"labels": "{{ labels }}"}, "spec": [{"config": "{{ config }}"}]},
        },
        namespace={"type": "string", "default": environment.canaries.show()},
        labels={
            "type": "object",
            "default": {
                "password": "{{ prefect.blocks.secret.db-password }}",
                "note": "{{ prefect.blocks.acme-plain.plain.note }} {{ $HOME }} {{ ctx.flow_run.id }}",
            },
        },
        config={"$ref": "#/definitions/Cluster", "default": reference(environment.blocks["acme-parent/parent"])},
    )
    child = environment.schemas["acme-child"]["fields"]
    made["variables"]["definitions"] = {
        "Cluster": {"title": "Cluster", "type": "object", "block_type_slug": "acme-parent"},
        "Child": {
            key: child[key] for key in ("title", "type", "properties", "block_type_slug", "block_schema_references")
        },
    }
    return made


def plant_queues(environment: Environment) -> None:
    environment.queue("local", "high", description="first", is_paused=True, concurrency_limit=3)
    environment.queue("local", "low queue", priority=7)
    environment.queue("local", "middle.ü", priority=2, concurrency_limit=0)
    environment.queue("local", "HIGH", priority=1)
    environment.queue("docker pool", "extra", priority=1)
    environment.queue("Local", "high")
    environment.api.patch("/work_pools/docker%20pool/queues/default", name="renamed default", description="was default")
    environment.queues["docker pool/renamed default"] = environment.queues.pop("docker pool/default")
    environment.queue("docker pool", "default", description="not the default queue")
    environment.api.patch(
        "/work_pools/k8s/queues/default", is_paused=True, concurrency_limit=9, description="tuned", priority=1
    )


def plant_cloud_pools(environment: Environment) -> None:
    credentials = reference(environment.blocks["aws-credentials/main"])
    environment.pool(
        "push",
        "ecs:push",
        base_job_template=template({"aws": "{{ aws }}"}, aws={"type": "object", "default": credentials}),
    )
    environment.pool("managed", "prefect:managed")
    environment.deployment("push flow", "pushed", work_pool_name="push")
    environment.deployment("push flow", "managed", work_pool_name="managed")


def plant_result_storage(environment: Environment) -> None:
    storage = environment.blocks["acme-store/store"]
    environment.api.send("PUT", "/admin/storage", {"default_result_storage_block_id": storage})
