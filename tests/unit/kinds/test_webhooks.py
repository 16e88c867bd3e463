"""Webhooks of Prefect Cloud."""

from __future__ import annotations

import pytest

from bundle.errors import RequestRejected
from bundle.record.canonical import make_record
from support.one_kind import ID, Rows, created, kind, read, updated

BODY = {"name": "in", "template": "{}"}


def test_only_cloud_has_them() -> None:
    """Elsewhere they are not offered."""
    assert kind("webhook").unfit(BODY, is_cloud=False) == "not-offered"
    assert kind("webhook").unfit(BODY, is_cloud=True) is None


def test_the_address_does_not_travel() -> None:
    """The slug is the server's, and whoever calls it must learn of the new one."""
    row = {"id": ID, "slug": "secret-slug", "enabled": True, **BODY}
    assert kind("webhook").portable(row, Rows()) == BODY
    assert [code for code, _, _ in kind("webhook").findings(row)] == ["new-address"]


def test_a_post_is_never_repeated_blindly() -> None:
    """Each ``POST`` makes another one, and names need not be unique."""
    assert created("webhook", BODY) == [["POST", "/webhooks/", BODY, "not repeatable"]]
    assert not kind("webhook").unique_names


def test_an_update_puts_the_whole() -> None:
    """``PUT`` resets what is not sent, so everything is."""
    whole = {"description": "", "enabled": True, "service_account_id": None, **BODY}
    assert updated("webhook", BODY, {"template"}) == [["PUT", f"/webhooks/{ID}", whole]]


def test_it_listens() -> None:
    """A webhook is part of what a bundle runs."""
    record = make_record("webhook:in", BODY, (), ())
    assert list(kind("webhook").runs(record) or ()) == [("webhook", "/template", "{}")]


def test_where_there_is_no_paged_list_the_plain_one_is_read() -> None:
    """A list that answers every page alike is not paged; any other refusal is an error."""
    same = RequestRejected("the same page again", status=200, hint="")
    plain = {"/webhooks/filter": same, "/webhooks/": [{"id": ID, **BODY}]}
    assert read("webhook", plain) == [{"id": ID, **BODY}]
    with pytest.raises(RequestRejected):
        read("webhook", {"/webhooks/filter": RequestRejected("no", status=500, hint="")})


def test_those_of_one_name_are_created_one_after_the_other() -> None:
    """So that one that was created without an answer is found again; a tilde in a name is doubled."""
    assert kind("webhook").lane(BODY) == "in"
    assert kind("webhook").natural_name({"name": "a~b"}, Rows()) == "a~~b"
