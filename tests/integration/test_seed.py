"""The seeded environment, and the comparison that the other tests trust."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.compare import compare, snapshot
from support.environment import Api, Canaries, Size, encodings, is_in, random_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from bundle.server.process import Server

    Factory = Callable[[Size | None], Server]
    Change = Callable[[Api], None]


def test_seed_plants_every_kind(source_server: Server) -> None:
    """The small environment has at least one of every kind that can be compared."""
    kinds = {key.partition(":")[0] for key in snapshot(source_server.url).bodies}

    assert kinds == {
        "automation",
        "block",
        "block-schema",
        "block-type",
        "default-result-storage",
        "deployment",
        "flow",
        "limit",
        "saved-search",
        "variable",
        "work-pool",
        "work-queue",
    }


def test_server_equals_itself(source_server: Server) -> None:
    """A server compared with itself shows no difference, in every way of treating secrets."""
    assert compare(source_server.url, source_server.url) == []
    assert compare(source_server.url, source_server.url, secrets="revealed") == []


def test_random_environment_is_reproducible(server_factory: Factory) -> None:
    """One seed gives the same environment on two servers, which share no id."""
    one, two = server_factory(None), server_factory(None)
    for server in (one, two):
        random_environment(server.url, 7)

    assert compare(one.url, two.url, secrets="revealed") == []


def test_secrets_are_masked_where_the_server_masks(source_server: Server, canaries: Canaries) -> None:
    """Every masked canary is on the server, and most are not shown without asking for secrets."""
    revealed = json.dumps(snapshot(source_server.url, secrets="revealed").rows).encode()
    shown = json.dumps(snapshot(source_server.url).rows).encode()

    assert canaries.search(revealed) == canaries.masked
    assert canaries.search_unmasked(shown) == canaries.unmasked
    assert 0 < len(canaries.search(shown)) < len(canaries.masked) / 2


def change_field(api: Api) -> None:
    api.patch("/work_pools/local/queues/high", is_paused=False)


def change_value(api: Api) -> None:
    api.patch("/variables/name/a_number", value=42.5)


def change_schedule(api: Api) -> None:
    deployment = api.send("GET", "/deployments/name/scheduled/with%20slugs")
    weekly = next(each for each in deployment["schedules"] if each["slug"] == "weekly")
    api.patch(f"/deployments/{deployment['id']}/schedules/{weekly['id']}", active=False)


def change_secret_to_null(api: Api) -> None:
    document = block(api, "slack-webhook", "alerts")
    api.patch(f"/block_documents/{document['id']}", data={"url": None})


def lose_variable(api: Api) -> None:
    api.delete("/variables/name/region")


def lose_one_twin(api: Api) -> None:
    twin = next(each for each in api.read_all("/automations/filter") if each["name"] == "equal twin")
    api.delete(f"/automations/{twin['id']}")


def lose_owner(api: Api) -> None:
    owned = next(each for each in api.read_all("/automations/filter") if each["name"] == "owned")
    api.delete(f"/automations/{owned['id']}")
    kept = {key: value for key, value in owned.items() if key not in {"id", "created", "updated"}}
    api.post("/automations/", **kept)


def lose_nested_block(api: Api) -> None:
    document = block(api, "acme-middle", "middle")
    api.patch(f"/block_documents/{document['id']}", data={"title": "middle", "child": {"host": "inlined"}})


def lose_shared_limit(api: Api) -> None:
    deployment = api.send("GET", "/deployments/name/sharing/first")
    api.patch(f"/deployments/{deployment['id']}", global_concurrency_limit_id=None)


def lose_result_storage(api: Api) -> None:
    api.delete("/admin/storage")


def add_flow(api: Api) -> None:
    api.post("/flows/", name="not at the source")


def add_schema(api: Api) -> None:
    kind = api.send("GET", "/block_types/slug/acme-plain")
    api.post("/block_schemas/", fields={"title": "x", "properties": {}}, block_type_id=kind["id"], capabilities=[])


def block(api: Api, slug: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.send("GET", f"/block_types/slug/{slug}/block_documents/name/{name}")
    return found


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (change_field, "work-queue:local/high /is_paused: true != false"),
        (change_value, "variable:a_number /value: 42 != 42.5"),
        (change_schedule, "deployment:scheduled/with slugs /schedules/*"),
        (change_secret_to_null, 'block:slack-webhook/alerts /data/url: "********" != null'),
        (lose_variable, "variable:region : missing at the destination"),
        (lose_one_twin, "automation:equal twin : missing at the destination"),
        (lose_owner, "deployment:etl/pool only /related automations*"),
        (lose_nested_block, "block:acme-middle/middle /data/child: *"),
        (lose_shared_limit, "deployment:sharing/first /global_concurrency_limit: *"),
        (lose_result_storage, "default-result-storage : missing at the destination"),
        (add_flow, "flow:not at the source : only at the destination"),
        (add_schema, "block-schema:acme-plain : only at the destination"),
    ],
)
def test_comparison_finds(change: Change, line: str, source_server: Server, server_factory: Factory) -> None:
    """Each change of a copy is told as the difference it is."""
    copy = server_factory(Size.SMALL)
    with Api(copy.url) as api:
        change(api)

    found = compare(source_server.url, copy.url)

    assert any(each == line or (line.endswith("*") and each.startswith(line[:-1])) for each in found), found


def test_comparison_finds_ids_of_the_source(server_factory: Factory) -> None:
    """An id of the source is found anywhere in the destination, also inside text and without dashes."""
    source, destination = server_factory(None), server_factory(None)
    with Api(source.url) as api:
        flow = api.create("/flows/", name="etl")
    for url in (source.url, destination.url):
        with Api(url) as api:
            api.post("/flows/", name="etl")
            api.post("/variables/", name="text", value={f"see {flow}!": 1})
            api.post("/variables/", name="plain", value=flow.replace("-", ""))

    found = compare(source.url, destination.url)

    assert [line for line in found if "source's id of flow:etl" in line] == [
        f"variable:{name} : holds the source's id of flow:etl, {flow} (variable)" for name in ("plain", "text")
    ]


def test_ignore_leaves_out_by_key_and_pointer(source_server: Server, server_factory: Factory) -> None:
    """A pattern silences the lines it matches and no other."""
    copy = server_factory(Size.SMALL)
    with Api(copy.url) as api:
        change_field(api)
        change_value(api)

    found = compare(source_server.url, copy.url, ignore=["work-queue:* /is_paused"])

    assert found == ["variable:a_number /value: 42 != 42.5"]


@pytest.mark.parametrize("form", sorted(encodings(Canaries(1).mask())))
def test_canaries_are_found_in_every_form(form: bytes) -> None:
    """A canary is found raw, escaped, in hexadecimal and in base64 wherever it begins."""
    canaries = Canaries(1)
    canaries.mask()

    assert canaries.search(b"before " + form + b" after") == canaries.masked
    assert not is_in(b"before after", canaries.masked[0])
