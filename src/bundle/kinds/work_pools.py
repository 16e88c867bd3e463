"""Work pools: hybrid ones anywhere, push pools only to Cloud, managed pools never.

A pool brings its default queue along, which is set up after it; until then the
pool's description carries a mark. A template whose block is gone is refused at
``POST``, for pools and for deployments on them, but not at ``PATCH``; so it is
completed at the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.naming import template_names
from bundle.kinds.protocols import Destination, Look, Made, Raw
from bundle.kinds.runnable import Run, as_object, member, members, step
from bundle.model import Body, Json, JsonType, Key, Pointer, Record
from bundle.record.secret_defaults import secret_values
from bundle.server.tiers import Tier

_CREDENTIALS = {
    "aws_credentials_block_name": "aws-credentials",
    "gcp_credentials_block_name": "gcp-credentials",
    "azure_blob_storage_credentials_block_name": "azure-blob-storage-credentials",
}
_PACKAGES = {
    "process": "prefect",
    "docker": "prefect-docker",
    "kubernetes": "prefect-kubernetes",
    "ecs": "prefect-aws",
    "cloud-run": "prefect-gcp",
    "cloud-run-v2": "prefect-gcp",
    "vertex-ai": "prefect-gcp",
    "azure-container-instance": "prefect-azure",
}
_WITHOUT_WORKER = (":push", ":managed")
_STEPS = ("bundle_upload_step", "bundle_execution_step")


class _Variables(msgspec.Struct):
    properties: dict[str, Any] | None = None


class _Template(msgspec.Struct):
    variables: _Variables | None = None


class _Storage(msgspec.Struct):
    bundle_upload_step: dict[str, Any] | None = None
    bundle_execution_step: dict[str, Any] | None = None


class WorkPool(Kind):
    name = "work-pool"
    path = "/work_pools"
    access_route = "/work_pools/{name}/access"
    fields: ClassVar = {
        "name": NAME,
        "description": Field(str),
        "type": Field(str, required=True, fixed=True),
        "base_job_template": Field(_Template, default={}),
        "is_paused": Field(default=False, on=False),
        "concurrency_limit": Field(),
        "storage_configuration": Field(
            _Storage, default={}, inside=frozenset({*_STEPS, "default_result_storage_block_id"})
        ),
        **dict.fromkeys(("status", "default_queue_id", "active_slots"), OWN),
    }
    route_is_required = True
    counted = True
    is_few = True
    rank = 30
    writes_each = 2

    def portable(self, raw: Raw, look: Look) -> Body:
        body = super().portable(raw, look)
        storage = {
            name: value for name, value in (body.get("storage_configuration") or {}).items() if value is not None
        }
        return self.trim(body | {"storage_configuration": storage})

    def findings(self, raw: Raw) -> Iterable[tuple[str, Pointer, str]]:
        if raw.get("type") == "prefect-agent":
            yield "no-runtime", "/type", ""

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        """Defaults of what the template calls secret."""
        variables = (body.get("base_job_template") or {}).get("variables")
        return {f"/base_job_template/variables{place}": kind for place, kind in secret_values(variables).items()}

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        yield from template_names(body)
        for name in _STEPS:
            for function, inputs in ((body.get("storage_configuration") or {}).get(name) or {}).items():
                for field, slug in _CREDENTIALS.items():
                    if isinstance(inputs, dict) and isinstance(inputs.get(field), str):
                        place = function.replace("~", "~0").replace("/", "~1")
                        yield f"/storage_configuration/{name}/{place}/{field}", f"block:{slug}/{inputs[field]}"

    def unfit(self, body: Body, *, is_cloud: bool) -> str | None:
        if str(body.get("type")).endswith(":managed"):
            return "managed-pool"
        return "push-pool" if str(body.get("type")).endswith(":push") and not is_cloud else None

    def variant(self, raw: Raw) -> Body | None:
        return {"type": raw.get("type")}

    def beyond(self, body: Body, tier: Tier) -> str | None:
        if tier.managed_pools_only and not str(body.get("type")).endswith(":managed"):
            return f"the {tier.name} tier has managed work pools only"
        return None

    def by_hand(self, body: Body) -> Iterator[tuple[str, str]]:
        kind = str(body.get("type"))
        if not kind.endswith(_WITHOUT_WORKER) and kind != "prefect-agent":
            yield "start-worker", f"{kind}, package {_PACKAGES.get(kind, 'of its own')}"

    def runs(self, record: Record) -> Iterator[Run]:
        template = as_object(record.body.get("base_job_template"))
        for name, spec in as_object(as_object(template.get("variables")).get("properties")).items():
            if isinstance(spec, dict) and "default" in spec:
                place = ("base_job_template", "variables", "properties", name, "default")
                yield from member(name, spec["default"], place)
        yield from members(template.get("job_configuration"), ("base_job_template", "job_configuration"))
        for name, found in as_object(record.body.get("storage_configuration")).items():
            yield from step(found, ("storage_configuration", name))

    def pending(self, body: Body, mark: str) -> Body:
        marked = body | {"description": f"{body.get('description') or ''} {mark}".lstrip()}
        if "base_job_template" in body:
            marked["base_job_template"] = _without_dangling_defaults(body["base_job_template"])
        return marked

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        return mark in (raw.get("description") or "")

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PATCH`` by name; it does not check block references, so a dangling one is kept."""
        await to.patch("/work_pools/{name}", self.changes(body, names), name=body["name"])

    async def switch(self, to: Destination, made: Made, switches: Mapping[str, bool]) -> None:
        """``PATCH`` by name, also of those pools whose other fields the server protects."""
        await to.patch("/work_pools/{name}", {"is_paused": not switches["is_paused"]}, name=str(made.raw["name"]))

    async def delete(self, to: Destination, made: Made) -> None:
        """``DELETE`` by name; the pool's queues go with it."""
        await to.delete("/work_pools/{name}", name=str(made.raw["name"]))


def _without_dangling_defaults(template: Json) -> Json:
    """The template without defaults that refer to a block which is not there.

    In a bundle an id that was cut out reads as empty, so any id left is dangling.
    """
    properties = ((template or {}).get("variables") or {}).get("properties") or {}
    dangling = [name for name, spec in properties.items() if _refers_to_nothing(spec)]
    if not dangling:
        return template
    kept = {
        name: {word: value for word, value in spec.items() if word != "default"} if name in dangling else spec
        for name, spec in properties.items()
    }
    return template | {"variables": template["variables"] | {"properties": kept}}


def _refers_to_nothing(spec: Json) -> bool:
    default = spec.get("default") if isinstance(spec, dict) else None
    target = default.get("$ref") if isinstance(default, dict) else None
    identifier = target.get("block_document_id") if isinstance(target, dict) else None
    return isinstance(identifier, str) and identifier != ""


KIND = WorkPool()
