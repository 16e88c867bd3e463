"""Fills a real Prefect server with everything an environment can hold.

Written against Prefect's HTTP API alone; it shares nothing with the package,
so a wrong belief there does not repeat itself here. Three ways in: ``seed``
for the known environments, ``random_environment`` for ones nobody has seen,
``Canaries`` for the secrets planted in them.
"""

from __future__ import annotations

import base64
import enum
import html
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

Json = Any
Body = dict[str, Any]

GONE = "00000000-0000-4000-8000-00000000dead"
"""An id that no server ever gave to anything."""


class Size(enum.Enum):
    """How much to plant."""

    SMALL = "small"
    """One of everything, about 150 objects."""
    FULL = "full"
    """Everything, and more than two pages of variables, one of deployments, documents and limits."""
    BULK = "bulk"
    """410 deployments and 410 variables, three pages of each, and nothing else but what they need."""


class Canaries:
    """Unique strings to plant as secrets, and a search for any trace of them.

    ``masked`` are those in places that Prefect masks, or that a schema calls
    secret; ``unmasked`` are those that every server shows in clear.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.masked: list[str] = []
        self.unmasked: list[str] = []

    def mask(self, *, plain: bool = False) -> str:
        """A new string for a place that is masked; ``plain`` without characters that encodings escape."""
        self.masked.append(self._new("" if plain else '"\\/&<+ é'))
        return self.masked[-1]

    def mask_number(self) -> int:
        """A new number for a place that is masked."""
        number = self._random.randrange(10**14, 10**15)
        self.masked.append(str(number))
        return number

    def show(self) -> str:
        """A new string for a place that is not masked."""
        self.unmasked.append(self._new(""))
        return self.unmasked[-1]

    def search(self, haystack: bytes) -> list[str]:
        """The masked canaries that are in ``haystack`` in any form (``encodings``)."""
        return [canary for canary in self.masked if is_in(haystack, canary)]

    def search_unmasked(self, haystack: bytes) -> list[str]:
        """The unmasked canaries that are in ``haystack`` in any form."""
        return [canary for canary in self.unmasked if is_in(haystack, canary)]

    def _new(self, middle: str) -> str:
        letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
        first, last = ("".join(self._random.choices(letters, k=11)) for _ in range(2))
        return f"cn{first}{middle}{last}"


def is_in(haystack: bytes, text: str) -> bool:
    """Whether ``text`` is in ``haystack``, raw or encoded."""
    return any(form in haystack for form in encodings(text))


def encodings(text: str) -> Iterator[bytes]:
    """Every form in which a program may leave ``text`` behind, by accident or not."""
    raw = text.encode()
    escaped = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]]
    twice = [json.dumps(each)[1:-1] for each in escaped]
    web = [quote(text), quote(text, safe=""), quote(text).replace("%20", "+"), html.escape(text)]
    for form in {text, *escaped, *twice, *web, raw.hex(), raw.hex().upper()}:
        yield form.encode()
    yield text.encode("utf-16-le")
    for offset in range(3):
        # Only the characters that depend on nothing but our own bytes.
        whole = (len(raw) + offset) // 3 * 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * offset + raw)[-(-offset * 4 // 3) : whole // 3 * 4]


class Api:
    """Plain HTTP to one server; 503 (SQLite was busy, nothing happened) is tried again."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        # The server drops connections that were idle or that it answered a 5xx on; each request has its own.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=url, timeout=60, headers=headers, trust_env=False, limits=limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: Json = None) -> Json:
        """The decoded answer, None if it has no body; any status from 400 on is an error."""
        for attempt in range(40):
            answer = self._http.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(min(0.02 * 2**attempt, 1))
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content else None

    def post(self, path: str, /, **body: Json) -> Json:
        return self.send("POST", path, body)

    def patch(self, path: str, /, **body: Json) -> None:
        self.send("PATCH", path, body)

    def delete(self, path: str) -> None:
        self.send("DELETE", path)

    def create(self, path: str, /, **body: Json) -> str:
        """POST, and the id of what it made."""
        return str(self.post(path, **body)["id"])

    def read_all(self, path: str, /, **body: Json) -> list[Body]:
        """Every row of a ``/filter`` route, page by page."""
        rows: list[Body] = []
        while page := self.send("POST", path, {**body, "offset": len(rows)}):
            rows += page
        return rows


