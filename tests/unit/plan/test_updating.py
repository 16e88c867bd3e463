"""What an update writes, and that it loses no live secret."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.model import Body, Pointer, Record
from bundle.plan.actions import Action, Difference
from bundle.plan.capabilities import Fields, Offered
from bundle.plan.differences import differences_of
from bundle.plan.secret_values import SecretValues
from bundle.plan.updating import secret_differences, updated
from bundle.record.secrets import marker
from bundle.server.openapi import parse_openapi
from support.by_hand import intended, record, there

KEY = "block:notify/b"


def block(data: Body, *secrets: Pointer) -> Record:
    """A block with some data, of which some places are secret."""
    return record(KEY, {"name": "b", "data": data, "block_type_id": "t", "block_schema_id": "s"}, secrets=secrets)


def slot(place: Pointer) -> str:
    return f"{KEY}#{place}"


def planned(ours: Record, theirs: Record, secrets: SecretValues, fields: Fields | None = None) -> Action:
    """What an update is to do, where all differences are as ``compare`` finds them."""
    (mine,) = intended(ours)
    environment = there(theirs)
    plain = tuple(differences_of(mine, theirs, {}, is_deep=False))
    differences = (*plain, *secret_differences(mine, KEY.upper(), plain, secrets))
    action = Action(KEY, "block", "skip", "exists-differs", KEY.upper(), differences)
    return updated(action, mine, theirs, differences, secrets, Offered(fields or Fields(), environment.rows))


def shown(data: Body, **supplied: Any) -> SecretValues:
    """The live data of the block, and the supplied values by the place below ``/data``."""
    body: Body = {"name": "b", "data": data, "block_type_id": "t", "block_schema_id": "s"}
    return SecretValues({slot(f"/data/{name}"): value for name, value in supplied.items()}, {KEY.upper(): body})


def test_what_differs_is_written() -> None:
    """Each place that can be changed is written; the rest is named."""
    action = planned(block({"a": 1, "b": 2}), block({"a": 1, "b": 3}), SecretValues())

    assert (action.verb, action.reason, action.unchangeable) == ("update", "updated", ())
    assert [each.pointer for each in action.to_write] == ["/data/b"]


def test_what_cannot_be_changed_is_named() -> None:
    """A field that no request changes is left; where nothing else differs, nothing is written."""
    ours = record(KEY, {"name": "b", "data": {"a": 1}, "block_type_id": "t", "block_schema_id": "s"})
    anonymous = record(KEY, {**ours.body, "is_anonymous": True, "data": {"a": 2}})

    action = planned(ours, anonymous, SecretValues())
    assert (action.verb, action.reason, action.unchangeable) == ("update", "updated-partly", ("/is_anonymous",))
    action = planned(ours, record(KEY, {**ours.body, "is_anonymous": True}), SecretValues())
    assert (action.verb, action.reason, action.unchangeable) == ("skip", "unchangeable", ("/is_anonymous",))


def test_what_the_version_does_not_take_is_left() -> None:
    """A field that the updating route of the destination does not know cannot be changed there."""
    schema: Body = {"properties": {"name": {}}}
    body = {"content": {"application/json": {"schema": schema}}}
    old = Fields(parse_openapi({"paths": {"/block_documents/{id}": {"patch": {"requestBody": body}}}}))

    assert planned(block({"a": 1}), block({"a": 2}), SecretValues(), old).reason == "unchangeable"


LIST = [{"host": "a"}, {"host": "b"}]


@pytest.mark.parametrize(
    ("live", "supplied", "reason"),
    [
        (None, {}, "unchangeable"),
        (None, {"password": "new"}, "unchangeable"),
        ({"password": "live", "list": [{"token": "t"}]}, {}, "unchangeable"),
        ({"password": "live", "list": [{"token": "t"}]}, {"list/0/token": "new"}, "updated"),
    ],
    ids=["not shown", "not shown, another one supplied", "shown, but not supplied", "supplied"],
)
def test_a_list_around_a_secret_is_not_written_without_it(
    live: Body | None, supplied: dict[str, Any], reason: str
) -> None:
    """A list that grew is written as a whole; without the value of a secret inside it that would lose the live one."""
    ours = block({"password": None, "list": [{"token": None}, {"more": 1}]}, "/data/password", "/data/list/0/token")
    theirs = block({"password": None, "list": [{"token": None}]}, "/data/password", "/data/list/0/token")
    secrets = SecretValues() if live is None else shown(live)
    secrets = SecretValues({slot(f"/data/{name}"): value for name, value in supplied.items()}, secrets.revealed)

    action = planned(ours, theirs, secrets)

    assert [each.pointer for each in action.differences] == ["/data/list"]
    assert action.reason == reason


def test_beside_a_secret_that_is_shown_the_rest_is_written() -> None:
    """A live value that the destination shows is sent along as it is."""
    ours, theirs = block({"p": None, "a": 1}, "/data/p"), block({"p": None, "a": 2}, "/data/p")

    assert planned(ours, theirs, shown({"p": "live", "a": 2})).reason == "updated"


def test_beside_a_secret_that_is_hidden_other_members_are_written() -> None:
    """Where secrets are hidden, members of the data beside them are merged around them; what is around one is left."""
    ours = block({"p": None, "a": 1, "deep": {"q": None, "b": 1}}, "/data/p", "/data/deep/q")
    theirs = block({"p": None, "a": 2, "deep": {"q": None, "b": 2}}, "/data/p", "/data/deep/q")

    action = planned(ours, theirs, SecretValues())

    assert (action.reason, action.unchangeable) == ("updated-partly", ("/data/deep/b",))


def test_a_secret_that_only_the_destination_has_is_not_lost() -> None:
    """What is live in a place where the bundle has something else, or nothing, is not written over unseen."""
    ours, theirs = block({"deep": {"b": 1}}), block({"deep": {"b": 1, "q": None}}, "/data/deep/q")

    assert planned(ours, theirs, SecretValues()).reason in {"exists-differs", "unchangeable"}
    assert planned(block({"deep": 1}), theirs, shown({"deep": {"b": 1, "q": "live"}})).reason == "unchangeable"


def test_a_secret_that_only_the_bundle_has_is_not_written_over_unseen() -> None:
    """Where the destination hides its secrets, what a value that nobody supplied belongs to is left."""
    ours = block({"p": None, "deep": {"q": None, "b": 1}}, "/data/p", "/data/deep/q")
    theirs = block({"p": None, "deep": {"b": 2}}, "/data/p")

    action = planned(ours, theirs, SecretValues())

    assert action.verb == "skip"
    assert set(action.unchangeable) == {each.pointer for each in action.differences}


def test_a_list_without_order_is_written_whole() -> None:
    """So a secret in one schedule keeps all of them from being written, as long as it is not supplied."""
    schedules = [{"schedule": {"cron": "@daily"}, "parameters": {"p": None}}, {"schedule": {"cron": "@hourly"}}]
    body = {"name": "d", "flow_id": "", "schedules": schedules}
    key, place = "deployment:f/d", "/schedules/0/parameters/p"
    (mine,) = intended(record(key, body, secrets=[place]))
    found = record(key, {**body, "schedules": schedules[:1]})
    differences = (Difference("/schedules/1", schedules[1], None),)
    action = Action(key, "deployment", "skip", "exists-differs", key.upper(), differences)

    def reason(supplied: Body) -> str:
        offered = Offered(Fields(), there(found).rows)
        return updated(action, mine, found, differences, SecretValues(supplied), offered).reason

    assert reason({}) == "unchangeable"
    assert reason({f"{key}#{place}": "x"}) == "updated"


def test_supplied_values_that_are_live_already_differ_nowhere() -> None:
    """Only a value that is known, and another one, is a difference."""
    (mine,) = intended(block({"p": None}, "/data/p"))

    def found(secrets: SecretValues, *plain: Difference) -> list[Difference]:
        return list(secret_differences(mine, KEY.upper(), plain, secrets))

    other = Difference("/data/p", None, None, is_secret=True)
    assert found(shown({"p": "live"}, p="new")) == [other]
    assert found(shown({"p": "live"}, p="live")) == []
    assert found(shown({"p": "live"})) == []
    assert found(shown({}, p="new")) == [other]
    assert found(SecretValues({slot("/data/p"): "new"})) == []
    assert found(shown({"p": "live"}, p="new"), Difference("/data", 1, 2)) == []


def test_placeholders_that_stay_are_named() -> None:
    """An update of something else leaves a placeholder of an earlier run where it is, and says so."""
    ours, theirs = block({"p": None, "a": 1}, "/data/p"), block({"p": None, "a": 2}, "/data/p")

    action = planned(ours, theirs, shown({"p": marker(ours.secrets[0]), "a": 2}))

    assert (action.verb, action.missing_secrets) == ("update", (slot("/data/p"),))


@pytest.mark.parametrize("verb", ["create", "complete", "unsupported", "blocked"])
def test_only_what_is_left_alone_is_updated(verb: Any) -> None:
    """An action that does something else stays what it is, and so does one without differences."""
    (mine,) = intended(block({"a": 1}))
    differences, same = (Difference("/data/a", 1, 2),), Action(KEY, "block", "skip", "exists-same", KEY.upper())
    action = Action(KEY, "block", verb, "created", KEY.upper(), differences)

    offered = Offered(Fields(), {})
    assert updated(action, mine, block({"a": 2}), differences, SecretValues(), offered) == action
    assert updated(same, mine, block({"a": 1}), (), SecretValues(), offered) == same
