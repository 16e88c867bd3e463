"""What is sent of one record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bundle.apply.sender import Forbidden, Sender
from bundle.errors import RequestRejected
from bundle.model import Body
from bundle.plan.capabilities import ANY_FIELDS, Fields
from bundle.server.openapi import parse_openapi
from support.listening import Listening

SCHEMA: Body = {"properties": {"name": {}}}
BODY: Body = {"requestBody": {"content": {"application/json": {"schema": SCHEMA}}}}
OLD = Fields(parse_openapi({"paths": {"/flows/": {"post": BODY}}}), (3, 0, 11))


def sender(api: Listening, fields: Fields = ANY_FIELDS) -> Sender:
    return Sender(api, fields, {"a": {"id": "a"}}, {"b"}, "mark")


def test_what_the_route_does_not_take_is_not_sent() -> None:
    """It is named too, unless it holds nothing: nothing is lost then."""
    api = Listening()
    to = sender(api, OLD)

    asyncio.run(to.post("/flows/", {"name": "f", "labels": {"a": 1}, "tags": [], "description": None}))

    assert api.asked == [("POST", "/flows/", {"name": "f"})]
    assert to.dropped == ("/labels",)


def test_where_nothing_is_known_everything_is_sent() -> None:
    """A destination that does not say what it takes is sent all of it."""
    api = Listening()
    asyncio.run(sender(api).patch("/flows/{id}", {"labels": {}}, id="x"))
    assert api.asked == [("PATCH", "/flows/x", {"labels": {}})]


def test_what_a_destination_forbids_is_left_out_once_for_all() -> None:
    """A member that a refusal names is not sent again, by this record or another one; the rest is."""
    forbidden: Forbidden = {}

    def answer(_method: str, _path: str, body: Any) -> Any:
        if "new" in body:
            fields = (("body.new", "extra_forbidden"), ("body.event.steps.0.newer", "value_error.extra"))
            raise RequestRejected("no", status=422, hint="", fields=fields)
        return {}

    api = Listening(answer)
    one, other = (Sender(api, ANY_FIELDS, {}, set(), forbidden=forbidden) for _ in "ab")
    body = {"name": "n", "new": 1, "steps": [{"newer": 2, "x": 3}]}

    asyncio.run(one.post("/flows/", body))
    asyncio.run(other.post("/flows/", {"name": "m", "new": None}))

    assert [asked[2] for asked in api.asked] == [body, {"name": "n", "steps": [{"x": 3}]}, {"name": "m"}]
    assert (one.dropped, other.dropped) == (("/new", "/steps/0/newer"), ())


@pytest.mark.parametrize("field", [("body.name", "string_type"), ("body.nothing", "extra_forbidden"), ("body", "x")])
def test_any_other_refusal_is_raised(field: tuple[str, str]) -> None:
    """A wrong value, and a member that was never sent, are no reason to send the rest."""

    def answer(*_: object) -> Any:
        raise RequestRejected("no", status=422, hint="", fields=(field,))

    with pytest.raises(RequestRejected):
        asyncio.run(sender(Listening(answer)).post("/flows/", {"name": "f"}))


def test_segments_are_quoted() -> None:
    """A name with a slash stays one segment of the path."""
    api = Listening()
    asyncio.run(sender(api).delete("/work_pools/{name}", name="a/b?c"))
    assert api.asked == [("DELETE", "/work_pools/a%2Fb%3Fc", None)]


def test_deleting_what_is_gone_is_no_failure() -> None:
    """404 is as good as done; any other refusal is raised."""

    def refused(status: int) -> None:
        def answer(*_: object) -> Any:
            raise RequestRejected("no", status=status, hint="")

        asyncio.run(sender(Listening(answer)).delete("/flows/{id}", id="x"))

    refused(404)
    with pytest.raises(RequestRejected):
        refused(409)


@pytest.mark.parametrize(("tells_new", "is_existing"), [(True, True), (False, False)])
def test_what_was_there_before_is_noted(*, tells_new: bool, is_existing: bool) -> None:
    """An upsert that met something says so, on routes where the status tells."""
    to = sender(Listening(lambda *_: {"was there": True}))

    asyncio.run(to.post("/flows/", {"name": "f"}, tells_new=tells_new))

    assert to.is_existing is is_existing


def test_it_knows_the_destination() -> None:
    """What was read, what is new, the version, and the mark of the record."""
    to = sender(Listening(is_cloud=True), OLD)

    assert (to.raw("a"), to.raw("b"), to.is_new("a"), to.is_new("b")) == ({"id": "a"}, None, False, True)
    assert (to.version, to.mark, to.is_cloud) == ((3, 0, 11), "mark", True)