def segment(name: str) -> str:
    return quote(name, safe="")


def reference(block_id: str) -> Body:
    """A block document named by id, as Prefect writes it."""
    return {"$ref": {"block_document_id": block_id}}


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


def seed(url: str, *, size: Size = Size.SMALL, canaries: Canaries | None = None, cloud_pools: bool = False) -> None:
    """Fill a server; the same size gives the same environment on every server, but for its ids.

    ``cloud_pools`` adds a push pool and a managed pool, which only Prefect Cloud can run.
    """
    with Api(url) as api:
        environment = Environment(api, canaries or Canaries())
        if size is Size.BULK:
            plant_many(environment, variables=410, flows=41, deployments=410)
            return
        for plant in PLANTS:
            plant(environment)
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


def plant_variables(environment: Environment) -> None:
    values: dict[str, Json] = {
        "region": "eu-central-1",
        "a_number": 42,
        "a_float": 0.1,
        "big_integer": 2**63 - 1,
        "negative": -(2**63),
        "tiny": 1e-300,
        "truth": True,
        "nothing": None,
        "empty_text": "",
        "empty_list": [],
        "empty_object": {},
        "nested": {
            "list": [1, "two", None, {"three": [3.5, False]}],
            "key with space": {"": "empty key", "~/": "pointer"},
        },
        "unicode": "Grüße ☃ \U0001f680 \u202eright to left",
        "control": "tab\tline\nreturn\r\x1b[31mred\x1b[0m\x7f",
        "separators": "line\u2028paragraph\u2029end",
        "large": "x" * 4900,
        "mask_look_alike": "********",
        "template_look_alike": "{{ secret }}",
        "block_template_look_alike": "{{ prefect.blocks.secret.no-such-block }}",
        "variable_template_look_alike": "{{ prefect.variables.no_such_variable }}",
        "ref_look_alike": {"$ref": {"block_document_id": GONE}},
        "name_look_alike": {"$ref": {"block_document_slug": "secret/db-password"}},
        "placeholder_look_alike": {"__placeholder__": "secret", "__reference__": "flow:etl", "pointer": "/data/value"},
        "kind_look_alike": {"__prefect_kind": "json", "value": "{}"},
        "number_as_text": "007",
        "with-dash": "dash",
        "v" * 200: "long name",
    }
    for name, value in values.items():
        environment.variable(name, value)
    environment.variable("tagged", "value", "b", "a", "tag with space", "ünïcode")
    environment.variable("deploy_token", f"ghp_{environment.canaries.show()}", "token")


def plant_limits(environment: Environment) -> None:
    environment.limit("db", 5)
    environment.limit("decaying", 10, slot_decay_per_second=0.25)
    environment.limit("inactive", 3, active=False)
    environment.limit("closed", 0)
    environment.limit("Shared Limit", 2)
    environment.limit("ünï.limit (x)", 7)
    environment.limit("DB", 6)
    environment.tag_limit("heavy", 4)
    environment.tag_limit("tag with space", 1)
    environment.tag_limit("zero", 0)


PASSWORD = {"title": "Password", "type": "string", "format": "password", "writeOnly": True}


def plant_block_types(environment: Environment) -> None:
    environment.block_type(
        "acme-store",
        'Acme "Store" (ünïcode)',
        logo_url="https://example.invalid/logo.png?size=1&x=<y>",
        documentation_url="https://example.invalid/docs?a=1&b=2#c",
        description="Stores <b>bold</b> & \"quoted\" 'things' &amp; entities, ünïcode.",
        code_example="```python\nif a < b and c > d & e:\n    print(\"x\", 'y')\n```",
    )
    environment.block_type("acme-patched", "Acme patched", description="a < b", code_example="a < b")
    # Only what POST stores is escaped.
    path = f"/block_types/{environment.types['acme-patched']}"
    environment.api.patch(path, description="Raw <b> & &amp; raw", code_example="if a < b & c:")
    for slug, name in (
        ("acme-child", "Acme child"),
        ("acme-middle", "Acme middle"),
        ("acme-parent", "Acme parent"),
        ("acme-plain", "Acme plain"),
        ("acme-secretive", "Acme secretive"),
        ("acme-no-schema", "Acme without schema"),
        ("acme-unused", "Acme unused"),
        ("acme-infrastructure", "Acme infrastructure"),
    ):
        environment.block_type(slug, name)


