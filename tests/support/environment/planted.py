"""What has been planted so far, and how to plant one resource of a kind."""

from __future__ import annotations

from collections.abc import Iterable

from support.environment.api import Api, Body, Json, segment
from support.environment.canaries import Canaries


class Environment:
    """What has been planted so far: ids by kind and readable name."""

    def __init__(self, api: Api, canaries: Canaries) -> None:
        self.api = api
        self.canaries = canaries
        self.flows: dict[str, str] = {}
        self.deployments: dict[str, str] = {}
        self.pools: dict[str, str] = {}
        self.queues: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.schemas: dict[str, Body] = {}
        self.blocks: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.limits: dict[str, str] = {}
        self.automations: dict[str, str] = {}

    def variable(self, name: str, value: Json, *tags: str) -> str:
        self.variables[name] = self.api.create("/variables/", name=name, value=value, tags=list(tags))
        return self.variables[name]

    def limit(self, name: str, limit: int, **fields: Json) -> str:
        self.limits[name] = self.api.create("/v2/concurrency_limits/", name=name, limit=limit, **fields)
        return self.limits[name]

    def tag_limit(self, tag: str, limit: int) -> None:
        self.api.post("/concurrency_limits/", tag=tag, concurrency_limit=limit)

    def block_type(self, slug: str, name: str, **fields: Json) -> str:
        self.types[slug] = self.api.create("/block_types/", name=name, slug=slug, **fields)
        return self.types[slug]

    def schema(
        self,
        slug: str,
        properties: Body,
        *,
        label: str = "",
        version: str = "1.0",
        capabilities: Iterable[str] = (),
        **fields: Json,
    ) -> Body:
        """Register a schema of a type; ``label`` tells several of one type apart."""
        whole = {
            "title": slug,
            "type": "object",
            "block_type_slug": slug,
            "properties": properties,
            "secret_fields": [],
            "block_schema_references": {},
            **fields,
        }
        made: Body = self.api.post(
            "/block_schemas/",
            fields=whole,
            block_type_id=self.types[slug],
            capabilities=sorted(capabilities),
            version=version,
        )
        self.schemas[label or slug] = made
        return made

    def block(self, slug: str, name: str, data: Body, *, schema: str = "") -> str:
        """A named block document; ``schema`` is a label given to ``schema``."""
        found = self.find_schema(slug, schema)
        self.blocks[f"{slug}/{name}"] = self.api.create(
            "/block_documents/", name=name, data=data, block_schema_id=found["id"], block_type_id=found["block_type_id"]
        )
        return self.blocks[f"{slug}/{name}"]

    def anonymous_block(self, slug: str, data: Body) -> str:
        found = self.find_schema(slug, "")
        return self.api.create(
            "/block_documents/",
            data=data,
            block_schema_id=found["id"],
            block_type_id=found["block_type_id"],
            is_anonymous=True,
        )

    def find_schema(self, slug: str, label: str) -> Body:
        """The schema that was registered here, else the newest one of a type the server brings along."""
        if (label or slug) not in self.schemas:
            kind = self.api.send("GET", f"/block_types/slug/{slug}")
            rows = self.api.post("/block_schemas/filter", block_schemas={"block_type_id": {"any_": [kind["id"]]}})
            self.schemas[label or slug] = rows[0]
        return self.schemas[label or slug]

    def pool(self, name: str, kind: str = "process", **fields: Json) -> str:
        made = self.api.post("/work_pools/", name=name, type=kind, **fields)
        self.pools[name] = made["id"]
        self.queues[f"{name}/default"] = made["default_queue_id"]
        return self.pools[name]

    def queue(self, pool: str, name: str, **fields: Json) -> str:
        self.queues[f"{pool}/{name}"] = self.api.create(f"/work_pools/{segment(pool)}/queues", name=name, **fields)
        return self.queues[f"{pool}/{name}"]

    def flow(self, name: str, *tags: str, **labels: Json) -> str:
        # Servers before 3.1.5 have no labels.
        fields = {"labels": labels} if labels else {}
        self.flows[name] = self.api.create("/flows/", name=name, tags=list(tags), **fields)
        return self.flows[name]

    def deployment(self, flow: str, name: str, **fields: Json) -> str:
        if flow not in self.flows:
            self.flow(flow)
        key = f"{flow}/{name}"
        self.deployments[key] = self.api.create("/deployments/", name=name, flow_id=self.flows[flow], **fields)
        return self.deployments[key]

    def schedules(self, deployment_id: str, *schedules: Body) -> None:
        """Add schedules by the one route that keeps ``max_scheduled_runs``."""
        self.api.send("POST", f"/deployments/{deployment_id}/schedules", list(schedules))

    def automation(self, name: str, trigger: Body, actions: list[Body], **fields: Json) -> str:
        body = {"description": "", "enabled": True, **fields, "name": name, "trigger": trigger, "actions": actions}
        self.automations[name] = self.api.create("/automations/", **body)
        return self.automations[name]
