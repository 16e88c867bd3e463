"""Which places hold secrets, and what stands for a secret that is not there."""

from __future__ import annotations

import http.client

import h11
import httpx
import pytest

from bundle.model import Secret
from bundle.record.secret_schema import MASK, secret_places
from bundle.record.secrets import fill, marker, slot_id, still_marked, variable_name


@pytest.mark.parametrize(
    ("data", "fields", "expected"),
    [
        pytest.param({"v": MASK}, {"secret_fields": ["v"]}, {"/v": "string"}, id="exact"),
        pytest.param({"v": {"a": 1}}, {"secret_fields": ["v"]}, {"/v": "object"}, id="object the server lets through"),
        pytest.param({"v": [1]}, {"secret_fields": ["v"]}, {"/v": "array"}, id="array"),
        pytest.param({"v": 7}, {"secret_fields": ["v"]}, {"/v": "number"}, id="number"),
        pytest.param({"v": False}, {"secret_fields": ["v"]}, {"/v": "boolean"}, id="boolean"),
        pytest.param({"v": None}, {"secret_fields": ["v"]}, {}, id="null holds none"),
        pytest.param({"v": {"a": MASK, "b": MASK}}, {"secret_fields": ["v.*"]}, {"/v": "object"}, id="wildcard"),
        pytest.param({"v": MASK}, {"secret_fields": ["v.*"]}, {"/v": "object"}, id="masked empty object"),
        pytest.param({"a": {"b": "x"}}, {"secret_fields": ["a.b"]}, {"/a/b": "string"}, id="nested"),
        pytest.param(
            {"a": [{"b": "x"}, {"b": "y"}]},
            {"secret_fields": ["a.b"]},
            {"/a/0/b": "string", "/a/1/b": "string"},
            id="inside a list",
        ),
        pytest.param({"a": {"k": {"b": "x"}}}, {"secret_fields": ["a.*.b"]}, {"/a/k/b": "string"}, id="inner wildcard"),
        pytest.param({"a.b": "x"}, {"secret_fields": ["a.b"]}, {"/a.b": "string"}, id="a dotted member name"),
        pytest.param({"a": {"b": "x"}}, {"secret_fields": ["a", "a.b"]}, {"/a": "object"}, id="the outermost wins"),
        pytest.param(
            {"p": "x"},
            {"properties": {"p": {"type": "string", "format": "password"}}},
            {"/p": "string"},
            id="format password",
        ),
        pytest.param(
            {"p": ["x"]},
            {"properties": {"p": {"type": "array", "items": {"writeOnly": True}}}},
            {"/p/0": "string"},
            id="write only items",
        ),
        pytest.param(
            {"m": {"t": "x"}},
            {
                "properties": {"m": {"anyOf": [{"$ref": "#/definitions/M"}, {"type": "null"}]}},
                "definitions": {"M": {"properties": {"t": {"format": "password"}}}},
            },
            {"/m/t": "string"},
            id="through a definition",
        ),
        pytest.param(
            {"d": {"x": "1"}},
            {"properties": {"d": {"additionalProperties": {"format": "password"}}}},
            {"/d/x": "string"},
            id="a map of secrets",
        ),
        pytest.param(
            {"v": MASK},
            {"secret_fields": ["v"], "properties": {"v": {"type": "array"}}},
            {"/v": "array"},
            id="type behind the mask",
        ),
        pytest.param(
            {"v": MASK, "w": "plain"}, {"secret_fields": ["v.a"]}, {"/v": "string"}, id="a mask where the path goes on"
        ),
        pytest.param({"free": MASK}, {"secret_fields": []}, {}, id="a user's own asterisks"),
        pytest.param(
            {"a": {"a": "x"}},
            {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"$ref": "#/definitions/A"}}},
            {},
            id="a definition that is itself",
        ),
    ],
)
def test_secret_places(data: dict[str, object], fields: dict[str, object], expected: dict[str, str]) -> None:
    """Every place that the schema calls secret is found, with the JSON type of its value."""
    assert secret_places(data, fields) == expected


PASSWORD = {"type": "string", "format": "password"}