def plant_block_schemas(environment: Environment) -> None:
    environment.schema(
        "acme-store",
        {"basepath": {"type": "string"}, "token": PASSWORD, "options": {"type": "object"}},
        capabilities=["write-path", "read-path", "get-directory"],
        secret_fields=["token", "options.*"],
        required=["basepath"],
    )
    environment.schema(
        "acme-child", {"host": {"type": "string"}}, label="acme-child/old", version="0.9", description="an older schema"
    )
    environment.schema(
        "acme-child",
        {"host": {"type": "string"}, "token": PASSWORD, "port": {"type": "integer", "default": 1}},
        secret_fields=["token", "token"],
    )
    environment.schema("acme-plain", {"value": {"title": "Value"}, "note": {"type": "string"}}, capabilities=["notify"])
    environment.schema("acme-unused", {"unused": {"type": "string"}})
    environment.schema(
        "acme-infrastructure",
        {"image": {"type": "string"}, "env": {"type": "object"}, "options": {"$ref": "#/definitions/Options"}},
        capabilities=["run-infrastructure"],
        definitions={"Options": {"title": "Options", "type": "object", "properties": {"cpu": {"type": "integer"}}}},
    )
    plant_secretive_schema(environment)
    plant_nested_schemas(environment)


def plant_secretive_schema(environment: Environment) -> None:
    """Every way in which a schema can call something secret."""
    login = {"title": "Login", "type": "object", "properties": {"user": {"type": "string"}, "password": PASSWORD}}
    environment.schema(
        "acme-secretive",
        {
            "exact": {"type": "string"},
            "whole_object": {"type": "object"},
            "wildcard": {"type": "object"},
            "login": {"$ref": "#/definitions/Login"},
            "logins": {"type": "array", "items": {"$ref": "#/definitions/Login"}},
            "format_only": {"type": "string", "format": "password"},
            "write_only": {"anyOf": [{"type": "string", "writeOnly": True}, {"type": "null"}]},
            "undeclared_login": {"allOf": [{"$ref": "#/definitions/Login"}]},
            "list": {"type": "array", "items": PASSWORD},
            "number": {"type": "integer"},
            "public": {"type": "string"},
        },
        secret_fields=["exact", "whole_object", "wildcard.*", "login.password", "logins.password", "list", "number"],
        definitions={"Login": login},
        required=["public"],
    )


def nested(environment: Environment, *labels: str) -> tuple[list[Body], Body]:
    """The reference and the definitions that a schema needs for the block types it nests."""
    made = [environment.schemas[label] for label in labels]
    slugs = [each["fields"]["block_type_slug"] for each in made]
    references = [
        {"block_type_slug": slug, "block_schema_checksum": each["checksum"]}
        for slug, each in zip(slugs, made, strict=True)
    ]
    definitions: Body = {}
    for slug, each in zip(slugs, made, strict=True):
        fields = dict(each["fields"])
        definitions |= {**fields.pop("definitions", {}), slug: fields}
    return references, definitions


def plant_nested_schemas(environment: Environment) -> None:
    references, definitions = nested(environment, "acme-child")
    environment.schema(
        "acme-middle",
        {"title": {"type": "string"}, "child": {"$ref": "#/definitions/acme-child"}},
        block_schema_references={"child": references[0]},
        definitions=definitions,
        secret_fields=["child.token"],
    )
    middle, middle_definitions = nested(environment, "acme-middle")
    either, either_definitions = nested(environment, "acme-store", "acme-plain")
    environment.schema(
        "acme-parent",
        {
            "middle": {"$ref": "#/definitions/acme-middle"},
            "either": {"anyOf": [{"$ref": "#/definitions/acme-store"}, {"$ref": "#/definitions/acme-plain"}]},
            "note": {"type": "string"},
        },
        block_schema_references={"middle": middle[0], "either": either},
        definitions=middle_definitions | either_definitions,
        secret_fields=["middle.child.token", "either.token", "either.options.*"],
    )


