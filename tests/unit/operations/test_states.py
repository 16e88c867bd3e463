"""A plan against a state is the plan against the server that it is of."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.model import Body, Bundle, Json, Placed
from bundle.operations import saved_plan
from bundle.operations.diff import digests_of
from bundle.operations.export import Exported, export_environment, export_state
from bundle.operations.import_ import prepare
from bundle.operations.states import prepare_against
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.server_state import read_server_state, server_of
from bundle.record.canonical import lean_record, make_record
from support.bundles import SAMPLE, bundle_bytes, header_for
from support.environment import Api
from support.fake_prefect import FakePrefect
from support.moving import CREATED
from support.offline import api_of, run, speaking_to
from support.seeded import arrived, edited, seeded

LACKS = {
    "POST /saved_searches/": None,
    "POST /flows/": ("labels",),
    "POST /deployments/": ("labels", "concurrency_options"),
}


def written(exported: Exported) -> Bundle:
    output = io.BytesIO()
    write_bundle(exported.header, exported.records, output)
    return read_bundle(io.BytesIO(output.getvalue()))


def state_of(fake: FakePrefect, *, lean: bool) -> Bundle:
    async def read() -> Exported:
        async with api_of(fake) as api:
            return await (export_state if lean else export_environment)(api, created=CREATED)

    return written(run(read()))


def destination(form: str) -> FakePrefect:
    """A server that has nothing, all of the seeded environment, or that with forty edits; or an older one."""
    made: dict[str, Callable[[], FakePrefect]] = {
        "empty": FakePrefect,
        "same": arrived,
        "edited": edited,
        "older": lambda: FakePrefect(version="3.1.0", lacks=LACKS),
    }
    return made[form]()


@pytest.mark.parametrize("policy", ["skip", "update"])
@pytest.mark.parametrize("lean", ["lean", "whole"])
@pytest.mark.parametrize("form", ["empty", "same", "edited"])
def test_a_plan_against_a_state_holds_at_its_server(form: str, lean: str, policy: Any) -> None:
    """Of every kind of resource: the import that was planned on the low side is the one of the high side."""
    fake, choices = destination(form), Choices(Conflicts(policy))
    state = state_of(fake, lean=lean == "lean")
    planned = prepare_against(seeded(), state, choices)

    async def now() -> Any:
        async with api_of(fake) as api:
            return await prepare(seeded(), api, choices, is_deep=True), await read_server_state(api)

    prepared, server = run(now())
    plan = saved_plan.made_offline(planned, state.manifest)
    saved_plan.check(plan, prepared, fake.url, server)
    assert {each.id for each in plan.steps} == {None}


def _add_twin(api: Api, description: str) -> None:
    (automation,) = _automations(api, "on failure")
    api.post("/automations/", **{**_sent(automation), "description": description})


def _automations(api: Api, name: str) -> list[dict[str, Any]]:
    return [each for each in api.post("/automations/filter", limit=200) if each["name"] == name]


def _sent(automation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "description", "enabled", "trigger", "actions", "actions_on_trigger", "actions_on_resolve", "tags")
    return {name: automation[name] for name in names}


def _keep_one_twin(api: Api, place: int, **edited: Any) -> None:
    twins = _automations(api, "twin")
    kept = twins.pop(place)
    for each in twins:
        api.send("DELETE", f"/automations/{each['id']}")
    if edited:
        api.send("PUT", f"/automations/{kept['id']}", {**_sent(kept), **edited})


@pytest.mark.parametrize(
    "edit",
    [
        *(functools.partial(_add_twin, description=each) for each in ("a", "b", "zz")),
        *(functools.partial(_keep_one_twin, place=place) for place in (0, 1)),
        *(functools.partial(_keep_one_twin, place=place, description="edited") for place in (0, 1)),
    ],
    ids=[
        "a twin",
        "another twin",
        "a third twin",
        "the first",
        "the second",
        "the first, edited",
        "the second, edited",
    ],
)
def test_twins_are_told_apart_by_their_digests(edit: Callable[[Api], None]) -> None:
    """Where names are not unique, keys depend on what else there is: a lean state pairs as its server does."""
    fake = arrived()
    with speaking_to(fake) as api:
        edit(api)
    state = state_of(fake, lean=True)

    async def now() -> Any:
        async with api_of(fake) as api:
            return await prepare(seeded(), api, is_deep=True)

    there, here = run(now()), prepare_against(seeded(), state)
    assert [(each.key, each.verb, each.reason) for each in here.plan.actions] == [
        (each.key, each.verb, each.reason) for each in there.plan.actions
    ]
    plan = saved_plan.made_offline(here, state.manifest)
    saved_plan.check(plan, there, fake.url, plan.server)


@pytest.mark.parametrize("policy", ["skip", "update"])
def test_a_lean_state_says_which_fields_are_lost(policy: Any) -> None:
    """Of a server that is older than the bundle: what its version has no place for is foretold, and it is done so."""
    fake, choices = destination("older"), Choices(Conflicts(policy))

    async def now() -> Any:
        async with api_of(fake) as api:
            return await prepare(seeded(), api, choices, is_deep=True)

    there, here = run(now()), prepare_against(seeded(), state_of(fake, lean=True), choices)
    lost = {each.key: (each.verb, each.dropped) for each in here.plan.actions}
    assert lost == {each.key: (each.verb, each.dropped) for each in there.plan.actions}
    assert {"/labels", "/concurrency_options"} <= {place for _, dropped in lost.values() for place in dropped}
    plan = saved_plan.made_offline(here, state_of(fake, lean=True).manifest)
    saved_plan.check(plan, there, fake.url, plan.server)


def test_what_every_server_creates_is_no_difference() -> None:
    """A lean state has it, an export and a server's reading have not: it is compared with another lean state only."""
    lean, whole = (state_of(arrived(), lean=lean) for lean in (True, False))
    empty = state_of(FakePrefect(), lean=True)
    own = {placed.record.key for placed in whole.records}
    digests = {
        is_whole: digests_of((placed.record for placed in lean.records), is_whole=is_whole)
        for is_whole in (True, False)
    }

    assert digests[False].keys() == own
    assert digests[False] == {placed.record.key: placed.record.digest for placed in whole.records}
    assert digests[True].keys() - own >= {placed.record.key for placed in empty.records} - own
    assert {placed.record.body.get("exported") for placed in empty.records} == {False}


