"""bundle.checklist: what does not fit from one server to another, by what each says that it takes."""

from __future__ import annotations

from typing import Any

import msgspec

from bundle.kinds import KINDS
from bundle.operations.inventory import Inventory, export_of, import_of
from bundle.operations.preflight import Check, compare
from bundle.plan.server_state import offered_fields
from bundle.server.openapi import Accepted, parse_openapi
from bundle.server.tiers import ANY_TIER, TIERS, Tier


def accepts(**bodies: dict[str, Any]) -> Accepted:
    """A server that takes these properties at ``POST /<name>/``."""
    paths = {}
    for name, properties in bodies.items():
        schema = {"application/json": {"schema": {"properties": properties}}}
        paths[f"/{name}/"] = {"post": {"requestBody": {"content": schema}}}
    return parse_openapi({"paths": paths})


def survey(accepted: Accepted | None = None, *, pools: tuple[str, ...] = (), **counts: int) -> Inventory:
    held = {kind: counts.get(kind.replace("-", "_"), 0) for kind in KINDS}
    fields = None if accepted is None else offered_fields(accepted, (3, 8, 8))
    variants = {"work-pool": tuple({"type": each} for each in pools)}
    return Inventory("3.8.8", 200, held, held, variants, fields, 0.01)


def found(
    source: Inventory, destination: Inventory, *, is_cloud: bool = False, tier: Tier = ANY_TIER
) -> dict[str, Check]:
    return {each.subject: each for each in compare(source, destination, is_cloud=is_cloud, tier=tier)}


NEW = accepts(
    flows={"name": {}, "tags": {}, "labels": {}},
    variables={"name": {}, "value": {}, "tags": {}},
    deployments={"name": {}, "schedules": {"items": {"properties": {"slug": {}, "schedule": {}}}}},
)
OLD = accepts(
    flows={"name": {}, "tags": {}},
    deployments={"name": {}, "schedules": {"items": {"properties": {"schedule": {}}}}},
)


def test_fields_of_newer_versions_are_named() -> None:
    """Fields that only the source knows are named with their kind, inside objects too, where there is such a thing."""
    check = found(survey(NEW, flow=1, deployment=1), survey(OLD))["fields"]
    assert check.verdict == "warning"
    assert check.message == "not taken by the destination: deployment schedules.slug, flow labels"
    assert found(survey(NEW), survey(OLD))["fields"].verdict == "ok"
    assert found(survey(OLD, flow=1, deployment=1), survey(NEW))["fields"].verdict == "ok"


def test_kinds_that_are_not_offered_are_named() -> None:
    """A kind that the destination has no route for is named where the source has some."""
    assert "kinds" not in found(survey(NEW, flow=1), survey(OLD))
    assert found(survey(NEW, variable=1), survey(OLD))["kinds"].message == "not offered by the destination: variable"


def test_a_server_that_does_not_say_is_no_obstacle() -> None:
    """Cloud does not say what it takes, on either side."""
    for pair in ((survey(NEW, flow=1), survey()), (survey(flow=1), survey(OLD))):
        assert found(*pair)["fields"].verdict == "ok"


def test_pools_that_cannot_be_moved_are_warned_of() -> None:
    """Managed pools go nowhere, push pools only to Cloud, and hybrid ones need a plan there."""
    source = survey(pools=("ecs:push", "kubernetes", "prefect:managed"), deployment=6)
    elsewhere = compare(source, survey(OLD), is_cloud=False)
    assert [each.message for each in elsewhere if each.subject == "work pools"] == [
        "managed work pools are never transferred: prefect:managed",
        "push work pools exist only on Prefect Cloud: ecs:push",
    ]
    cloud = [each for each in compare(source, survey(), is_cloud=True) if each.verdict == "warning"]
    assert [each.subject for each in cloud] == ["work pools", "plan"]
    assert cloud[1].message == (
        "if the workspace has a Hobby plan: "
        "the Hobby tier allows 5 deployments, of which 0 are there, and 6 are to come; "
        "the Hobby tier has managed work pools only, and there are work pools of ecs:push, kubernetes"
    )
    assert all(each.hint for each in [*elsewhere, *cloud] if each.verdict != "ok")


def test_estimates_follow_pages_and_counts() -> None:
    """Pages make the reads, resources the writes, and what must not start at once is written twice."""
    source = survey(variable=450, deployment=10, automation=2)
    empty = survey()
    export, import_ = export_of(source), import_of(source, empty)
    pages = 4 + 2 + 2 + 10 + 1  # variables, deployments, automations, empty lists, and the one that is no list
    second_look = 3 * 2 + 1 + 9 + 1
    assert export.reads == 2 + pages + 6 + second_look
    assert (import_.reads, import_.writes) == (2 + 13 + 1, 450 + 2 * 10 + 2 * 2)
    slower = msgspec.structs.replace(empty, seconds=0.02)
    assert import_of(source, slower).seconds == 2 * import_.seconds
    assert export_of(msgspec.structs.replace(source, page=50)).reads == export.reads + 6


def test_each_access_list_is_a_request_of_an_export() -> None:
    """On Cloud an export asks for one of each work pool, deployment and block, and of nothing else."""
    source = survey(work_pool=2, deployment=30, block=4, variable=500)
    assert export_of(msgspec.structs.replace(source, has_access_lists=True)).reads == export_of(source).reads + 36


def test_what_a_tier_does_not_allow_is_named() -> None:
    """Told the tier, its pools, its deployments beside those there already, and its rate are what is compared."""
    source = survey(pools=("ecs:push", "kubernetes", "prefect:managed"), deployment=4)
    hobby = found(source, survey(deployment=2), is_cloud=True, tier=TIERS["hobby"])["plan"]
    assert hobby.verdict == "warning"
    assert hobby.message == (
        "the Hobby tier allows 5 deployments, of which 2 are there, and 4 are to come; "
        "the Hobby tier has managed work pools only, and there are work pools of ecs:push, kubernetes"
    )
    assert "--tier hobby" in hobby.hint
    fits = found(
        survey(pools=("prefect:managed",), deployment=3), survey(deployment=2), is_cloud=True, tier=TIERS["hobby"]
    )
    assert (fits["plan"].verdict, fits["plan"].message) == ("ok", "the Hobby tier: 625 requests a minute")
    pro = found(source, survey(), is_cloud=True, tier=TIERS["pro"])["plan"]
    assert (pro.verdict, pro.message) == ("ok", "the Pro tier: 5000 requests a minute")
    own = found(source, survey(), is_cloud=True, tier=TIERS["enterprise"])["plan"]
    assert (own.verdict, own.message) == ("ok", "the Enterprise tier: what it allows is agreed on with Prefect")


def test_an_import_is_no_faster_than_the_tier_allows() -> None:
    """What a tier takes in a minute bounds the estimate, and nothing does where it is not known."""
    source, empty = survey(variable=1240), survey()
    freely = import_of(source, empty)
    assert freely.reads + freely.writes == 1240 + 16
    assert import_of(source, empty, TIERS["hobby"]).seconds == 60 * 1256 / 625
    assert import_of(source, empty, TIERS["enterprise"]).seconds == freely.seconds
    slow = msgspec.structs.replace(empty, seconds=9.0)
    assert import_of(source, slow, TIERS["hobby"]).seconds == import_of(source, slow).seconds