@pytest.mark.parametrize(
    "more",
    [
        *({word: [{"type": "null"}, PASSWORD]} for word in ("anyOf", "allOf", "oneOf")),
        *({word: PASSWORD} for word in ("if", "then", "else")),
        *({word: {"x": PASSWORD}} for word in ("dependentSchemas", "dependencies")),
        *({word: "#/definitions/First"} for word in ("$ref", "$dynamicRef", "$recursiveRef")),
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_schema_is_followed_wherever_it_says_more(more: dict[str, object]) -> None:
    """A secret behind a union, a condition, or a reference to a reference is one at every depth."""
    definitions = {"First": {"$ref": "#/definitions/Second"}, "Second": {"oneOf": [PASSWORD]}}
    schema = {"properties": {"v": {"properties": {"p": more}}}, "definitions": definitions}

    assert secret_places({"v": {"p": "x"}}, schema) == {"/v/p": "string"}


@pytest.mark.parametrize(
    ("word", "value", "place"),
    [
        ("properties", {"a": "x"}, "/v/a"),
        ("patternProperties", {"a": "x"}, "/v/a"),
        ("additionalProperties", {"b": "x"}, "/v/b"),
        ("unevaluatedProperties", {"b": "x"}, "/v/b"),
        ("items", ["x"], "/v/0"),
        ("prefixItems", ["x", "y"], "/v/0"),
        ("additionalItems", ["x"], "/v/0"),
        ("unevaluatedItems", ["x"], "/v/0"),
        ("contains", ["x"], "/v/0"),
    ],
)
def test_a_schema_is_followed_into_members_and_items(word: str, value: object, place: str) -> None:
    """Every word with which a schema speaks of what is inside counts."""
    inside: dict[str, object] = {"properties": {"a": PASSWORD}, "patternProperties": {"^a": PASSWORD}}
    inside |= {"prefixItems": [PASSWORD]}

    assert secret_places({"v": value}, {"properties": {"v": {word: inside.get(word, PASSWORD)}}}) == {place: "string"}


def test_a_slot_is_named_by_resource_and_place() -> None:
    """So it is the same in every bundle that holds this secret."""
    assert slot_id("block:secret/db", "/data/value") == "block:secret/db#/data/value"


@pytest.mark.parametrize("kind", ["string", "number", "boolean", "array", "object"])
def test_a_marker_names_its_slot_and_is_recognised(kind: str) -> None:
    """The marker says which secret is missing, is never the mask, and is known again later."""
    secret = Secret("/data/value", "block:secret/db#/data/value", kind)  # type: ignore[arg-type]
    body = fill({"data": {"value": None}}, [secret], {})

    assert secret.slot in str(marker(secret))
    assert MASK not in str(body)
    assert still_marked(body, secret)
    assert not still_marked({"data": {"value": "live"}}, secret)


def test_a_marker_is_sent_to_nobody() -> None:
    """As a header or in a URL it is refused before anything is sent."""
    text = marker(Secret("/data/value", "block:secret/db#/data/value", "string"))

    with httpx.Client(transport=httpx.HTTPTransport(), trust_env=False) as client:
        with pytest.raises(httpx.InvalidURL):
            client.get(text)
        with pytest.raises(httpx.InvalidURL):
            client.get(f"http://127.0.0.1:9/{text}")
    with pytest.raises(h11.LocalProtocolError):
        h11.Request(method="GET", target="/", headers=[("Host", "x"), ("Authorization", f"Bearer {text}")])
    ((name, _),) = marker(Secret("/data/headers", "block:webhook/w#/data/headers", "object")).items()
    with pytest.raises(h11.LocalProtocolError):
        h11.Request(method="GET", target="/", headers=[("Host", "x"), (name, "x")])
    plain = http.client.HTTPConnection("127.0.0.1")
    plain.putrequest("GET", "/")
    with pytest.raises(ValueError, match="Invalid header value"):
        plain.putheader("Authorization", text)
    with pytest.raises(ValueError, match="Invalid header name"):
        plain.putheader(name, "x")


@pytest.mark.parametrize(
    ("kind", "older"),
    [
        ("object", {"xfer": "xfer: this secret was not supplied: s"}),
        ("array", ["xfer: this secret was not supplied: s"]),
        ("string", "xfer: this secret was not supplied: s"),
    ],
)
def test_what_earlier_versions_left_is_known(kind: str, older: object) -> None:
    """So a supplied secret takes its place, too."""
    secret = Secret("/headers", "s", kind)  # type: ignore[arg-type]

    assert still_marked({"headers": older}, secret)
    assert marker(secret) != older
    assert not still_marked({"headers": {}}, secret)


def test_a_supplied_secret_takes_its_place() -> None:
    """A supplied value of any JSON type stands where the slot was."""
    secret = Secret("/data/value", "s", "object")

    assert fill({"data": {"value": None}}, [secret], {"s": {"a": [1]}}) == {"data": {"value": {"a": [1]}}}


@pytest.mark.parametrize("value", ["", 0, False, [], {}, None])
def test_a_supplied_value_is_one_however_empty(value: object) -> None:
    """Nothing but a missing value gets a marker."""
    secret = Secret("/data/value", "s", "string")

    assert fill({"data": {"value": None}}, [secret], {"s": value}) == {"data": {"value": value}}


def test_the_variable_of_a_slot() -> None:
    """The variable's name is the slot in capitals."""
    assert variable_name("block:secret/db-pw#/data/value") == "XFER_SECRET_BLOCK_SECRET_DB_PW_DATA_VALUE"