@pytest.mark.parametrize("exported", [True, 0, None, "no"])
def test_a_lean_record_says_only_that_it_is_not_exported(exported: Json) -> None:
    """Anything else beside the digest is more than a key and a digest."""
    (first, *_) = SAMPLE
    body: Body = {"digest": first.record.digest, "exported": exported}
    odd = [Placed(0, make_record(first.record.key, body, (), ()))]
    with pytest.raises(ValueError, match="more than a key and a digest"):
        bundle_bytes(*odd, header=msgspec.structs.replace(header_for(odd), lean=True))


def test_a_lean_bundle_is_keys_and_digests_or_refused() -> None:
    """Since 1.3: each body is the digest of a record; a writer and a reader refuse anything more."""
    lean = sorted(
        (Placed(0, lean_record(each.record)) for each in SAMPLE),
        key=lambda placed: (placed.record.kind, placed.record.key),
    )
    header = msgspec.structs.replace(header_for(lean), lean=True)
    bundle = read_bundle(io.BytesIO(bundle_bytes(*lean, header=header)))

    assert (bundle.manifest.format, bundle.manifest.is_lean) == ("1.3", True)
    assert [each.version for each in bundle.manifest.requires] == ["1.3"]
    stated = {each.record.key: each.record.body for each in bundle.records}
    assert stated == {each.record.key: {"digest": each.record.digest} for each in SAMPLE}
    with pytest.raises(ValueError, match="more than a key and a digest"):
        bundle_bytes(*SAMPLE, header=msgspec.structs.replace(header_for(SAMPLE), lean=True))


def test_what_a_state_says_of_its_server_is_told_by_an_export_as_far_as_it_can() -> None:
    """An export states its version; where a state says something odd, it says nothing."""
    lean, whole = (state_of(FakePrefect(), lean=lean) for lean in (True, False))
    assert server_of(lean.manifest).version == server_of(whole.manifest).version
    assert server_of(whole.manifest).openapi is None
    odd = msgspec.structs.replace(lean.manifest, provenance={"server": {"version": 1}})
    assert server_of(odd).version is None
