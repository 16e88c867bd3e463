"""A Prefect 3.8.8 server in memory: the routes that xfer uses, with the behaviour that matters to it.

What a real server would answer was measured on one; ``test_fake_agrees.py``
asks both the same. Left out on purpose: runs and their history, permissions,
and checks of job variables and parameters against their schemas.

``FIELDS`` says what each request body may hold, ``TABLES`` how plain kinds are
kept; what is special about a kind stands in the methods marked ``route``.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import html
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, unquote

import httpx

Json = Any
Row = dict[str, Any]
Answer = tuple[int, Json]

URL = "http://fake.test/api"
MASK = "*" * 8
INTEGRITY = (
    "Data integrity conflict. This usually means a unique or foreign key constraint was violated. "
    "See server logs for details."
)
AGENT_POOL = "default-agent-pool"


NEEDED, KEPT = "(needed)", "(kept)"
"""In place of a default: must be sent; and, if it is not sent, what is stored stays."""


def fields_of(text: str) -> Row:
    """``name!`` must be sent, ``name`` may be, and ``name=JSON`` has a default."""
    result: Row = {}
    for word in text.split():
        name, _, default = word.partition("=")
        result[name.rstrip("!")] = json.loads(default) if default else NEEDED if name.endswith("!") else KEPT
    return result


_QUEUE = "name description is_paused concurrency_limit priority filter last_polled"
_SCHEDULE = "schedule! active=true max_scheduled_runs=null parameters={} slug=null"
_AUTOMATION = "name! trigger! actions!"
_DEPLOYMENT = """
    paused schedules concurrency_limit concurrency_options global_concurrency_limit_id enforce_parameter_schema
    parameter_openapi_schema parameters tags pull_steps work_queue_name work_pool_name storage_document_id
    infrastructure_document_id description path version entrypoint job_variables version_info
"""
_BODIES = {
    "POST /flows/": "name! tags=[] labels={}",
    "PATCH /flows/{id}": "tags",
    "POST /deployments/": "name! flow_id! labels" + _DEPLOYMENT,
    "PATCH /deployments/{id}": _DEPLOYMENT,
    "POST /deployments/{id}/schedules": _SCHEDULE,
    "PATCH /deployments/{id}/schedules/{schedule}": "schedule active max_scheduled_runs parameters slug replaces",
    "POST /work_pools/": """
        name! description=null type="prefect-agent" base_job_template={} is_paused=false concurrency_limit=null
        storage_configuration={}
    """,
    "PATCH /work_pools/{name}": "description is_paused base_job_template concurrency_limit storage_configuration",
    "POST /work_pools/{pool}/queues": """
        name! description="" is_paused=false concurrency_limit=null priority=null filter=null
    """,
    "PATCH /work_pools/{pool}/queues/{name}": _QUEUE,
    "PATCH /work_queues/{id}": _QUEUE,
    "POST /block_types/": """
        name! slug! logo_url=null documentation_url=null description=null code_example=null
    """,
    "PATCH /block_types/{id}": "logo_url documentation_url description code_example",
    "POST /block_schemas/": 'fields={} block_type_id! capabilities=[] version="non-versioned"',
    "POST /block_documents/": "name=null data={} block_schema_id! block_type_id! is_anonymous=false",
    "PATCH /block_documents/{id}": "data block_schema_id merge_existing_data=true",
    "POST /variables/": "name! value! tags=[]",
    "PATCH /variables/{id}": "name value tags",
    "PATCH /variables/name/{name}": "name value tags",
    "POST /v2/concurrency_limits/": """
        name! limit! active=true active_slots=0 denied_slots=0 slot_decay_per_second=0.0
    """,
    "PATCH /v2/concurrency_limits/{id_or_name}": "name limit active active_slots denied_slots slot_decay_per_second",
    "POST /concurrency_limits/": "tag! concurrency_limit!",
    "POST /automations/": _AUTOMATION
    + """
        description="" enabled=true tags=[] actions_on_trigger=[] actions_on_resolve=[] owner_resource=null
    """,
    "PUT /automations/{id}": _AUTOMATION + " description enabled tags actions_on_trigger actions_on_resolve",
    "PATCH /automations/{id}": "enabled",
    "PUT /saved_searches/": "name! filters=[]",
    "PUT /admin/storage": "default_result_storage_block_id!",
}
FIELDS: Mapping[str, Row] = {route: fields_of(text) for route, text in _BODIES.items()}
SCHEDULE = FIELDS["POST /deployments/{id}/schedules"]


@dataclass(frozen=True)
class Table:
    """How the rows of one kind are found, listed and refused."""

    missing: str
    order: str = "NAME_ASC"
    counted: bool = False


TABLES: Mapping[str, Table] = {
    "flows": Table("Flow not found", counted=True),
    "deployments": Table("Deployment not found", counted=True),
    "work_pools": Table('Work pool "{}" not found.', counted=True),
    "work_queues": Table("work queue not found"),
    "block_types": Table("Block type not found"),
    "block_schemas": Table("Block schema not found", "CREATED_DESC"),
    "block_documents": Table("Block document not found", counted=True),
    "variables": Table("Variable not found.", counted=True),
    "v2/concurrency_limits": Table("Concurrency Limit not found"),
    "automations": Table("Automation not found", counted=True),
    "saved_searches": Table("Saved search not found"),
}
LIMITS = "v2/concurrency_limits"
_OWN_NAMES = frozenset({"POST /flows/", "POST /work_pools/", "POST /block_types/", "POST /v2/concurrency_limits/"})

DEPLOYMENT = fields_of("""
    version=null description=null paused=false concurrency_limit_id=null concurrency_options=null job_variables={}
    parameters={} tags=[] labels={} work_queue_name=null work_queue_id=null last_polled=null
    parameter_openapi_schema={} path=null pull_steps=[] entrypoint=null storage_document_id=null
    infrastructure_document_id=null created_by=null updated_by=null status="NOT_READY" enforce_parameter_schema=true
    schedules=[]
