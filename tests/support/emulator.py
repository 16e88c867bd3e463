"""A Prefect Cloud workspace as far as it is documented, in front of a real Prefect server.

No test here ever talks to Prefect Cloud, so nothing in this file is proof of
what Cloud does: each rule names its source, and docs/cloud.md says which parts
of the product rest on it. Kinds that both have are kept by the server behind;
what only Cloud has (webhooks, some actions and triggers) is kept here.

Sources: *docs* is https://docs.prefect.io/v3/…, *client* is Prefect's own
client (``src/prefect`` of 3.8.8), *Terraform* is PrefectHQ/terraform-provider-prefect,
which speaks plain HTTP to Cloud.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import httpx

from bundle.server.target import SecretText, Target
from support.proxy import Answer, Chooser, Proxy, Request, made

Json = Any
Row = dict[str, Any]

ACCOUNT = "0acc0000-0000-4000-8000-000000000001"
KEY = "pnu_emulated"
ACTOR = {"id": "0ac70000-0000-4000-8000-000000000003", "type": "USER", "display_value": "somebody"}
LARGEST_BODY = 5 * 1024 * 1024
"""docs ``concepts/rate-limits``, "Request size limits"."""

# client ``client/orchestration`` asks none of these of Cloud. Nothing documents /health under a workspace either.
ABSENT = ("/admin", "/version", "/csrf-token", "/openapi.json", "/hello", "/health", "/ready")
# docs ``concepts/automations`` "Actions"; Terraform ``internal/utils/constants.go`` for the two about schedules.
CLOUD_ACTIONS = frozenset({
    "send-email-notification", "declare-incident", "pause-schedule-for-flow-run", "resume-schedule-for-flow-run",
})  # fmt: skip
_PARTS = ("trigger", "actions", "actions_on_trigger", "actions_on_resolve")
_PLAIN = {
    "trigger": {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0},
    "actions": [{"type": "do-nothing"}],
    "actions_on_trigger": [],
    "actions_on_resolve": [],
}
_NESTED = ("block_type", "block_schema", "global_concurrency_limit")
_WEBHOOK = {"description": "", "enabled": True, "service_account_id": None}


@dataclasses.dataclass(frozen=True)
class Rules:
    """What this workspace allows.

    ``pools`` are the endings of the pool types that the plan supports, None
    for all. ``deployments`` is how many it allows. ``rate``: after so many
    requests all are refused for a second. For ``lag_seconds`` a fresh object is not found. ``forbidden`` are
    routes that the key's role may not write to. ``webhooks``: paged, answered
    routes that the key's role may not write to. ``webhooks``: paged, answered
    whole, or absent. ``masks``: the role may not see secrets, and is shown masks. ``ahead``: every row has fields
    that no release of Prefect knows. ``shows_access``: the role may see access lists.
    """

    key: str = KEY
    pools: tuple[str, ...] | None = None
    deployments: int | None = None
    rate: int | None = None
    lag_seconds: float = 0.0
    forbidden: tuple[str, ...] = ()
    webhooks: str = "paged"
    masks: bool = False
    ahead: bool = False
    shows_access: bool = True


HOBBY = Rules(pools=(":managed",), deployments=5, rate=625)
"""docs ``how-to-guides/migrate/transfer-resources``: "Hobby tier: Managed pools only, 5 deployment limit"; the rate
of requests: docs ``concepts/rate-limits``, "Limits by plan"."""


class Cloud(Proxy):
    """A context manager like ``Proxy``; ``url`` is that of the workspace, ``upstream_url`` that of the server."""

    def __init__(self, upstream_url: str, rules: Rules | None = None, *, faults: Chooser | None = None) -> None:
        super().__init__(upstream_url, faults=faults)
        self.rules = rules or Rules()
        self.workspace = f"0bbb0000-0000-4000-8000-{self.port:012}"
        self.prefix = f"/api/accounts/{ACCOUNT}/workspaces/{self.workspace}"
        self.webhooks: dict[str, Row] = {}
        self.versions: Row = {}
        self.access: dict[str, Row] = {}
        self._automations: dict[str, Row] = {}
        self._fresh: dict[str, float] = {}
        self._window = (0.0, 0)

    @property
    def url(self) -> str:
        """The API URL of the workspace (docs ``how-to-guides/cloud/connect-to-cloud``)."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def target(self) -> Target:
        """The workspace with the right key, as a profile would give it."""
        return Target(name="cloud", url=self.url, auth="bearer", credentials=SecretText(KEY))

    def client(self) -> httpx.Client:
        """A plain client with the right key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False)

    def creates(self, route: str) -> list[int]:
        """The statuses of the POSTs to a route, in order."""
        return [each.status for each in self.requests if each.method == "POST" and each.path == self.prefix + route]

    # One request

    async def _forward(self, number: int, message: Request) -> Answer | None:
        answer = self._at_the_door(message) or await self._inside(number, message)
        if answer is not None:
            self._note(number, served=answer.status)
        return answer

    def _at_the_door(self, message: Request) -> Answer | None:
        """What is refused whatever it asks for.

        401 for a wrong key and 404 for a workspace that its owner is not a
        member of: docs ``how-to-guides/cloud/troubleshoot-cloud``, "Cloud".
        411 and 413: docs ``concepts/rate-limits``, "Request size limits".
        """
        if message.headers.get(b"authorization") != f"Bearer {self.rules.key}".encode():
            return _refusal(401, "Invalid authentication credentials")
        if not message.path.startswith(f"{self.prefix}/"):
            return _refusal(404, "Not Found")
        if (seconds := self._seconds_to_wait()) is not None:
            return made(429, b'{"detail":"Too Many Requests"}', Retry_After=str(seconds))
        if message.method in {"POST", "PUT", "PATCH"} and b"content-length" not in message.headers:
            return dataclasses.replace(_refusal(411, "Length Required"), has_an_end=False)
        if len(message.body) > LARGEST_BODY:
            return _refusal(413, "Content Too Large")
        return None

    def _seconds_to_wait(self) -> int | None:
        """Docs ``concepts/rate-limits``: "a 429 response with a Retry-After header"; there the windows are minutes.

        Here a window ends one second after the first refusal in it, so that a slow machine meets one, too.
        """
        until, count = self._window
        now = time.monotonic()
        if until and now >= until:
            until, count = 0.0, 0
        if self.rules.rate is not None and count >= self.rules.rate:
            until = until or now + 1
        self._window = (until, count + 1)
        return math.ceil(until - now) if until else None

    async def _inside(self, number: int, message: Request) -> Answer | None:
        path = message.path.removeprefix(self.prefix)
        body = json.loads(message.body) if message.body else None
        if path.startswith(ABSENT) or (path.startswith("/webhooks") and self.rules.webhooks == "absent"):
            return _refusal(404, "Not Found")
        # Each role has permissions kind by kind (docs ``manage-users/manage-roles``), and a missing one is a 401 or a
        # 403 (client ``client/cloud.py``, CloudUnauthorizedError). Which of them, and its text, is assumed.
        if self.requests[number].is_write and path.startswith(self.rules.forbidden or "!"):
            return _refusal(403, "You do not have permission to perform this action.")
        if message.method != "DELETE" and self._names_something_fresh(path, body):
            return _refusal(404, "Not Found")
        if path.startswith("/webhooks"):
            return self._webhook(message.method, path, body)
        if path.endswith("/access"):
            return self._access(path.removesuffix("/access"))
        if self.rules.masks and isinstance(body, dict) and "include_secrets" in body:
            # "View secret block data" is a permission of its own (docs ``manage-users/manage-roles``, "Blocks").
            body["include_secrets"] = False
        return await self._within_the_plan(message.method, path, body)

    def _names_something_fresh(self, path: str, body: Json) -> bool:
        """Terraform ``internal/client/client.go``: it retries a 404 to GET, POST, PUT and PATCH of fresh objects."""
        asked = unquote(path) + json.dumps(body)
        now = time.monotonic()
        return any(until > now and name in asked for name, until in self._fresh.items())

    async def _within_the_plan(self, method: str, path: str, body: Json) -> Answer | None:
        """403 with a text in which Prefect's client looks for these words.

        "plan does not support" to ``POST /work_pools/`` (client ``_work_pools/client.py``), "maximum
        number of deployments" to ``POST /deployments/`` (client ``_deployments/client.py``).
        """
        pools, most = self.rules.pools, self.rules.deployments
        if (method, path) == ("POST", "/work_pools/") and pools is not None and not body["type"].endswith(pools):
            return _refusal(403, "Your plan does not support hybrid work pools.")
        if (method, path) != ("POST", "/deployments/") or most is None:
            return await self._stored(method, path, body)
        async with self._counting:
            count = await self._ask(_request("POST", f"{self._path}/deployments/count", {}))
            if count is None or int(count.body) >= most:
                return _refusal(403, "You have reached the maximum number of deployments for your plan.")
            return await self._stored(method, path, body)

    async def _serve(self) -> None:
        self._counting = asyncio.Lock()
        await super()._serve()

    # What the server behind keeps

    async def _stored(self, method: str, path: str, body: Json) -> Answer | None:
        plain, parts = _without_cloud_parts(body) if path.startswith("/automations/") else (body, None)
        answer = await self._ask(_request(method, self._path + path, plain))
        if answer is None or answer.status >= httpx.codes.BAD_REQUEST:
            return answer
        value: Json = json.loads(answer.body) if answer.body else None
        if parts is not None:
            self._automations[path.removeprefix("/automations/") or value["id"]] = parts
        if answer.status == httpx.codes.CREATED and isinstance(value, dict):
            self._age(value, body)
        return answer if value is None else made(answer.status, json.dumps(self._seen(value)).encode())

    def _age(self, row: Row, body: Json) -> None:
        until = time.monotonic() + self.rules.lag_seconds
        if "id" in row and self.rules.lag_seconds:
            self._fresh[row["id"]] = until
            if "base_job_template" in body:
                self._fresh[f"/work_pools/{row['name']}"] = until

    def _seen(self, value: Json) -> Json:
        """An answer as Cloud gives it.

        Account and workspace in every kind: Terraform ``internal/api``; the actors: the client's DeploymentResponse.
        """
        if isinstance(value, list):
            return [self._seen(each) for each in value]
        if not isinstance(value, dict) or not {"id", "created"} <= value.keys():
            return value
        versioned = {**_VERSIONED, **self.versions} if "flow_id" in value else {}
        extras: Row = {"account_id": ACCOUNT, "workspace_id": self.workspace, "created_by": ACTOR, "updated_by": ACTOR}
        extras |= {**_OWN, **(_OWN_OF_POOLS if "base_job_template" in value else {})}
        extras |= {"from_tomorrow": {"is_futuristic": True}} if self.rules.ahead else {}
        return _with_extras({**versioned, **value, **self._automations.get(value["id"], {})}, extras)

    def _access(self, path: str) -> Answer:
        """Terraform ``internal/api`` ``deployments_access.go``, ``work_pool_access.go``, ``block_documents.go``.

        That a resource without a list of its own names everybody is assumed.
        """
        if not self.rules.shows_access:
            return _refusal(403, "You do not have permission to perform this action.")
        everybody = {"manage_actors": [], "view_actors": [{"id": "*", "name": "*", "type": "*"}]}
        return _json(200, self.access.get(path, everybody))

    # Webhooks

    def _webhook(self, method: str, path: str, body: Json) -> Answer:
        """Terraform ``internal/client/webhooks.go``, ``internal/api/webhooks.go``; client ``cli/cloud/webhook.py``."""
        if method == "GET" and path == "/webhooks/":
            return _json(200, list(self.webhooks.values()))
        if path == "/webhooks/filter":
            start = (body or {}).get("offset") or 0 if self.rules.webhooks == "paged" else 0
            return _json(200, list(self.webhooks.values())[start : start + 200])
        if method == "POST" and path == "/webhooks/":
            return self._new_webhook(body)
        found = self.webhooks.get(path.removeprefix("/webhooks/"))
        if found is None:
            return _refusal(404, "Webhook not found")
        if method == "DELETE":
            del self.webhooks[found["id"]]
        elif method in {"PUT", "PATCH"}:
            found.update(body)
        return _json(200, found) if method == "GET" else made(204, b"")

    def _new_webhook(self, body: Row) -> Answer:
        """The URL, ``…/hooks/<slug>``, is assigned and cannot be set (docs ``concepts/webhooks``)."""
        unknown = body.keys() - {"name", "template", *_WEBHOOK}
        missing = {"name", "template"} - body.keys()
        if unknown or missing:
            faults = [("extra_forbidden", each) for each in unknown] + [("missing", each) for each in missing]
            details = [{"type": kind, "loc": ["body", name], "msg": kind} for kind, name in faults]
            return _json(422, {"detail": details})
        now = f"2026-01-01T00:00:00.{len(self.webhooks):06}Z"
        row = {"id": str(uuid.uuid4()), "created": now, "updated": now, "slug": uuid.uuid4().hex, **_WEBHOOK, **body}
        row |= {"account": ACCOUNT, "workspace": self.workspace}
        self.webhooks[row["id"]] = row
        if self.rules.lag_seconds:
            self._fresh[row["id"]] = time.monotonic() + self.rules.lag_seconds
        return _json(201, row)


# client ``client/schemas/responses.py``, DeploymentResponse: versions and branches, which only Cloud fills.
_VERSIONED: Mapping[str, Json] = {
    "version_id": "0de00000-0000-4000-8000-000000000004",
    "version_info": None,
    "branch": None,
    "base": None,
    "root": None,
}
# Fields that rows of Cloud have been seen with, and that no request takes.
_OWN: Mapping[str, Json] = {"disabled": False}
_OWN_OF_POOLS: Mapping[str, Json] = {"is_push_pool": False, "is_mex_pool": False}
ADDED = frozenset({*_VERSIONED, *_OWN, *_OWN_OF_POOLS, "account_id", "workspace_id", "created_by", "updated_by"})
"""What rows have here besides what a server answers, or in place of it."""


def _with_extras(row: Row, extras: Row) -> Row:
    inner: Row = {name: _with_extras(row[name], extras) for name in _NESTED if isinstance(row.get(name), dict)}
    if isinstance(row.get("schedules"), list):
        inner["schedules"] = [_with_extras(each, extras) for each in row["schedules"]]
    return {**row, **inner, **extras}


def _without_cloud_parts(body: Json) -> tuple[Json, Row | None]:
    """An automation that any server takes in place of one that only Cloud takes, and what was taken out.

    Metric triggers: docs ``concepts/automations``, "Triggers"; Terraform ``internal/api/automations.go``.
    """
    if not isinstance(body, dict) or "actions" not in body:
        return body, None
    actions = [each for name in _PARTS[1:] for each in body.get(name) or ()]
    is_cloudy = any(each["type"] in CLOUD_ACTIONS for each in actions) or '"metric"' in json.dumps(body["trigger"])
    return (body | _PLAIN, {name: body.get(name, []) for name in _PARTS}) if is_cloudy else (body, {})


def _request(method: str, path: str, body: Json) -> Request:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: upstream", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [] if body is None else ["Content-Type: application/json"]
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return Request(method, path, head + content, content)


def _json(status: int, value: Json) -> Answer:
    return made(status, json.dumps(value).encode())


def _refusal(status: int, detail: str) -> Answer:
    return _json(status, {"detail": detail})