def plant_secrets(environment: Environment) -> None:
    """The built-in Secret with a value of every JSON type."""
    canaries = environment.canaries
    values: dict[str, Json] = {
        "db-password": canaries.mask(),
        "api-keys": {"primary": canaries.mask(), "nested": {"deep": [canaries.mask(), 7]}},
        "key-list": [canaries.mask(), {"more": canaries.mask()}],
        "pin": canaries.mask_number(),
        "nothing": None,
        "empty-text": "",
        "empty-object": {},
        "flag": True,
        "json-text": json.dumps({"inner": canaries.mask(plain=True)}),
        "template": "{{ prefect.variables.region }} " + canaries.mask(plain=True),
    }
    for name, value in values.items():
        environment.block("secret", name, {"value": value})


def plant_built_in_blocks(environment: Environment) -> None:
    canaries = environment.canaries
    environment.block(
        "slack-webhook", "alerts", {"url": f"https://hooks.slack.com/services/{canaries.mask(plain=True)}"}
    )
    environment.block("local-file-system", "results", {"basepath": "/srv/results ünïcode"})
    environment.block("local-file-system", "empty", {})
    environment.block(
        "remote-file-system",
        "minio",
        {"basepath": "s3://bucket/prefix", "settings": {"key": "user", "secret": canaries.show(), "use_ssl": False}},
    )
    environment.block(
        "custom-webhook",
        "hook",
        {
            "name": "hook",
            "url": f"https://user:{canaries.show()}@example.invalid/hook",
            "method": "POST",
            "headers": {"Authorization": f"Bearer {canaries.show()}"},
            "json_data": {"text": "{{subject}} {{body}}"},
            "timeout": 2.5,
            "secrets": {"token": canaries.mask(), "other": canaries.mask()},
        },
    )
    environment.block(
        "aws-credentials",
        "main",
        {
            "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "aws_secret_access_key": canaries.mask(),
            "region_name": "eu-west-1",
        },
    )
    environment.block("github-credentials", "bot", {"token": canaries.mask(plain=True)})
    environment.block(
        "docker-registry-credentials", "registry", {"username": "u", "password": canaries.mask(), "registry_url": "r"}
    )
    environment.block(
        "s3-bucket",
        "data",
        {
            "bucket_name": "data",
            "bucket_folder": "in",
            "credentials": reference(environment.blocks["aws-credentials/main"]),
        },
    )


def plant_custom_blocks(environment: Environment) -> None:
    canaries = environment.canaries
    environment.block("acme-child", "child", {"host": "db.example.invalid", "token": canaries.mask(), "port": 5432})
    environment.block(
        "acme-child", "old-schema", {"host": "old", "extra": "not in the schema"}, schema="acme-child/old"
    )
    environment.block(
        "acme-secretive",
        "everything",
        {
            "exact": canaries.mask(),
            "whole_object": {"user": "u", "password": canaries.mask()},
            "wildcard": {"one": canaries.mask(), "two": {"three": canaries.mask()}, "number": canaries.mask_number()},
            "login": {"user": "public user", "password": canaries.mask()},
            "logins": [{"user": "a", "password": canaries.mask()}, {"user": "b", "password": canaries.mask()}],
            "format_only": canaries.mask(),
            "write_only": canaries.mask(),
            "undeclared_login": {"user": "c", "password": canaries.mask()},
            "list": [canaries.mask(), canaries.mask()],
            "number": canaries.mask_number(),
            "public": "********",
        },
    )
    environment.block("acme-secretive", "sparse", {"public": "only this", "wildcard": {}, "exact": None})
    environment.block(
        "acme-store",
        "store",
        {"basepath": "/data", "token": canaries.mask(), "options": {"retries": 3, "key": canaries.mask()}},
    )
    environment.block(
        "acme-plain",
        "plain",
        {
            "value": [{"id": environment.blocks["acme-child/child"]}, "{{ prefect.variables.region }}", None, 1.5],
            "note": "********",
        },
    )