""")
STORAGE = fields_of("bundle_upload_step=null bundle_execution_step=null default_result_storage_block_id=null")
EVENT_TRIGGER = fields_of("match={} match_related={} after=[] expect=[] for_each=[] threshold=1")
ACTIONS = {
    "run-deployment": fields_of(
        'source="selected" deployment_id=null parameters=null job_variables=null schedule_after=0.0'
    ),
    "send-notification": {"subject": "Prefect automated notification"},
    "call-webhook": {"payload": ""},
    "change-flow-run-state": fields_of("name=null message=null force=false"),
    **{
        f"{verb}-{kind}": fields_of(f'source="selected" {kind.replace("-", "_")}_id=null')
        for verb in ("pause", "resume")
        for kind in ("deployment", "work-pool", "work-queue", "automation")
    },
}
BUILT_IN: Mapping[str, tuple[str, Row, list[str], list[str]]] = {
    "secret": ("Secret", {"value": {"title": "Value", "format": "password"}}, ["value"], []),
    "webhook": ("Webhook", {"url": {"type": "string"}, "headers": {"type": "object"}}, ["url", "headers.*"], []),
    "local-file-system": ("Local File System", {"basepath": {"type": "string"}}, [], ["read-path", "write-path"]),
    "remote-file-system": ("Remote File System", {"settings": {"type": "object"}}, [], ["read-path", "write-path"]),
    "slack-webhook": ("Slack Webhook", {"url": {"type": "string"}}, ["url"], ["notify"]),
    "custom-webhook": ("Custom Webhook", {"secrets": {"type": "object"}}, ["secrets.*"], ["notify"]),
    "aws-credentials": ("AWS Credentials", {"aws_secret_access_key": {}}, ["aws_secret_access_key"], []),
    "github-credentials": ("GitHub Credentials", {"token": {"type": "string"}}, ["token"], []),
    "docker-registry-credentials": ("Docker Registry Credentials", {"password": {}}, ["password"], []),
    "s3-bucket": ("S3 Bucket", {"bucket_name": {"type": "string"}, "credentials": {}}, [], ["write-path"]),
}
PROTECTED = frozenset({"secret", "webhook", "local-file-system"})


class RefusedError(Exception):
    """The server says no."""

    def __init__(self, status: int, detail: str = "", **body: Json) -> None:
        self.status = status
        self.body = body or {"detail": detail}


def invalid(*faults: tuple[str, Iterable[str | int]]) -> RefusedError:
    """A 422 as Prefect words it: a type and a place for each fault."""
    details = [{"type": kind, "loc": ["body", *place]} for kind, place in faults]
    return RefusedError(422, exception_message="Invalid request received.", exception_detail=details)


Handler = TypeVar("Handler", bound=Callable[..., Answer])
ROUTES: list[tuple[str, str, re.Pattern[str], Callable[..., Answer]]] = []


def _segment(name: re.Match[str]) -> str:
    return f"(?P<{name[1]}>{'[0-9a-f-]{36}' if name[1] == 'id' else '[^/]+'})"


def route(*routes: str) -> Callable[[Handler], Handler]:
    """Serve ``METHOD /path/{segment}`` with a method; ``{id}`` takes ids only."""

    def register(handler: Handler) -> Handler:
        for each in routes:
            method, path = each.split(" ")
            pattern = re.sub(r"\{(\w+)\}", _segment, path)
            ROUTES.append((method, each, re.compile(pattern), handler))
        return handler

    return register


@dataclass(frozen=True)
class Seen:
    """One request, the route that served it, and the status it got (0: the answer was lost)."""

    method: str
    path: str
    route: str
    body: Json
    status: int

    @property
    def is_write(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET" and not re.search(r"/(filter|paginate|count)$", self.path)


How = Literal["reset", "lost", "timeout", "busy", "too-many", "error", "gateway", "denied", "race"]
_INSTEAD: Mapping[How, Answer] = {  # not carried out
    "busy": (503, {"exception_message": "Service Unavailable"}),
    "too-many": (429, {"detail": "too many requests"}),
    "error": (500, {"exception_message": "Internal Server Error"}),
    "denied": (401, {"exception_message": "Unauthorized"}),
}
_LOST: Mapping[How, type[httpx.TransportError]] = {"lost": httpx.ReadError, "timeout": httpx.ReadTimeout}


class FakePrefect:
    """One server.

    Args:
        seed: two servers of different seeds give different ids; with ``drift`` also different checksums.
        default_limit: rows on one page, and the most a client may ask for.
        drift: block schemas get checksums that no other server gives them, and list unions backwards.
        lacks: what an older server does not have: a route's fields, or None for the whole route.
    """

    url = URL

    def __init__(
        self,
        *,
        seed: int = 0,
        default_limit: int = 200,
        version: str = "3.8.8",
        drift: bool = False,
        lacks: Mapping[str, Collection[str] | None] | None = None,
    ) -> None:
        self.version, self.default_limit = version, default_limit
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.result_storage: str | None = None
        self.seen: list[Seen] = []
        self.transport = httpx.MockTransport(self.handle)
        self._seed, self._ticks, self._drift = seed, 0, drift
        self._owners: dict[str, str] = {}
        self._failures: dict[tuple[str, int], How] = {}
        self._lacks = dict(lacks or {})
        for slug, (name, properties, secret_fields, capabilities) in BUILT_IN.items():
            self._built_in(slug, name, properties, secret_fields, capabilities)

    # -- What tests ask -----------------------------------------------------------------------------------------------

    @property
    def writes(self) -> list[Seen]:
        """The requests that change something."""
        return [each for each in self.seen if each.is_write]

    @property
    def counts(self) -> Counter[str]:
        """How often each route was asked."""
        return Counter(each.route for each in self.seen)

    def reset(self) -> None:
        """Forget the requests and the failures to come, not the data."""
        self.seen.clear()
        self._failures.clear()

    def fail(self, k: int, how: How, *, counts: Literal["writes", "requests"] = "writes") -> None:
        """Make the k-th write (or request) since the last ``reset``, counted from 0, fail.

        ``reset``: no answer, nothing done. ``lost``, ``timeout``: done, but no
        answer. ``busy`` (503 in Prefect's words), ``too-many``, ``error`` (500),
        ``denied``: nothing done. ``gateway``: done, yet 502. ``race``: somebody
        else does the same a moment earlier.
        """
        self._failures[counts, k] = how

    def rows(self, table: str, **fields: Json) -> list[Row]:
        """The stored rows whose fields have these values."""
        return [row for row in self.tables[table].values() if fields.items() <= row.items()]

    # -- Requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; the handler of ``transport``."""
        path, _, query = request.url.raw_path.decode("ascii").removeprefix("/api").partition("?")
        body = json.loads(request.content) if request.content else None
        asked = Seen(request.method, unquote(path), "", body, 0)
        how = self._failures.get(("requests", len(self.seen)))
        if asked.is_write:
            how = self._failures.get(("writes", len(self.writes)), how)
        self.seen.append(asked)
        place = len(self.seen) - 1
        if how == "reset":
            raise httpx.ReadError("reset", request=request)
        if how == "race":
            self._serve(asked, query)
        route_, status, answer = ("", *_INSTEAD[how]) if how and how in _INSTEAD else self._serve(asked, query)
        if how == "gateway":
            status, answer = 502, {"message": "upstream error"}
        lost = _LOST.get(how) if how else None
        self.seen[place] = Seen(asked.method, asked.path, route_, body, 0 if lost else status)
        if lost:
            raise lost("lost", request=request)
        headers = {"Retry-After": "0"} if status == httpx.codes.TOO_MANY_REQUESTS else {}
        if status == httpx.codes.NO_CONTENT:
            return httpx.Response(status)
        return httpx.Response(status, json=answer, headers=headers)

    def _serve(self, asked: Seen, query: str) -> tuple[str, int, Json]:
        for method, name, pattern, handler in ROUTES:
            match = pattern.fullmatch(asked.path)
            if match and method == asked.method and self._lacks.get(name, ()) is not None:
                flags = {key: values[0] for key, values in parse_qs(query).items()}
                try:
                    status, answer = handler(self, self._checked(name, asked.body), **match.groupdict(), **flags)
                except RefusedError as refused:
                    return name, refused.status, refused.body
                return name, status, answer
        return "", 404, {"detail": "Not Found"}

    def _checked(self, name: str, body: Json) -> Json:
        """The body with its defaults; 422 for what the route does not take."""
        if name not in FIELDS:
            return body or {}
        fields = FIELDS[name]
        lacked = [key for key in self._lacks.get(name) or () if key in (body or {})]
        if lacked:
            raise invalid(*(("extra_forbidden", [key]) for key in lacked))
        if isinstance(body, list):
            return [_filled(fields, each, place) for place, each in enumerate(body)]
        if name in _OWN_NAMES and re.search("[/%&><]", str(body.get("name"))):
            raise invalid(("string_pattern_mismatch", ["name"]))
        return _filled(fields, body or {})

    @route("GET /health")
    def _health(self, _body: Json) -> Answer:
        return 200, True

    @route("GET /admin/version")
    def _version(self, _body: Json) -> Answer:
        return 200, self.version

    @route("GET /csrf-token")
    def _csrf_token(self, _body: Json, **_client: str) -> Answer:
        raise RefusedError(422, "CSRF protection is disabled.")

    @route("GET /openapi.json")
    def _openapi(self, _body: Json) -> Answer:
        paths: Row = {}
        for _, name, _, _ in ROUTES:
            method, path = name.split(" ")
            fields = [each for each in FIELDS.get(name, ()) if each not in (self._lacks.get(name) or ())]
            schema = {"type": "object", "properties": {each: {} for each in fields}}
            if self._lacks.get(name, ()) is not None:
                content = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
                paths.setdefault(path, {})[method.lower()] = content if fields else {}
        return 200, {"openapi": "3.1.0", "paths": paths}

    # -- Rows ---------------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        self._ticks += 1
        moment = dt.datetime(2025, 1, 1) + dt.timedelta(microseconds=self._ticks)  # noqa: DTZ001 - made up
        return f"{moment.isoformat(timespec='microseconds')}Z"

    def _id(self) -> str:
        self._ticks += 1
        digest = hashlib.sha256(f"{self._seed} {self._ticks}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _insert(self, table: str, fields: Mapping[str, Json]) -> Row:
        row = {"id": self._id(), "created": (now := self._now()), "updated": now, **copy.deepcopy(dict(fields))}
        self.tables[table][row["id"]] = row
        return row

    def _update(self, row: Row, fields: Mapping[str, Json]) -> Answer:
        row.update(copy.deepcopy(dict(fields)), updated=self._now())
        return 204, None

    def _find(self, table: str, name: str, **fields: Json) -> Row:
        """The row of an id or a name; 404 if there is none."""
        found = self.tables[table].get(name) or next(iter(self.rows(table, name=name, **fields)), None)
        if found is None and table == "automations":
            raise RefusedError(404, exception_message=TABLES[table].missing)
        if found is None:
            raise RefusedError(404, TABLES[table].missing.format(name))
        return found

    def _unique(self, table: str, detail: str = INTEGRITY, **fields: Json) -> None:
        if self.rows(table, **fields):
            raise RefusedError(409, detail)

    def _view(self, table: str, row: Row, *, secrets: bool = False) -> Row:
        """A row as the server answers it."""
        special: Mapping[str, Callable[[Row], Row]] = {
            "deployments": self._deployment,
            "work_pools": self._pool,
            "work_queues": self._queue,
            "block_schemas": self._schema,
            "block_documents": lambda each: self._document(each, secrets=secrets),
            LIMITS: _without("denied_slots"),
        }
        return special.get(table, dict)(row)

    # -- Lists --------------------------------------------------------------------------------------------------------

    def _page(self, body: Row, rows: list[Row]) -> list[Row]:
        limit, offset = body.get("limit"), body.get("offset") or 0
        if limit is not None and limit > self.default_limit:
            raise RefusedError(422, f"Invalid limit: must be less than or equal to {self.default_limit}.")
        if offset < 0:
            raise invalid(("greater_than_equal", ["offset"]))
        return rows[offset:][: self.default_limit if limit is None else limit]

    def _selected(self, table: str, body: Row) -> list[Row]:
        criteria = dict(body.get(table) or {})
        if table == "block_documents":
            criteria.setdefault("is_anonymous", {"eq_": False})
        return [row for row in self.tables[table].values() if _meets(row, criteria)]

    @route("POST /v2/concurrency_limits/filter")
    def _filter_limits(self, body: Row) -> Answer:
        rows = sorted(self.tables[LIMITS].values(), key=lambda row: row["name"])
        return 200, [self._view(LIMITS, row) for row in self._page(body, rows)]

    @route("POST /concurrency_limits/filter")
    def _filter_tag_limits(self, body: Row) -> Answer:
        """Takes a page of all limits and keeps those of tags: too few, as on a server."""
        self._page(body, [])
        limit, offset = body.get("limit", self.default_limit), body.get("offset") or 0
        first = sorted(self.tables[LIMITS].values(), key=lambda row: row["name"])[: limit + offset]
        return 200, [_as_tag_limit(row) for row in first if row["name"].startswith("tag:")][offset : offset + limit]

    @route("POST /{table}/filter")
    def _filter(self, body: Row, table: str) -> Answer:
        if table not in TABLES:
            raise RefusedError(404, "Not Found")
        rows = self._selected(table, body)
        field, _, direction = (body.get("sort") or TABLES[table].order).rpartition("_")
        keys: Mapping[str, Callable[[Row], Json]] = {
            "BLOCK_TYPE_AND_NAME": lambda row: (self.tables["block_types"][row["block_type_id"]]["name"], row["name"]),
            "NAME": lambda row: row["name"],
        }
        rows.sort(key=keys.get(field, lambda row: row[field.lower()]), reverse=direction == "DESC")
        shown = body.get("include_secrets") is True
        return 200, [self._view(table, row, secrets=shown) for row in self._page(body, rows)]

    @route("POST /{table}/count")
    def _count(self, body: Row, table: str) -> Answer:
        if table not in TABLES or not TABLES[table].counted:
            raise RefusedError(404, "Not Found")
        return 200, len(self._selected(table, body))

    @route("POST /work_pools/{pool}/queues/filter")
    def _filter_queues(self, body: Row, pool: str) -> Answer:
        queues = self.rows("work_queues", work_pool_id=self._find("work_pools", pool)["id"])
        ordered = sorted(queues, key=lambda row: row["priority"])
        return 200, [self._queue(row) for row in self._page(body, ordered)]

    # -- One row ------------------------------------------------------------------------------------------------------

    @route(
        *(f"GET /{table}/{{id}}" for table in TABLES),
        "GET /work_pools/{name}", "GET /v2/concurrency_limits/{name}", "GET /flows/name/{name}",
        "GET /variables/name/{name}",
    )  # fmt: skip
    def _get(self, _body: Json, name: str = "", include_secrets: str = "", **ids: str) -> Answer:
        table = next(each for each in TABLES if self.seen[-1].path.startswith(f"/{each}/"))
        return 200, self._view(table, self._find(table, ids.get("id", name)), secrets=include_secrets == "true")

    @route("GET /block_types/slug/{slug}")
    def _get_type(self, _body: Json, slug: str) -> Answer:
        for row in self.rows("block_types", slug=slug):
            return 200, row
        raise RefusedError(404, "Block type not found")

    @route("GET /deployments/name/{flow}/{name}")
    def _get_deployment(self, _body: Json, flow: str, name: str) -> Answer:
        flows = [row["id"] for row in self.rows("flows", name=flow)]
        for row in self.rows("deployments", name=name):
            if row["flow_id"] in flows:
                return 200, self._deployment(row)
        raise RefusedError(404, "Deployment not found")

    @route(
        "DELETE /flows/{id}", "DELETE /deployments/{id}", "DELETE /work_pools/{name}", "DELETE /block_types/{id}",
        "DELETE /block_schemas/{id}", "DELETE /block_documents/{id}", "DELETE /variables/{id}",
        "DELETE /variables/name/{name}", "DELETE /v2/concurrency_limits/{name}", "DELETE /automations/{id}",
        "DELETE /saved_searches/{id}",
    )  # fmt: skip
    def _delete(self, _body: Json, name: str = "", **ids: str) -> Answer:
        table = next(each for each in TABLES if self.seen[-1].path.startswith(f"/{each}/"))
        row = self._find(table, ids.get("id", name))
        if row.get("is_protected"):
            raise RefusedError(403, "protected block types cannot be deleted.")
        if table == "deployments":
            self._drop(LIMITS, row["concurrency_limit_id"])
        self._drop(table, row["id"])
        return 204, None

    def _drop(self, table: str, identifier: str | None) -> None:
        """Delete a row, what belongs to it, and every link to it."""
        if self.tables[table].pop(identifier or "", None) is None:
            return
        for other, field in _OWNED.get(table, ()):
            for row in self.rows(other, **{field: identifier}):
                self._drop(other, row["id"])
        for other, field in _LINKED.get(table, ()):
            for row in self.rows(other, **{field: identifier}):
                row[field] = None
        for row in self.tables["block_documents"].values():
            row["references"] = {key: each for key, each in row["references"].items() if each != identifier}
        if self.result_storage == identifier:
            self.result_storage = None

    # -- Flows, variables, limits, searches ---------------------------------------------------------------------------

    @route("POST /flows/")
    def _post_flow(self, body: Row) -> Answer:
        """Get or create: what is there is answered unchanged."""
        for row in self.rows("flows", name=body["name"]):
            return 200, row
        return 201, self._insert("flows", body)

    @route("PATCH /flows/{id}")
    def _patch_flow(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        return self._update(self._find("flows", id), body)

    @route("POST /variables/")
    def _post_variable(self, body: Row) -> Answer:
        if not re.fullmatch("[a-z0-9_-]+", body["name"]):
            raise invalid(("value_error", ["name"]))
        self._unique("variables", f"A variable with the name '{body['name']}' already exists.", name=body["name"])
        return 201, self._insert("variables", body)

    @route("PATCH /variables/{id}", "PATCH /variables/name/{name}")
    def _patch_variable(self, body: Row, name: str = "", **ids: str) -> Answer:
        return self._update(self._find("variables", ids.get("id", name)), body)

    @route("POST /v2/concurrency_limits/")
    def _post_limit(self, body: Row) -> Answer:
        if body["limit"] < 0:
            raise invalid(("greater_than_equal", ["limit"]))
        self._unique(LIMITS, name=body["name"])
        return 201, {**self._insert(LIMITS, body), "avg_slot_occupancy_seconds": 2.0}

    @route("PATCH /v2/concurrency_limits/{id_or_name}")
    def _patch_limit(self, body: Row, id_or_name: str) -> Answer:
        return self._update(self._find(LIMITS, id_or_name), body)

    @route("POST /concurrency_limits/")
    def _post_tag_limit(self, body: Row) -> Answer:
        """An upsert of a global limit named after the tag."""
        name, limit = f"tag:{body['tag']}", body["concurrency_limit"]
        for row in self.rows(LIMITS, name=name):
            self._update(row, {"limit": limit})
            return 200, _as_tag_limit(row)
        return 201, _as_tag_limit(self._new_limit(name, limit))

    def _new_limit(self, name: str, limit: int) -> Row:
        return self._insert(LIMITS, _filled(FIELDS["POST /v2/concurrency_limits/"], {"name": name, "limit": limit}))

    @route("GET /concurrency_limits/tag/{tag}")
    def _get_tag_limit(self, _body: Json, tag: str) -> Answer:
        for row in self.rows(LIMITS, name=f"tag:{tag}"):
            return 200, _as_tag_limit(row)
        raise RefusedError(404, "Concurrency limit not found")

    @route("PUT /saved_searches/")
    def _put_search(self, body: Row) -> Answer:
        for row in self.rows("saved_searches", name=body["name"]):
            self._update(row, body)
            return 200, row
        return 201, self._insert("saved_searches", body)

    @route("GET /admin/storage")
    def _get_storage(self, _body: Json) -> Answer:
        return 200, {"default_result_storage_block_id": self.result_storage}

    @route("PUT /admin/storage")
    def _put_storage(self, body: Row) -> Answer:
        wanted = body["default_result_storage_block_id"]
        document = self.tables["block_documents"].get(wanted)
        if document is None:
            raise RefusedError(404, f"Block document {wanted} not found.")
        if "write-path" not in self.tables["block_schemas"][document["block_schema_id"]]["capabilities"]:
            raise RefusedError(422, f"Block document {wanted} cannot be used for result storage.")
        self.result_storage = wanted
        return self._get_storage(None)

    @route("DELETE /admin/storage")
    def _delete_storage(self, _body: Json) -> Answer:
        self.result_storage = None
        return 204, None

    # -- Work pools and queues ----------------------------------------------------------------------------------------

    def _pool(self, row: Row) -> Row:
        status = "PAUSED" if row["is_paused"] else "NOT_READY"
        slots = None if row["concurrency_limit"] is None else 0
        status_ = None if row["type"] == "prefect-agent" else status
        storage = {**STORAGE, **row["storage_configuration"]}
        return {**row, "status": status_, "active_slots": slots, "storage_configuration": storage}

    def _queue(self, row: Row) -> Row:
        pool = self.tables["work_pools"][row["work_pool_id"]]["name"]
        slots = None if row["concurrency_limit"] is None else 0
        return {**row, "work_pool_name": pool, "active_slots": slots}

    @route("POST /work_pools/")
    def _post_pool(self, body: Row) -> Answer:
        if body["name"].lower().startswith("prefect"):
            raise RefusedError(403, "Work pools starting with 'Prefect' are reserved for internal use.")
        _check_placeholders(body["base_job_template"])
        self._check_template(body["base_job_template"])
        self._unique("work_pools", "A work pool with this name already exists.", name=body["name"])
        return 201, self._pool(self._new_pool(body))

    def _new_pool(self, body: Row) -> Row:
        pool = self._insert("work_pools", body)
        queue = self._new_queue(pool, {"name": "default", "description": "The work pool's default queue."})
        pool["default_queue_id"] = queue["id"]
        return pool

    @route("PATCH /work_pools/{name}")
    def _patch_pool(self, body: Row, name: str) -> Answer:
        """Takes a template with dangling references, which ``POST`` does not."""
        pool = self._find("work_pools", name)
        if body.get("is_paused", False) is None:
            raise RefusedError(409, INTEGRITY)
        return self._update(pool, body)

    def _check_template(self, template: Row) -> None:
        for spec in ((template.get("variables") or {}).get("properties") or {}).values():
            default = spec.get("default") if isinstance(spec, dict) else None
            target = default.get("$ref") if isinstance(default, dict) else None
            wanted = target.get("block_document_id") if isinstance(target, dict) else None
            if wanted is not None and wanted not in self.tables["block_documents"]:
                raise RefusedError(404, "Block not found.")

    @route("POST /work_pools/{pool}/queues")
    def _post_queue(self, body: Row, pool: str) -> Answer:
        found = self._find("work_pools", pool)
        detail = "A work queue with this name already exists in work pool {work_pool_name!r}."
        self._unique("work_queues", detail, name=body["name"], work_pool_id=found["id"])
        return 201, self._queue(self._new_queue(found, body))

    def _new_queue(self, pool: Row, body: Row) -> Row:
        """Without a priority the first free one; with one, the others make room."""
        taken = {row["priority"] for row in self.rows("work_queues", work_pool_id=pool["id"])}
        free = next(number for number in range(1, len(taken) + 2) if number not in taken)
        fields = _filled(FIELDS["POST /work_pools/{pool}/queues"], body)
        priority = body.get("priority")
        links = {"work_pool_id": pool["id"], "last_polled": None, "status": "NOT_READY"}
        queue = self._insert("work_queues", {**fields, **links, "priority": priority or free})
        if priority:
            self._make_room(queue)
        return queue

    def _make_room(self, queue: Row) -> None:
        rows = [row for row in self.rows("work_queues", work_pool_id=queue["work_pool_id"]) if row is not queue]
        rows.sort(key=lambda row: row["priority"])
        place = next((n for n, row in enumerate(rows) if row["priority"] >= queue["priority"]), len(rows))
        last = 0
        for row in [*rows[:place], queue, *rows[place:]]:
            row["priority"] = last = row["priority"] if row["priority"] > last else last + 1

    @route("PATCH /work_pools/{pool}/queues/{name}")
    def _patch_pool_queue(self, body: Row, pool: str, name: str) -> Answer:
        found = self._find("work_pools", pool)
        if not self.rows("work_queues", name=name, work_pool_id=found["id"]):
            raise RefusedError(404, f"Work pool queue '{pool}/{name}' not found.")
        return self._change_queue(self._find("work_queues", name, work_pool_id=found["id"]), body)

    @route("PATCH /work_queues/{id}")
    def _patch_queue(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        if id not in self.tables["work_queues"]:
            raise RefusedError(404, f"Work Queue {id} not found")
        return self._change_queue(self.tables["work_queues"][id], body)

    def _change_queue(self, queue: Row, body: Row) -> Answer:
        if body.get("name", queue["name"]) != queue["name"]:
            self._unique("work_queues", name=body["name"], work_pool_id=queue["work_pool_id"])
        if "is_paused" in body:
            body["status"] = "PAUSED" if body["is_paused"] else "NOT_READY"
        return self._update(queue, body)

    # -- Block types and schemas --------------------------------------------------------------------------------------

    def _built_in(self, slug: str, name: str, properties: Row, secret_fields: list[str], capabilities: Json) -> None:
        row = self._new_type({"name": name, "slug": slug}, is_protected=slug in PROTECTED)
        fields = {"title": name, "type": "object", "block_type_slug": slug, "properties": properties}
        fields |= {"secret_fields": secret_fields, "block_schema_references": {}}
        self._new_schema(row, fields, capabilities, self.version)

    def _new_type(self, body: Row, *, is_protected: bool = False) -> Row:
        fields = _filled(FIELDS["POST /block_types/"], body)
        return self._insert("block_types", fields | {"is_protected": is_protected})

    @route("POST /block_types/")
    def _post_type(self, body: Row) -> Answer:
        """Escapes two texts, which ``PATCH`` does not."""
        if body["name"].lower().startswith("prefect"):
            raise RefusedError(403, "Block type names beginning with 'Prefect' are reserved.")
        self._unique("block_types", f'Block type with name "{body["name"]}" already exists', slug=body["slug"])
        for field in ("description", "code_example"):
            if body[field]:
                body[field] = html.escape(body[field], quote=False)
        return 201, self._new_type(body)

    @route("PATCH /block_types/{id}")
    def _patch_type(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        return self._update(self._find("block_types", id), body)

    @route("POST /block_schemas/")
    def _post_schema(self, body: Row) -> Answer:
        type_id = body["block_type_id"]
        if type_id not in self.tables["block_types"]:
            raise RefusedError(404, f"Block type {type_id} not found.")
        before = len(self.tables["block_schemas"])
        kind = self.tables["block_types"][type_id]
        row = self._new_schema(kind, body["fields"], body["capabilities"], body["version"])
        return 201 if len(self.tables["block_schemas"]) > before else 200, self._schema(row)

    def _new_schema(self, kind: Row, fields: Row, capabilities: list[str], version: str) -> Row:
        """The schema of this content and version, made if it is not there, its children first."""
        definitions = fields.get("definitions") or {}
        checksum = self._checksum(fields, definitions)
        for row in self.rows("block_schemas", checksum=checksum, version=version):
            return row
        references = fields.get("block_schema_references") or {}
        children = {
            name: [self._child(each, definitions)["id"] for each in (value if isinstance(value, list) else [value])]
            for name, value in references.items()
        }
        plain = {key: value for key, value in fields.items() if key not in {"definitions", "block_schema_references"}}
        own = _own_definitions(plain, definitions)
        stored = plain | ({"definitions": own} if own else {})
        links = {"block_type_id": kind["id"], "checksum": checksum, "children": children}
        return self._insert(
            "block_schemas", {"fields": stored, "capabilities": capabilities, "version": version} | links
        )

    def _child(self, reference: Row, definitions: Row) -> Row:
        slug = reference["block_type_slug"]
        kind = next(iter(self.rows("block_types", slug=slug)), None)
        if kind is None:
            text = f"Cannot create block schema because block type '{slug}' was not found."
            raise RefusedError(409, f"{text}Did you forget to register the block type?")
        for row in self.rows("block_schemas", checksum=reference["block_schema_checksum"]):
            return row
        fields = next((each for each in definitions.values() if each.get("block_type_slug") == slug), None)
        if fields is None:
            raise RefusedError(500, exception_message="Internal Server Error")
        return self._new_schema(kind, {**fields, "definitions": definitions}, [], "non-versioned")

    def _checksum(self, fields: Row, definitions: Row) -> str:
        plain = {key: value for key, value in fields.items() if key != "definitions"}
        content = [_without_secret_fields(plain), _own_definitions(plain, definitions)]
        salt = f"{self._seed} " if self._drift else ""
        return f"sha256:{hashlib.sha256((salt + json.dumps(content, sort_keys=True)).encode()).hexdigest()}"

    def _schema(self, row: Row) -> Row:
        fields = self._schema_fields(row)
        kept = {key: value for key, value in row.items() if key != "children"}
        return {**kept, "fields": fields, "block_type": self.tables["block_types"][row["block_type_id"]]}

    def _schema_fields(self, row: Row) -> Row:
        """The fields with the references to nested blocks, and these as definitions."""
        definitions: Row = dict(row["fields"].get("definitions") or {})
        references: Row = {}
        for name, identifiers in row["children"].items():
            children = [self.tables["block_schemas"][each] for each in identifiers]
            each_ = [
                {
                    "block_schema_checksum": child["checksum"],
                    "block_type_slug": self.tables["block_types"][child["block_type_id"]]["slug"],
                }
                for child in (reversed(children) if self._drift else children)
            ]
            references[name] = each_[0] if len(each_) == 1 else each_
            for child in children:
                fields = dict(self._schema_fields(child))
                definitions |= fields.pop("definitions", {})
                definitions[fields["title"]] = fields
        result = {**row["fields"], "block_schema_references": references}
        return result | ({"definitions": definitions} if definitions else {})

    # -- Block documents ----------------------------------------------------------------------------------------------

    def _document(self, row: Row, *, secrets: bool = False) -> Row:
        """Nested documents stand in the data; secrets are hidden, as far as Prefect hides them."""
        schema, kind = (self.tables[f"block_{each}s"][row[f"block_{each}_id"]] for each in ("schema", "type"))
        data = copy.deepcopy(row["data"]) if secrets else _obfuscated(row["data"], schema["fields"])
        references: Row = {}
        for field, identifier in row["references"].items():
            child = self._document(self.tables["block_documents"][identifier], secrets=secrets)
            data[field] = child["data"]
            shown = ("id", "name", "block_type", "is_anonymous", "block_document_references")
            references[field] = {"block_document": {name: child[name] for name in shown}}
        own = {key: value for key, value in row.items() if key != "references"}
        links = {"block_type": kind, "block_type_name": kind["name"], "block_document_references": references}
        return {**own, "data": data, "block_schema": self._schema(schema), **links}

    @route("POST /block_documents/")
    def _post_document(self, body: Row) -> Answer:
        if not body["name"] and not body["is_anonymous"]:
            raise invalid(("value_error", []))
        if body["name"] and not re.fullmatch("[a-z0-9-]+", body["name"]):
            raise invalid(("value_error", ["name"]))
        body["name"] = body["name"] or f"anonymous-{self._id()}"
        self._unique("block_documents", "Block already exists", name=body["name"], block_type_id=body["block_type_id"])
        if body["block_type_id"] not in self.tables["block_types"]:
            raise RefusedError(500, exception_message="Internal Server Error")
        if body["block_schema_id"] not in self.tables["block_schemas"]:
            raise RefusedError(409, INTEGRITY)
        data, references = self._separated(body.pop("data"))
        return 201, self._document(self._insert("block_documents", {**body, "data": data, "references": references}))

    def _separated(self, data: Row, parent: str = "") -> tuple[Row, dict[str, str]]:
        """References, which stand only at the top, apart from the rest."""
        references = {key: each["$ref"] for key, each in data.items() if isinstance(each, dict) and "$ref" in each}
        targets: dict[str, str] = {}
        for key, target in references.items():
            targets[key] = target["block_document_id"]
            if parent and self._leads_to(targets[key], parent):
                text = "Cannot create block document reference: it would introduce a cycle"
                tail = f"(parent={parent}, reference={targets[key]})."
                raise RefusedError(400, f"{text} into the block_document_reference graph {tail}")
            if targets[key] not in self.tables["block_documents"]:
                raise RefusedError(409, INTEGRITY)
        return {key: each for key, each in data.items() if key not in targets}, targets

    def _leads_to(self, start: str, wanted: str) -> bool:
        onward = self.tables["block_documents"].get(start, {}).get("references", {}).values()
        return start == wanted or any(self._leads_to(each, wanted) for each in onward)

    @route("PATCH /block_documents/{id}")
    def _patch_document(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        """References that are not sent again are gone; a mask sent back leaves the secret as it is."""
        row = self._find("block_documents", id)
        merges = body.pop("merge_existing_data")
        changes: Row = {}
        if "data" in body or not merges:
            data = body.get("data") or {}
            plain, targets = self._separated(data, id)
            schema = self.tables["block_schemas"][row["block_schema_id"]]["fields"]
            plain = _with_masked_kept(plain, row["data"], schema)
            changes = {"data": {**row["data"], **plain} if merges else plain, "references": targets}
            changes["data"] = {key: value for key, value in changes["data"].items() if key not in targets}
            changes |= {"block_schema_id": body["block_schema_id"]} if body.get("block_schema_id") else {}
        return self._update(row, changes)

    # -- Deployments --------------------------------------------------------------------------------------------------

    def _deployment(self, row: Row) -> Row:
        queue = self.tables["work_queues"].get(row["work_queue_id"] or "")
        pool = self.tables["work_pools"][queue["work_pool_id"]] if queue else None
        limit = self.tables[LIMITS].get(row["concurrency_limit_id"] or "")
        kept = {key: value for key, value in row.items() if key != "concurrency_limit_id"}
        return {
            **kept,
            "concurrency_limit": None,
            "global_concurrency_limit": self._view(LIMITS, limit) if limit else None,
            "schedules": sorted(row["schedules"], key=lambda each: each["updated"], reverse=True),
            "work_pool_name": pool["name"] if pool else None,
            "work_queue_name": queue["name"] if queue else row["work_queue_name"],
        }

    @route("POST /deployments/")
    def _post_deployment(self, body: Row) -> Answer:
        """An upsert: schedules, labels and parameters that are not sent are gone, all else stays."""
        self._check_deployment(body)
        found = self.rows("deployments", flow_id=body["flow_id"], name=body["name"])
        row = found[0] if found else self._insert("deployments", DEPLOYMENT)
        flow = self.tables["flows"][body["flow_id"]]
        labels = {**flow["labels"], "prefect.flow.id": flow["id"], **(body.get("labels") or {})}
        schedules = [{**each, "max_scheduled_runs": None} for each in body.get("schedules") or ()]
        self._place(row, {key: value for key, value in body.items() if (key, value) != ("work_pool_name", None)})
        self._assign(row, {"parameters": {}, **body, "labels": labels})
        row["schedules"] = []
        self._add_schedules(row, schedules)
        return 200 if found else 201, self._deployment(row)

    def _check_deployment(self, body: Row) -> None:
        if body.get("concurrency_limit") and body.get("global_concurrency_limit_id"):
            raise invalid(("value_error", []))
        if body.get("schedules"):
            body["schedules"] = [
                _filled(SCHEDULE, each, "schedules", place) for place, each in enumerate(body["schedules"])
            ]
        if body.get("work_pool_name") not in {None, "", AGENT_POOL}:
            pool = self._find("work_pools", body["work_pool_name"])
            if body.get("job_variables"):
                self._check_template(pool["base_job_template"])
        self._check_limit(body)
        for kind in ("infrastructure", "storage"):
            wanted = body.get(f"{kind}_document_id")
            if wanted and wanted not in self.tables["block_documents"]:
                text = f"Error creating deployment. Could not find {kind} block with id: {wanted}."
                tail = "deployment specification that was built against a different Prefect database / workspace."
                raise RefusedError(409, f"{text} This usually occurs when applying a {tail}")
        if body["flow_id"] not in self.tables["flows"]:
            raise RefusedError(409, INTEGRITY)

    def _check_limit(self, body: Row) -> None:
        wanted = body.get("global_concurrency_limit_id")
        if wanted and wanted not in self.tables[LIMITS]:
            raise RefusedError(404, "Concurrency limit not found")

    def _assign(self, row: Row, body: Row) -> None:
        """Store plain fields and the limit: a number makes or changes one, an explicit null deletes it."""
        special = {"schedules", "concurrency_limit", "global_concurrency_limit_id", "work_pool_name", "version_info"}
        changes = {key: value for key, value in body.items() if key not in special}
        if changes.get("job_variables", {}) is None:
            del changes["job_variables"]
        if isinstance(changes.get("concurrency_options"), dict):
            changes["concurrency_options"] = {"grace_period_seconds": None, **changes["concurrency_options"]}
        self._update(row, changes)
        if "global_concurrency_limit_id" in body:
            row["concurrency_limit_id"] = body["global_concurrency_limit_id"]
        if "concurrency_limit" in body:
            self._limit(row, body["concurrency_limit"])

    def _limit(self, row: Row, limit: int | None) -> None:
        linked = self.tables[LIMITS].get(row["concurrency_limit_id"] or "")
        if linked is None and limit is not None:
            row["concurrency_limit_id"] = self._new_limit(f"deployment:{row['id']}", limit)["id"]
        elif linked is not None and limit is None:
            self._drop(LIMITS, linked["id"])
        elif linked is not None and linked["limit"] != limit:
            self._update(linked, {"limit": limit})

    def _place(self, row: Row, body: Row) -> None:
        """Put a deployment on a queue, made if need be."""
        pool, queue = body.get("work_pool_name"), body.get("work_queue_name")
        if pool:
            found = self._find("work_pools", pool)
            row["work_queue_id"] = self._queue_of(found, queue) if queue else found["default_queue_id"]
        elif "work_pool_name" in body:
            row["work_queue_id"] = None
        elif queue:
            agents = self.rows("work_pools", name=AGENT_POOL)
            pool_ = agents[0] if agents else self._new_pool(_filled(FIELDS["POST /work_pools/"], {"name": AGENT_POOL}))
            row["work_queue_id"] = self._queue_of(pool_, queue, priority=1)

    def _queue_of(self, pool: Row, name: str, **fields: Json) -> str:
        found = self.rows("work_queues", name=name, work_pool_id=pool["id"])
        return str((found[0] if found else self._new_queue(pool, {"name": name, **fields}))["id"])

    @route("PATCH /deployments/{id}")
    def _patch_deployment(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        """Changes what is sent; variables in parameters give way to their values."""
        if id not in self.tables["deployments"]:
            raise RefusedError(404, "Deployment not found.")
        row = self.tables["deployments"][id]
        if body.get("work_pool_name") and not self.rows("work_pools", name=body["work_pool_name"]):
            raise RefusedError(500, exception_message="Internal Server Error")
        self._check_limit(body)
        if body.get("parameters") is not None:
            body["parameters"] = self._hydrated(body["parameters"])
        schedules = body.get("schedules")
        if schedules is not None:
            self._patch_schedules(row, schedules)
        self._place(row, body)
        self._assign(row, body)
        return 204, None

    def _hydrated(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self._hydrated(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("__prefect_kind") == "workspace_variable":
            return self._find("variables", value["variable_name"])["value"]
        return {key: self._hydrated(each) for key, each in value.items()}

    def _patch_schedules(self, row: Row, schedules: list[Row]) -> None:
        """Where all have slugs, rows are changed by slug and none is deleted; else all are replaced."""
        stored = row["schedules"]
        fields = FIELDS["PATCH /deployments/{id}/schedules/{schedule}"]
        sent = [_filled(fields, each, "schedules", place) for place, each in enumerate(schedules)]
        has_slugs = bool(stored) and all(each["slug"] for each in stored)
        if has_slugs and not all(each.get("slug") for each in sent):
            text = "Please provide a slug for each schedule in your request"
            raise RefusedError(422, f"{text} to ensure schedules are updated correctly.")
        fresh = sent
        if has_slugs:
            by_slug = {each["slug"]: each for each in stored}
            fresh = [each for each in sent if each["slug"] not in by_slug]
            for each in sent:
                if each["slug"] in by_slug:
                    changes = {key: value for key, value in each.items() if value is not None and key != "replaces"}
                    self._update(by_slug[each["slug"]], {"parameters": {}, **self._canonical(changes)})
        else:
            row["schedules"] = []
        self._add_schedules(row, [{**SCHEDULE, **each, "max_scheduled_runs": None} for each in fresh])

    @route("GET /deployments/{id}/schedules")
    def _get_schedules(self, _body: Json, id: str) -> Answer:  # noqa: A002 - named after the route
        return 200, self._deployment(self._find("deployments", id))["schedules"]

    @route("POST /deployments/{id}/schedules")
    def _post_schedules(self, body: list[Row], id: str) -> Answer:  # noqa: A002 - named after the route
        if id not in self.tables["deployments"]:
            raise RefusedError(404, "Deployment not found.")
        row = self.tables["deployments"][id]
        return 201, self._add_schedules(row, body)

    @route("PATCH /deployments/{id}/schedules/{schedule}", "DELETE /deployments/{id}/schedules/{schedule}")
    def _change_schedule(self, body: Row, id: str, schedule: str) -> Answer:  # noqa: A002 - named after the route
        row = self._find("deployments", id)
        found = next((each for each in row["schedules"] if each["id"] == schedule), None)
        if found is None:
            raise RefusedError(404, "Schedule not found.")
        if body:
            return self._update(found, {"parameters": {}, **self._canonical(body)})
        row["schedules"].remove(found)
        return 204, None

    def _add_schedules(self, row: Row, schedules: list[Row]) -> list[Row]:
        slugs = [each["slug"] for each in [*row["schedules"], *schedules] if each["slug"]]
        if len(set(slugs)) < len(slugs):
            raise RefusedError(409, INTEGRITY)
        made = []
        for each in schedules:
            fields = {**self._canonical(each), "deployment_id": row["id"]}
            fields.pop("replaces", None)
            made.append({"id": self._id(), "created": self._now(), "updated": self._now(), **copy.deepcopy(fields)})
        row["schedules"] = [*row["schedules"], *made]
        return made

    def _canonical(self, schedule: Row) -> Row:
        """A schedule with what the server fills in."""
        times = schedule.get("schedule")
        if times is None:
            return schedule
        if "cron" in times:
            return {**schedule, "schedule": {"timezone": None, "day_or": True, **times}}
        if "interval" in times:
            known = {"anchor_date": self._now(), "timezone": "UTC", **times, "interval": float(times["interval"])}
            return {**schedule, "schedule": known}
        rule = times["rrule"] if "DTSTART" in times["rrule"] else f"DTSTART:20200101T000000\n{times['rrule']}"
        return {**schedule, "schedule": {"timezone": "UTC", **times, "rrule": rule}}

    # -- Automations --------------------------------------------------------------------------------------------------

    @route("POST /automations/")
    def _post_automation(self, body: Row) -> Answer:
        """Always a new one; the owner is never shown."""
        owner = body.pop("owner_resource")
        row = self._insert("automations", {**body, **self._complete(body)})
        if owner:
            self._owners[row["id"]] = owner
        return 201, row

    @route("PUT /automations/{id}")
    def _put_automation(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        whole = {**body, **self._complete(body)}
        return self._update(self._find("automations", id), whole)

    @route("PATCH /automations/{id}")
    def _patch_automation(self, body: Row, id: str) -> Answer:  # noqa: A002 - named after the route
        return self._update(self._find("automations", id), body)

    @route("GET /automations/related-to/{resource}")
    def _related(self, _body: Json, resource: str) -> Answer:
        return 200, [row for row in self.tables["automations"].values() if resource in self._resources(row)]

    def _resources(self, row: Row) -> Iterator[str]:
        """The owner, and the deployments that the first list of actions runs by id."""
        if row["id"] in self._owners:
            yield self._owners[row["id"]]
        for action in row["actions"]:
            if action["type"] == "run-deployment" and action["source"] == "selected":
                yield f"prefect.deployment.{action['deployment_id']}"

    def _complete(self, body: Row) -> Row:
        lists = ("actions", "actions_on_trigger", "actions_on_resolve")
        actions = {key: [_action(each) for each in body[key]] for key in lists if key in body}
        return {"trigger": self._trigger(body["trigger"]), **actions}

    def _trigger(self, trigger: Row) -> Row:
        """A trigger with a new id and what the server fills in."""
        kind = trigger.get("type")
        if kind == "event" and "posture" in trigger:
            least = 10 if trigger["posture"] == "Proactive" else 0
            within = _seconds(trigger.get("within") or least)
            if within < least:
                raise invalid(("value_error", ["trigger", "within"]))
            return {**EVENT_TRIGGER, **trigger, "id": self._id(), "within": within}
        if kind in {"compound", "sequence"} and "within" in trigger:
            longest = None if trigger["within"] is None else _seconds(trigger["within"])
            children = [self._trigger(each) for each in trigger["triggers"]]
            return {**trigger, "id": self._id(), "within": longest, "triggers": children}
        raise invalid(("missing", ["trigger"]))


# -- Without a server -------------------------------------------------------------------------------------------------

_OWNED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "flows": (("deployments", "flow_id"),),
    "work_pools": (("work_queues", "work_pool_id"),),
    "block_types": (("block_schemas", "block_type_id"), ("block_documents", "block_type_id")),
    "block_schemas": (("block_documents", "block_schema_id"),),
    "block_documents": (("deployments", "storage_document_id"), ("deployments", "infrastructure_document_id")),
}
_LINKED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "work_queues": (("deployments", "work_queue_id"),),
    LIMITS: (("deployments", "concurrency_limit_id"),),
}


def _filled(fields: Mapping[str, Json], body: Row, *place: str | int) -> Row:
    """The body with defaults; 422 for what is too much or missing."""
    faults = [("extra_forbidden", [*place, name]) for name in body if name not in fields]
    faults += [("missing", [*place, name]) for name, each in fields.items() if each == NEEDED and name not in body]
    if faults:
        raise invalid(*faults)
    defaults = {name: each for name, each in fields.items() if each not in (NEEDED, KEPT)}
    return {**copy.deepcopy(defaults), **body}


def _without(*names: str) -> Callable[[Row], Row]:
    return lambda row: {key: value for key, value in row.items() if key not in names}


def _as_tag_limit(row: Row) -> Row:
    kept = {key: row[key] for key in ("id", "created", "updated")}
    return {**kept, "tag": row["name"].removeprefix("tag:"), "concurrency_limit": row["limit"], "active_slots": []}


def _meets(row: Row, criteria: Mapping[str, Json]) -> bool:
    """Whether a row meets a filter; of its words only those that xfer and its tests use."""
    wanted = {name: each for name, each in criteria.items() if isinstance(each, dict) and name in row}
    return all(row[name] in each["any_"] for name, each in wanted.items() if each.get("any_") is not None) and all(
        row[name] == each["eq_"] for name, each in wanted.items() if each.get("eq_") is not None
    )


def _flat(data: Row, *path: str) -> Iterator[tuple[tuple[str, ...], Json]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, *path, key)
        else:
            yield (*path, key), value


def _nested(flat: Mapping[tuple[str, ...], Json]) -> Row:
    result: Row = {}
    for path, value in flat.items():
        place = result
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return result


def _is_secret(path: tuple[str, ...], value: Json, schema: Row) -> bool:
    """Whether Prefect hides a value: at exactly this path, or below a wildcard; so objects at a plain path are not."""
    for field in schema.get("secret_fields") or ():
        steps = tuple(field.split("."))
        if steps == path and value is not None:
            return True
        if "*" in steps and steps[: steps.index("*")] == path[: steps.index("*")]:
            return True
    return False


def _obfuscated(data: Row, schema: Row) -> Row:
    return _nested({path: MASK if _is_secret(path, each, schema) else each for path, each in _flat(data)})


def _with_masked_kept(data: Row, stored: Row, schema: Row) -> Row:
    known = dict(_flat(stored))
    return _nested(
        {
            path: known[path] if each == MASK and path in known and _is_secret(path, known[path], schema) else each
            for path, each in _flat(data)
        }
    )


def _own_definitions(value: Json, definitions: Row) -> Row:
    """The definitions that a schema needs and that are not blocks."""
    own: Row = {}
    names = re.findall(r'"#/definitions/([^"]+)"', json.dumps(value))
    while names:
        name = names.pop()
        found = definitions.get(name)
        if name not in own and found is not None and "block_type_slug" not in found:
            own[name] = found
            names += re.findall(r'"#/definitions/([^"]+)"', json.dumps(found))
    return own


def _without_secret_fields(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_secret_fields(each) for key, each in value.items() if key != "secret_fields"}
    return [_without_secret_fields(each) for each in value] if isinstance(value, list) else value


def _check_placeholders(template: Row) -> None:
    used = set(re.findall(r"\{\{\s*([\w.\-]+)\s*\}\}", json.dumps(template.get("job_configuration") or {})))
    if used - set((template.get("variables") or {}).get("properties") or ()):
        raise invalid(("value_error", ["base_job_template"]))


def _action(action: Row) -> Row:
    whole = {**ACTIONS.get(action["type"], {}), **action}
    if "schedule_after" in whole:
        whole["schedule_after"] = _seconds(whole["schedule_after"])
    return whole


def _seconds(value: Json) -> float:
    """A duration as the server answers it: a number stays one, ``PT60S`` becomes one."""
    text = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", value) if isinstance(value, str) else None
    if isinstance(value, str) and text is None:
        raise invalid(("time_delta_parsing", ["trigger", "within"]))
    return float(text[1] if text else value)
