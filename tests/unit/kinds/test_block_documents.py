"""Block documents."""

from __future__ import annotations

from typing import Any

from bundle.model import Reference
from bundle.record.canonical import make_record
from support.one_kind import ID, OTHER, Rows, created, kind, updated

BLOCK = kind("block")
TYPE = {"id": "t", "slug": "my-type"}
SCHEMA = {"id": "s", "fields": {"secret_fields": ["password"], "properties": {"password": {}, "user": {}}}}


def row(data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": ID, "name": "db", "data": data, "block_type_id": "t", "block_schema_id": "s", **more}


def test_it_is_named_by_type_and_name() -> None:
    """Anonymous ones have no name of their own, and are known by their content."""
    look = Rows(TYPE)
    assert BLOCK.natural_name(row({}), look) == "my-type/db"
    assert BLOCK.natural_name(row({}, is_anonymous=True), look) == "my-type/(anonymous)"
    assert BLOCK.is_content_named(row({}, is_anonymous=True))


def test_nested_documents_become_references() -> None:
    """What the server shows inlined, secrets included, is put back as a reference."""
    nested = {"creds": {"block_document": {"id": OTHER}}}
    found = BLOCK.portable(row({"creds": {"password": "canary"}}, block_document_references=nested), Rows(TYPE))
    assert found["data"] == {"creds": {"$ref": {"block_document_id": OTHER}}}


def test_its_schema_says_what_is_secret() -> None:
    """A declared secret has a place, other values have none."""
    raw = row({"password": "canary", "user": "me"})
    body = BLOCK.portable(raw, Rows(TYPE, SCHEMA))
    assert BLOCK.secret_places(raw, body, Rows(TYPE, SCHEMA)) == {"/data/password": "string"}


def test_an_anonymous_one_gets_a_name_of_ours() -> None:
    """So it is found again if the answer to its creation is lost."""
    body = {"data": {}, "block_type_id": "t", "block_schema_id": "s", "is_anonymous": True}
    ((_, _, sent),) = created("block", body)
    assert sent["name"] == "anonymous-0123456789abcdef"


def test_an_update_sends_all_data() -> None:
    """``PATCH`` drops nested references that are not sent again; nothing is merged."""
    assert updated("block", {"data": {"a": 1, "b": 2}}, {"data"}) == [
        ["PATCH", f"/block_documents/{ID}", {"data": {"a": 1, "b": 2}, "merge_existing_data": False}]
    ]


def test_hidden_secrets_are_left_where_they_are() -> None:
    """Where the server does not show a secret, the rest is merged around it, and what is gone is sent as null."""
    body, held = {"data": {"password": None, "user": "me"}}, row({"password": "***", "old": 1})
    ((_, _, sent),) = updated("block", body, {"data"}, held, hidden=("/data/password",))
    assert sent == {"data": {"user": "me", "old": None}, "merge_existing_data": True}


def test_secrets_are_revealed_by_one_listing() -> None:
    """Of just the blocks that are asked for, anonymous ones too."""
    path, body = BLOCK.revealing([ID]) or ("", {})
    assert (path, body["include_secrets"], body["block_documents"]["id"]) == (
        "/block_documents/filter",
        True,
        {"any_": [ID]},
    )


def test_one_without_a_name_comes_only_with_what_needs_it() -> None:
    """And always comes along with that."""
    assert BLOCK.optional(row({}, is_anonymous=True), Rows(TYPE)) == "unreferenced-anonymous"
    assert BLOCK.optional(row({}), Rows(TYPE)) is None
    assert BLOCK.comes_along({"is_anonymous": True})


def test_a_block_that_sends_is_listed_with_its_hosts() -> None:
    """Never with the rest of the address; one that is a secret is only said to be one."""
    types = Reference("/block_type_id", "block-type:slack-webhook")
    found = [
        list(BLOCK.runs(make_record("block:slack-webhook/x", {"data": data}, (types,), ())) or ())[-1]
        for data in ({"url": "https://hooks.example.com/T0/hunter2"}, {"url": None})
    ]
    assert found == [
        ("notification", "/data", "slack-webhook to https://hooks.example.com"),
        ("notification", "/data", "slack-webhook to an address that is a secret"),
    ]