def plant_nested_blocks(environment: Environment) -> None:
    """Three levels of named documents, and anonymous ones below named ones."""
    canaries = environment.canaries
    blocks = environment.blocks
    environment.block("acme-middle", "middle", {"title": "middle", "child": reference(blocks["acme-child/child"])})
    environment.block(
        "acme-parent",
        "parent",
        {
            "middle": reference(blocks["acme-middle/middle"]),
            "either": reference(blocks["acme-store/store"]),
            "note": f"see {blocks['acme-middle/middle']}",
        },
    )
    environment.block("acme-parent", "other-parent", {"either": reference(blocks["acme-plain/plain"]), "note": "half"})
    anonymous_child = environment.anonymous_block("acme-child", {"host": "anonymous", "token": canaries.mask()})
    anonymous_middle = environment.anonymous_block("acme-middle", {"title": "?", "child": reference(anonymous_child)})
    environment.block("acme-parent", "of-anonymous", {"middle": reference(anonymous_middle)})
    environment.anonymous_block("acme-plain", {"value": "nobody refers to this"})


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


def plant_saved_searches(environment: Environment) -> None:
    filters = [{"object": "flow", "property": "name", "type": "string", "operation": "equals", "value": "etl"}]
    environment.api.send("PUT", "/saved_searches/", {"name": "my search é", "filters": filters})
    environment.api.send("PUT", "/saved_searches/", {"name": "empty", "filters": []})


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
    environment.automation("owned", when(), [NOTHING], owner_resource=f"prefect.deployment.{owner}")


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


def random_environment(url: str, seed: int, *, canaries: Canaries | None = None) -> None:
    """Fill a server with an environment drawn from ``seed``: names, values and reference targets at random."""
    with Api(url) as api:
        environment = Environment(api, canaries or Canaries(seed))
        draw = Draw(environment, random.Random(seed))
        for plant in (draw.variables, draw.limits, draw.blocks, draw.pools, draw.deployments, draw.automations):
            plant()


