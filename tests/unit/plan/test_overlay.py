"""What an overlay makes of a bundle."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import UsageError
from bundle.model import Body, Bundle, Key, Manifest, Placed, Record, Reference, Secret
from bundle.plan.overlay import Overlay, Wanted, adapt
from bundle.plan.patches import Patch, merge
from bundle.record.canonical import make_record

NIGHTLY: Body = {
    "name": "nightly",
    "flow_id": "",
    "work_pool_name": "k8s",
    "work_queue_name": "high",
    "job_variables": {
        "env": {"DB": "{{ prefect.blocks.secret.db.url }}-{{ prefect.variables.region }}"},
        "on-work-pool:k8s": 1,
    },
    "parameters": {
        "where": {"__prefect_kind": "workspace_variable", "variable_name": "region"},
        "who": {"$ref": {"block_document_slug": "secret/db"}},
    },
    "pull_steps": [{"pull_with_block": {"block_type_slug": "secret", "block_document_name": "db"}}],
    "schedules": [{"slug": "day", "active": True}, {"slug": "night", "active": True}],
    "storage_document_id": "",
}
SLOT = "block:secret/db#/data/value"
REFERENCES = [
    Reference("/flow_id", "flow:etl"),
    Reference("/work_pool_name", "work-pool:k8s", "name"),
    Reference("/work_queue_name", "work-queue:k8s/high", "name"),
    Reference("/job_variables/env/DB", "block:secret/db", "name"),
    Reference("/job_variables/env/DB", "variable:region", "name"),
    Reference("/job_variables/on-work-pool:k8s", "work-pool:k8s", "member", 3),
    Reference("/parameters/where", "variable:region", "name"),
    Reference("/parameters/who", "block:secret/db", "name"),
    Reference("/pull_steps/0", "block:secret/db", "name"),
    Reference("/storage_document_id", "block:secret/db"),
]
RECORDS = [
    make_record("flow:etl", {"name": "etl"}, [], []),
    make_record("variable:region", {"name": "region", "value": "us"}, [], []),
    make_record("work-pool:k8s", {"name": "k8s", "type": "kubernetes"}, [], []),
    make_record(
        "block:secret/db",
        {"name": "db", "data": {"value": None}},
        [],
        [Secret("/data/value", SLOT, "string")],
    ),
    make_record(
        "work-queue:k8s/high",
        {"name": "high", "priority": 1, "work_pool_id": ""},
        [Reference("/work_pool_id", "work-pool:k8s")],
        [],
    ),
    make_record("deployment:etl/nightly", NIGHTLY, REFERENCES, []),
    make_record("automation:page", {"name": "page", "trigger": {}, "actions": []}, [], []),
]


def _bundle(records: list[Record] = RECORDS, external: tuple[Key, ...] = ()) -> Bundle:
    manifest = Manifest(
        format="1.0",
        requires=(),
        content_digest="",
        census={},
        members=(),
        order=(),
        secrets=(),
        left_out=(),
        findings=(),
        selection={},
        provenance={},
        external=external or msgspec.UNSET,
    )
    return Bundle(manifest, tuple(Placed(0, record) for record in records))


def _adapted(overlay: Overlay, **given: Any) -> dict[Key, Record]:
    return _by_key(adapt(_bundle(**given), overlay=overlay))


def _by_key(wanted: Wanted) -> dict[Key, Record]:
    return {placed.record.key: placed.record for placed in wanted.bundle.records}


def _patch(match: str, **given: Any) -> Overlay:
    return Overlay(patch=(Patch(match=match, **given),))


def test_an_automation_gets_the_owner_that_is_named() -> None:
    """It refers to the deployment under its new name, and comes after it, so that it can be created with its owner."""
    records = [*RECORDS, make_record("automation:other", RECORDS[-1].body | {"name": "other"}, [], [])]
    overlay = Overlay(
        map={"flow:etl": "load"}, owners={"automation:p*": "deployment:etl/nightly", "automation:o*": "deployment:a/b"}
    )
    wanted = adapt(_bundle(records), overlay=overlay)
    found = _by_key(wanted)
    waves = {placed.record.key: placed.wave for placed in wanted.bundle.records}

    assert found["automation:page"].body["owner_resource"] == "prefect.deployment."
    (owner,) = found["automation:page"].references
    assert owner == Reference("/owner_resource", "deployment:load/nightly", offset=19)
    assert waves["automation:page"] > waves["deployment:load/nightly"]
    assert wanted.external == ("deployment:a/b",)


@pytest.mark.parametrize(
    "owners", [{"automation:none": "deployment:etl/nightly"}, {"automation:page": "flow:etl"}, {"flow:etl": "flow:a"}]
)
def test_an_owner_is_a_deployment_of_an_automation(owners: dict[str, str]) -> None:
    """A pattern that matches no automation, and an owner that cannot be one, are refused."""
    with pytest.raises(UsageError):
        _adapted(Overlay(owners=owners))


def test_an_empty_overlay_changes_nothing() -> None:
    """Without an overlay the records are the very same."""
    assert adapt(_bundle()).bundle.records == _bundle().records


def test_a_mapped_pool_takes_its_queues_and_deployments_along() -> None:
    """The pool, the keys of its queues, and every place that names it or holds its key follow."""
    found = _adapted(Overlay(map={"work-pool:k8s": "k8s-prod"}))

    assert found["work-pool:k8s-prod"].body["name"] == "k8s-prod"
    assert found["work-queue:k8s-prod/high"].references[0].target == "work-pool:k8s-prod"
    nightly = found["deployment:etl/nightly"]
    assert (nightly.body["work_pool_name"], nightly.body["work_queue_name"]) == ("k8s-prod", "high")
    assert nightly.body["job_variables"]["on-work-pool:k8s-prod"] == 1
    targets = {each.pointer: each.target for each in nightly.references}
    assert targets["/work_queue_name"] == "work-queue:k8s-prod/high"
    assert targets["/job_variables/on-work-pool:k8s-prod"] == "work-pool:k8s-prod"


def test_every_form_of_a_name_is_mapped() -> None:
    """Templates, typed values, block slugs and pull steps name the new resources."""
    found = _adapted(Overlay(map={"block:secret/db": "db-prod", "variable:region": "area"}))

    body = found["deployment:etl/nightly"].body
    env = body["job_variables"]["env"]
    assert env["DB"] == "{{ prefect.blocks.secret.db-prod.url }}-{{ prefect.variables.area }}"
    assert body["parameters"]["where"]["variable_name"] == "area"
    assert body["parameters"]["who"] == {"$ref": {"block_document_slug": "secret/db-prod"}}
    assert body["pull_steps"][0]["pull_with_block"]["block_document_name"] == "db-prod"
    assert found["block:secret/db-prod"].secrets == (Secret("/data/value", SLOT, "string"),)


def test_flows_and_queues_are_mapped_by_their_own_name() -> None:
    """A flow takes its deployments along; a queue may be named with its pool or without."""
    assert "deployment:elt/nightly" in _adapted(Overlay(map={"flow:etl": "elt"}))
    for name in ("k8s/urgent", "urgent"):
        found = _adapted(Overlay(map={"work-queue:k8s/high": name}))
        assert found["work-queue:k8s/urgent"].body["name"] == "urgent"
        assert found["deployment:etl/nightly"].body["work_queue_name"] == "urgent"


def test_what_the_bundle_does_not_hold_can_be_mapped() -> None:
    """References to a resource of the destination are redirected to another one there."""
    records = [each for each in RECORDS if each.kind not in {"work-pool", "work-queue"}]
    external = ("work-pool:k8s", "work-queue:k8s/high")

    wanted = adapt(_bundle(records, external), overlay=Overlay(map={"work-pool:k8s": "k8s-prod"}))

    assert wanted.external == ("work-pool:k8s-prod", "work-queue:k8s-prod/high")
    assert _by_key(wanted)["deployment:etl/nightly"].body["work_pool_name"] == "k8s-prod"


@given(st.permutations(["work-pool:k8s", "variable:region", "block:secret/db", "flow:etl", "work-queue:k8s/high"]))
def test_mapping_back_gives_the_bundle_again(keys: list[Key]) -> None:
    """Names mapped away and back leave every record as it was, in whatever order they are given."""
    away = {key: f"{key.rpartition('/')[2].rpartition(':')[2]}-new" for key in keys}
    there = adapt(_bundle(), overlay=Overlay(map=away))
    pool = {"work-queue:k8s/high": "work-queue:k8s-new/high-new"}
    back = {there.keys.get(key, pool.get(key, key)): key.rpartition("/")[2].rpartition(":")[2] for key in keys}

    again = adapt(_with_own_slots(there.bundle), overlay=Overlay(map=back))

    assert _with_own_slots(again.bundle).records == _bundle().records


def _with_own_slots(bundle: Bundle) -> Bundle:
    """The bundle as an export would have written it: slots are called after the key that their record has now."""

    def named(record: Record) -> Record:
        secrets = [Secret(each.pointer, f"{record.key}#{each.pointer}", each.type) for each in record.secrets]
        return make_record(record.key, record.body, record.references, secrets)

    records = (msgspec.structs.replace(each, record=named(each.record)) for each in bundle.records)
    return msgspec.structs.replace(bundle, records=tuple(records))


def test_values_and_patches_change_bodies() -> None:
    """A variable gets a value, a patch is merged, and items are found by a member."""
    found = _adapted(
        Overlay(
            set={"variable:region": {"eu": [1]}},
            patch=(
                Patch(match="deployment:etl/*", merge={"paused": True, "job_variables": {"cpu": 4}}),
                Patch(match="deployment:etl/nightly", at="/schedules/slug=day", merge={"active": False}),
                Patch(match="deployment", remove=("/pull_steps",)),
            ),
        )
    )

    nightly = found["deployment:etl/nightly"]
    assert found["variable:region"].body["value"] == {"eu": [1]}
    assert nightly.body["paused"] is True
    assert nightly.body["job_variables"] == {**NIGHTLY["job_variables"], "cpu": 4}
    assert nightly.body["schedules"] == [{"slug": "day", "active": False}, {"slug": "night", "active": True}]
    assert "pull_steps" not in nightly.body


def test_what_a_patch_replaces_is_no_reference_any_more() -> None:
    """A literal takes the place of a reference; names in what a patch says are references."""
    found = _adapted(
        _patch(
            "deployment",
            merge={"storage_document_id": "literal", "parameters": {"where": "{{ prefect.variables.other }}"}},
        )
    )

    targets = {(each.pointer, each.target) for each in found["deployment:etl/nightly"].references}
    assert not any(place == "/storage_document_id" for place, _ in targets)
    assert ("/parameters/where", "variable:other") in targets
    assert ("/parameters/who", "block:secret/db") in targets


def test_a_patched_secret_is_no_placeholder_any_more() -> None:
    """A value that an overlay gives takes the place of the slot."""
    found = _adapted(_patch("block:secret/db", at="/data", merge={"value": "plain"}))

    assert (found["block:secret/db"].secrets, found["block:secret/db"].body["data"]) == ((), {"value": "plain"})


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (Overlay(map={"work-pool:none": "x"}), "is or names 'work-pool:none'"),
        (Overlay(map={"pool:k8s": "x"}), "names no kind"),
        (Overlay(map={"work-pool:k8s": ""}), "cannot be mapped"),
        (Overlay(map={"deployment:etl/nightly": "other/nightly"}), "stays where it is, etl"),
        (Overlay(map={"flow:etl": "a/b"}), "'a/b': no server takes that as the name of a flow"),
        (Overlay(map={"deployment:etl/nightly": "50%"}), "no server takes that as the name of a deployment"),
        (Overlay(map={"variable:region": "Region"}), "no server takes that as the name of a variable"),
        (Overlay(map={"block:secret/db": "secret/my_db"}), "no server takes that as the name of a block"),
        (Overlay(set={"variable:none": 1}), "nothing in the bundle matches 'variable:none'"),
        (Overlay(set={"flow:etl": 1}), "has no value to set"),
        (_patch("deployment:none", merge={}), "nothing in the bundle matches"),
        (_patch("deployment", at="/schedules/slug=noon", merge={}), "matches .* at '/schedules/slug=noon'"),
        (_patch("deployment", merge={"colour": "red"}), "field 'colour', which a deployment does not have"),
        (_patch("deployment", merge={"name": "x"}), "renames deployment:etl/nightly"),
        (_patch("deployment", remove=("/flow_id",)), "takes 'flow_id'"),
        (_patch("deployment", remove=("/none",)), "removes 'none'"),
        (_patch("flow", put=[]), "not an object"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(overlay: Overlay, message: str) -> None:
    """What matches nothing, or makes nothing that could be, is an error and not passed over."""
    with pytest.raises(UsageError, match=message):
        _adapted(overlay)


@pytest.mark.parametrize(
    ("patch", "message", "hint"),
    [
        ({"at": "job_variables", "put": {}}, "'job_variables' where a JSON Pointer", "like '/job_variables'"),
        ({"remove": ("version",)}, "'version' where a JSON Pointer", "like '/version'"),
        ({"at": "/a~2", "put": 1}, "'/a~2' where a JSON Pointer", "~ is written ~0"),
        ({"at": "/schedules/*/slug=x", "put": 1}, "matches 'deployment:etl/nightly' at", "items of a list"),
        ({"at": "/job_variables/*", "put": 1}, "matches 'deployment:etl/nightly' at", "items of a list"),
    ],
)
def test_a_pointer_that_is_none_is_told_with_what_to_write(patch: Any, message: str, hint: str) -> None:
    """Neither a missing slash nor a word for items in the place of a name makes a member of that name."""
    with pytest.raises(UsageError, match=message) as refusal:
        _adapted(_patch("deployment:etl/nightly", **patch))
    assert hint in refusal.value.hint


def test_two_resources_never_get_one_key() -> None:
    """A name that another resource of the bundle has is refused."""
    records = [*RECORDS, make_record("work-pool:k8s-prod", {"name": "k8s-prod", "type": "process"}, [], [])]

    with pytest.raises(UsageError, match="two resources of the bundle would both be work-pool:k8s-prod"):
        _adapted(Overlay(map={"work-pool:k8s": "k8s-prod"}), records=records)


@pytest.mark.parametrize(
    ("value", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_follow_the_rfc(value: Any, patch: Any, expected: Any) -> None:
    """The test cases of RFC 7396, appendix A."""
    assert merge(value, patch) == expected
