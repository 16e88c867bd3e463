"""The fake server as a whole: requests in, answers out, failures on demand."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, unquote

import httpx

from support.fake_prefect import (
    automations,
    block_documents,
    block_schemas,
    deployments,
    flow_runs,
    limits,
    lists,
    plain_kinds,
    pools,
    schedules,
)
from support.fake_prefect.bodies import FIELDS, fields_of, filled
from support.fake_prefect.promises import Promises
from support.fake_prefect.routes import Route, Routes
from support.fake_prefect.store import TABLES, Answer, Json, RefusedError, Row, Store, Table, invalid

URL = "http://fake.test/api"
RUN_HEADER = "X-Run"
"""Tells the writes of one run from those of others."""

_OWN_NAMES = frozenset({"POST /flows/", "POST /work_pools/", "POST /block_types/", "POST /v2/concurrency_limits/"})


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

_OTHERS = (automations, block_documents, block_schemas, deployments, flow_runs, limits, plain_kinds, pools, schedules)
# What every kind has comes last: a route of a kind's own is asked first.
_ROUTES: tuple[Route, ...] = tuple(each for module in (*_OTHERS, lists) for each in module.ROUTES)


@dataclass(frozen=True)
class AnotherKind:
    """A kind that no Prefect has, for a server that has it: what its bodies may hold, and who serves its routes."""

    name: str
    table: Table
    bodies: Mapping[str, str]
    routes: Routes

    @property
    def fields(self) -> dict[str, Row]:
        return {route: fields_of(text) for route, text in self.bodies.items()}


class FakePrefect(Store):
    """One server.

    Args:
        seed: two servers of different seeds give different ids; with ``drift`` also different checksums.
        default_limit: rows on one page, and the most a client may ask for.
        drift: block schemas get checksums that no other server gives them, and list unions backwards.
        lacks: what an older server does not have: a route's fields, or None for the whole route.
        another: a kind that it has besides.
        keeps_promises: judge each write of xfer (``promises``).
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
        another: AnotherKind | None = None,
        keeps_promises: bool = True,
    ) -> None:
        kinds = {**TABLES, **({another.name: another.table} if another else {})}
        super().__init__(kinds, seed=seed, default_limit=default_limit, version=version, drift=drift)
        self.seen: list[Seen] = []
        self.transport = httpx.MockTransport(self.handle)
        self._failures: dict[tuple[str, int], How] = {}
        self._lacks = dict(lacks or {})
        self.promises = Promises() if keeps_promises else None
        self._routes = (*_ROUTES, *another.routes) if another else _ROUTES
        self._fields = {**FIELDS, **(another.fields if another else {})}
        block_schemas.add_built_in(self)

    def run_flow(self, name: str, *, is_scheduled: bool) -> None:
        """Add a run of each deployment of a flow: one that somebody ran, or one that the scheduler added."""
        state, tags = ("SCHEDULED", ["auto-scheduled"]) if is_scheduled else ("COMPLETED", [])
        for flow in self.rows("flows", name=name):
            for each in self.rows("deployments", flow_id=flow["id"]):
                owners = {"flow_id": flow["id"], "deployment_id": each["id"]}
                self.flow_runs.append({**owners, "state": state, "tags": tags})

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

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; the handler of ``transport``."""
        path, _, query = request.url.raw_path.decode("ascii").removeprefix("/api").partition("?")
        asked = Seen(request.method, unquote(path), "", json.loads(request.content) if request.content else None, 0)
        how = self._failure_of(asked)
        place = len(self.seen)
        self.seen.append(asked)
        if how == "reset":
            raise httpx.ReadError("reset", request=request)
        if how == "race":
            self._serve(asked, query)
        with self._watching(request, asked):
            route, status, answer = ("", *_INSTEAD[how]) if how and how in _INSTEAD else self._serve(asked, query)
        lost = _LOST.get(how) if how else None
        if how == "gateway":
            status, answer = 502, {"message": "upstream error"}
        self.seen[place] = replace(asked, route=route, status=0 if lost else status)
        if lost:
            raise lost("lost", request=request)
        return _response(status, answer)

    def _watching(self, request: httpx.Request, asked: Seen) -> AbstractContextManager[None]:
        """The watch over a write of xfer; what others write promises nothing."""
        is_ours = asked.is_write and request.headers.get("user-agent", "").startswith("xfer/")
        run = request.headers.get(RUN_HEADER, "")
        return self.promises.kept(self, run) if is_ours and self.promises else nullcontext()

    def _failure_of(self, asked: Seen) -> How | None:
        how = self._failures.get(("requests", len(self.seen)))
        return self._failures.get(("writes", len(self.writes)), how) if asked.is_write else how

    def _serve(self, asked: Seen, query: str) -> tuple[str, int, Json]:
        if asked.path == "/openapi.json":
            return "GET /openapi.json", 200, self._openapi()
        for route in self._routes:
            match = route.pattern.fullmatch(asked.path)
            if match and route.method == asked.method and self._offers(route):
                flags = {key: values[0] for key, values in parse_qs(query).items()}
                try:
                    body = self._checked(route.name, asked.body)
                    status, answer = route.handler(self, body, **match.groupdict(), **flags)
                except RefusedError as refused:
                    return route.name, refused.status, refused.body
                return route.name, status, answer
        return "", 404, {"detail": "Not Found"}

    def _offers(self, route: Route) -> bool:
        return self._lacks.get(route.name, ()) is not None

    def _checked(self, name: str, body: Json) -> Json:
        """The body with its defaults; 422 for what the route does not take."""
        if name not in self._fields:
            return body or {}
        fields = self._fields[name]
        lacked = [key for key in self._lacks.get(name) or () if key in (body or {})]
        if lacked:
            raise invalid(*(("extra_forbidden", [key]) for key in lacked))
        if isinstance(body, list):
            return [filled(fields, each, place) for place, each in enumerate(body)]
        if name in _OWN_NAMES and re.search("[/%&><]", str(body.get("name"))):
            raise invalid(("string_pattern_mismatch", ["name"]))
        return filled(fields, body or {})

    def _openapi(self) -> Row:
        """The document that says which routes there are, and which fields they take."""
        paths: Row = {}
        for route in filter(self._offers, self._routes):
            fields = [
                each for each in self._fields.get(route.name, ()) if each not in (self._lacks.get(route.name) or ())
            ]
            schema = {"type": "object", "properties": {each: {} for each in fields}}
            content = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
            path = route.name.partition(" ")[2]
            paths.setdefault(path, {})[route.method.lower()] = content if fields else {}
        return {"openapi": "3.1.0", "paths": paths}


def _response(status: int, answer: Json) -> httpx.Response:
    if status == httpx.codes.NO_CONTENT:
        return httpx.Response(status)
    headers = {"Retry-After": "0"} if status == httpx.codes.TOO_MANY_REQUESTS else {}
    return httpx.Response(status, json=answer, headers=headers)