class Draw:
    """One random environment in the making."""

    def __init__(self, environment: Environment, source: random.Random) -> None:
        self.environment = environment
        self.random = source

    def count(self, most: int) -> range:
        return range(self.random.randint(0, most))

    def name(self, taken: Iterable[str] = ()) -> str:
        """A name the server takes: short, from letters that are easy to confuse or to escape wrongly."""
        while True:
            made = "".join(
                self.random.choices("aAbB01 ._-:~#?+=\"'\\{}[]()|ßéÉ☃\U0001f680", k=self.random.randint(1, 14))
            )
            if made.strip(" .") == made and made not in taken and not made.lower().startswith("prefect"):
                return made

    def slug(self, taken: Iterable[str] = ()) -> str:
        while True:
            made = "".join(self.random.choices("abcxyz0189-", k=self.random.randint(2, 10)))
            if made not in taken and made.strip("-") == made:
                return made

    def value(self, depth: int = 3) -> Json:
        """Any JSON value, now and then one that holds an id or a template."""
        simple = [None, True, 0, -1.5, 2**53, "", "********", "{{ x }}", self.name(), self.mention(), self.template()]
        if depth == 0 or self.random.random() < 0.6:
            return self.random.choice(simple)
        if self.random.random() < 0.5:
            return [self.value(depth - 1) for _ in self.count(3)]
        return {self.name(): self.value(depth - 1) for _ in self.count(3)}

    def mention(self) -> str:
        """Text around an id that is already known."""
        environment = self.environment
        known = [*environment.variables.values(), *environment.blocks.values(), *environment.flows.values(), GONE]
        return f"{self.name()}{self.random.choice(known)}{self.name()}"

    def template(self) -> str:
        blocks = [key.replace("/", ".") for key in self.environment.blocks] or ["secret.gone"]
        variables = [*self.environment.variables, "gone"]
        which = (f"blocks.{self.random.choice(blocks)}", f"variables.{self.random.choice(variables)}")
        return "{{ prefect." + self.random.choice(which) + " }}"

    def parameters(self) -> Body:
        made = {self.slug(): self.value() for _ in self.count(4)}
        for key in self.some(self.environment.blocks, 2):
            made[self.slug()] = self.random.choice(
                [
                    reference(self.environment.blocks[key]),
                    {"$ref": self.environment.blocks[key]},
                    {"$ref": {"block_document_slug": key}},
                ]
            )
        return made

    def some(self, items: Iterable[str], most: int) -> list[str]:
        known = sorted(items)
        return self.random.sample(known, min(len(known), self.random.randint(0, most)))

    def maybe(self, **fields: Json) -> Body:
        """Each field with even chances."""
        return {key: value for key, value in fields.items() if self.random.random() < 0.5}

    def variables(self) -> None:
        for _ in range(self.random.randint(1, 12)):
            name = self.slug(self.environment.variables).replace("-", "_")
            if name not in self.environment.variables:
                self.environment.variable(name, self.value(), *{self.name() for _ in self.count(3)})

    def limits(self) -> None:
        for _ in self.count(5):
            fields = self.maybe(active=self.random.random() < 0.5, slot_decay_per_second=self.random.random())
            self.environment.limit(self.name(self.environment.limits), self.random.randint(0, 9), **fields)
        for tag in sorted({self.slug() for _ in self.count(4)}):
            self.environment.tag_limit(tag, self.random.randint(0, 9))

    def blocks(self) -> None:
        """Types that nest the ones before them, and documents that refer along those lines."""
        for _ in self.count(3):
            self.environment.block("secret", self.slug(self.fellows("secret")), {"value": self.secret_value()})
        chain: list[str] = []
        for _ in range(self.random.randint(1, 4)):
            slug = f"r-{self.slug(self.environment.types)}"
            self.environment.block_type(slug, slug, **self.maybe(description=self.name(), code_example="a < b & c"))
            self.random_schema(slug, chain)
            for _ in range(self.random.randint(1, 3)):
                self.random_document(slug, chain)
            chain.append(slug)

    def fellows(self, slug: str) -> set[str]:
        return {key.partition("/")[2] for key in self.environment.blocks if key.startswith(f"{slug}/")}

    def secret_value(self) -> Json:
        canaries = self.environment.canaries
        makers: list[Callable[[], Json]] = [
            canaries.mask,
            canaries.mask_number,
            lambda: {"a": canaries.mask()},
            lambda: [canaries.mask()],
        ]
        return self.random.choice(makers)()

    def random_schema(self, slug: str, chain: list[str]) -> None:
        properties: Body = {"plain": {"title": "plain"}, "secret": PASSWORD, "many": {"type": "object"}}
        fields: Body = {"secret_fields": ["secret", "many.*"]}
        if chain:
            references, definitions = nested(self.environment, chain[-1])
            properties["child"] = {"$ref": f"#/definitions/{chain[-1]}"}
            fields |= {"block_schema_references": {"child": references[0]}, "definitions": definitions}
        self.environment.schema(slug, properties, capabilities=self.some(["write-path", "notify"], 2), **fields)

    def random_document(self, slug: str, chain: list[str]) -> None:
        plain = self.random.choice([None, 1, self.name(), [self.mention()], {"a": self.template()}])
        data: Body = {
            "plain": plain,
            **self.maybe(secret=self.environment.canaries.mask(), many={"k": self.secret_value()}),
        }
        children = [
            value for key, value in self.environment.blocks.items() if chain and key.startswith(f"{chain[-1]}/")
        ]
        if children and self.random.random() < 0.7:
            data["child"] = reference(self.random.choice(children))
        self.environment.block(slug, self.slug(self.fellows(slug)), data)

    def pools(self) -> None:
        environment = self.environment
        for _ in range(self.random.randint(1, 4)):
            pool = self.name(environment.pools)
            block = self.random.choice(list(environment.blocks.values()))
            shape = template(
                {"x": "{{ x }}"}, x={"type": "object", "default": reference(block)}, y={"default": self.template()}
            )
            storage = {"default_result_storage_block_id": block}
            fields = self.maybe(
                base_job_template=shape,
                is_paused=True,
                concurrency_limit=3,
                description=self.name(),
                storage_configuration=storage,
            )
            environment.pool(pool, self.random.choice(["process", "docker", "acme"]), **fields)
            for _ in self.count(4):
                taken = [key.removeprefix(f"{pool}/") for key in environment.queues if key.startswith(f"{pool}/")]
                fields = self.maybe(
                    priority=self.random.randint(1, 9), is_paused=True, concurrency_limit=2, description="q"
                )
                environment.queue(pool, self.name(taken), **fields)

    def deployments(self) -> None:
        environment = self.environment
        for _ in range(self.random.randint(1, 6)):
            flow = self.name(environment.flows)
            environment.flow(flow, *self.some(["t1", "t2"], 2), **self.maybe(label=self.name()))
            for _ in self.count(4):
                taken = [key.removeprefix(f"{flow}/") for key in environment.deployments if key.startswith(f"{flow}/")]
                made = environment.deployment(flow, self.name(taken), **self.deployment_fields())
                environment.schedules(made, *self.schedule_list())

    def deployment_fields(self) -> Body:
        environment = self.environment
        fields = self.maybe(
            description=self.name(),
            paused=True,
            tags=self.some(["x", "y", "é"], 3),
            version=self.slug(),
            enforce_parameter_schema=False,
            parameters=self.parameters(),
            job_variables={"env": {"A": self.template(), "B": self.mention()}},
            pull_steps=[{"step": {"value": self.template(), "other": self.value(1)}}],
            labels={"l": self.name()},
            storage_document_id=self.random.choice(list(environment.blocks.values())),
        )
        queue = self.random.choice(sorted(environment.queues))
        pool = next(name for name in environment.pools if queue.startswith(f"{name}/"))
        fields |= self.maybe(work_pool_name=pool, work_queue_name=queue.removeprefix(f"{pool}/"))
        if "work_pool_name" not in fields:
            fields.pop("work_queue_name", None)
        limits: list[Body] = [{}, {"concurrency_limit": 3}]
        limits += [{"global_concurrency_limit_id": limit} for limit in environment.limits.values()]
        return fields | self.random.choice(limits)

    def schedule_list(self) -> list[Body]:
        shapes: list[Body] = [
            {"cron": "1 2 3 * *", "timezone": "Europe/Paris"},
            {"interval": self.random.randint(60, 10**6), "anchor_date": "2024-01-01T00:00:00Z"},
            {"rrule": "DTSTART:20240101T000000\nFREQ=DAILY;INTERVAL=2"},
        ]
        with_slugs = self.random.random() < 0.5
        return [
            {
                "schedule": self.random.choice(shapes),
                "active": self.random.random() < 0.5,
                **self.maybe(parameters=self.parameters(), max_scheduled_runs=self.random.randint(1, 50)),
                **({"slug": f"s{number}"} if with_slugs else {}),
            }
            for number in self.count(3)
        ]

    def automations(self) -> None:
        environment = self.environment
        made: list[str] = []
        for _ in self.count(6):
            name = self.name()
            made += [
                environment.automation(name, self.trigger(), self.actions(made), enabled=self.random.random() < 0.5)
            ]
        if made:
            chosen = self.random.choice(made)
            target = self.random.choice(made)
            retarget(environment, chosen, self.trigger(), [selected("pause-automation", automation_id=target)])

    def trigger(self) -> Body:
        environment = self.environment
        known = [f"prefect.deployment.{value}" for value in environment.deployments.values()]
        known += [f"prefect.work-pool.{value}" for value in environment.pools.values()]
        known += [f"prefect.block-document.{value}" for value in environment.blocks.values()]
        sign = self.random.choice(["", "!"])
        single = when(match_related={"prefect.resource.id": [sign + self.random.choice(known)]}, expect=[self.slug()])
        if self.random.random() < 0.7:
            return single
        return {"type": "sequence", "within": 60, "triggers": [single, self.trigger()]}

    def actions(self, automations: list[str]) -> list[Body]:
        environment = self.environment
        choices: list[Body] = [NOTHING, {"type": "cancel-flow-run"}]
        choices += [selected("pause-deployment", deployment_id=each) for each in environment.deployments.values()]
        choices += [selected("pause-work-pool", work_pool_id=each) for each in environment.pools.values()]
        choices += [selected("resume-work-queue", work_queue_id=each) for each in environment.queues.values()]
        choices += [selected("resume-automation", automation_id=each) for each in automations]
        blocks = list(environment.blocks.values())
        body = f"see {self.random.choice(blocks)}"
        choices += [{"type": "send-notification", "block_document_id": each, "body": body} for each in blocks]
        return self.random.sample(choices, self.random.randint(1, min(3, len(choices))))
