"""Servers that are ahead of this xfer: their rows have fields that nobody here knows, and no request takes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from bundle.plan.choices import Conflicts
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.seeded import plant

FIELD = "from_tomorrow"
VALUE = {"is_futuristic": True}
# What the server has one of has no row.
WITHOUT_ROWS = {"default-result-storage"}


def newer(fake: FakePrefect, *, is_published: bool = True, is_ahead: bool = True) -> httpx.MockTransport:
    """The way to a server that may answer one more field in every row, and may say which fields it takes."""

    def answer(request: httpx.Request) -> httpx.Response:
        if not is_published and request.url.path.endswith("/openapi.json"):
            return httpx.Response(404, json={"detail": "Not Found"})
        response = fake.handle(request)
        if not is_ahead or not response.content:
            return response
        return httpx.Response(response.status_code, headers=_kept(response), json=_ahead(json.loads(response.content)))

    return httpx.MockTransport(answer)


def _kept(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name == "retry-after"}


def _ahead(value: Any) -> Any:
    if isinstance(value, list):
        return [_ahead(each) for each in value]
    return {**value, FIELD: VALUE} if isinstance(value, dict) and "id" in value else value


@pytest.mark.parametrize("is_published", [True, False], ids=["says what it takes", "does not say"])
@pytest.mark.parametrize("is_ahead", [True, False], ids=["destination ahead", "destination not ahead"])
def test_a_field_of_tomorrow_costs_no_resource(*, is_ahead: bool, is_published: bool) -> None:
    """Every resource arrives, each field that is not sent is named, and a second import writes nothing."""
    source, destination = plant(FakePrefect()), FakePrefect(seed=1)
    bundle = bundle_of(source, transport=newer(source))
    way = newer(destination, is_published=is_published, is_ahead=is_ahead)

    first = import_into(destination, bundle, way)
    second = import_into(destination, bundle, way, on_conflict=Conflicts("update"))

    assert {each.state for each in first.outcomes} <= {"succeeded", "skipped"}
    assert {each.reason for each in first.outcomes} <= {"created", "created-without-secret", "exists-same"}
    named = {each.kind for each in first.outcomes if f"/{FIELD}" in each.dropped}
    assert named == {placed.record.kind for placed in bundle.records} - WITHOUT_ROWS
    assert second.sent.writes == 0


def test_what_a_server_forbids_is_asked_for_once() -> None:
    """Where a destination does not say what it takes, each route refuses a field once, and is not sent it again."""
    source, destination = FakePrefect(), FakePrefect(seed=1)
    for number in range(20):
        source.handle(
            httpx.Request("POST", f"{source.url}/variables/", json={"name": f"v{number}", "value": 1, "tags": []})
        )
    bundle = bundle_of(source, transport=newer(source))

    import_into(destination, bundle, newer(destination, is_published=False, is_ahead=False))

    refused = [each for each in destination.writes if each.status == httpx.codes.UNPROCESSABLE_ENTITY]
    made = [each for each in destination.writes if each.status == httpx.codes.CREATED]
    assert len(made) == 20
    # As many as are on their way when the first refusal comes.
    assert 1 <= len(refused) <= 16
