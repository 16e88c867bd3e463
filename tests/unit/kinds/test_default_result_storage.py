"""The default result storage of a server."""

from __future__ import annotations

from support.one_kind import ID, Rows, Sent, created, deleted, kind, read, updated

NAME = "default-result-storage"
FIELD = "default_result_storage_block_id"


def test_it_is_read_where_it_is_set() -> None:
    """One row where a block is named; none where nothing is set, the route is missing, or the server is Cloud."""
    found = {FIELD: ID}
    assert read(NAME, {"/admin/storage": found}) == [{"id": "default-result-storage", **found}]
    assert read(NAME, {"/admin/storage": {FIELD: None}}) == read(NAME, {}) == []
    assert read(NAME, {"/admin/storage": found}, is_cloud=True) == []


def test_it_is_called_server_and_only_points() -> None:
    """There is one, and its block is all that travels."""
    row = {"id": "default-result-storage", FIELD: ID}
    assert kind(NAME).natural_name(row, Rows()) == "server"
    assert kind(NAME).portable(row, Rows()) == {FIELD: ID}


def test_it_is_put_and_deleted() -> None:
    """``PUT /admin/storage`` sets it, ``DELETE`` leaves the place empty."""
    assert created(NAME, {FIELD: ID}) == [["PUT", "/admin/storage", {FIELD: ID}]]
    assert deleted(NAME, {}) == [["DELETE", "/admin/storage", None]]


def test_cloud_does_not_have_it() -> None:
    """On Cloud a work pool has its own."""
    assert kind(NAME).unfit({FIELD: ID}, is_cloud=True) == "not-offered"


def test_it_is_replaced_by_put() -> None:
    """There is nothing else in it to change."""
    assert updated(NAME, {FIELD: ID}, {FIELD}) == [["PUT", "/admin/storage", {FIELD: ID}]]
    assert kind(NAME).route(Sent()) == ("PUT", "/admin/storage")
